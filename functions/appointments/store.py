"""Where visits are kept: the visit, its day sheets, and copies of the people it joins.

| row | pk | sk | index |
|---|---|---|---|
| visit | `appointment#<id>` | `state` | `by_b`: due at the grace's end; then `no-show#<clinic day>#<shard>` / start |
| its past | `appointment#<id>` | `event#<version>`; `confirmed`: up to which version it was | |
| doctor's sheet | `doctor#<id>` | `day#<clinic day>` | `by_a`: `day#<clinic day>#<shard>` / doctor |
| patient's sheet | `patient#<id>` | `day#<UTC day>` | |
| copies | `doctor#<id>`, `patient#<id>` | `profile` | |
| calendar tokens | `doctor-calendar#<id>`, `patient-calendar#<id>` | `state`, `event#<version>` | |
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pydantic_core import from_json

from appointments.calendars import Calendar
from appointments.clinic import clinic
from appointments.hours import days_of, possible_days
from appointments.model import Appointment, position
from appointments.people import DoctorCopy, PatientCopy
from appointments.sheets import Sheet, SheetId, sheet_of, sheets_of, shown_of, text_of, thinned
from hms import timers
from hms.aggregate import Aggregates, Stored
from hms.copies import Copies
from hms.rows import Amend, Conflict, Insert, Item, Key, Query, Refresh, Replace
from hms.shards import merged, partitions, sharded, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from appointments.calendars import Kind, Owner
    from appointments.model import Slot
    from hms.call import Call
    from hms.events import Fact
    from hms.rows import Change, Table


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a booking decision rests on, from one consistent read."""

    stored: Stored[Appointment] | None
    patient: PatientCopy | None
    doctor: DoctorCopy | None
    sheets: Mapping[SheetId, Sheet]


class Appointments(Aggregates[Appointment]):
    def __init__(self, table: Table) -> None:
        super().__init__(table, "appointment", Appointment)
        self.patients = Copies(table, "patient", PatientCopy)
        self.doctors = Copies(table, "doctor", DoctorCopy)

    def scene(self, appointment_id: str, patient_id: str, doctor_id: str, slot: Slot) -> Scene:
        """One batch read. The doctor's zone is not known yet, so the sheets of every possible clinic day come along."""
        doctor_days = [SheetId(f"doctor#{doctor_id}", day) for day in possible_days(slot)]
        patient_days = [SheetId(f"patient#{patient_id}", day) for day in days_of(slot, "UTC")]
        sheet_ids = doctor_days + patient_days
        own, patient, doctor = self.key(appointment_id), self.patients.key(patient_id), self.doctors.key(doctor_id)
        found = self.table.get_many([own, patient, doctor, *(_sheet_key(one) for one in sheet_ids)])
        return Scene(
            self.read(found.get(own)),
            self.patients.read(found.get(patient)),
            self.doctors.read(found.get(doctor)),
            {one: sheet_of(one, found.get(_sheet_key(one))) for one in sheet_ids},
        )

    def save(
        self,
        before: Stored[Appointment] | None,
        after: Appointment,
        fact: Fact,
        call: Call,
        sheets: Mapping[SheetId, Sheet] | None = None,
    ) -> None:
        """State, event and sheets in one transaction.

        With `sheets`, those the visit stands on are written whole, on the versions the decision has read; without,
        only the visit's own lines are rewritten, unread. Lines on sheets it leaves go either way.
        """
        changes = self.changes(after.appointment_id, before, after, fact, call, by_b=self._awaited(after, call.now))
        standing = sheets_of(after)
        if sheets:
            changes += [_sheet_change(after, sheets[one]) for one in standing]
        else:
            changes += [_line_change(after, one) for one in standing if not _same_line(before, after, one)]
        left = set(sheets_of(before.state)) - set(standing) if before else set()
        changes += [Amend(_sheet_key(one), drop=[after.appointment_id]) for one in sorted(left)]
        self.table.commit(changes)

    def sheets(self, owner: str, first: date, last: date, limit: int | None = None) -> list[Sheet]:
        """The sheets of one person in the order of days; consistent."""
        found = self.table.query(Query(owner, f"day#{first}", f"day#{last}", limit=limit))
        return [_sheet(item) for item in found.items]

    def sheets_on(self, day: date) -> list[Sheet]:
        """Every doctor's sheet of one clinic day, from the index."""
        found = merged(self.table, partitions(f"day#{day}"), whole("by_a"))
        return [_sheet(item) for item in found.items]

    def proposals_on(self, day: date) -> list[Appointment]:
        """The visits of one clinic day for which a no-show is proposed, by start; from the index."""
        found = merged(self.table, partitions(f"no-show#{day}"), whole("by_b"))
        return [stored.state for item in found.items if (stored := self.read(item))]

    def _awaited(self, appointment: Appointment, now: datetime) -> Key | None:
        """Until the patient is here the visit is due when the grace is over, then it is on reception's list."""
        if not appointment.awaits_patient:
            return None
        if appointment.no_show_proposed_at:
            return _proposal_place(appointment)
        due = max(appointment.slot_start + clinic().no_show_grace, now)
        return timers.place(due, self.key(appointment.appointment_id))

    def week(self, doctor_id: str, days: Iterable[date]) -> tuple[DoctorCopy | None, dict[date, Sheet]]:
        """A doctor and their sheets of some days in one consistent read."""
        owner = f"doctor#{doctor_id}"
        ids = [SheetId(owner, day) for day in days]
        found = self.table.get_many([self.doctors.key(doctor_id), *(_sheet_key(one) for one in ids)])
        sheets = {one.day: sheet_of(one, found.get(_sheet_key(one))) for one in ids}
        return self.doctors.read(found.get(self.doctors.key(doctor_id))), sheets

    def doctor(self, doctor_id: str) -> DoctorCopy | None:
        return self.doctors.read(self.table.get(self.doctors.key(doctor_id)))

    def calendar(self, owner: Owner) -> tuple[Stored[Calendar] | None, PatientCopy | DoctorCopy | None]:
        """The tokens of an owner and the owner, in one read."""
        calendars, profile = self.calendars(owner.kind), _profile(owner.kind, owner.owner_id)
        key = calendars.key(owner.owner_id)
        found = self.table.get_many([key, profile])
        copies: Copies[PatientCopy] | Copies[DoctorCopy] = self.patients if owner.kind == "patient" else self.doctors
        return calendars.read(found.get(key)), copies.read(found.get(profile))

    def calendars(self, kind: Kind) -> Aggregates[Calendar]:
        return Aggregates(self.table, f"{kind}-calendar", Calendar)

    def names(self, kind: Kind, ids: Iterable[str]) -> dict[str, str]:
        """What those people are called of whom there is a copy, from one batch read."""
        keys = {_profile(kind, one): one for one in ids}
        found = self.table.get_many(keys)
        return {keys[key]: from_json(item.body or "")["name"] for key, item in found.items()}

    def with_confirmed(self, appointment_id: str) -> tuple[Stored[Appointment] | None, int]:
        """The visit, and the version at which it was last confirmed: 0 where it never was."""
        own, confirmed = self.key(appointment_id), _confirmed_key(appointment_id)
        found = self.table.get_many([own, confirmed])
        return self.read(found.get(own)), found[confirmed].version if confirmed in found else 0

    def keep_confirmed(self, appointment_id: str, version: int) -> None:
        """An older or the same version changes nothing."""
        with suppress(Conflict):
            self.table.commit([Refresh(Item(*_confirmed_key(appointment_id), version=version))])


