"""What the flow confirm-appointment decides about a visit: it stands, or the clinic cancels it.

Decided once for each time a visit was booked or moved: the row `confirmed` remembers it, so that a replayed event
cannot cancel what was confirmed before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from appointments import changes
from appointments.commands import CancelAppointment
from appointments.model import AppointmentCancelled, Side
from hms import ids
from hms.call import decided

if TYPE_CHECKING:
    from appointments.store import Appointments
    from hms.call import Call

type Decision = Literal["ok", "superseded"]


def confirm(appointment_id: str, version: int, call: Call, appointments: Appointments) -> Decision:
    """`superseded` where the visit has changed since `version`."""

    def attempt() -> Decision:
        stored = appointments.load(appointment_id)
        if stored is None or not changes.stands(stored.state, version, call.now):
            return "superseded"
        appointments.keep_confirmed(appointment_id, version)
        return "ok"

    return decided(attempt)


def cancel_for_clinic(
    appointment_id: str, version: int, reason: str, call: Call, appointments: Appointments
) -> Decision:
    """`superseded`, and nothing happens, where the visit has changed since `version` or was confirmed at it."""
    call = replace(call, token=ids.derived("cancel-for-clinic", appointment_id, version))
    command = CancelAppointment(reason=reason, requested_by=Side.CLINIC)

    def attempt() -> Decision:
        stored, confirmed = appointments.with_confirmed(appointment_id)
        if appointments.earlier(stored, appointment_id, call):
            return "ok"
        if stored is None or confirmed >= version or not changes.stands(stored.state, version, call.now):
            return "superseded"
        after = changes.cancelled(stored.state, command, call.who, call.now)
        appointments.save(stored, after, AppointmentCancelled.of(after), call)
        return "ok"

    return decided(attempt)
