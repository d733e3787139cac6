"""The clinic's zone, and how often an insurer is asked again; kept as data."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Clinic(BaseModel):
    """An undecided claim is asked about after the first wait, then twice as long each time, up to the longest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str
    first_wait_seconds: int
    longest_wait_seconds: int


@cache
def clinic() -> Clinic:
    return Clinic.model_validate_json(Path(__file__).with_name("clinic.json").read_text())
