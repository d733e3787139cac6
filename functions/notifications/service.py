"""What is done about telling people: hearing of changes, planning messages, repeating them, keeping preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from hms.call import Outcome, decided
from hms.errors import Forbidden
from hms.rows import Conflict
from notifications import rules
from notifications.clinic import clinic
from notifications.kinds import kinds
from notifications.model import (
    Channel,
    NotificationDeferred,
    NotificationFact,
    NotificationFailed,
    NotificationRequested,
    NotificationResent,
    NotificationSent,
    NotificationSkipped,
    Status,
)
from notifications.rules import Case, NotificationNotFound, Occurrence, Recipient, Reminder, StillPending

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from typing import Any

    from hms.aggregate import Stored
    from hms.call import Call
    from hms.events import Event
    from hms.rows import Item, Key
    from notifications.model import Notification
    from notifications.people import DoctorCopy, PatientCopy
    from notifications.store import Background, Latest, Notifications


class Owners(Protocol):
    """The owners' word: None where they know nothing of it. Raises `Busy` where they do not answer."""

    def patient(self, patient_id: str) -> PatientCopy | None: ...
    def doctor(self, doctor_id: str) -> DoctorCopy | None: ...
    def subject(self, name: str, subject_id: str) -> Latest | None: ...


class UnknownRecipient(Exception):
    """Even its owner does not know the person a message is for."""


class Office(NamedTuple):
    notifications: Notifications
    owners: Owners


def hear(event: Event, call: Call, office: Office) -> None:
    """A change of a subject: its state is kept and the messages it brings about are made, in one transaction.

    Coming again it finds its messages there. Coming late, behind a newer change, it makes those that are no longer
    true as skipped.
    """
    name = kinds().subject_of(event.type)
    occurrence = Occurrence(name, event.data[kinds().subjects[name].id], event.version, event.data)
    names = kinds().following(event.type, event.data)

    def attempt() -> None:
        known = _background(occurrence, names, office)
        newer = known.latest is None or known.latest.version < occurrence.version
        latest = occurrence.data if newer or known.latest is None else known.latest.data
        made = []
        if names and not known.made:
            made = _planned(names, _case(occurrence, latest, known, office), call.now)
        if made or newer:
            office.notifications.add(_told(made), call, shown=occurrence if newer else None)

    decided(attempt)


def plan_reminders(name: str, subject_id: str, version: int, call: Call, office: Office, *, made_at: datetime) -> bool:
    """Places the reminders of a subject, or moves them; says whether `version`, made at `made_at`, is still the newest.

    What came due between that instant and now is placed too: the next sweep decides whether it is still of use.
    """
    latest = office.notifications.latest(subject_id)
    if latest is None or latest.version < version:
        latest = office.owners.subject(name, subject_id)
    if latest is None:
        return False
    # A newer version is planned by its own event, which knows when that was made.
    since = min(made_at, call.now) if latest.version == version else call.now
    for kind, before in kinds().reminders(name).items():
        stands = kinds().kinds[kind].stands.hold(latest.data, latest.data)
        if stands and before.due(latest.data) > since:
            _remind(Reminder(name, subject_id, kind, latest.version, latest.data), call.now, office)
    return latest.version == version


def _remind(reminder: Reminder, now: datetime, office: Office) -> None:
    try:
        office.notifications.remind(reminder, now)
    except Conflict:
        return  # Planned already, for this or a later version.


def fire(due: Item, call: Call, office: Office) -> None:
    """A timer's row: a reminder becomes messages, a message that waited is sent on its way."""
    if office.notifications.is_reminder(due):
        decided(lambda: _fire_reminder(due.key, call, office))
    else:
        decided(lambda: _release(office.notifications.notification_of(due), call, office))


def _fire_reminder(key: Key, call: Call, office: Office) -> None:
    found = office.notifications.reminder(key)
    if found is None or found[1].due > call.now:
        return  # Fired by another sweep, or moved since the index was read.
    item, reminder = found
    latest = office.owners.subject(reminder.subject, reminder.subject_id)
    if latest is None or not kinds().kinds[reminder.kind].stands.hold(reminder.data, latest.data):
        office.notifications.drop(item)
        return
    occurrence = Occurrence(reminder.subject, reminder.subject_id, reminder.version, reminder.data)
    names = (reminder.kind,)
    known = _background(occurrence, names, office)
    made = [] if known.made else _planned(names, _case(occurrence, latest.data, known, office), call.now)
    office.notifications.add(_told(made), call, fired=item)


