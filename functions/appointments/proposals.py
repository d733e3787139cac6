"""Proposed no-shows: the patient is not here when the grace is over, and reception is to say whether they came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments import changes
from appointments.clinic import clinic
from appointments.model import AppointmentNoShowProposed, NoShowProposal, position
from hms.call import decided
from hms.fields import day_of

if TYPE_CHECKING:
    from appointments.model import Appointment
    from appointments.query import ListNoShowProposals
    from appointments.store import Appointments
    from hms.call import Call


def propose(appointment_id: str, call: Call, appointments: Appointments) -> None:
    """Once for each time a visit is missed; nothing where the patient came, or the visit was moved or cancelled."""

    def attempt() -> None:
        stored = appointments.load(appointment_id)
        if stored is None or not changes.is_missed(stored.state, clinic(), call.now):
            return
        after = changes.no_show_proposed(stored.state, call.who, call.now)
        appointments.save(stored, after, AppointmentNoShowProposed.of(after), call)

    decided(attempt)


def proposals(
    params: ListNoShowProposals, call: Call, appointments: Appointments
) -> tuple[list[NoShowProposal], str | None]:
    """A page of one clinic day's by start, and the position to go on from. Doctors see those of their own visits."""
    day, after = params.day or day_of(call.now, clinic().timezone), params.after
    found = [
        _shown(visit)
        for visit in appointments.proposals_on(day)
        if call.who.reaches("appointments:no_show", doctor_id=visit.doctor_id)
    ]
    rest = [one for one in found if after is None or _position(one) > after]
    page = rest[: params.limit]
    return page, _position(page[-1]) if len(page) < len(rest) else None


def _position(proposal: NoShowProposal) -> str:
    return position(proposal.slot_start, proposal.appointment_id)


def _shown(visit: Appointment) -> NoShowProposal:
    fields = {name: getattr(visit, name) for name in NoShowProposal.model_fields if name != "proposed_at"}
    return NoShowProposal.model_validate(fields | {"proposed_at": visit.no_show_proposed_at})
