"""What can be done to visits, one function per command."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from appointments import changes, rules
from appointments.clinic import clinic
from appointments.model import (
    Appointment,
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCheckedIn,
    AppointmentCompleted,
    AppointmentNoShow,
    AppointmentNoteAdded,
    AppointmentRecorded,
    AppointmentReinstated,
    AppointmentRescheduled,
    AppointmentStarted,
    Status,
)
from appointments.rules import (
    AppointmentNotFound,
    DoctorInactive,
    DoctorNotFound,
    PatientInactive,
    PatientNotFound,
    Wish,
)
from hms import ids
from hms.call import Outcome, decided
from hms.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.commands import (
        BookAppointment,
        CancelAppointment,
        RecordAppointment,
        RescheduleAppointment,
    )
    from appointments.model import Exemption
    from appointments.people import DoctorCopy, PatientCopy
    from appointments.store import Appointments, Scene
    from hms.aggregate import Stored
    from hms.call import Call
    from hms.events import Fact

# What patients may do to visits of their own. All else a doctor does as the doctor of the visit, never as its patient.
_OF_PATIENTS = frozenset(
    {"appointments:book", "appointments:read", "appointments:reschedule", "appointments:cancel"},
)


class Owners(Protocol):
    """The owners' word on people: None where they know nobody. Raises `Busy` where they do not answer."""

    def patient(self, patient_id: str) -> PatientCopy | None: ...
    def doctor(self, doctor_id: str) -> DoctorCopy | None: ...


def book(command: BookAppointment, call: Call, appointments: Appointments, owners: Owners) -> Outcome[Appointment]:
    """One batch read and one transaction where the copies of patient and doctor are at hand."""
    who = call.who
    _reach("appointments:book", call, patient_id=command.patient_id, doctor_id=command.doctor_id)
    _allow(command.exemption, call)
    appointment_id = ids.derived("appointment", call.token)

    def attempt() -> Outcome[Appointment]:
        scene = appointments.scene(appointment_id, command.patient_id, command.doctor_id, command.slot)
        if earlier := appointments.earlier(scene.stored, appointment_id, call):
            return earlier
        patient, doctor = _people(scene, command.patient_id, command.doctor_id, appointments, owners)
        department = command.department or doctor.department
        wish = Wish(appointment_id, patient, doctor, department, command.slot, command.exemption, scene.sheets)
        rules.check_booking(wish, clinic(), call.now)
        after = changes.booked(wish, clinic(), who, call.now)
        fact = AppointmentBooked.of(after, exemption=after.exemption and after.exemption.kind)
        appointments.save(None, after, fact, call, scene.sheets)
        return Outcome(after)

    return decided(attempt)


def reschedule(
    appointment_id: str, command: RescheduleAppointment, call: Call, appointments: Appointments, owners: Owners
) -> Outcome[Appointment]:
    """Two reads (the visit says whose sheets to read) and one transaction."""
    _allow(command.exemption, call)

    def attempt() -> Outcome[Appointment]:
        stored = _load(appointment_id, "appointments:reschedule", call, appointments)
        if earlier := appointments.earlier(stored, appointment_id, call):
            return earlier
        before = stored.state
        call.expect(before.version)
        changes.check_reschedule(before, clinic(), call.now)
        doctor_id = command.doctor_id or before.doctor_id
        scene = appointments.scene(appointment_id, before.patient_id, doctor_id, command.slot)
        patient, doctor = _people(scene, before.patient_id, doctor_id, appointments, owners)
        exemption = command.exemption
        wish = Wish(appointment_id, patient, doctor, before.department, command.slot, exemption, scene.sheets)
        rules.check_booking(wish, clinic(), call.now)
        after = changes.rescheduled(before, wish, clinic(), call.who, call.now)
        appointments.save(stored, after, _moved(before, after, call), call, scene.sheets)
        return Outcome(after)

    return decided(attempt)


def cancel(
    appointment_id: str, command: CancelAppointment, call: Call, appointments: Appointments
) -> Outcome[Appointment]:
    """One read and one transaction: the lines leave their sheets unread."""

    def decide(before: Appointment) -> tuple[Appointment, Fact]:
        after = changes.cancelled(before, command, call.who, call.now)
        return after, AppointmentCancelled.of(after)

    return _change(appointment_id, "appointments:cancel", call, appointments, decide)


def check_in(appointment_id: str, call: Call, appointments: Appointments) -> Outcome[Appointment]:
    """From SCHEDULED; and from NO_SHOW the same day, which claims the slot again."""

    def attempt() -> Outcome[Appointment]:
        stored = _load(appointment_id, "appointments:check_in", call, appointments)
        if earlier := appointments.earlier(stored, appointment_id, call):
            return earlier
        call.expect(stored.state.version)
        if stored.state.status is Status.NO_SHOW:
            return _reinstate(stored, call, appointments)
        after = changes.checked_in(stored.state, call.who, call.now)
        appointments.save(stored, after, AppointmentCheckedIn.of(after), call)
        return Outcome(after)

    return decided(attempt)


def start(appointment_id: str, call: Call, appointments: Appointments) -> Outcome[Appointment]:
    def decide(before: Appointment) -> tuple[Appointment, Fact]:
        after = changes.started(before, call.who, call.now)
        return after, AppointmentStarted.of(after)

    return _change(appointment_id, "appointments:start", call, appointments, decide)


def complete(appointment_id: str, call: Call, appointments: Appointments) -> Outcome[Appointment]:
    def decide(before: Appointment) -> tuple[Appointment, Fact]:
        after = changes.completed(before, call.who, call.now)
        return after, AppointmentCompleted.of(after)

    return _change(appointment_id, "appointments:complete", call, appointments, decide)


