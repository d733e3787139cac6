"""What this domain keeps of people who are owned elsewhere: no more than a booking needs."""

from __future__ import annotations

from datetime import date, time

from pydantic import BaseModel, ConfigDict, Field

from hms.copies import Copy
from hms.money import MoneyTold


class PatientCopy(Copy):
    patient_id: str
    name: str
    email: str | None = None
    phone: str | None = None
    active: bool


class Period(BaseModel):
    """A stretch of a working day in local time, cut into slots of `slot_duration` minutes."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    start: time
    end: time
    slot_duration: int = 30


class WeeklyPeriod(Period):
    weekday: str


class Override(BaseModel):
    """A date with periods of its own; none at all means a day off."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    date: date
    periods: tuple[Period, ...] = ()


class Leave(BaseModel):
    """Days away, both ends included."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    start: date = Field(alias="from")
    end: date = Field(alias="to")


class DoctorCopy(Copy):
    doctor_id: str
    name: str
    department: str
    specialization: str | None = None
    active: bool
    timezone: str
    max_daily_appointments: int
    consultation_fee: MoneyTold | None = None
    schedule: tuple[WeeklyPeriod, ...] = ()
    overrides: tuple[Override, ...] = ()
    leave: tuple[Leave, ...] = ()

    def periods_on(self, day: date) -> tuple[Period, ...]:
        """The hours of a date: none on leave; an override replaces the weekly schedule (docs/rules.md "Booking")."""
        if any(leave.start <= day <= leave.end for leave in self.leave):
            return ()
        for override in self.overrides:
            if override.date == day:
                return override.periods
        weekday = day.strftime("%A").upper()
        return tuple(period for period in self.schedule if period.weekday == weekday)
