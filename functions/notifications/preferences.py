"""How people want to be told, and which of their addresses are left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms.call import Outcome, decided
from hms.errors import FieldError, Forbidden, Invalid
from notifications.kinds import kinds
from notifications.model import Preferences, PreferencesChanged
from notifications.rules import RecipientNotFound

if TYPE_CHECKING:
    from hms.call import Call
    from notifications.model import SetPreferences
    from notifications.service import Office
    from notifications.store import Notifications


def read(patient_id: str, call: Call, notifications: Notifications) -> Preferences:
    """Those that are set, else the defaults, as version 0."""
    _reach(patient_id, call)
    stored = notifications.preferences.load(patient_id)
    return stored.state if stored else _unset(patient_id, call)


def put(patient_id: str, command: SetPreferences, call: Call, office: Office) -> Outcome[Preferences]:
    _reach(patient_id, call)
    _check_kinds(command)
    notifications = office.notifications

    def attempt() -> Outcome[Preferences]:
        stored = notifications.preferences.load(patient_id)
        if earlier := notifications.preferences.earlier(stored, patient_id, call):
            return earlier
        before = stored.state if stored else _unset(patient_id, call)
        call.expect(before.version)
        if stored is None and office.owners.patient(patient_id) is None:
            raise RecipientNotFound
        after = before.model_copy(update={**dict(command), "version": before.version + 1, "updated_at": call.now})
        fact = PreferencesChanged.model_validate(
            {name: getattr(after, name) for name in PreferencesChanged.model_fields}
        )
        notifications.table.commit(notifications.preferences.changes(patient_id, stored, after, fact, call))
        return Outcome(after)

    return decided(attempt)


def restore_addresses(patient_id: str, office: Office) -> None:
    """The recipient's present addresses are used again."""
    patient = office.owners.patient(patient_id)
    if patient is None:
        raise RecipientNotFound
    office.notifications.lift(address for address in (patient.email, patient.phone) if address)


def _unset(patient_id: str, call: Call) -> Preferences:
    return Preferences(patient_id=patient_id, version=0, created_at=call.now, updated_at=call.now)


def _reach(patient_id: str, call: Call) -> None:
    if not call.who.reaches("notifications:preferences", patient_id=patient_id):
        raise Forbidden


def _check_kinds(command: SetPreferences) -> None:
    unknown = [name for name in command.muted if name not in kinds().kinds]
    if unknown:
        known = ", ".join(kinds().kinds)
        raise Invalid(errors=(FieldError("muted", "unknown_kind", f"the kinds of messages are: {known}"),))