def _confirmed_key(appointment_id: str) -> Key:
    return Key(f"appointment#{appointment_id}", "confirmed")


def _profile(kind: Kind, person_id: str) -> Key:
    return Key(f"{kind}#{person_id}", "profile")


def _sheet_key(sheet_id: SheetId) -> Key:
    return Key(sheet_id.owner, f"day#{sheet_id.day}")


def _sheet(item: Item) -> Sheet:
    return sheet_of(SheetId(item.pk, date.fromisoformat(item.sk.removeprefix("day#"))), item)


def _same_line(before: Stored[Appointment] | None, after: Appointment, sheet_id: SheetId) -> bool:
    return before is not None and shown_of(before.state, sheet_id.owner) == shown_of(after, sheet_id.owner)


def _line_change(appointment: Appointment, sheet_id: SheetId) -> Change:
    return Amend(_sheet_key(sheet_id), put={appointment.appointment_id: text_of(appointment, sheet_id.owner)})


def _sheet_change(appointment: Appointment, sheet: Sheet) -> Change:
    line = {appointment.appointment_id: text_of(appointment, sheet.id.owner)}
    item = Item(
        *_sheet_key(sheet.id),
        version=sheet.version + 1,
        entries=thinned({**sheet.entries, **line}),
        by_a=_on_day(sheet.id) if sheet.id.owner.startswith("doctor#") else None,
    )
    return Replace(item) if sheet.version else Insert(item)


def _on_day(sheet_id: SheetId) -> Key:
    return Key(sharded(f"day#{sheet_id.day}", sheet_id.owner), sheet_id.owner)


def _proposal_place(appointment: Appointment) -> Key:
    day = days_of(appointment.slot, appointment.timezone)[0]
    return Key(
        sharded(f"no-show#{day}", appointment.appointment_id),
        position(appointment.slot_start, appointment.appointment_id),
    )
