"""The clinic's policies: every number of the booking rules, kept as data."""

from __future__ import annotations

from datetime import time, timedelta
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hms.money import Money


class Clinic(BaseModel):
    """docs/rules.md "Booking" and "Changing"; minutes throughout."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str
    opens: time
    closes: time
    lead_minutes: int
    longest_visit_minutes: int
    reschedules: int
    reschedule_minutes: int
    no_show_minutes: int
    consultation_fee: Money

    @property
    def lead(self) -> timedelta:
        return timedelta(minutes=self.lead_minutes)

    @property
    def longest_visit(self) -> timedelta:
        return timedelta(minutes=self.longest_visit_minutes)

    @property
    def reschedule_lead(self) -> timedelta:
        return timedelta(minutes=self.reschedule_minutes)

    @property
    def no_show_grace(self) -> timedelta:
        return timedelta(minutes=self.no_show_minutes)


@cache
def clinic() -> Clinic:
    return Clinic.model_validate_json(Path(__file__).with_name("clinic.json").read_text())
