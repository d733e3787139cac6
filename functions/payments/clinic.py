"""The clinic's zone, which says what day it is; kept as data."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Clinic(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str


@cache
def clinic() -> Clinic:
    return Clinic.model_validate_json(Path(__file__).with_name("clinic.json").read_text())
