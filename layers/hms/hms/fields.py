"""Field types that the wire shares: what they accept and how they come out."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from hms.ids import is_id

_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_CALENDAR_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NO_ZONE = "a time zone is an IANA name such as Asia/Kolkata"
_BIDI_AND_SPECIALS = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufff9-\uffff]")


class Command(BaseModel):
    """A request body: unknown fields, other types and naive instants are refused; text is trimmed."""

    # Built at first use: a cold start needs two or three of a domain's models, never all.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_strip_whitespace=True, defer_build=True)


class Amendment(Command):
    """A change of some fields: what is left out stays, null empties a field where it may be empty (`clearable`)."""

    clearable: ClassVar[frozenset[str]]

    @model_validator(mode="after")
    def clears_only_what_may_be_empty(self) -> Self:
        emptied = [name for name in self.model_fields_set - self.clearable if getattr(self, name) is None]
        if emptied:
            message = f"{', '.join(sorted(emptied))} cannot be null"
            raise ValueError(message)
        return self


class Params(BaseModel):
    """Query parameters: text on the wire, so `"20"` is a number here; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, defer_build=True)


class View(BaseModel):
    """An answer that is not an entity itself."""

    model_config = ConfigDict(frozen=True, defer_build=True)


def _readable_year(value: Any) -> Any:
    year = re.match(r"\d{4}(?=-)", value) if isinstance(value, str) else None
    if not isinstance(value, datetime) and not (year and _FIRST_YEAR <= int(year[0]) <= _LAST_YEAR):
        message = f"an instant is RFC 3339 with an offset, between {_FIRST_YEAR} and {_LAST_YEAR}"
        raise ValueError(message)
    return value


def utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


def rfc3339(instant: datetime) -> str:
    """`2026-11-21T04:30:00Z`."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


Instant = Annotated[
    # What a validator has seen is no JSON any more, so that strictness would refuse text: hence not strict here.
    Annotated[AwareDatetime, Field(strict=False)],
    BeforeValidator(_readable_year),
    AfterValidator(utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    Field(examples=["2026-11-23T10:00:00+05:30"]),
]


def _calendar_date(value: Any) -> Any:
    """Digits alone would be read as seconds since 1970, and `20261123` found to be a day of that year."""
    if not isinstance(value, date) and not (isinstance(value, str) and _CALENDAR_DATE.fullmatch(value)):
        message = "a date is written as 2026-11-23"
        raise ValueError(message)
    return value


AS_WRITTEN = BeforeValidator(_calendar_date, json_schema_input_type=date)
CalendarDate = Annotated[Annotated[date, Field(strict=False)], AS_WRITTEN]
# A day that may be reckoned with: its neighbours are days too.
Day = Annotated[
    Annotated[date, Field(strict=False, ge=date(_FIRST_YEAR, 1, 1), le=date(_LAST_YEAR, 12, 31))], AS_WRITTEN
]


def _plain_text(text: str) -> str:
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t" for letter in text):
        message = "control characters are not text"
        raise ValueError(message)
    if _BIDI_AND_SPECIALS.search(text):
        message = "invisible and replacement characters are not text"
        raise ValueError(message)
    return unicodedata.normalize("NFC", text)


Text = Annotated[str, AfterValidator(_plain_text)]
Line = Annotated[Text, Field(min_length=1, max_length=200, pattern=r"^[^\n\t]+$")]
Note = Annotated[Text, Field(min_length=1, max_length=4000)]


class ExternalIdentifier(BaseModel):
    """A number from another system, unique in that system."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, str_strip_whitespace=True, defer_build=True)

    system: Line = Field(examples=["legacy"])
    value: Line = Field(examples=["17"])


def _known_id(text: str) -> str:
    if not is_id(text.lower()):
        message = "an id is a UUID"
        raise ValueError(message)
    return text.lower()


Id = Annotated[str, AfterValidator(_known_id), Field(json_schema_extra={"format": "uuid"})]


def _zone(name: str) -> str:
    # Small letters begin what machines keep beside the zones: `localtime`, `right/UTC`.
    try:
        known = name[:1].isupper() and ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(_NO_ZONE) from error
    if not known:
        raise ValueError(_NO_ZONE)
    return name


Zone = Annotated[str, AfterValidator(_zone), Field(examples=["Asia/Kolkata"])]


def day_of(instant: datetime, zone: str) -> date:
    """The calendar day that an instant falls on in a zone."""
    return instant.astimezone(ZoneInfo(zone)).date()
