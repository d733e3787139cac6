"""What may be asked of visits."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from appointments.model import Exemption, Side, Slot, Status
from hms.fields import Command, Id, Instant, Line, Note, Zone

# Far beyond any visit: the days that a slot touches are read before any rule is asked.
_LONGEST_SLOT = timedelta(hours=24)


class _SlotFields(Command):
    slot_start: Instant
    slot_end: Instant

    @model_validator(mode="after")
    def ends_after_it_starts(self) -> Self:
        if self.slot_end <= self.slot_start:
            message = "slot_end must be after slot_start"
            raise ValueError(message)
        if self.slot_end - self.slot_start > _LONGEST_SLOT:
            message = "slot_end is at most 24 hours after slot_start"
            raise ValueError(message)
        return self

    @property
    def slot(self) -> Slot:
        return Slot(self.slot_start, self.slot_end)


class BookAppointment(_SlotFields):
    """What older clients send, and an exemption for walk-ins and emergencies."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
                    "doctor_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e61",
                    "department": "Cardiology",
                    "slot_start": "2026-11-23T10:00:00+05:30",
                    "slot_end": "2026-11-23T10:30:00+05:30",
                }
            ]
        }
    )

    patient_id: Id
    doctor_id: Id
    department: Line | None = Field(default=None, description="The doctor's department where it is left out.")
    exemption: Exemption | None = None


class RescheduleAppointment(_SlotFields):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"slot_start": "2026-11-24T10:00:00+05:30", "slot_end": "2026-11-24T10:30:00+05:30"}]
        }
    )

    doctor_id: Id | None = Field(default=None, description="Another doctor of the same department.")
    exemption: Exemption | None = None


class CancelAppointment(Command):
    """`requested_by` is the caller's own side where it is left out; staff speak for the patient by default."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "The doctor is ill", "requested_by": "CLINIC"}]}
    )

    reason: Line | None = Field(
        default=None,
        description="Told to the patient word for word where clinic or doctor cancel: keep diagnoses out of it.",
    )
    requested_by: Annotated[Side, Field(strict=False)] | None = None


class NothingMore(Command):
    """A command whose path says everything."""


class AddNote(Command):
    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Needs a wheelchair at the door"}]})

    text: Note


class RecordAppointment(_SlotFields):
    """A visit of an older system, as history: it never blocks a slot and never changes again."""

    external_id: Line
    patient_id: Id
    doctor_id: Id
    department: Line
    timezone: Zone
    status: Annotated[Status, Field(strict=False)]
    created_at: Instant
