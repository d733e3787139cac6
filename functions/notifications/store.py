"""Where messages are kept, and what they rest on.

| row | pk | sk | index |
|---|---|---|---|
| message | `notification#<id>` | `state`, `event#<version>` | `by_a` its recipient's, `by_b` its day's, 16 shards |
| when it is due | `notification#<id>` | `due` | `by_b` timers |
| who is sending it | `notification#<id>` | `lease` | |
| latest state of a subject | `subject#<id>` | `latest` | |
| reminder to come | `subject#<id>` | `reminder#<kind>` | `by_b` timers |
| preferences | `preferences#<patient>` | `state`, `event#<version>` | |
| address that takes nothing | `suppressed#<hash>` | `state` | |
| copies | `patient#<id>`, `doctor#<id>` | `profile` | |
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hms import timers
from hms.aggregate import Aggregates, Stored
from hms.copies import Copies
from hms.fields import rfc3339
from hms.rows import Found, Insert, Item, Key, Query, Refresh, Remove, Replace
from hms.shards import merged, partitions, sharded, whole
from notifications import addresses
from notifications.model import Notification, Preferences, Status
from notifications.people import DoctorCopy, PatientCopy
from notifications.rules import Reminder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime
    from typing import Any

    from hms.call import Call
    from hms.events import Fact
    from hms.rows import Change, Table
    from notifications.rules import Occurrence

_DUE, _LEASE, _LATEST, _REMINDER = "due", "lease", "latest", "reminder#"


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest that is known of a subject."""

    version: int
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lease:
    """Somebody is sending: nobody else does before `until`."""

    version: int
    until: str


@dataclass(frozen=True, slots=True)
class Background:
    """What planning rests on, from one consistent read."""

    latest: Latest | None
    patient: PatientCopy | None
    preferences: Preferences | None
    made: bool


@dataclass(frozen=True, slots=True)
class Sending:
    """What sending rests on, from one consistent read."""

    stored: Stored[Notification] | None
    lease: Lease | None
    latest: Latest | None
    patient: PatientCopy | None
    preferences: Preferences | None
    doctor: DoctorCopy | None


