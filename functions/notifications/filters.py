"""How values are written: dates, times and money, in the words of a language (`languages.json`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from hms.fields import CalendarDate, Instant, Zone
from hms.money import Money, readable
from notifications.template import BadValue, MissingValue, broader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

type Filter = Callable[..., str]
type Day = date

# How many arguments a template gives each.
ARGUMENTS = {"date": 1, "short_date": 1, "time": 1, "day": 0, "short_day": 0, "money": 0}


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a language. `day_parts` are hours and what the day is called from then on.

    `exactly` has times that are called otherwise: 12:00 am and pm are read either way.
    """

    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    short_weekdays: tuple[str, ...]
    short_months: tuple[str, ...]
    date: str
    short_date: str
    time: str
    day_parts: tuple[tuple[int, str], ...]
    exactly: Mapping[str, str]

    def dated(self, day: Day) -> str:
        weekday, month = self.weekdays[day.weekday()], self.months[day.month - 1]
        return self.date.format(weekday=weekday, day=day.day, month=month, year=day.year)

    def dated_shortly(self, day: Day) -> str:
        weekday, month = self.short_weekdays[day.weekday()], self.short_months[day.month - 1]
        return self.short_date.format(weekday=weekday, day=day.day, month=month)

    def timed(self, moment: datetime) -> str:
        if exact := self.exactly.get(f"{moment:%H:%M}"):
            return exact
        part = [name for hour, name in self.day_parts if hour <= moment.hour][-1]
        return self.time.format(hour=moment.hour % 12 or 12, minute=f"{moment.minute:02d}", part=part)


def filters(language: str) -> Mapping[str, Filter]:
    """The filters of a template in this language. Each takes the value, its arguments, and the value's name.

    A language without words has dates as 2026-11-23 and times as 16:30: plain, but never a wrong word.
    """
    words = _words(language)
    dated, shortly = (words.dated, words.dated_shortly) if words else (date.isoformat, date.isoformat)
    return {
        "date": _of_moment(lambda moment: dated(moment.date())),
        "short_date": _of_moment(lambda moment: shortly(moment.date())),
        "time": _of_moment(words.timed if words else lambda moment: moment.strftime("%H:%M")),
        "day": _of_day(dated),
        "short_day": _of_day(shortly),
        "money": _money,
    }


@cache
def _languages() -> dict[str, Words]:
    written = json.loads(Path(__file__).with_name("languages.json").read_text())
    return {language: Words(**words) for language, words in written.items()}


def _words(language: str) -> Words | None:
    """Another region has the same words, another script has not."""
    named = _languages()
    script = any(len(part) == len("Deva") for part in language.split("-"))
    return named.get(language) if script else next((named[tag] for tag in broader(language) if tag in named), None)


def _of_moment(write: Callable[[datetime], str]) -> Filter:
    def written(value: object, zone: object, name: str) -> str:
        if value is None:
            raise MissingValue(name)
        return write(_local(value, zone, name))

    return written


def _of_day(write: Callable[[Day], str]) -> Filter:
    def written(value: object, name: str) -> str:
        if value is None:
            raise MissingValue(name)
        try:
            return write(_adapter(CalendarDate).validate_python(value))
        except ValidationError:
            raise BadValue(name, "is not a day such as 2026-11-23") from None

    return written


def _local(value: object, zone: object, name: str) -> datetime:
    try:
        place = ZoneInfo(_adapter(Zone).validate_python(zone))
        moment: datetime = _adapter(Instant).validate_python(value)
    except ValidationError:
        raise BadValue(name, "is not an instant, or its time zone none") from None
    return moment.astimezone(place)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _money(value: object, name: str) -> str:
    if value is None:
        raise MissingValue(name)
    try:
        money = Money.model_validate(value)
    except ValidationError:
        raise BadValue(name, "is not an amount of money") from None
    return readable(money.amount, money.currency)
