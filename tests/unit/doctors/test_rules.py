"""Decisions about doctors, without any table."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from doctors import rules
from doctors.commands import GrantLeave, UpdateDoctor
from doctors.hours import Leave, Override, Period, WeeklyPeriod
from hms.errors import Forbidden, Invalid, InvalidTransition
from hms.money import Money
from tests.support.doctors import NOW, a_doctor, a_registration, a_weekly_period

TODAY = date(2026, 11, 21)


def weekly(*periods: dict[str, Any]) -> tuple[WeeklyPeriod, ...]:
    return tuple(a_weekly_period(**period) for period in periods)


def daily(*times: tuple[str, str]) -> tuple[Period, ...]:
    return tuple(Period(start=start, end=end) for start, end in times)


def leave_until(day: date, leave_id: str = "one") -> Leave:
    return Leave(leave_id=leave_id, first=day, last=day)


@pytest.mark.parametrize("spelling", ["cardiology", "CARDIOLOGY", " Cardiology  "])
def test_spellings_of_a_department_are_one_department(spelling: str) -> None:
    assert rules.department_id(spelling) == rules.department_id("Cardiology")


def test_a_doctor_without_a_fee_gets_the_departments() -> None:
    fee = Money(amount=700)
    department = rules.named("Cardiology", NOW).model_copy(update={"consultation_fee": fee})

    assert rules.registered("id", a_registration(), department, NOW).consultation_fee == fee
    own = rules.registered("id", a_registration(consultation_fee={"amount": "900"}), department, NOW)
    assert own.consultation_fee == Money(amount=900)


def test_a_free_doctor_stays_free() -> None:
    department = rules.named("Cardiology", NOW).model_copy(update={"consultation_fee": Money(amount=700)})

    free = rules.registered("id", a_registration(consultation_fee={"amount": "0.00"}), department, NOW)

    assert free.consultation_fee == Money(amount=0)


def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    doctor = a_doctor(phone="+919752166954", email="a@example.com")

    after = rules.updated(doctor, UpdateDoctor.model_validate({"phone": None, "name": "Dr. X"}), None, NOW)

    assert (after.phone, after.name, after.email, after.version) == (None, "Dr. X", "a@example.com", 2)


@pytest.mark.parametrize("field", ["name", "department", "specialization", "timezone", "max_daily_appointments"])
def test_what_a_doctor_needs_cannot_be_cleared(field: str) -> None:
    with pytest.raises(ValueError, match="cannot be null"):
        UpdateDoctor.model_validate({field: None})


@pytest.mark.parametrize(("cap", "taken"), [(1, True), (200, True), (0, False), (201, False)])
def test_the_daily_cap_has_bounds(cap: int, *, taken: bool) -> None:
    if taken:
        assert a_registration(max_daily_appointments=cap).max_daily_appointments == cap
    else:
        with pytest.raises(ValueError, match="max_daily_appointments"):
            a_registration(max_daily_appointments=cap)


def test_the_daily_cap_is_8_where_nothing_is_said() -> None:
    assert a_registration().max_daily_appointments == 8


def test_doctors_change_their_own_contact_data_only() -> None:
    rules.check_own_fields(UpdateDoctor.model_validate({"email": "b@example.com", "phone": None}))
    with pytest.raises(Forbidden):
        rules.check_own_fields(UpdateDoctor.model_validate({"phone": None, "max_daily_appointments": 9}))


def test_a_schedule_is_kept_in_the_order_of_the_week() -> None:
    periods = weekly({"weekday": "FRIDAY"}, {"start": "14:00", "end": "17:00"}, {})

    after = rules.published(a_doctor(), periods, NOW)

    assert [(one.weekday, one.start) for one in after.schedule] == [
        ("MONDAY", "09:00"),
        ("MONDAY", "14:00"),
        ("FRIDAY", "09:00"),
    ]


def test_periods_of_one_weekday_must_not_overlap() -> None:
    with pytest.raises(Invalid) as refused:
        rules.published(a_doctor(), weekly({}, {"start": "12:55", "end": "14:00"}), NOW)

    assert [(one.field, one.code) for one in refused.value.errors] == [("periods.1", "overlap")]


def test_periods_may_touch_and_other_weekdays_may_have_the_same_hours() -> None:
    periods = weekly({}, {"start": "13:00", "end": "14:00"}, {"weekday": "TUESDAY"})

    assert len(rules.published(a_doctor(), periods, NOW).schedule) == 3


def test_a_schedule_may_be_emptied() -> None:
    assert rules.published(a_doctor(schedule=weekly({})), (), NOW).schedule == ()


def test_an_override_replaces_the_one_of_its_date() -> None:
    doctor = rules.overridden(a_doctor(), date(2026, 12, 7), daily(("09:00", "10:00")), NOW)
    doctor = rules.overridden(doctor, date(2026, 12, 1), (), NOW)

    after = rules.overridden(doctor, date(2026, 12, 7), daily(("15:00", "16:00"), ("11:00", "12:00")), NOW)

    assert [one.date.day for one in after.overrides] == [1, 7]
    assert [one.start for one in after.overrides[1].periods] == ["11:00", "15:00"]


def test_overlapping_periods_of_an_override_are_refused() -> None:
    with pytest.raises(Invalid):
        rules.overridden(a_doctor(), date(2026, 12, 7), daily(("09:00", "10:00"), ("09:30", "11:00")), NOW)


@pytest.mark.parametrize(("day", "taken"), [(TODAY, True), (TODAY - timedelta(days=1), False)])
def test_an_override_is_for_today_or_later(day: date, *, taken: bool) -> None:
    if taken:
        assert rules.overridden(a_doctor(), day, (), NOW).overrides[0].date == day
    else:
        with pytest.raises(Invalid):
            rules.overridden(a_doctor(), day, (), NOW)


def test_today_is_the_doctors_own_day() -> None:
    late = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)

    with pytest.raises(Invalid):
        rules.overridden(a_doctor(), TODAY, (), late)
    assert rules.overridden(a_doctor(timezone="Europe/London"), TODAY, (), late).overrides


def test_an_override_that_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(rules.OverrideNotFound):
        rules.without_override(a_doctor(), TODAY, NOW)


def test_leave_that_began_may_be_recorded_but_not_leave_that_is_over() -> None:
    yesterday = TODAY - timedelta(days=1)

    assert rules.on_leave(a_doctor(), "one", GrantLeave(first=yesterday, last=TODAY), NOW).leave
    with pytest.raises(Invalid):
        rules.on_leave(a_doctor(), "one", GrantLeave(first=yesterday, last=yesterday), NOW)


def test_leave_is_withdrawn_by_its_id() -> None:
    doctor = a_doctor(leave=(leave_until(TODAY), leave_until(TODAY, "two")))

    assert [one.leave_id for one in rules.without_leave(doctor, "one", NOW).leave] == ["two"]
    with pytest.raises(rules.LeaveNotFound):
        rules.without_leave(doctor, "three", NOW)


@pytest.mark.parametrize(("days", "kept"), [(365, 1), (366, 0)])
def test_what_ended_more_than_a_year_ago_is_dropped_with_any_change(days: int, kept: int) -> None:
    past = TODAY - timedelta(days=days)
    doctor = a_doctor(leave=(leave_until(past),), overrides=(Override(date=past),))

    after = rules.changed(doctor, NOW)

    assert (len(after.leave), len(after.overrides)) == (kept, kept)


def test_overrides_and_leave_are_bounded() -> None:
    days = [TODAY + timedelta(days=n) for n in range(rules.MOST_OVERRIDES + 1)]
    doctor = a_doctor(overrides=tuple(Override(date=day) for day in days[:-1]))

    with pytest.raises(rules.TooManyEntries):
        rules.overridden(doctor, days[-1], (), NOW)
    assert rules.overridden(doctor, days[-2], daily(("09:00", "10:00")), NOW).version == 2

    doctor = a_doctor(leave=tuple(leave_until(day, str(day)) for day in days[: rules.MOST_LEAVE]))
    with pytest.raises(rules.TooManyEntries):
        rules.on_leave(doctor, "more", GrantLeave(first=TODAY, last=TODAY), NOW)


def test_a_doctor_is_deactivated_once_and_comes_back() -> None:
    gone = rules.deactivated(a_doctor(), "left", NOW)

    assert (gone.active, gone.inactive_reason) == (False, "left")
    with pytest.raises(InvalidTransition):
        rules.deactivated(gone, None, NOW)
    back = rules.reactivated(gone, NOW)
    assert (back.active, back.inactive_reason, back.version) == (True, None, 3)
    with pytest.raises(InvalidTransition):
        rules.reactivated(back, NOW)


def test_the_public_sees_no_contact_data_and_no_reasons() -> None:
    private = a_doctor(
        email="a@example.com",
        phone="+919752166954",
        inactive_reason="ill",
        external_identifiers=[{"system": "legacy", "value": "1"}],
        leave=(Leave(leave_id="one", first=TODAY, last=TODAY, reason="surgery"),),
    )

    seen = rules.public(private)

    assert (seen.email, seen.phone, seen.inactive_reason, seen.external_identifiers) == (None, None, None, ())
    assert [(one.first, one.reason) for one in seen.leave] == [(TODAY, None)]
    assert seen.name == private.name
