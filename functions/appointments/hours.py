"""Local hours as instants: clinic days, working periods and their slots, over every change of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from appointments.model import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from appointments.people import DoctorCopy

_EARLIEST, _LATEST = timedelta(hours=-12), timedelta(hours=14)
_INSTANT = timedelta(seconds=1)


def instant_of(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The instant at which a clock in the zone shows this time: the first one where it is shown twice, and the
    moment the clocks jump where it is never shown."""
    local = datetime.combine(day, clock, tzinfo=zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    return _jump(local.replace(fold=1).astimezone(UTC), instant, zone)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    old = before.astimezone(zone).utcoffset()
    while after - before > _INSTANT:
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def stretch(day: date, start: time, end: time, zone: ZoneInfo) -> Slot:
    """Local hours of a day as instants; empty where the clocks jump over all of it."""
    return Slot(instant_of(day, start, zone), instant_of(day, end, zone))


def periods(doctor: DoctorCopy, day: date) -> list[tuple[Slot, timedelta]]:
    """When the doctor works on a date, in order, each with the length of its slots."""
    zone = ZoneInfo(doctor.timezone)
    return sorted(
        (stretch(day, period.start, period.end, zone), timedelta(minutes=period.slot_duration))
        for period in doctor.periods_on(day)
    )


def slots(doctor: DoctorCopy, day: date) -> Iterator[Slot]:
    """Every slot of a date on the doctor's grid: whole slots from the start of each period, in elapsed time."""
    for period, length in periods(doctor, day):
        start = period.start
        while start + length <= period.end:
            yield Slot(start, start + length)
            start += length


def on_grid(slot: Slot, period: Slot, length: timedelta) -> bool:
    """Whether a slot within a period is one of those that `slots` cuts it into."""
    return slot.length == length and not (slot.start - period.start) % length


def days_of(slot: Slot, zone: str) -> list[date]:
    """The calendar days in a zone that a slot touches."""
    place = ZoneInfo(zone)
    ends = (slot.start.astimezone(place).date(), (slot.end - _INSTANT).astimezone(place).date())
    # Clocks that are put back over midnight show the day before again.
    first, last = min(ends), max(ends)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def possible_days(slot: Slot) -> list[date]:
    """The calendar days that a slot can touch anywhere on earth, for reading before the zone is known."""
    first = (slot.start + _EARLIEST).date()
    last = (slot.end + _LATEST).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
