"""Calendar tokens: made, listed, revoked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from appointments import calendars, service
from appointments.calendars import (
    Calendar,
    CalendarTokenCreated,
    CalendarTokenNotFound,
    CalendarTokenRevoked,
    KeptToken,
)
from appointments.people import DoctorCopy, PatientCopy
from hms import ids
from hms.call import Outcome, decided
from hms.errors import Forbidden

if TYPE_CHECKING:
    from appointments.calendars import CalendarToken, Owner
    from appointments.service import Owners
    from appointments.store import Appointments
    from hms.call import Call

_KEY_BYTES = 32


def create(
    owner: Owner, key: str | None, call: Call, appointments: Appointments, owners: Owners
) -> tuple[Outcome[KeptToken], str]:
    """A new token and its secret. `key` is the Idempotency-Key: the same one tells the same secret again."""
    _reach("appointments:share_calendar", owner, call)
    key = key or os.urandom(_KEY_BYTES).hex()
    token_id = ids.derived("calendar-token", call.token)

    def attempt() -> Outcome[Calendar]:
        stored, copy = appointments.calendar(owner)
        kept = appointments.calendars(owner.kind)
        if earlier := kept.earlier(stored, owner.owner_id, call):
            return earlier
        if stored and stored.state.has(token_id):
            # So late a repetition that its command is forgotten.
            return Outcome(stored.state, replayed=True)
        active(owner, copy, appointments, owners)
        token = KeptToken.made(token_id, key, call.who.user_id, call.now)
        after = calendars.with_token(stored.state if stored else None, token, call.now)
        fact = CalendarTokenCreated.of(owner, token_id, after)
        appointments.table.commit(kept.changes(owner.owner_id, stored, after, fact, call))
        return Outcome(after)

    outcome = decided(attempt)
    token = outcome.state.token(token_id)
    return Outcome(token, outcome.replayed), token.secret(key)


def listed(owner: Owner, call: Call, appointments: Appointments) -> list[CalendarToken]:
    """The tokens that open the owner's calendar now, without their secrets."""
    _reach("appointments:manage_calendar_tokens", owner, call)
    stored, _ = appointments.calendar(owner)
    return [token.told for token in stored.state.tokens] if stored else []


def revoke(owner: Owner, token_id: str, call: Call, appointments: Appointments) -> Outcome[Calendar]:
    """It opens nothing from now on."""
    _reach("appointments:manage_calendar_tokens", owner, call)
    kept = appointments.calendars(owner.kind)

    def attempt() -> Outcome[Calendar]:
        stored, _ = appointments.calendar(owner)
        if earlier := kept.earlier(stored, owner.owner_id, call):
            return earlier
        if stored is None:
            raise CalendarTokenNotFound
        after = calendars.without_token(stored.state, token_id, call.now)
        fact = CalendarTokenRevoked.of(owner, token_id, after)
        appointments.table.commit(kept.changes(owner.owner_id, stored, after, fact, call))
        return Outcome(after)

    return decided(attempt)


def active(
    owner: Owner, copy: PatientCopy | DoctorCopy | None, appointments: Appointments, owners: Owners
) -> PatientCopy | DoctorCopy:
    """The owner in person. Raises what `service` raises of people who are unknown or inactive."""
    if owner.kind == "patient":
        known = copy if isinstance(copy, PatientCopy) else None
        return service.active_patient(known, owner.owner_id, appointments, owners)
    return service.active_doctor(copy if isinstance(copy, DoctorCopy) else None, owner.owner_id, appointments, owners)


def _reach(permission: str, owner: Owner, call: Call) -> None:
    reached = {"patient_id": owner.owner_id} if owner.kind == "patient" else {"doctor_id": owner.owner_id}
    if not call.who.reaches(permission, **reached):
        raise Forbidden
