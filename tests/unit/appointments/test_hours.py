"""Local hours as instants, over changes of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments import hours
from appointments.model import Slot
from tests.support.appointments import a_doctor, a_period, a_slot, every_day

MINUTES = timedelta(minutes=5)
ZONES = [
    "Asia/Kolkata",
    "America/New_York",
    "America/St_Johns",
    "America/Nuuk",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Etc/GMT+12",
    "UTC",
]
START = datetime(2005, 1, 1, tzinfo=UTC)
instants = st.integers(0, 30 * 365 * 24 * 12).map(lambda steps: START + steps * MINUTES)
slots = st.builds(lambda start, steps: Slot(start, start + steps * MINUTES), instants, st.integers(1, 48))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "clock", "instant"),
    [
        ("Asia/Kolkata", "2026-11-23", "09:00", "2026-11-23T03:30"),
        ("America/New_York", "2026-03-08", "01:59", "2026-03-08T06:59"),
        ("America/New_York", "2026-03-08", "02:00", "2026-03-08T07:00"),
        ("America/New_York", "2026-03-08", "02:30", "2026-03-08T07:00"),
        ("America/New_York", "2026-03-08", "03:00", "2026-03-08T07:00"),
        ("America/New_York", "2026-03-08", "03:05", "2026-03-08T07:05"),
        ("America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30"),
        ("America/New_York", "2026-11-01", "02:00", "2026-11-01T07:00"),
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30"),
        ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45"),
        ("America/Sao_Paulo", "2018-11-04", "00:00", "2018-11-04T03:00"),
        ("Pacific/Apia", "2011-12-30", "09:00", "2011-12-30T10:00"),
    ],
)
def test_a_time_that_is_never_shown_is_the_jump_and_one_shown_twice_the_first(
    zone: str, day: str, clock: str, instant: str
) -> None:
    found = hours.instant_of(date.fromisoformat(day), time.fromisoformat(clock), ZoneInfo(zone))

    assert found == utc(instant)


@pytest.mark.parametrize(("day", "count"), [("2026-03-07", 12), ("2026-03-08", 10), ("2026-11-01", 14)])
def test_a_night_has_as_many_slots_as_it_has_hours(day: str, count: int) -> None:
    doctor = a_doctor(timezone="America/New_York", schedule=every_day(a_period("00:00", "06:00")))

    found = list(hours.slots(doctor, date.fromisoformat(day)))

    assert len(found) == count
    assert {slot.length for slot in found} == {timedelta(minutes=30)}
    assert all(first.end == second.start for first, second in pairwise(found))


def test_a_day_that_was_skipped_has_no_slots() -> None:
    doctor = a_doctor(timezone="Pacific/Apia")

    assert list(hours.slots(doctor, date(2011, 12, 30))) == []
    assert len(list(hours.slots(doctor, date(2011, 12, 31)))) == 18


def test_what_is_left_of_a_period_is_no_slot() -> None:
    doctor = a_doctor(schedule=every_day(a_period("09:00", "10:29"), a_period("11:00", "11:30")))

    assert list(hours.slots(doctor, date(2026, 11, 23))) == [a_slot("09:00"), a_slot("09:30"), a_slot("11:00")]


def test_a_slot_up_to_midnight_touches_one_day() -> None:
    assert hours.days_of(a_slot("23:30"), "Asia/Kolkata") == [date(2026, 11, 23)]
    assert hours.days_of(a_slot("23:35"), "Asia/Kolkata") == [date(2026, 11, 23), date(2026, 11, 24)]


def test_clocks_that_go_back_over_midnight_leave_no_slot_without_a_day() -> None:
    first = utc("2010-11-07T02:30")  # Midnight in St. John's; a minute later it was eleven in the evening again.

    assert hours.days_of(Slot(first, first + MINUTES), "America/St_Johns") == [date(2010, 11, 6), date(2010, 11, 7)]


@given(slot=slots, zone=st.sampled_from(ZONES))
def test_the_days_read_before_the_zone_is_known_hold_those_of_every_zone(slot: Slot, zone: str) -> None:
    assert set(hours.days_of(slot, zone)) <= set(hours.possible_days(slot))
    assert len(hours.possible_days(slot)) <= 3


@given(slot=slots, shift=st.integers(-47, 47), steps=st.integers(1, 48), zone=st.sampled_from(ZONES))
def test_slots_that_overlap_share_a_day(slot: Slot, shift: int, steps: int, zone: str) -> None:
    start = slot.start + shift * MINUTES
    other = Slot(start, start + steps * MINUTES)

    if slot.overlaps(other):
        assert set(hours.days_of(slot, zone)) & set(hours.days_of(other, zone))


@pytest.mark.parametrize("day", ["2026-03-07", "2026-03-08", "2026-11-01"])
@given(clock=st.integers(0, 16 * 12), steps=st.integers(1, 10), minutes=st.sampled_from([5, 15, 25, 30, 45]))
def test_the_grid_by_arithmetic_is_the_grid_by_counting(day: str, clock: int, steps: int, minutes: int) -> None:
    doctor = a_doctor(timezone="America/New_York", schedule=every_day(a_period("00:30", "12:10", minutes)))
    [(period, length)] = hours.periods(doctor, date.fromisoformat(day))
    start = utc(f"{day}T04:00") + clock * MINUTES
    slot = Slot(start, start + steps * MINUTES)

    counted = slot in list(hours.slots(doctor, date.fromisoformat(day)))

    assert (slot.within(period) and hours.on_grid(slot, period, length)) is counted
