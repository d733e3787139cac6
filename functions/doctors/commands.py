"""What may be asked of doctors and departments."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from doctors.hours import MOST_PERIODS, MOST_PERIODS_A_DAY, Absence, Period, WeeklyPeriod
from hms.contact import Email, Phone
from hms.fields import Amendment, Command, ExternalIdentifier, Line, Zone
from hms.money import Money
from hms.pages import PageParams

MOST_IDENTIFIERS = 4

Cap = Annotated[int, Field(ge=1, le=200, description="Visits on one clinic day, at most.")]


class RegisterDoctor(Command):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Dr. Meera Iyer",
                    "email": "meera.iyer@example.com",
                    "phone": "+919752166954",
                    "department": "Cardiology",
                    "specialization": "Cardiologist",
                    "max_daily_appointments": 8,
                    "consultation_fee": {"amount": "800.00", "currency": "INR"},
                    "timezone": "Asia/Kolkata",
                }
            ]
        }
    )

    name: Line
    email: Email | None = None
    phone: Phone | None = None
    department: Line
    specialization: Line
    max_daily_appointments: Cap = 8
    consultation_fee: Money | None = None
    timezone: Zone = "Asia/Kolkata"
    external_identifiers: tuple[ExternalIdentifier, ...] = Field(default=(), max_length=MOST_IDENTIFIERS)

    @model_validator(mode="after")
    def names_an_identifier_once(self) -> Self:
        if len(set(self.external_identifiers)) < len(self.external_identifiers):
            message = "external_identifiers repeats an identifier"
            raise ValueError(message)
        return self


class UpdateDoctor(Amendment):
    """What is left out stays; null clears e-mail, phone and fee."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"phone": "+919752166955"}]})
    clearable = frozenset({"email", "phone", "consultation_fee"})

    name: Line | None = None
    email: Email | None = None
    phone: Phone | None = None
    department: Line | None = None
    specialization: Line | None = None
    max_daily_appointments: Cap | None = None
    consultation_fee: Money | None = None
    timezone: Zone | None = None


class PublishSchedule(Command):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"periods": [{"weekday": "MONDAY", "start": "09:00", "end": "13:00", "slot_duration": 30}]}]
        }
    )

    periods: tuple[WeeklyPeriod, ...] = Field(max_length=MOST_PERIODS)


class SetOverride(Command):
    model_config = ConfigDict(json_schema_extra={"examples": [{"periods": [{"start": "14:00", "end": "17:00"}]}]})

    periods: tuple[Period, ...] = Field(max_length=MOST_PERIODS_A_DAY)


class GrantLeave(Command, Absence):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"from": "2026-12-24", "to": "2026-12-31", "reason": "Vacation"}]}
    )

    reason: Line | None = None


class DeactivateDoctor(Command):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Left the hospital"}]})

    reason: Line | None = None


class NothingMore(Command):
    """A command whose path says everything."""


class OpenDepartment(Command):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Cardiology", "consultation_fee": {"amount": "700.00", "currency": "INR"}}]
        }
    )

    name: Line
    consultation_fee: Money | None = None


class DoctorFilter(PageParams):
    """Lists doctors by name. `name` finds every doctor whose name has a word that starts so."""

    department: Line | None = None
    specialization: Line | None = None
    name: Line | None = None
    active: bool | None = None
    external_system: Line | None = None
    external_id: Line | None = None

    @model_validator(mode="after")
    def names_an_identifier_whole(self) -> Self:
        if (self.external_system is None) != (self.external_id is None):
            message = "external_system and external_id go together"
            raise ValueError(message)
        return self