def no_show(appointment_id: str, call: Call, appointments: Appointments) -> Outcome[Appointment]:
    def decide(before: Appointment) -> tuple[Appointment, Fact]:
        after = changes.missed(before, clinic(), call.who, call.now)
        return after, AppointmentNoShow.of(after)

    return _change(appointment_id, "appointments:no_show", call, appointments, decide)


def add_note(appointment_id: str, text: str, call: Call, appointments: Appointments) -> Outcome[Appointment]:
    def decide(before: Appointment) -> tuple[Appointment, Fact]:
        after = changes.noted(before, text, call.who, call.now)
        return after, AppointmentNoteAdded.of(after)

    return _change(appointment_id, "appointments:note", call, appointments, decide)


def read(appointment_id: str, call: Call, appointments: Appointments) -> Appointment:
    return _load(appointment_id, "appointments:read", call, appointments).state


def record(command: RecordAppointment, call: Call, appointments: Appointments) -> Outcome[Appointment]:
    """A visit of an older system. The id comes from its number there, so recording it again changes nothing.

    Raises `IdempotencyKeyReused` where the number was recorded with other data.
    """
    appointment_id = ids.derived("appointment", "legacy", command.external_id)
    digest = hashlib.sha256(command.model_dump_json().encode()).hexdigest()[:32]
    call = replace(call, token=appointment_id, digest=digest)

    def attempt() -> Outcome[Appointment]:
        scene = appointments.scene(appointment_id, command.patient_id, command.doctor_id, command.slot)
        if earlier := appointments.earlier(scene.stored, appointment_id, call):
            return earlier
        after = changes.recorded(appointment_id, command, clinic(), call.who, call.now)
        appointments.save(None, after, AppointmentRecorded.of(after), call, scene.sheets)
        return Outcome(after)

    return decided(attempt)


def _change(
    appointment_id: str,
    permission: str,
    call: Call,
    appointments: Appointments,
    decide: Callable[[Appointment], tuple[Appointment, Fact]],
) -> Outcome[Appointment]:
    def attempt() -> Outcome[Appointment]:
        stored = _load(appointment_id, permission, call, appointments)
        if earlier := appointments.earlier(stored, appointment_id, call):
            return earlier
        call.expect(stored.state.version)
        after, fact = decide(stored.state)
        appointments.save(stored, after, fact, call)
        return Outcome(after)

    return decided(attempt)


def _reinstate(stored: Stored[Appointment], call: Call, appointments: Appointments) -> Outcome[Appointment]:
    call.who.require("appointments:reinstate")
    before = stored.state
    changes.check_reinstate(before, call.now)
    scene = appointments.scene(before.appointment_id, before.patient_id, before.doctor_id, before.slot)
    changes.check_free_again(before, scene.sheets)
    after = changes.reinstated(before, call.who, call.now)
    appointments.save(stored, after, AppointmentReinstated.of(after), call, scene.sheets)
    return Outcome(after)


def _load(appointment_id: str, permission: str, call: Call, appointments: Appointments) -> Stored[Appointment]:
    stored = appointments.load(appointment_id)
    if stored is None:
        # To those who reach only their own, an unknown visit looks like somebody else's.
        raise AppointmentNotFound if call.who.scopes.get(permission) == "any" else Forbidden
    # A doctor who moved it to a colleague may ask again what came of it: a token is its caller's alone.
    if not any(done.token == call.token for done in stored.done):
        patient_id = stored.state.patient_id if permission in _OF_PATIENTS else None
        _reach(permission, call, patient_id=patient_id, doctor_id=stored.state.doctor_id)
    return stored


def _reach(permission: str, call: Call, *, patient_id: str | None, doctor_id: str) -> None:
    if not call.who.reaches(permission, patient_id=patient_id, doctor_id=doctor_id):
        raise Forbidden


def _allow(exemption: Exemption | None, call: Call) -> None:
    if exemption is not None:
        call.who.require("appointments:override")


def _people(
    scene: Scene, patient_id: str, doctor_id: str, appointments: Appointments, owners: Owners
) -> tuple[PatientCopy, DoctorCopy]:
    patient = active_patient(scene.patient, patient_id, appointments, owners)
    return patient, active_doctor(scene.doctor, doctor_id, appointments, owners)


def active_patient(
    copy: PatientCopy | None, patient_id: str, appointments: Appointments, owners: Owners
) -> PatientCopy:
    """The copy, or the owner's word where it is missing or says no. Raises `PatientNotFound`, `PatientInactive`."""
    if copy and copy.active:
        return copy
    word = owners.patient(patient_id)
    if word is None:
        raise PatientNotFound
    appointments.patients.keep(word)
    if not word.active:
        raise PatientInactive
    return word


def active_doctor(copy: DoctorCopy | None, doctor_id: str, appointments: Appointments, owners: Owners) -> DoctorCopy:
    """The copy, or the owner's word where it is missing or says no. Raises `DoctorNotFound`, `DoctorInactive`."""
    if copy and copy.active:
        return copy
    word = owners.doctor(doctor_id)
    if word is None:
        raise DoctorNotFound
    appointments.doctors.keep(word)
    if not word.active:
        raise DoctorInactive
    return word


def _moved(before: Appointment, after: Appointment, call: Call) -> Fact:
    return AppointmentRescheduled.of(
        after,
        seconds_before_start=int((before.slot_start - call.now).total_seconds()),
        previous_doctor_id=before.doctor_id,
        previous_slot_start=before.slot_start,
        previous_slot_end=before.slot_end,
    )
