"""The vocabulary of visits."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Literal, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

from appointments.calendars import CalendarTokenCreated, CalendarTokenRevoked
from hms.aggregate import Entity
from hms.events import Fact
from hms.fields import Line, Text, View, rfc3339
from hms.money import Money


class Status(StrEnum):
    SCHEDULED = "SCHEDULED"
    CHECKED_IN = "CHECKED_IN"
    IN_CONSULTATION = "IN_CONSULTATION"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    NO_SHOW = "NO_SHOW"


ACTIVE = frozenset({Status.SCHEDULED, Status.CHECKED_IN, Status.IN_CONSULTATION})


class Side(StrEnum):
    """Whose wish it was."""

    PATIENT = "PATIENT"
    DOCTOR = "DOCTOR"
    CLINIC = "CLINIC"


class Slot(NamedTuple):
    """A half-open stretch of time, in UTC."""

    start: datetime
    end: datetime

    def overlaps(self, other: Slot) -> bool:
        return self.start < other.end and other.start < self.end

    def within(self, other: Slot) -> bool:
        return other.start <= self.start and self.end <= other.end

    @property
    def length(self) -> timedelta:
        return self.end - self.start


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Exemption(_Part):
    """Why a visit may skip lead time, hours, schedule, grid and cap; never the overlap."""

    kind: Literal["WALK_IN", "EMERGENCY"]
    reason: Line


class Step(_Part):
    """Who did what, when."""

    action: str
    at: AwareDatetime
    by: str
    roles: tuple[str, ...]


class AppointmentNote(_Part):
    text: str
    at: AwareDatetime
    by: str


class Cancellation(_Part):
    """Seconds, so that billing can tell exactly two hours before the start from one second less."""

    requested_by: Side
    reason: str | None = None
    seconds_before_start: int


class Appointment(Entity):
    """A visit of a patient to a doctor. `timezone` is the doctor's: it defines the clinic day of the visit.

    `no_show_proposed_at` is set while it waits for reception to say whether the patient came.
    """

    appointment_id: str
    patient_id: str
    doctor_id: str
    department: str
    slot_start: AwareDatetime
    slot_end: AwareDatetime
    timezone: str
    status: Status = Status.SCHEDULED
    reschedule_count: int = 0
    no_show_proposed_at: AwareDatetime | None = None
    consultation_fee: Money
    exemption: Exemption | None = None
    cancellation: Cancellation | None = None
    notes: tuple[AppointmentNote, ...] = ()
    history: tuple[Step, ...] = ()
    historical: bool = False
    external_id: str | None = None

    @property
    def slot(self) -> Slot:
        return Slot(self.slot_start, self.slot_end)

    @property
    def awaits_patient(self) -> bool:
        return self.status is Status.SCHEDULED and not self.historical


def position(start: datetime, appointment_id: str) -> str:
    """Where a visit stands in a list by start."""
    return f"{rfc3339(start)}#{appointment_id}"


class AppointmentSummary(View):
    """A line of a list."""

    appointment_id: str
    patient_id: str
    doctor_id: str
    department: str
    slot_start: AwareDatetime
    slot_end: AwareDatetime
    status: Status


class NoShowProposal(AppointmentSummary):
    """A visit whose patient is not here, for reception to say so."""

    version: int
    proposed_at: AwareDatetime


class FreeSlot(View):
    slot_start: AwareDatetime
    slot_end: AwareDatetime


class Availability(View):
    """The free slots of a doctor, as they were at `as_of`."""

    doctor_id: str
    as_of: AwareDatetime
    slots: list[FreeSlot]


class StrandedVisit(View):
    """A future visit that its doctor's hours no longer cover."""

    appointment_id: str
    patient_id: str
    slot_start: AwareDatetime
    slot_end: AwareDatetime
    reason: Text


