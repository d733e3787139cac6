"""When a doctor works: weekly periods, overrides of a date, leave."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hms.fields import CalendarDate, Line

if TYPE_CHECKING:
    from datetime import date

GRID_MINUTES = 5
SHORTEST_SLOT, USUAL_SLOT, LONGEST_SLOT = 5, 30, 240
FIRST_YEAR, LAST_YEAR = 1900, 2200
MOST_PERIODS = 50
MOST_PERIODS_A_DAY = 10
_SECONDS = re.compile(r"(?<=^\d\d:\d\d):00$")


class Weekday(StrEnum):
    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _in_ascii(value: Any) -> Any:
    """The pattern, as it is published, takes digits of every script."""
    if isinstance(value, str) and not value.isascii():
        message = "a time of day is written in the digits 0 to 9"
        raise ValueError(message)
    return value


def _without_seconds(value: Any) -> Any:
    return _SECONDS.sub("", value) if isinstance(value, str) else value


TimeOfDay = Annotated[
    str,
    BeforeValidator(_in_ascii),
    BeforeValidator(_without_seconds),
    Field(pattern=r"^([01]\d|2[0-3]):[0-5][05]$", examples=["09:00"], description="Local time on 5 minutes, `HH:MM`."),
]


def _within_reason(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        message = f"a date is between {FIRST_YEAR} and {LAST_YEAR}"
        raise ValueError(message)
    return day


Day = Annotated[CalendarDate, AfterValidator(_within_reason)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        str_strip_whitespace=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class Period(_Part):
    """Working time within one day, cut into slots from its start on."""

    start: TimeOfDay
    end: TimeOfDay
    slot_duration: int = Field(
        default=USUAL_SLOT,
        ge=SHORTEST_SLOT,
        le=LONGEST_SLOT,
        multiple_of=GRID_MINUTES,
        description="Minutes of one slot.",
    )

    @model_validator(mode="after")
    def holds_a_slot(self) -> Self:
        if self.end <= self.start:
            message = "end must be after start"
            raise ValueError(message)
        if _minutes(self.end) - _minutes(self.start) < self.slot_duration:
            message = "a period is at least one slot long"
            raise ValueError(message)
        return self

    def overlaps(self, other: Period) -> bool:
        return self.start < other.end and other.start < self.end


class WeeklyPeriod(Period):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"weekday": "MONDAY", "start": "09:00", "end": "13:00", "slot_duration": 30}]}
    )
    weekday: Annotated[Weekday, BeforeValidator(_upper)]


class Override(_Part):
    """What holds on one date instead of the weekly schedule; without periods the doctor does not work that day."""

    date: Day
    periods: tuple[Period, ...] = Field(default=(), max_length=MOST_PERIODS_A_DAY)


class Absence(_Part):
    """Whole days in the doctor's zone, the first and the last included."""

    first: Day = Field(alias="from")
    last: Day = Field(alias="to")

    @model_validator(mode="after")
    def ends_no_earlier_than_it_starts(self) -> Self:
        if self.last < self.first:
            message = "to must not be before from"
            raise ValueError(message)
        return self


class Leave(Absence):
    leave_id: str
    reason: Line | None = None


def _minutes(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])
