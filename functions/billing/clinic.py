"""The clinic's policies: every number of the rules of money, kept as data."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hms.fields import day_of
from hms.money import Rate


class Clinic(BaseModel):
    """docs/rules.md "Money". `timezone` says which day it is; fees are whole percents of the consultation fee."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str
    tax_rate: Rate
    due_days: int
    late_minutes: int
    late_fee_percent: int
    no_show_fee_percent: int

    @property
    def late_seconds(self) -> int:
        return self.late_minutes * 60

    def day(self, instant: datetime) -> date:
        return day_of(instant, self.timezone)

    def due(self, day: date) -> date:
        """When a bill of that day is to be paid at the latest."""
        return day + timedelta(days=self.due_days)


@cache
def clinic() -> Clinic:
    return Clinic.model_validate_json(Path(__file__).with_name("clinic.json").read_text())
