"""P10, daylight saving: the slots of `appointments.hours` against a walk through the minutes of UTC.

The walk never turns local time into instants. It looks at the clock of a zone at every minute and notes when each
local minute was first reached; one that the clock jumps over was reached at the jump.
"""

from __future__ import annotations

import os
from array import array
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

from appointments import hours
from appointments.people import DoctorCopy, Period, WeeklyPeriod
from tools.progress import console
from tools.proofs import Report

if TYPE_CHECKING:
    from collections.abc import Iterable

YEARS = (date(2024, 1, 1), date(2028, 12, 31))
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
_MARGIN = 2 * _DAY
_MINUTES_A_DAY = 24 * 60
_WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")

# A day, a night, an evening, hours across the usual change, hours that the change swallows, nearly all of a day.
_SHAPES = (
    ("09:00", "18:00", 30),
    ("00:00", "06:00", 15),
    ("19:00", "23:55", 45),
    ("01:30", "03:30", 5),
    ("02:10", "02:50", 15),
    ("00:05", "23:50", 45),
)
PERIODS = tuple(
    Period(start=time.fromisoformat(start), end=time.fromisoformat(end), slot_duration=minutes)
    for start, end, minutes in _SHAPES
)

# Half an hour; a day left out; Ramadan; two hours; none; the usual; jumps at midnight; a minute past midnight.
PLACES = (
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Pacific/Apia", "2011-12-30"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Africa/Casablanca", "2026-03-22"),
    ("Antarctica/Troll", "2026-03-29"),
    ("Antarctica/Troll", "2026-10-25"),
    ("Asia/Kolkata", "2026-11-23"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Sao_Paulo", "2019-02-17"),
    ("Asia/Tehran", "2022-03-22"),
    ("Asia/Tehran", "2022-09-22"),
    ("Africa/Cairo", "2026-04-24"),
    ("America/Nuuk", "2026-10-25"),
    ("America/St_Johns", "2010-11-07"),
)


class Compared(NamedTuple):
    """How many slots were expected, and the days of which the two tell different slots."""

    slots: int
    differing: list[str]

    def __add__(self, other: object) -> Compared:
        if not isinstance(other, Compared):
            return NotImplemented
        return Compared(self.slots + other.slots, self.differing + other.differing)


class Walk:
    """When each local minute of a zone was first reached, in seconds since 1970, by walking through UTC."""

    def __init__(self, zone: ZoneInfo, first: date, last: date) -> None:
        start, end = (datetime(day.year, day.month, day.day, tzinfo=zone) for day in (first - _MARGIN, last + _MARGIN))
        self._base = _minute_of(zone.fromutc(start))
        self._reached = array("q")
        self._go(zone, start, int(start.replace(tzinfo=UTC).timestamp()), int(end.replace(tzinfo=UTC).timestamp()))

    def _go(self, zone: ZoneInfo, moment: datetime, begin: int, end: int) -> None:
        """`moment` is UTC that carries the zone, as `fromutc` wants it."""
        offset, repeated = zone.fromutc(moment) - moment, 0
        for seconds in range(begin, end, 60):
            shown = zone.fromutc(moment) - moment
            if shown != offset:
                repeated += (offset - shown) // _MINUTE
                offset = shown
            if repeated > 0:
                repeated -= 1
            else:
                self._reached.extend([seconds] * (1 - repeated))
                repeated = 0
            moment += _MINUTE

    def reached(self, day: date, clock: time) -> int:
        return self._reached[_minute_of(datetime.combine(day, clock)) - self._base]

    def slots(self, day: date, periods: Iterable[Period]) -> list[tuple[int, int]]:
        """Whole slots in elapsed time from the start of each period."""
        found = []
        for period in periods:
            start, end = self.reached(day, period.start), self.reached(day, period.end)
            length = period.slot_duration * 60
            found += [(start + n * length, start + (n + 1) * length) for n in range((end - start) // length)]
        return sorted(found)


def _minute_of(local: datetime) -> int:
    return local.toordinal() * _MINUTES_A_DAY + local.hour * 60 + local.minute


def compared(name: str, first: date, last: date) -> Compared:
    """The code and the walk over some days of a zone."""
    walk, doctor = Walk(ZoneInfo(name), first, last), _doctor(name)
    total, differing = 0, []
    for day in (first + n * _DAY for n in range((last - first).days + 1)):
        expected = walk.slots(day, PERIODS)
        told = sorted((int(slot.start.timestamp()), int(slot.end.timestamp())) for slot in hours.slots(doctor, day))
        total += len(expected)
        if told != expected:
            differing.append(f"{name} {day}")
    return Compared(total, differing)


def _doctor(zone: str) -> DoctorCopy:
    schedule = tuple(
        WeeklyPeriod(weekday=weekday, **period.model_dump()) for weekday in _WEEKDAYS for period in PERIODS
    )
    return DoctorCopy(
        doctor_id="",
        version=1,
        name="",
        department="",
        active=True,
        timezone=zone,
        max_daily_appointments=1,
        schedule=schedule,
    )


def everywhere() -> Compared:
    """Every zone over five years, on all cores; some minutes."""
    result, zones = Compared(0, []), sorted(available_timezones())
    bar = Progress(*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn(), console=console)
    with bar, ProcessPoolExecutor(os.cpu_count()) as pool:
        task = bar.add_task("Zones, minute by minute", total=len(zones))
        for one in as_completed([pool.submit(compared, zone, *YEARS) for zone in zones]):
            result += one.result()
            bar.advance(task)
    return result


def at_the_odd_places() -> Compared:
    """The days around the changes that are unlike the others."""
    result = Compared(0, [])
    for zone, day in PLACES:
        change = date.fromisoformat(day)
        result += compared(zone, change - 2 * _DAY, change + 2 * _DAY)
    return result


def prove(_system: object, full: bool) -> Report:
    result = everywhere() if full else at_the_odd_places()
    for day in result.differing[:20]:
        console.print(f"  differs: {day}")
    figure = f"{len(result.differing)} differences, {result.slots:,} slots"
    return Report("P10", "daylight saving", figure, "0 differences", not result.differing)
