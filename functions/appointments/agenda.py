"""What there is on a day, and what is still free: the reading side of the sheets."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from appointments import hours
from appointments.clinic import clinic
from appointments.model import (
    ACTIVE,
    AppointmentSummary,
    Availability,
    FreeSlot,
    StrandedVisit,
    position,
)
from appointments.query import Wanted
from appointments.rules import DoctorNotFound
from hms.errors import FieldError, Forbidden, Invalid
from hms.fields import day_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from appointments.model import Slot
    from appointments.people import DoctorCopy
    from appointments.query import ListAppointments, Span
    from appointments.service import Owners
    from appointments.sheets import Line, Sheet
    from appointments.store import Appointments
    from hms.call import Call

_LONGEST_SPAN = 42
_SHEETS_A_READ = 60


def availability(doctor_id: str, span: Span, call: Call, appointments: Appointments, owners: Owners) -> Availability:
    """Free slots that could be booked now, in order, from one consistent read."""
    first, last = span.days
    if (last - first).days >= _LONGEST_SPAN:
        detail = f"ask for at most {_LONGEST_SPAN} days at once"
        raise Invalid(errors=(FieldError("to", "too_long", detail),))
    # A day of the clinic may begin on the UTC day before and end on the one after.
    around = [first + timedelta(days=n) for n in range(-1, (last - first).days + 2)]
    copy, sheets = appointments.week(doctor_id, around)
    doctor = _doctor(doctor_id, copy, appointments, owners)
    free = [slot for day in around for slot in _free(doctor, sheets[day], call.now) if span.covers(slot, doctor)]
    slots = [FreeSlot(slot_start=slot.start, slot_end=slot.end) for slot in free]
    return Availability(doctor_id=doctor_id, as_of=call.now, slots=slots)


def _free(doctor: DoctorCopy, sheet: Sheet, now: datetime) -> Iterator[Slot]:
    if not doctor.active or _counting(sheet) >= doctor.max_daily_appointments:
        return
    day, zone = sheet.id.day, ZoneInfo(doctor.timezone)
    policy = clinic()
    opening = hours.stretch(day, policy.opens, policy.closes, zone)
    taken = [line.slot for line in sheet.lines if line.occupies_doctor]
    for slot in hours.slots(doctor, day):
        soon = slot.start - now < policy.lead
        if slot.within(opening) and not soon and not any(slot.overlaps(other) for other in taken):
            yield slot


def _counting(sheet: Sheet) -> int:
    return sum(line.counts and line.day == sheet.id.day for line in sheet.lines)


def visits(wanted: Wanted, appointments: Appointments) -> tuple[list[AppointmentSummary], str | None]:
    """A page of a patient's, a doctor's or a day's visits by start, and the position to go on from.

    One owner's list is one consistent query; a day over all doctors comes from the index.
    """
    owner = _owner(wanted)
    lines = _lines_of_owner(owner, wanted, appointments) if owner else _lines_of_day(wanted, appointments)
    page: list[AppointmentSummary] = []
    for line_owner, line in lines:
        if not wanted.takes(line, line_owner) or (wanted.after and _position(line) <= wanted.after):
            continue
        if len(page) == wanted.limit:
            return page, position(page[-1].slot_start, page[-1].appointment_id)
        page.append(_summary(line_owner, line))
    return page, None


def wanted_by(params: ListAppointments, call: Call) -> Wanted:
    """The list that a caller means: those who reach only their own need not say so.

    Raises `Forbidden` for somebody else's. A doctor reads a patient's list as far as the visits are their own.
    """
    who, patient_id, doctor_id = call.who, params.patient_id, params.doctor_id
    if who.scopes["appointments:read"] == "own":
        if not (patient_id or doctor_id):
            patient_id, doctor_id = (None, who.doctor_id) if who.doctor_id else (who.patient_id, None)
        elif who.doctor_id and not doctor_id and patient_id != who.patient_id:
            doctor_id = who.doctor_id
        if not who.reaches("appointments:read", patient_id=patient_id, doctor_id=doctor_id):
            raise Forbidden
    return Wanted.of(params, patient_id, doctor_id, day_of(call.now, clinic().timezone))


def _owner(wanted: Wanted) -> str | None:
    if wanted.patient_id:
        return f"patient#{wanted.patient_id}"
    return f"doctor#{wanted.doctor_id}" if wanted.doctor_id else None


def _lines_of_owner(owner: str, wanted: Wanted, appointments: Appointments) -> Iterator[tuple[str, Line]]:
    return in_order(_sheets_of_owner(owner, wanted, appointments))


def _sheets_of_owner(owner: str, wanted: Wanted, appointments: Appointments) -> Iterator[Sheet]:
    first, last = wanted.sheet_days
    while first <= last:
        sheets = appointments.sheets(owner, first, last, _SHEETS_A_READ)
        yield from sheets
        if len(sheets) < _SHEETS_A_READ:
            return
        first = sheets[-1].id.day + timedelta(days=1)


def _lines_of_day(wanted: Wanted, appointments: Appointments) -> Iterator[tuple[str, Line]]:
    lines = list(in_order(appointments.sheets_on(wanted.first)))
    yield from sorted(lines, key=lambda pair: _position(pair[1]))


def in_order(sheets: Iterable[Sheet]) -> Iterator[tuple[str, Line]]:
    """Each visit once, on the sheet of the day it starts: one that runs past midnight stands on two."""
    seen: set[str] = set()
    for sheet in sheets:
        for line in sorted(sheet.lines, key=_position):
            if line.appointment_id not in seen:
                seen.add(line.appointment_id)
                yield sheet.id.owner, line


def _position(line: Line) -> str:
    return position(line.slot.start, line.appointment_id)


def _summary(owner: str, line: Line) -> AppointmentSummary:
    patient_id, doctor_id = line.people(owner)
    return AppointmentSummary(
        appointment_id=line.appointment_id,
        patient_id=patient_id,
        doctor_id=doctor_id,
        department=line.department,
        slot_start=line.slot.start,
        slot_end=line.slot.end,
        status=line.status,
    )


def stranded_of(doctor_id: str, call: Call, appointments: Appointments, owners: Owners) -> list[StrandedVisit]:
    if not call.who.reaches("appointments:read", doctor_id=doctor_id):
        raise Forbidden
    return stranded(_doctor(doctor_id, appointments.doctor(doctor_id), appointments, owners), call.now, appointments)


def _doctor(doctor_id: str, copy: DoctorCopy | None, appointments: Appointments, owners: Owners) -> DoctorCopy:
    if copy and copy.active:
        return copy
    word = owners.doctor(doctor_id)
    if word is None:
        raise DoctorNotFound
    appointments.doctors.keep(word)
    return word


def stranded(doctor: DoctorCopy, now: datetime, appointments: Appointments) -> list[StrandedVisit]:
    """Future visits that the doctor's hours no longer cover, until each is moved or cancelled."""
    found = []
    for line in _future(doctor.doctor_id, now, appointments):
        reason = _stranding(doctor, line)
        if reason:
            found.append(
                StrandedVisit(
                    appointment_id=line.appointment_id,
                    patient_id=line.other,
                    slot_start=line.slot.start,
                    slot_end=line.slot.end,
                    reason=reason,
                )
            )
    return found


