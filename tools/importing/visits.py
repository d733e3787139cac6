"""Visits out of their rows: history, whatever their status says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from appointments import hours
from appointments.clinic import clinic
from appointments.commands import RecordAppointment
from appointments.model import Slot, Status
from hms.fields import Command, Instant, Line
from tools.importing.entry import Batch
from tools.importing.people import understood
from tools.importing.reasons import Reason
from tools.importing.times import CLINIC_ZONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.importing.entry import Entry
    from tools.importing.reading import Sheet

_OTHER_WORDS = {
    "ARRIVED": Status.CHECKED_IN,
    "BOOKED": Status.SCHEDULED,
    "CANCELED": Status.CANCELLED,
    "CONFIRMED": Status.SCHEDULED,
    "DONE": Status.COMPLETED,
    "FULFILLED": Status.COMPLETED,
    "IN_PROGRESS": Status.IN_CONSULTATION,
    "MISSED": Status.NO_SHOW,
    "NOSHOW": Status.NO_SHOW,
    "PENDING": Status.SCHEDULED,
    "RESCHEDULED": Status.SCHEDULED,
}


def _status(word: Any) -> Any:
    written = re.sub(r"[\s-]+", "_", str(word)).upper()
    return _OTHER_WORDS.get(written, written)


class LegacyVisit(Command):
    """Ids are those of the older system."""

    appointment_id: Line
    patient_id: Line
    doctor_id: Line
    department: Line
    slot_start: Instant
    slot_end: Instant
    status: Annotated[Annotated[Status, Field(strict=False)], BeforeValidator(_status)]
    created_at: Instant


@dataclass(frozen=True)
class Known:
    """Whom the older system's numbers mean here; the departments are those of the older system where it names them."""

    patients: Mapping[str, str]
    doctors: Mapping[str, str]
    departments: Mapping[str, str]


def visits(sheet: Sheet) -> Batch[LegacyVisit]:
    """With all reasons that can be told without knowing patients and doctors."""
    batch = Batch(sheet, [understood(row, LegacyVisit, {}) for row in sheet.rows])
    batch.mark_repeated("appointment_id")
    for entry in batch.entries:
        if entry.said:
            entry.reasons |= _reasons_of(Slot(entry.said.slot_start, entry.said.slot_end))
    return batch


def _reasons_of(slot: Slot) -> set[str]:
    reasons: set[str] = set()
    if slot.end <= slot.start:
        reasons.add(Reason.ENDS_BEFORE_START)
    zone = ZoneInfo(CLINIC_ZONE)
    open_hours = hours.stretch(slot.start.astimezone(zone).date(), clinic().opens, clinic().closes, zone)
    if not all(open_hours.start <= moment <= open_hours.end for moment in slot):
        reasons.add(Reason.OUTSIDE_CLINIC_HOURS)
    return reasons


def refer(batch: Batch[LegacyVisit], known: Known) -> None:
    """Adds what is wrong with the patients, doctors and departments that the visits name."""
    for entry in batch.entries:
        if entry.row.values is None:
            continue
        patient, doctor = entry.value("patient_id"), entry.value("doctor_id")
        if (patient and patient not in known.patients) or (doctor and doctor not in known.doctors):
            entry.reasons.add(Reason.UNKNOWN_REFERENCE)
        department, named = known.departments.get(doctor), entry.value("department")
        if department and named and _folded(department) != _folded(named):
            entry.reasons.add(Reason.DEPARTMENT_MISMATCH)


def recording(entry: Entry[LegacyVisit], known: Known) -> RecordAppointment:
    said = entry.said
    assert said is not None  # noqa: S101  (only right rows are recorded)
    return RecordAppointment(
        external_id=said.appointment_id,
        patient_id=known.patients[said.patient_id],
        doctor_id=known.doctors[said.doctor_id],
        department=said.department,
        timezone=CLINIC_ZONE,
        slot_start=said.slot_start,
        slot_end=said.slot_end,
        status=said.status,
        created_at=said.created_at,
    )


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())
