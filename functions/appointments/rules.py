"""Every rule of booking and changing (docs/rules.md), pure: what is refused in which order, what a change leads to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from appointments import hours
from appointments.model import (
    Appointment,
    AppointmentNote,
    Cancellation,
    RecordAppointment,
    Side,
    Slot,
    Status,
    Step,
)
from appointments.sheets import SheetId
from hms.errors import Conflicting, FieldError, Forbidden, Invalid, InvalidTransition, NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from appointments.clinic import Clinic
    from appointments.model import CancelAppointment, Exemption
    from appointments.people import DoctorCopy, PatientCopy
    from appointments.sheets import Sheet
    from hms.auth import Principal

_FIVE_MINUTES = 300
_MOST_NOTES = 50
# A sheet is one row: cancelled lines stay on it, and it must never grow towards the size limit of a row.
_MOST_LINES = 500


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


class RescheduleLimit(Conflicting):
    code, detail = "RESCHEDULE_LIMIT", "The visit has been moved as often as it may be."


class TooLateToReschedule(Conflicting):
    code, detail = "TOO_LATE_TO_RESCHEDULE", "It is too close to the start to move the visit."


class TooLateToCancel(Conflicting):
    code, detail = "TOO_LATE_TO_CANCEL", "After the start only staff may cancel."


class TooEarlyForNoShow(Conflicting):
    code, detail = "TOO_EARLY_FOR_NO_SHOW", "The patient may still come."


class NotStarted(Conflicting):
    code, detail = "NOT_STARTED", "The visit has not started."


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
    if len(counting) >= wish.doctor.max_daily_appointments or len(others) >= _MOST_LINES:
        raise DayFull


def booked(wish: Wish, clinic: Clinic, who: Principal, now: datetime) -> Appointment:
    return Appointment(
        appointment_id=wish.appointment_id,
        patient_id=wish.patient.patient_id,
        doctor_id=wish.doctor.doctor_id,
        department=wish.doctor.department,
        slot_start=wish.slot.start,
        slot_end=wish.slot.end,
        timezone=wish.doctor.timezone,
        consultation_fee=wish.doctor.consultation_fee or clinic.consultation_fee,
        exemption=wish.exemption,
        history=(_step("booked", who, now),),
        created_at=now,
        updated_at=now,
    )


def recorded(
    appointment_id: str, command: RecordAppointment, clinic: Clinic, who: Principal, now: datetime
) -> Appointment:
    return Appointment(
        appointment_id=appointment_id,
        **{name: getattr(command, name) for name in RecordAppointment.model_fields},
        consultation_fee=clinic.consultation_fee,
        history=(_step("recorded", who, now),),
        historical=True,
        updated_at=now,
    )


def check_reschedule(appointment: Appointment, clinic: Clinic, now: datetime) -> None:
    """Raises the first refusal of docs/rules.md "Changing" about moving; the new slot is checked as a booking."""
    if appointment.status is not Status.SCHEDULED or appointment.historical:
        raise InvalidTransition(f"A visit that is {appointment.status} is not moved.")
    if appointment.reschedule_count >= clinic.reschedules:
        raise RescheduleLimit
    if appointment.slot_start - now < clinic.reschedule_lead:
        raise TooLateToReschedule


def rescheduled(appointment: Appointment, wish: Wish, who: Principal, now: datetime) -> Appointment:
    return _changed(
        appointment,
        "rescheduled",
        who,
        now,
        doctor_id=wish.doctor.doctor_id,
        department=wish.doctor.department,
        slot_start=wish.slot.start,
        slot_end=wish.slot.end,
        timezone=wish.doctor.timezone,
        exemption=wish.exemption,
        reschedule_count=appointment.reschedule_count + 1,
    )


def side_of(appointment: Appointment, who: Principal, asked: Side | None) -> Side:
    """Whose wish a cancellation is. Only staff speak for others."""
    if _is_staff(appointment, who):
        own = Side.DOCTOR if who.doctor_id and who.scopes["appointments:cancel_for_clinic"] == "own" else Side.PATIENT
        return asked or own
    if asked not in (None, Side.PATIENT):
        raise Forbidden("Only staff cancel for the clinic or the doctor.")
    return Side.PATIENT


def _is_staff(appointment: Appointment, who: Principal) -> bool:
    """A doctor who is the patient here is a patient like any other."""
    return who.reaches("appointments:cancel_for_clinic", doctor_id=appointment.doctor_id)


def cancelled(appointment: Appointment, command: CancelAppointment, who: Principal, now: datetime) -> Appointment:
    side = side_of(appointment, who, command.requested_by)
    if side is not Side.PATIENT and command.reason is None:
        detail = "the clinic and the doctor give a reason when they cancel"
        raise Invalid(errors=(FieldError("reason", "missing", detail),))
    _check_status(appointment, Status.SCHEDULED, Status.CHECKED_IN)
    if now > appointment.slot_start and not _is_staff(appointment, who):
        raise TooLateToCancel
    seconds = int((appointment.slot_start - now).total_seconds())
    cancellation = Cancellation(requested_by=side, reason=command.reason, seconds_before_start=seconds)
    return _changed(appointment, "cancelled", who, now, status=Status.CANCELLED, cancellation=cancellation)


def checked_in(appointment: Appointment, who: Principal, now: datetime) -> Appointment:
    _check_status(appointment, Status.SCHEDULED)
    return _changed(appointment, "checked-in", who, now, status=Status.CHECKED_IN)


def check_reinstate(appointment: Appointment, now: datetime) -> None:
    """A no-show may be taken back on its clinic day only."""
    _check_status(appointment, Status.NO_SHOW)
    today = now.astimezone(ZoneInfo(appointment.timezone)).date()
    if today not in hours.days_of(appointment.slot, appointment.timezone):
        raise InvalidTransition("A no-show is taken back on the same day only.")


def check_free_again(appointment: Appointment, sheets: Mapping[SheetId, Sheet]) -> None:
    """Somebody may have been put into the slot of a patient who did not come."""
    check_free(appointment.appointment_id, appointment.slot, sheets)


def reinstated(appointment: Appointment, who: Principal, now: datetime) -> Appointment:
    return _changed(appointment, "reinstated", who, now, status=Status.CHECKED_IN)


def started(appointment: Appointment, who: Principal, now: datetime) -> Appointment:
    _check_status(appointment, Status.CHECKED_IN)
    return _changed(appointment, "started", who, now, status=Status.IN_CONSULTATION)


_UNTIL_COMPLETE = {
    Status.SCHEDULED: ("checked-in", "started", "completed"),
    Status.CHECKED_IN: ("started", "completed"),
    Status.IN_CONSULTATION: ("completed",),
}


def completed(appointment: Appointment, who: Principal, now: datetime) -> Appointment:
    """A doctor may complete from SCHEDULED on: what was skipped is recorded as done by them."""
    direct = (Status.SCHEDULED, Status.CHECKED_IN) if who.doctor_id == appointment.doctor_id else ()
    _check_status(appointment, Status.IN_CONSULTATION, *direct)
    if now < appointment.slot_start:
        raise NotStarted
    steps = tuple(_step(action, who, now) for action in _UNTIL_COMPLETE[appointment.status])
    return appointment.model_copy(
        update={
            "status": Status.COMPLETED,
            "history": appointment.history + steps,
            "version": appointment.version + 1,
            "updated_at": now,
        }
    )


def missed(appointment: Appointment, clinic: Clinic, who: Principal, now: datetime) -> Appointment:
    _check_status(appointment, Status.SCHEDULED)
    if now - appointment.slot_start < clinic.no_show_grace:
        raise TooEarlyForNoShow
    return _changed(appointment, "no-show", who, now, status=Status.NO_SHOW)


def noted(appointment: Appointment, text: str, who: Principal, now: datetime) -> Appointment:
    if appointment.historical:
        raise InvalidTransition("A visit of an older system does not change.")
    if len(appointment.notes) >= _MOST_NOTES:
        raise Conflicting(f"A visit takes at most {_MOST_NOTES} notes.", code="TOO_MANY_NOTES")
    note = AppointmentNote(text=text, at=now, by=who.user_id)
    return _changed(appointment, "noted", who, now, notes=(*appointment.notes, note))


def _check_status(appointment: Appointment, *allowed: Status) -> None:
    if appointment.status not in allowed or appointment.historical:
        raise InvalidTransition(f"This cannot be done to a visit that is {appointment.status}.")


def _changed(appointment: Appointment, action: str, who: Principal, now: datetime, **update: object) -> Appointment:
    return appointment.model_copy(
        update={
            **update,
            "history": (*appointment.history, _step(action, who, now)),
            "version": appointment.version + 1,
            "updated_at": now,
        }
    )


def _step(action: str, who: Principal, now: datetime) -> Step:
    return Step(action=action, at=now, by=who.user_id, roles=who.roles)