def _stranding(doctor: DoctorCopy, line: Line) -> str | None:
    if not doctor.active:
        return "DOCTOR_INACTIVE"
    if line.exempt:
        return None
    if line.department.casefold() != doctor.department.casefold():
        return "DEPARTMENT_MISMATCH"
    covered = any(line.slot.within(period) for period, _ in hours.periods(doctor, line.day))
    return None if covered else "DOCTOR_NOT_AVAILABLE"


def has_future_visits(doctor_id: str, now: datetime, appointments: Appointments) -> bool:
    return any(True for _ in _future(doctor_id, now, appointments))


def treats(doctor_id: str, patient_id: str, appointments: Appointments) -> bool:
    """Whether the two have, or have had, a visit that was not cancelled."""
    sheets = appointments.sheets(f"patient#{patient_id}", date.min, date.max)
    lines = (line for sheet in sheets for line in sheet.lines)
    return any(line.other == doctor_id and (line.counts or line.historical) for line in lines)


def _future(doctor_id: str, now: datetime, appointments: Appointments) -> Iterator[Line]:
    sheets = appointments.sheets(f"doctor#{doctor_id}", (now - timedelta(days=1)).date(), date.max)
    for _, line in in_order(sheets):
        if line.slot.start > now and line.status in ACTIVE and not line.historical:
            yield line
