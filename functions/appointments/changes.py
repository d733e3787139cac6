"""Every rule of changing (docs/rules.md), pure: what is refused, and what a visit is after each change."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic_core import to_json

from appointments import hours, rules
from appointments.commands import RecordAppointment
from appointments.model import Appointment, AppointmentNote, Cancellation, Side, Status, Step
from hms.errors import Conflicting, FieldError, Forbidden, Invalid, InvalidTransition, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from appointments.clinic import Clinic
    from appointments.commands import CancelAppointment
    from appointments.rules import Wish
    from appointments.sheets import Sheet, SheetId
    from hms.auth import Principal

_MOST_NOTES = 50
# A visit is one row of at most 400 KB with all its notes, and letters outside ASCII take up to four bytes.
_MOST_NOTE_BYTES = 200_000
_NOTED, _PROPOSED = "noted", "no-show-proposed"


class RescheduleLimit(Conflicting):
    code, detail = "RESCHEDULE_LIMIT", "The visit has been moved as often as it may be."


class TooLateToReschedule(Conflicting):
    code, detail = "TOO_LATE_TO_RESCHEDULE", "It is too close to the start to move the visit."


class CurrencyMismatch(Refused):
    code, detail = "CURRENCY_MISMATCH", "The other doctor charges in another currency: cancel this visit and book anew."


class TooLateToCancel(Conflicting):
    code, detail = "TOO_LATE_TO_CANCEL", "After the start only staff may cancel."


class TooEarlyForNoShow(Conflicting):
    code, detail = "TOO_EARLY_FOR_NO_SHOW", "The patient may still come."


class NotStarted(Conflicting):
    code, detail = "NOT_STARTED", "The visit has not started."


MOVING_PROBLEMS = (RescheduleLimit, TooLateToReschedule, CurrencyMismatch)


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


def rescheduled(appointment: Appointment, wish: Wish, clinic: Clinic, who: Principal, now: datetime) -> Appointment:
    """The fee stays as booked; with another doctor it is that doctor's. Raises `CurrencyMismatch`."""
    other = wish.doctor.doctor_id != appointment.doctor_id
    fee = wish.doctor.consultation_fee or clinic.consultation_fee
    if other and fee.currency != appointment.consultation_fee.currency:
        raise CurrencyMismatch
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
        consultation_fee=fee if other else appointment.consultation_fee,
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
    rules.check_free(appointment.appointment_id, appointment.slot, sheets)


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
    *skipped, done = _UNTIL_COMPLETE[appointment.status]
    history = appointment.history + tuple(_step(action, who, now) for action in skipped)
    caught_up = appointment.model_copy(update={"history": history})
    return _changed(caught_up, done, who, now, status=Status.COMPLETED)


def is_missed(appointment: Appointment, clinic: Clinic, now: datetime) -> bool:
    """Whether a no-show is to be proposed, and was not yet."""
    waiting = appointment.awaits_patient and appointment.no_show_proposed_at is None
    return waiting and now - appointment.slot_start >= clinic.no_show_grace


def no_show_proposed(appointment: Appointment, who: Principal, now: datetime) -> Appointment:
    return _changed(appointment, _PROPOSED, who, now, no_show_proposed_at=now)


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
    if sum(len(to_json(one)) for one in (text, *(note.text for note in appointment.notes))) > _MOST_NOTE_BYTES:
        raise Conflicting("The notes of this visit are as long as they may be.", code="TOO_MANY_NOTES")
    note = AppointmentNote(text=text, at=now, by=who.user_id)
    notes, proposed_at = (*appointment.notes, note), appointment.no_show_proposed_at
    return _changed(appointment, _NOTED, who, now, notes=notes, no_show_proposed_at=proposed_at)


def stands(appointment: Appointment, version: int, now: datetime) -> bool:
    """Whether the visit is still to come as it was at `version`. Not all changes are about who comes when."""
    since = appointment.history[version:]
    unchanged = version <= appointment.version and all(step.action in (_NOTED, _PROPOSED) for step in since)
    return unchanged and appointment.status is Status.SCHEDULED and now < appointment.slot_end


def _check_status(appointment: Appointment, *allowed: Status) -> None:
    if appointment.status not in allowed or appointment.historical:
        raise InvalidTransition(f"This cannot be done to a visit that is {appointment.status}.")


def _changed(appointment: Appointment, action: str, who: Principal, now: datetime, **update: object) -> Appointment:
    """Whatever happens to a visit takes back that a no-show was proposed, unless the update says otherwise."""
    return appointment.model_copy(
        update={
            "no_show_proposed_at": None,
            **update,
            "history": (*appointment.history, _step(action, who, now)),
            "version": appointment.version + 1,
            "updated_at": now,
        }
    )


def _step(action: str, who: Principal, now: datetime) -> Step:
    return Step(action=action, at=now, by=who.user_id, roles=who.roles)
