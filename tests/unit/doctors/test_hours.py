"""What hours may be written down: edges on both sides."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from doctors.commands import GrantLeave, PublishSchedule
from doctors.hours import Override, Period, WeeklyPeriod
from tests.support.doctors import a_weekly_period


def a_period(**changes: Any) -> Period:
    return Period.model_validate({"start": "09:00", "end": "13:00"} | changes)


def test_a_slot_is_30_minutes_where_nothing_is_said() -> None:
    assert a_period().slot_duration == 30


@pytest.mark.parametrize("time", ["00:00", "09:05", "13:00:00"])
def test_times_on_five_minutes_are_taken(time: str) -> None:
    assert a_period(start=time, end="23:55").start == time[:5]


@pytest.mark.parametrize(
    "time", ["09:01", "9:00", "24:00", "09:60", "09:00:30", "09:00Z", "0900", "٠9:00", "", 900, None]
)
def test_other_times_are_refused(time: object) -> None:
    with pytest.raises(ValidationError):
        a_period(start=time)


@pytest.mark.parametrize("minutes", [5, 240])
def test_the_shortest_and_the_longest_slot_are_taken(minutes: int) -> None:
    assert a_period(slot_duration=minutes).slot_duration == minutes


@pytest.mark.parametrize("minutes", [0, 4, 6, 245, -30, "30", 30.5, True])
def test_other_slots_are_refused(minutes: object) -> None:
    with pytest.raises(ValidationError):
        a_period(slot_duration=minutes)


def test_a_period_of_exactly_one_slot_is_taken() -> None:
    assert a_period(end="09:30").end == "09:30"


@pytest.mark.parametrize("end", ["09:25", "09:00", "08:00"])
def test_a_period_shorter_than_a_slot_is_refused(end: str) -> None:
    with pytest.raises(ValidationError):
        a_period(end=end)


def test_periods_that_touch_do_not_overlap() -> None:
    assert not a_period().overlaps(a_period(start="13:00", end="14:00"))
    assert a_period().overlaps(a_period(start="12:55", end="14:00"))


def test_a_weekday_may_be_written_small() -> None:
    wanted = '{"weekday":"monday","start":"09:00","end":"13:00"}'

    assert WeeklyPeriod.model_validate_json(wanted).weekday == "MONDAY"


@pytest.mark.parametrize("weekday", ["FUNDAY", "", 1, None])
def test_other_weekdays_are_refused(weekday: object) -> None:
    with pytest.raises(ValidationError):
        a_weekly_period(weekday=weekday)


def test_a_schedule_has_at_most_50_periods() -> None:
    period = a_weekly_period()

    assert len(PublishSchedule(periods=(period,) * 50).periods) == 50
    with pytest.raises(ValidationError):
        PublishSchedule(periods=(period,) * 51)


def test_leave_of_one_day_is_taken_and_backward_leave_refused() -> None:
    assert GrantLeave.model_validate_json('{"from":"2026-12-24","to":"2026-12-24"}').first.day == 24
    with pytest.raises(ValidationError):
        GrantLeave.model_validate_json('{"from":"2026-12-24","to":"2026-12-23"}')


@pytest.mark.parametrize(
    ("day", "taken"), [("1900-01-01", True), ("2200-12-31", True), ("1899-12-31", False), ("2201-01-01", False)]
)
def test_dates_stay_within_reason(day: str, *, taken: bool) -> None:
    text = f'{{"date":"{day}","periods":[]}}'
    if taken:
        assert Override.model_validate_json(text).date.isoformat() == day
    else:
        with pytest.raises(ValidationError):
            Override.model_validate_json(text)
