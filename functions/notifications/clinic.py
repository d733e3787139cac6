"""How the clinic tells people: its name, zone and language, quiet hours and how often it tries; kept as data."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from notifications.model import QuietHours


class Clinic(BaseModel):
    """`quiet_hours` hold for recipients who have not set their own.

    `unheard_retries` is how often a message is given to its provider again that may have gone out already; that is
    after longer waits, in which a report may say so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    phone: str
    timezone: str
    language: str
    quiet_hours: QuietHours | None
    retries: int
    first_retry_seconds: int
    unheard_retries: int
    first_unheard_seconds: int
    longest_retry_seconds: int


@cache
def clinic() -> Clinic:
    return Clinic.model_validate_json(Path(__file__).with_name("clinic.json").read_text())
