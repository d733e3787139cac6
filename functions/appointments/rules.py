"""Every rule of booking (docs/rules.md), pure: what is refused, and which refusal comes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from appointments import hours
from appointments.sheets import SheetId
from hms.errors import Conflicting, FieldError, Invalid, NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from appointments.clinic import Clinic
    from appointments.model import Exemption, Slot
    from appointments.people import DoctorCopy, PatientCopy
    from appointments.sheets import Sheet

_FIVE_MINUTES = 300


class AppointmentNotFound(NotFound):
    code, detail = "APPOINTMENT_NOT_FOUND", "There is no such appointment."


class PatientNotFound(NotFound):
    code, detail = "PATIENT_NOT_FOUND", "There is no such patient."


class PatientInactive(Conflicting):
    code, detail = "PATIENT_INACTIVE", "The patient is deactivated."


class DoctorNotFound(NotFound):
    code, detail = "DOCTOR_NOT_FOUND", "There is no such doctor."


class DoctorInactive(Conflicting):
    code, detail = "DOCTOR_INACTIVE", "The doctor is deactivated."


class DepartmentMismatch(Refused):
    code, detail = "DEPARTMENT_MISMATCH", "The doctor belongs to another department."


class OutsideClinicHours(Refused):
    code, detail = "OUTSIDE_CLINIC_HOURS", "The slot is not wholly inside the clinic's hours."


class DoctorNotAvailable(Refused):
    code, detail = "DOCTOR_NOT_AVAILABLE", "The slot is not wholly inside the doctor's hours."


class SlotNotOnGrid(Refused):
    code, detail = "SLOT_NOT_ON_GRID", "The slot is not one of those the doctor's hours are cut into."


class LeadTime(Refused):
    code, detail = "LEAD_TIME", "The start is too soon to be booked."


class SlotTaken(Conflicting):
    code, detail = "SLOT_TAKEN", "The doctor has another visit then."


class PatientDoubleBooked(Conflicting):
    code, detail = "PATIENT_DOUBLE_BOOKED", "The patient has another visit then."


class DayFull(Conflicting):
    code, detail = "DAY_FULL", "The doctor takes no more visits that day."


BOOKING_PROBLEMS = (
    PatientNotFound,
    PatientInactive,
    DoctorNotFound,
    DoctorInactive,
    DepartmentMismatch,
    OutsideClinicHours,
    DoctorNotAvailable,
    SlotNotOnGrid,
    LeadTime,
    SlotTaken,
    PatientDoubleBooked,
    DayFull,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """A slot that somebody wants, with all that decides whether they get it."""

    appointment_id: str
    patient: PatientCopy
    doctor: DoctorCopy
    department: str
    slot: Slot
    exemption: Exemption | None
    sheets: Mapping[SheetId, Sheet]


def check_booking(wish: Wish, clinic: Clinic, now: datetime) -> None:
    """Raises the first refusal of docs/rules.md "Booking", in its order. That the people exist was asked before."""
    if wish.department.casefold() != wish.doctor.department.casefold():
        raise DepartmentMismatch
    _check_length(wish.slot, clinic)
    if wish.exemption is None:
        _check_clinic_hours(wish, clinic)
        _check_doctor_hours(wish)
        _check_lead(wish, clinic.lead, now)
    else:
        _check_exempt(wish, now)
    check_free(wish.appointment_id, wish.slot, wish.sheets)
    if wish.exemption is None:
        _check_cap(wish)


def _check_length(slot: Slot, clinic: Clinic) -> None:
    if slot.length > clinic.longest_visit:
        detail = f"a visit is at most {clinic.longest_visit_minutes} minutes long"
        raise Invalid(errors=(FieldError("slot_end", "too_long", detail),))


def _check_clinic_hours(wish: Wish, clinic: Clinic) -> None:
    zone = ZoneInfo(wish.doctor.timezone)
    day = wish.slot.start.astimezone(zone).date()
    if not wish.slot.within(hours.stretch(day, clinic.opens, clinic.closes, zone)):
        raise OutsideClinicHours


def _check_doctor_hours(wish: Wish) -> None:
    day = hours.days_of(wish.slot, wish.doctor.timezone)[0]
    around = [(period, length) for period, length in hours.periods(wish.doctor, day) if wish.slot.within(period)]
    if not around:
        raise DoctorNotAvailable
    if not any(hours.on_grid(wish.slot, period, length) for period, length in around):
        raise SlotNotOnGrid


def _check_lead(wish: Wish, lead: timedelta, now: datetime) -> None:
    if wish.slot.start - now < lead:
        raise LeadTime


def _check_exempt(wish: Wish, now: datetime) -> None:
    if any(instant.timestamp() % _FIVE_MINUTES for instant in wish.slot):
        raise SlotNotOnGrid
    if wish.slot.start.timestamp() < now.timestamp() // _FIVE_MINUTES * _FIVE_MINUTES:
        raise LeadTime


def check_free(appointment_id: str, slot: Slot, sheets: Mapping[SheetId, Sheet]) -> None:
    """No overlap of any length, for the doctor and for the patient; the visit's own lines do not count.

    Sheets of days that the slot does not touch may be among them: their lines cannot overlap it.
    """
    lines = [(sheet.id, line) for sheet in sheets.values() for line in sheet.lines]
    clashing = [(owner, line) for (owner, _), line in lines if line.slot.overlaps(slot)]
    others = [(owner, line) for owner, line in clashing if line.appointment_id != appointment_id]
    if any(line.occupies_doctor for owner, line in others if owner.startswith("doctor#")):
        raise SlotTaken
    if any(line.occupies_patient for owner, line in others if owner.startswith("patient#")):
        raise PatientDoubleBooked


def _check_cap(wish: Wish) -> None:
    """A visit counts on the clinic day it starts on."""
    today = SheetId(f"doctor#{wish.doctor.doctor_id}", hours.days_of(wish.slot, wish.doctor.timezone)[0])
    others = [line for line in wish.sheets[today].lines if line.appointment_id != wish.appointment_id]
    counting = [line for line in others if line.counts and line.day == today.day]
    if len(counting) >= wish.doctor.max_daily_appointments:
        raise DayFull
