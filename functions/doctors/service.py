"""One function per command and question about doctors and departments."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from doctors import rules
from doctors.model import (
    DoctorDeactivated,
    DoctorFact,
    DoctorLeaveChanged,
    DoctorOverridden,
    DoctorReactivated,
    DoctorRegistered,
    DoctorSchedulePublished,
    DoctorUpdated,
    StrandedVisit,
)
from hms import ids
from hms.call import Outcome, decided
from hms.errors import Busy, Forbidden

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from doctors.commands import (
        DeactivateDoctor,
        GrantLeave,
        OpenDepartment,
        PublishSchedule,
        RegisterDoctor,
        SetOverride,
        UpdateDoctor,
    )
    from doctors.model import Department, Doctor
    from doctors.store import Departments, Doctors, Known
    from hms.call import Call
    from hms.tasks import Owner


def register_doctor(command: RegisterDoctor, call: Call, doctors: Doctors) -> Outcome[Doctor]:
    """A department nobody has named before is opened with its first doctor."""
    doctor_id = ids.derived("doctor", call.token)

    def attempt() -> Outcome[Doctor]:
        known = doctors.known(doctor_id, command.email, command.department, command.external_identifiers)
        if earlier := doctors.earlier(known.doctor, doctor_id, call):
            return earlier
        check_claims(known, doctor_id)
        department, opens = department_for(known, command.department, call)
        doctor = rules.registered(doctor_id, command, department, call.now)
        doctors.save(None, doctor, DoctorRegistered.of(doctor), call, opens)
        return Outcome(doctor)

    return decided(attempt)


def update_doctor(
    doctor_id: str, command: UpdateDoctor, call: Call, doctors: Doctors, visits: Owner
) -> Outcome[Doctor]:
    _check_reach("doctors:update", doctor_id, call)
    if call.who.scopes["doctors:update"] == "own":
        rules.check_own_fields(command)

    def attempt() -> Outcome[Doctor]:
        known = doctors.known(doctor_id, command.email, command.department)
        if known.doctor is None:
            raise rules.DoctorNotFound
        if earlier := doctors.earlier(known.doctor, doctor_id, call):
            return earlier
        before = known.doctor.state
        call.expect(before.version)
        check_claims(known, doctor_id)
        if command.timezone not in (None, before.timezone):
            _check_no_visits(doctor_id, visits)
        department, opens = department_for(known, command.department, call) if command.department else (None, None)
        after = rules.updated(before, command, department, call.now)
        doctors.save(known.doctor, after, DoctorUpdated.of(after), call, opens)
        return Outcome(after)

    return decided(attempt)


def deactivate_doctor(doctor_id: str, command: DeactivateDoctor, call: Call, doctors: Doctors) -> Outcome[Doctor]:
    _check_reach("doctors:deactivate", doctor_id, call)
    change = partial(rules.deactivated, reason=command.reason, now=call.now)
    return _changed(doctor_id, change, DoctorDeactivated, call, doctors)


def reactivate_doctor(doctor_id: str, call: Call, doctors: Doctors) -> Outcome[Doctor]:
    _check_reach("doctors:deactivate", doctor_id, call)
    return _changed(doctor_id, partial(rules.reactivated, now=call.now), DoctorReactivated, call, doctors)


def publish_schedule(doctor_id: str, command: PublishSchedule, call: Call, doctors: Doctors) -> Outcome[Doctor]:
    _check_reach("doctors:schedule", doctor_id, call)
    change = partial(rules.published, periods=command.periods, now=call.now)
    return _changed(doctor_id, change, DoctorSchedulePublished, call, doctors)


def set_override(doctor_id: str, day: date, command: SetOverride, call: Call, doctors: Doctors) -> Outcome[Doctor]:
    _check_reach("doctors:schedule", doctor_id, call)
    change = partial(rules.overridden, day=day, periods=command.periods, now=call.now)
    return _changed(doctor_id, change, DoctorOverridden, call, doctors)


def remove_override(doctor_id: str, day: date, call: Call, doctors: Doctors) -> Outcome[Doctor]:
    _check_reach("doctors:schedule", doctor_id, call)
    change = partial(rules.without_override, day=day, now=call.now)
    return _changed(doctor_id, change, DoctorOverridden, call, doctors)


def grant_leave(doctor_id: str, command: GrantLeave, call: Call, doctors: Doctors) -> Outcome[Doctor]:
    _check_reach("doctors:schedule", doctor_id, call)
    leave_id = ids.derived("leave", doctor_id, call.token)
    change = partial(rules.on_leave, leave_id=leave_id, command=command, now=call.now)
    return _changed(doctor_id, change, DoctorLeaveChanged, call, doctors)


def withdraw_leave(doctor_id: str, leave_id: str, call: Call, doctors: Doctors) -> Outcome[Doctor]:
    _check_reach("doctors:schedule", doctor_id, call)
    change = partial(rules.without_leave, leave_id=leave_id, now=call.now)
    return _changed(doctor_id, change, DoctorLeaveChanged, call, doctors)


def open_department(command: OpenDepartment, call: Call, departments: Departments) -> Outcome[Department]:
    department = rules.opened(command, call.now)

    def attempt() -> Outcome[Department]:
        stored = departments.load(department.department_id)
        if earlier := departments.earlier(stored, department.department_id, call):
            return earlier
        if stored:
            raise rules.DepartmentExists
        departments.save(department, call)
        return Outcome(department)

    return decided(attempt)


def get_doctor(doctor_id: str, call: Call, doctors: Doctors) -> Doctor:
    stored = doctors.load(doctor_id)
    if stored is None:
        raise rules.DoctorNotFound
    return stored.state if call.who.reaches("doctors:read_private", doctor_id=doctor_id) else rules.public(stored.state)


def stranded(doctor: Doctor, visits: Owner) -> tuple[StrandedVisit, ...] | None:
    """The visits that the doctor's present hours do not cover; None where their owner does not answer.

    Asked after the change: the change stands either way.
    """
    snapshot = DoctorFact.of(doctor).model_dump(mode="json")
    try:
        answered = visits.ask("stranded", snapshot=snapshot)
    except Busy:
        return None
    if answered["outcome"] != "ok":
        return None
    return tuple(StrandedVisit.model_validate(one) for one in answered["stranded"])


def _changed(
    doctor_id: str, change: Callable[[Doctor], Doctor], fact: type[DoctorFact], call: Call, doctors: Doctors
) -> Outcome[Doctor]:
    def attempt() -> Outcome[Doctor]:
        stored = doctors.load(doctor_id)
        if stored is None:
            raise rules.DoctorNotFound
        if earlier := doctors.earlier(stored, doctor_id, call):
            return earlier
        call.expect(stored.state.version)
        after = change(stored.state)
        doctors.save(stored, after, fact.of(after), call)
        return Outcome(after)

    return decided(attempt)


def _check_reach(permission: str, doctor_id: str, call: Call) -> None:
    if not call.who.reaches(permission, doctor_id=doctor_id):
        raise Forbidden


def check_claims(known: Known, doctor_id: str) -> None:
    if known.email_of not in (None, doctor_id):
        raise rules.EmailTaken
    if known.identifiers_of:
        raise rules.IdentifierTaken


def _check_no_visits(doctor_id: str, visits: Owner) -> None:
    if visits.ask("has_future_visits", doctor_id=doctor_id)["has_future_visits"]:
        raise rules.HasFutureVisits


def department_for(known: Known, name: str, call: Call) -> tuple[Department, Department | None]:
    """The department, and once more where it is still to be opened."""
    if known.department:
        return known.department.state, None
    department = rules.named(name, call.now)
    return department, department