def _release(notification_id: str, call: Call, office: Office) -> None:
    stored = office.notifications.load(notification_id)
    if stored is None or stored.state.not_before is None or stored.state.not_before > call.now:
        return  # Released by another sweep, or put off again since the index was read.
    after = rules.requested(stored.state, call.now)
    office.notifications.save(stored, after, fact_of(after), call)


def _background(occurrence: Occurrence, names: Iterable[str], office: Office) -> Background:
    patient_id = _patient_id(occurrence)
    possible = [rules.notification_id(occurrence, name, patient_id, channel) for name in names for channel in Channel]
    return office.notifications.background(occurrence.subject_id, patient_id, possible)


def _planned(names: tuple[str, ...], case: Case, now: datetime) -> list[Notification]:
    channels = rules.channels_for(case.recipient)
    return [rules.planned(name, channel, case, clinic(), now) for name in names for channel in channels]


def _case(occurrence: Occurrence, latest: Mapping[str, Any], known: Background, office: Office) -> Case:
    patient = known.patient or _asked(_patient_id(occurrence), office)
    return Case(occurrence, latest, Recipient(patient, known.preferences))


def _told(made: list[Notification]) -> list[tuple[Notification, NotificationFact]]:
    return [(one, fact_of(one)) for one in made]


def _asked(patient_id: str, office: Office) -> PatientCopy:
    patient = office.owners.patient(patient_id)
    if patient is None:
        raise UnknownRecipient
    office.notifications.patients.keep(patient)
    return patient


def _patient_id(occurrence: Occurrence) -> str:
    patient_id: str = occurrence.data[kinds().subjects[occurrence.subject].people["patient"]]
    return patient_id


def fact_of(after: Notification) -> NotificationFact:
    """What a message's state says has happened to it."""
    if after.status is Status.PENDING:
        return (NotificationDeferred if after.not_before else NotificationRequested).of(after)
    facts: dict[Status, type[NotificationFact]] = {
        Status.SENT: NotificationSent,
        Status.FAILED: NotificationFailed,
        Status.SKIPPED: NotificationSkipped,
    }
    return facts[after.status].of(after)


def read(notification_id: str, call: Call, notifications: Notifications) -> Notification:
    return _load(notification_id, "notifications:read", call, notifications).state


def resend(notification_id: str, call: Call, notifications: Notifications) -> Outcome[Notification]:
    """The same message as a new attempt, sent at once. The first of the attempts counts them and remembers the call."""

    def attempt() -> Outcome[Notification]:
        last = _load(notification_id, "notifications:resend", call, notifications).state
        first = notifications.load(last.first_id)
        if first is None:
            raise NotificationNotFound
        if earlier := notifications.earlier(first, last.first_id, call):
            again = rules.repeated(last, earlier.state.attempts, call.now)
            made = notifications.load(again.notification_id)
            return Outcome(made.state if made else again, replayed=True)
        newest = rules.repeated(last, first.state.attempts, call.now).notification_id
        pending = notifications.load(newest) if first.state.attempts > 1 else first
        if pending and pending.state.status is Status.PENDING:
            raise StillPending
        counted = rules.counted(first.state, call.now)
        again = rules.repeated(last, counted.attempts, call.now)
        creation = notifications.creation(again, fact_of(again), call)
        notifications.save(first, counted, NotificationResent.of(counted), call, more=creation)
        return Outcome(again)

    return decided(attempt)


def _load(notification_id: str, permission: str, call: Call, notifications: Notifications) -> Stored[Notification]:
    stored = notifications.load(notification_id)
    if stored is None:
        # To those who reach only their own, an unknown message looks like somebody else's.
        raise NotificationNotFound if call.who.scopes.get(permission) == "any" else Forbidden
    if not call.who.reaches(permission, patient_id=stored.state.patient_id):
        raise Forbidden
    return stored
