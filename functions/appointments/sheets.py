"""Day sheets: who is where when, one sheet per doctor and clinic day and one per patient and UTC day.

A sheet keeps a line for every visit that was ever on it and not moved away. A decision reads the sheets that its slot
touches and saves them on their versions, so no two decisions can overlook each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, NamedTuple

from pydantic_core import from_json, to_json

from appointments.hours import days_of
from appointments.model import (
    ACTIVE,
    Appointment,
    Slot,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from hms.rows import Item

_FREES_THE_DOCTOR = frozenset({Status.CANCELLED, Status.NO_SHOW})
MOST_CANCELLED = 100
# Lines that were written before lines told a version.
_BEFORE_VERSIONS = (0, 0)
_ORDINARY, _HISTORICAL, _EXEMPT = 0, 1, 2


class Line(NamedTuple):
    """One visit on a sheet; `other` is the patient on a doctor's sheet and the doctor on a patient's.

    `day` is the clinic day it starts on, by the zone of the doctor it was booked with. `version` is the visit's when
    the line was last written, at `changed_at`; a change that no sheet shows writes no line.
    """

    appointment_id: str
    slot: Slot
    status: Status
    other: str
    department: str
    kind: int
    day: date
    version: int
    changed_at: datetime

    def people(self, owner: str) -> tuple[str, str]:
        """The patient and the doctor, given whose sheet the line stands on."""
        kind, _, owner_id = owner.partition("#")
        return (owner_id, self.other) if kind == "patient" else (self.other, owner_id)

    @property
    def historical(self) -> bool:
        return self.kind == _HISTORICAL

    @property
    def exempt(self) -> bool:
        return self.kind == _EXEMPT

    @property
    def occupies_doctor(self) -> bool:
        return self.status not in _FREES_THE_DOCTOR and not self.historical

    @property
    def occupies_patient(self) -> bool:
        return self.status in ACTIVE and not self.historical

    @property
    def counts(self) -> bool:
        """Towards the daily cap: all but cancelled (docs/rules.md "Booking")."""
        return self.status is not Status.CANCELLED and not self.historical


class SheetId(NamedTuple):
    """`owner` is `doctor#<id>` or `patient#<id>`."""

    owner: str
    day: date


@dataclass(frozen=True, slots=True)
class Sheet:
    """`entries` are the lines as they are stored; `version` 0 is a sheet that was never written."""

    id: SheetId
    entries: Mapping[str, str]
    version: int = 0

    @property
    def lines(self) -> list[Line]:
        return [line_of(name, text) for name, text in self.entries.items()]


def text_of(appointment: Appointment, owner: str) -> str:
    """A line as it is stored. Instants are epoch seconds, so days of 23 and 25 hours are ordinary."""
    written = [appointment.version, int(appointment.updated_at.timestamp())]
    return to_json(shown_of(appointment, owner) + written).decode()


def shown_of(appointment: Appointment, owner: str) -> list[JsonValue]:
    """What a line says of the visit: as long as it is the same, the line need not be written again."""
    other = appointment.patient_id if owner.startswith("doctor#") else appointment.doctor_id
    start, end = (int(instant.timestamp()) for instant in appointment.slot)
    kind = _HISTORICAL if appointment.historical else _EXEMPT if appointment.exemption else _ORDINARY
    day = days_of(appointment.slot, appointment.timezone)[0].isoformat()
    return [start, end, appointment.status, other, appointment.department, kind, day]


def thinned(entries: Mapping[str, str]) -> dict[str, str]:
    """Entries with the most recently started hundred of the cancelled lines.

    A sheet is one row of limited size. All other lines are bounded by the length of a day, so booking and cancelling
    over and over never fills it; a cancelled visit that is let go here is still there by its id.
    """
    if len(entries) <= MOST_CANCELLED:
        return dict(entries)
    cancelled = [name for name, text in entries.items() if line_of(name, text).status is Status.CANCELLED]
    surplus = set(sorted(cancelled, key=lambda name: entries[name])[:-MOST_CANCELLED])
    return {name: text for name, text in entries.items() if name not in surplus}


def line_of(appointment_id: str, text: str) -> Line:
    start, end, status, other, department, kind, day, *written = from_json(text)
    version, changed_at = written or _BEFORE_VERSIONS
    slot = Slot(_instant(start), _instant(end))
    place = (Status(status), other, department, kind, date.fromisoformat(day))
    return Line(appointment_id, slot, *place, version, _instant(changed_at))


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def sheet_of(sheet_id: SheetId, item: Item | None) -> Sheet:
    return Sheet(sheet_id, item.entries or {}, item.version) if item else Sheet(sheet_id, {})


def sheets_of(appointment: Appointment) -> list[SheetId]:
    """Every sheet that a visit stands on: it may touch two days."""
    doctor = [
        SheetId(f"doctor#{appointment.doctor_id}", day) for day in days_of(appointment.slot, appointment.timezone)
    ]
    patient = [SheetId(f"patient#{appointment.patient_id}", day) for day in days_of(appointment.slot, "UTC")]
    return doctor + patient