class Notifications(Aggregates[Notification]):
    def __init__(self, table: Table) -> None:
        super().__init__(table, "notification", Notification)
        self.preferences = Aggregates(table, "preferences", Preferences)
        self.patients = Copies(table, "patient", PatientCopy)
        self.doctors = Copies(table, "doctor", DoctorCopy)
        self.timers = timers.Timers(table)

    def background(self, subject_id: str, patient_id: str, notification_ids: Iterable[str]) -> Background:
        keys = [self.key(one) for one in notification_ids]
        latest, patient = _latest_key(subject_id), self.patients.key(patient_id)
        preferences = self.preferences.key(patient_id)
        found = self.table.get_many([latest, patient, preferences, *keys])
        wanted = self.preferences.read(found.get(preferences))
        return Background(
            _latest(found.get(latest)),
            self.patients.read(found.get(patient)),
            wanted.state if wanted else None,
            any(key in found for key in keys),
        )

    def sending(self, notification_id: str, subject_id: str, patient_id: str, doctor_id: str | None) -> Sending:
        state, lease, latest = self.key(notification_id), self._beside(notification_id, _LEASE), _latest_key(subject_id)
        patient = self.patients.key(patient_id)
        doctor = self.doctors.key(doctor_id) if doctor_id else None
        preferences = self.preferences.key(patient_id)
        found = self.table.get_many([state, lease, latest, patient, preferences, *([doctor] if doctor else [])])
        held, wanted = found.get(lease), self.preferences.read(found.get(preferences))
        return Sending(
            self.read(found.get(state)),
            Lease(held.version, held.body or "") if held else None,
            _latest(found.get(latest)),
            self.patients.read(found.get(patient)),
            wanted.state if wanted else None,
            self.doctors.read(found.get(doctor)) if doctor else None,
        )

    def latest(self, subject_id: str) -> Latest | None:
        return _latest(self.table.get(_latest_key(subject_id)))

    def add(
        self,
        made: Sequence[tuple[Notification, Fact]],
        call: Call,
        *,
        shown: Occurrence | None = None,
        fired: Item | None = None,
    ) -> None:
        """New messages in one transaction, with the subject's newer state or the reminder that brought them about."""
        changes: list[Change] = [_refreshed(shown)] if shown else []
        changes += [Remove(fired.key, fired.version)] if fired else []
        for notification, fact in made:
            changes += self._written(None, notification, fact, call)
        self.table.commit(changes)

    def save(
        self,
        before: Stored[Notification],
        after: Notification,
        fact: Fact,
        call: Call,
        *,
        lease: Lease | None = None,
        more: Sequence[Change] = (),
    ) -> None:
        """Raises `Conflict` where it has changed since `before`, or where `lease` is not the sender's any more.

        A message that is over without a lease, by its report, ends the one there is: who comes after a dead sender can
        then not take it over.
        """
        changes = self._written(before, after, fact, call)
        if lease or _is_over(before.state, after):
            changes.append(Remove(self._beside(after.notification_id, _LEASE), lease.version if lease else None))
        self.table.commit([*changes, *more])

    def creation(self, notification: Notification, fact: Fact, call: Call) -> list[Change]:
        return self._written(None, notification, fact, call)

    def _written(
        self, before: Stored[Notification] | None, after: Notification, fact: Fact, call: Call
    ) -> list[Change]:
        moment = f"{rfc3339(after.created_at)}#{after.notification_id}"
        recipient, day = Key(f"recipient#{after.patient_id}", moment), Key(_day_of(after), moment)
        changes = self.changes(after.notification_id, before, after, fact, call, by_a=recipient, by_b=day)
        due = self._beside(after.notification_id, _DUE)
        if after.status is Status.PENDING and after.not_before:
            # Placed by the message's version: the row of an earlier wait gives way.
            changes.append(Refresh(Item(*due, version=after.version, by_b=timers.place(after.not_before, due))))
        elif before and before.state.not_before:
            changes.append(Remove(due))
        return changes

    def take(self, notification_id: str, held: Lease | None, until: datetime) -> Lease:
        """The right to send for a while. Raises `Conflict` where somebody else was faster."""
        version = held.version + 1 if held else 1
        item = Item(*self._beside(notification_id, _LEASE), version=version, body=rfc3339(until))
        self.table.commit([Replace(item) if held else Insert(item)])
        return Lease(version, rfc3339(until))

    def remind(self, reminder: Reminder, now: datetime) -> None:
        """Placed or moved, for `now` where its time is past.

        Raises `Conflict` where one of this or a later version is there.
        """
        key = _reminder_key(reminder.subject_id, reminder.kind)
        body = json.dumps({"subject": reminder.subject, "kind": reminder.kind, "data": dict(reminder.data)})
        place = timers.place(max(reminder.due, now), key)
        self.table.commit([Refresh(Item(*key, version=reminder.version, body=body, by_b=place))])

    def reminder(self, key: Key) -> tuple[Item, Reminder] | None:
        item = self.table.get(key)
        if item is None:
            return None
        said = json.loads(item.body or "")
        subject_id = key.pk.removeprefix("subject#")
        return item, Reminder(said["subject"], subject_id, said["kind"], item.version, said["data"])

    def is_reminder(self, due: Item) -> bool:
        return due.sk.startswith(_REMINDER)

    def notification_of(self, due: Item) -> str:
        """The id of the message that a due row belongs to."""
        return due.pk.removeprefix("notification#")

    def drop(self, item: Item) -> None:
        """A timer that is void. Raises `Conflict` where it has been moved meanwhile."""
        self.table.commit([Remove(item.key, item.version)])

    def suppressed(self, address: str) -> bool:
        return self.table.get(_suppressed_key(address)) is not None

    def suppression(self, address: str, reason: str) -> Change:
        return Refresh(Item(*_suppressed_key(address), body=json.dumps({"reason": reason})))

    def lift(self, addresses: Iterable[str]) -> None:
        changes: list[Change] = [Remove(_suppressed_key(address)) for address in addresses]
        if changes:
            self.table.commit(changes)

    def of_recipient(self, patient_id: str, span: tuple[str, str], limit: int, after: str | None) -> Found:
        """Newest first; from an index, so a moment old."""
        query = Query(f"recipient#{patient_id}", *span, index="by_a", limit=limit, after=after, forward=False)
        return self.table.query(query)

    def of_day(self, day: date, limit: int, after: str | None) -> Found:
        """Everybody's messages of a UTC day, newest first, merged from the shards of the index."""
        newest = replace(whole("by_b"), limit=limit, after=after, forward=False)
        return merged(self.table, partitions(f"day#{day}"), newest)

    def _beside(self, notification_id: str, sk: str) -> Key:
        return Key(self.key(notification_id).pk, sk)


def _is_over(before: Notification, after: Notification) -> bool:
    return before.status is Status.PENDING and after.status is not Status.PENDING


def _day_of(notification: Notification) -> str:
    return sharded(f"day#{notification.created_at.date()}", notification.notification_id)


def moment(item: Item) -> str:
    """Where a message stands in the lists, which are by when it was made."""
    return item.by_b.sk if item.by_b else ""


def _latest_key(subject_id: str) -> Key:
    return Key(f"subject#{subject_id}", _LATEST)


def _reminder_key(subject_id: str, kind: str) -> Key:
    return Key(f"subject#{subject_id}", f"{_REMINDER}{kind}")


def _suppressed_key(address: str) -> Key:
    return Key(f"suppressed#{hashlib.sha256(addresses.folded(address).encode()).hexdigest()}", "state")


def _latest(item: Item | None) -> Latest | None:
    return Latest(item.version, json.loads(item.body or "")) if item else None


def _refreshed(occurrence: Occurrence) -> Refresh:
    body = json.dumps(dict(occurrence.data))
    return Refresh(Item(*_latest_key(occurrence.subject_id), version=occurrence.version, body=body))
