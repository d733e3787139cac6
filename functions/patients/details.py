"""What belongs to a person's record: address, relatives, insurance, numbers from elsewhere."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hms.contact import Phone
from hms.fields import CalendarDate, Line

_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|\d{3}))?")

Sex = Literal["male", "female", "other", "unknown"]


def _canonical_language(tag: str) -> str:
    match = _LANGUAGE.fullmatch(tag)
    if not match:
        message = "a language is a BCP 47 tag such as hi, en-IN or pa-Guru-IN"
        raise ValueError(message)
    language, script, region = match.groups(default="")
    return "-".join(part for part in (language.lower(), script.capitalize(), region.upper()) if part)


Language = Annotated[str, AfterValidator(_canonical_language), Field(max_length=35, examples=["hi-IN"])]


class _Detail(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, str_strip_whitespace=True)


class Address(_Detail):
    line: Line
    city: Line
    state: Line | None = None
    postal_code: Line | None = None
    country: str = Field(default="IN", pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2")


class EmergencyContact(_Detail):
    name: Line
    relationship: Line
    phone: Phone


class Insurance(_Detail):
    payer: Line
    member_id: Line
    plan: Line | None = None
    valid_until: CalendarDate | None = None