_EXAMPLE: dict[str, JsonValue] = {
    "appointment_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e62",
    "version": 1,
    "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
    "doctor_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e61",
    "department": "Cardiology",
    "timezone": "Asia/Kolkata",
    "slot_start": "2026-11-23T04:30:00Z",
    "slot_end": "2026-11-23T05:00:00Z",
    "status": "SCHEDULED",
    "consultation_fee": {"amount": "500.00", "currency": "INR"},
}


def _example(**more: JsonValue) -> ConfigDict:
    return ConfigDict(frozen=True, json_schema_extra={"examples": [_EXAMPLE | more]})


class AppointmentFact(Fact):
    """The visit as it is after the change, with the fee basis that billing starts from."""

    appointment_id: str
    version: int
    patient_id: str
    doctor_id: str
    department: str
    timezone: str
    slot_start: AwareDatetime
    slot_end: AwareDatetime
    status: Status
    consultation_fee: Money

    @classmethod
    def of(cls, appointment: Appointment, **more: object) -> Self:
        return cls.model_validate({name: getattr(appointment, name) for name in AppointmentFact.model_fields} | more)


class AppointmentBooked(AppointmentFact):
    type: ClassVar[str] = "appointments.booked.v1"
    model_config = _example(exemption=None)
    exemption: Literal["WALK_IN", "EMERGENCY"] | None = None


class AppointmentRescheduled(AppointmentFact):
    type: ClassVar[str] = "appointments.rescheduled.v1"
    model_config = _example(
        version=2,
        seconds_before_start=86400,
        previous_doctor_id="01931c2e-7b1f-7c39-9d54-3b1c2a4f5e61",
        previous_slot_start="2026-11-22T04:30:00Z",
        previous_slot_end="2026-11-22T05:00:00Z",
    )
    seconds_before_start: int
    previous_doctor_id: str
    previous_slot_start: AwareDatetime
    previous_slot_end: AwareDatetime


class AppointmentCancelled(AppointmentFact):
    type: ClassVar[str] = "appointments.cancelled.v1"
    model_config = _example(
        version=2, status="CANCELLED", requested_by="CLINIC", reason="The doctor is ill", seconds_before_start=7200
    )
    requested_by: Side
    reason: str | None
    seconds_before_start: int

    @classmethod
    def of(cls, appointment: Appointment, **more: object) -> Self:
        return super().of(appointment, **dict(appointment.cancellation or ()), **more)


class AppointmentCheckedIn(AppointmentFact):
    type: ClassVar[str] = "appointments.checked_in.v1"
    model_config = _example(version=2, status="CHECKED_IN")


class AppointmentReinstated(AppointmentFact):
    type: ClassVar[str] = "appointments.reinstated.v1"
    model_config = _example(version=3, status="CHECKED_IN")


class AppointmentStarted(AppointmentFact):
    type: ClassVar[str] = "appointments.started.v1"
    model_config = _example(version=3, status="IN_CONSULTATION")


class AppointmentCompleted(AppointmentFact):
    type: ClassVar[str] = "appointments.completed.v1"
    model_config = _example(version=4, status="COMPLETED")


class AppointmentNoShowProposed(AppointmentFact):
    type: ClassVar[str] = "appointments.no_show_proposed.v1"
    model_config = _example(version=2)


class AppointmentNoShow(AppointmentFact):
    type: ClassVar[str] = "appointments.no_show.v1"
    model_config = _example(version=2, status="NO_SHOW")


class AppointmentNoteAdded(AppointmentFact):
    type: ClassVar[str] = "appointments.note_added.v1"
    model_config = _example(version=2)


class AppointmentRecorded(AppointmentFact):
    type: ClassVar[str] = "appointments.recorded.v1"
    model_config = _example(status="COMPLETED")


FACTS: tuple[type[Fact], ...] = (
    AppointmentBooked,
    AppointmentRescheduled,
    AppointmentCancelled,
    AppointmentCheckedIn,
    AppointmentReinstated,
    AppointmentStarted,
    AppointmentCompleted,
    AppointmentNoShowProposed,
    AppointmentNoShow,
    AppointmentNoteAdded,
    AppointmentRecorded,
    CalendarTokenCreated,
    CalendarTokenRevoked,
)
