"""The vocabulary of doctors and departments."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import AwareDatetime, ConfigDict, JsonValue

from doctors.hours import Absence, Leave, Override, WeeklyPeriod
from hms.aggregate import Entity
from hms.events import Fact
from hms.fields import ExternalIdentifier, View
from hms.money import Money


class Department(Entity):
    """`consultation_fee` is what doctors registered in it get who bring none of their own."""

    department_id: str
    name: str
    consultation_fee: Money | None = None


class Doctor(Entity):
    """`schedule` repeats weekly in `timezone`; an override replaces it on its date, leave ends it for whole days."""

    doctor_id: str
    active: bool = True
    inactive_reason: str | None = None
    name: str
    email: str | None = None
    phone: str | None = None
    department: str
    specialization: str
    max_daily_appointments: int
    consultation_fee: Money | None = None
    timezone: str
    external_identifiers: tuple[ExternalIdentifier, ...] = ()
    schedule: tuple[WeeklyPeriod, ...] = ()
    overrides: tuple[Override, ...] = ()
    leave: tuple[Leave, ...] = ()


class StrandedVisit(View):
    """A future visit that the doctor's hours no longer cover."""

    appointment_id: str
    patient_id: str
    slot_start: AwareDatetime
    slot_end: AwareDatetime
    reason: str


class ChangedDoctor(Doctor):
    """The doctor, and the visits to move; `stranded` is null where they could not be asked for."""

    stranded: tuple[StrandedVisit, ...] | None = ()


class DoctorSummary(View):
    """A line of a list."""

    doctor_id: str
    version: int
    name: str
    department: str
    specialization: str
    active: bool
    max_daily_appointments: int
    consultation_fee: Money | None
    timezone: str


class DoctorList(View):
    items: list[DoctorSummary]
    next_cursor: str | None
    as_of: AwareDatetime


class DepartmentList(View):
    items: list[Department]
    next_cursor: str | None
    as_of: AwareDatetime


_EXAMPLE: dict[str, JsonValue] = {
    "doctor_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e61",
    "version": 1,
    "name": "Dr. Meera Iyer",
    "department": "Cardiology",
    "specialization": "Cardiologist",
    "active": True,
    "timezone": "Asia/Kolkata",
    "max_daily_appointments": 8,
    "consultation_fee": {"amount": "800.00", "currency": "INR"},
    "schedule": [{"start": "09:00", "end": "13:00", "slot_duration": 30, "weekday": "MONDAY"}],
    "overrides": [{"date": "2026-12-07", "periods": []}],
    "leave": [{"from": "2026-12-24", "to": "2026-12-31"}],
}


def _example(**more: JsonValue) -> ConfigDict:
    return ConfigDict(frozen=True, json_schema_extra={"examples": [_EXAMPLE | more]})


class DoctorFact(Fact):
    """The doctor as others need to know them, whole after every change."""

    model_config = _example()

    doctor_id: str
    version: int
    name: str
    department: str
    specialization: str
    active: bool
    timezone: str
    max_daily_appointments: int
    consultation_fee: Money | None
    schedule: tuple[WeeklyPeriod, ...]
    overrides: tuple[Override, ...]
    leave: tuple[Absence, ...]

    @classmethod
    def of(cls, doctor: Doctor) -> Self:
        known = {name: getattr(doctor, name) for name in DoctorFact.model_fields}
        absences = tuple(Absence(first=one.first, last=one.last) for one in doctor.leave)
        return cls.model_validate(known | {"leave": absences})


class DoctorRegistered(DoctorFact):
    type: ClassVar[str] = "doctors.registered.v1"
    model_config = _example(schedule=[], overrides=[], leave=[])


class DoctorUpdated(DoctorFact):
    type: ClassVar[str] = "doctors.updated.v1"
    model_config = _example(version=2)


class DoctorSchedulePublished(DoctorFact):
    type: ClassVar[str] = "doctors.schedule_published.v1"
    model_config = _example(version=2)


class DoctorOverridden(DoctorFact):
    type: ClassVar[str] = "doctors.overridden.v1"
    model_config = _example(version=3)


class DoctorLeaveChanged(DoctorFact):
    type: ClassVar[str] = "doctors.leave_changed.v1"
    model_config = _example(version=4)


class DoctorDeactivated(DoctorFact):
    type: ClassVar[str] = "doctors.deactivated.v1"
    model_config = _example(version=5, active=False)


class DoctorReactivated(DoctorFact):
    type: ClassVar[str] = "doctors.reactivated.v1"
    model_config = _example(version=6)


class DepartmentOpened(Fact):
    type: ClassVar[str] = "doctors.department_opened.v1"
    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "department_id": "8f1e6d80-5f0a-8c39-9d54-3b1c2a4f5e61",
                    "version": 1,
                    "name": "Cardiology",
                    "consultation_fee": {"amount": "700.00", "currency": "INR"},
                }
            ]
        },
    )

    department_id: str
    version: int
    name: str
    consultation_fee: Money | None

    @classmethod
    def of(cls, department: Department) -> Self:
        return cls.model_validate({name: getattr(department, name) for name in cls.model_fields})


FACTS: tuple[type[Fact], ...] = (
    DoctorRegistered,
    DoctorUpdated,
    DoctorSchedulePublished,
    DoctorOverridden,
    DoctorLeaveChanged,
    DoctorDeactivated,
    DoctorReactivated,
    DepartmentOpened,
)
