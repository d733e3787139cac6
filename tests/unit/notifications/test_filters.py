"""Dates, times and money in words that people use."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

import notifications
from notifications.template import BadValue, MissingValue
from tests.support.templates import rendered, visit

DATE = "{{ visit.slot_start|date(visit.timezone) }}"
SHORT = "{{ visit.slot_start|short_date(visit.timezone) }}"
TIME = "{{ visit.slot_start|time(visit.timezone) }}"
DAY = "{{ visit.due|day }}"
SHORT_DAY = "{{ visit.due|short_day }}"
MONEY = "{{ visit.consultation_fee|money }}"


def said(source: str, language: str = "en", **changes: Any) -> str:
    return rendered(source, language=language, visit=visit(**changes)).text


@pytest.mark.parametrize(
    ("language", "date", "short", "time"),
    [
        ("en", "Monday, 23 November 2026", "Mon 23 Nov", "10:00 am"),
        ("en-GB", "Monday, 23 November 2026", "Mon 23 Nov", "10:00 am"),
        ("hi", "सोमवार, 23 नवंबर 2026", "सोमवार, 23 नवंबर", "सुबह 10:00 बजे"),
        ("hi-IN", "सोमवार, 23 नवंबर 2026", "सोमवार, 23 नवंबर", "सुबह 10:00 बजे"),
        ("hi-Latn", "2026-11-23", "2026-11-23", "10:00"),
        ("ta", "2026-11-23", "2026-11-23", "10:00"),
    ],
)
def test_a_moment_is_written_in_the_words_of_the_language(language: str, date: str, short: str, time: str) -> None:
    assert said(DATE, language) == date
    assert said(SHORT, language) == short
    assert said(TIME, language) == time


@pytest.mark.parametrize(
    ("local", "english", "hindi"),
    [
        ("00:00", "12 midnight", "रात 12 बजे"),
        ("00:01", "12:01 am", "रात 12:01 बजे"),
        ("03:59", "3:59 am", "रात 3:59 बजे"),
        ("04:00", "4:00 am", "सुबह 4:00 बजे"),
        ("11:59", "11:59 am", "सुबह 11:59 बजे"),
        ("12:00", "12 noon", "दोपहर 12 बजे"),
        ("12:01", "12:01 pm", "दोपहर 12:01 बजे"),
        ("15:59", "3:59 pm", "दोपहर 3:59 बजे"),
        ("16:00", "4:00 pm", "शाम 4:00 बजे"),
        ("19:59", "7:59 pm", "शाम 7:59 बजे"),
        ("20:00", "8:00 pm", "रात 8:00 बजे"),
        ("23:59", "11:59 pm", "रात 11:59 बजे"),
    ],
)
def test_every_part_of_the_day_has_its_word(local: str, english: str, hindi: str) -> None:
    moment = f"2026-11-23T{local}:00+05:30"

    assert said(TIME, slot_start=moment) == english
    assert said(TIME, "hi", slot_start=moment) == hindi


@pytest.mark.parametrize(
    ("moment", "zone", "words"),
    [
        ("2026-11-22T20:00:00Z", "Asia/Kolkata", "Monday, 23 November 2026 1:30 am"),
        ("2026-11-22T20:00:00Z", "America/New_York", "Sunday, 22 November 2026 3:00 pm"),
        ("2026-10-25T00:30:00Z", "Europe/Berlin", "Sunday, 25 October 2026 2:30 am"),
        ("2026-10-25T01:30:00Z", "Europe/Berlin", "Sunday, 25 October 2026 2:30 am"),
        ("2026-10-25T02:30:00Z", "Europe/Berlin", "Sunday, 25 October 2026 3:30 am"),
        ("2026-03-08T06:59:00Z", "America/New_York", "Sunday, 8 March 2026 1:59 am"),
        ("2026-03-08T07:00:00Z", "America/New_York", "Sunday, 8 March 2026 3:00 am"),
    ],
)
def test_a_moment_is_that_of_the_zone(moment: str, zone: str, words: str) -> None:
    assert said(f"{DATE} {TIME}", slot_start=moment, timezone=zone) == words


@pytest.mark.parametrize("month", range(1, 13))
def test_every_month_and_weekday_has_a_word_of_its_own(month: int) -> None:
    words = json.loads((Path(notifications.__file__).parent / "languages.json").read_text())

    for language in words.values():
        assert len(set(language["months"])) == len(set(language["short_months"])) == 12
        assert len(set(language["weekdays"])) == len(set(language["short_weekdays"])) == 7
    assert words["en"]["months"][month - 1] in said(DATE, slot_start=f"2026-{month:02d}-15T00:00:00Z")
    assert words["hi"]["months"][month - 1] in said(DATE, "hi", slot_start=f"2026-{month:02d}-15T00:00:00Z")


def test_words_are_composed_as_all_text_is() -> None:
    written = (Path(notifications.__file__).parent / "languages.json").read_text()

    assert unicodedata.is_normalized("NFC", written)


@pytest.mark.parametrize(
    ("moment", "zone"),
    [
        ("tomorrow", "Asia/Kolkata"),
        ("2026-11-23T10:00:00", "Asia/Kolkata"),
        ("2026-11-23", "Asia/Kolkata"),
        ("9999-12-31T23:59:59Z", "Asia/Kolkata"),
        (20261123, "Asia/Kolkata"),
        ({}, "Asia/Kolkata"),
        ("2026-11-23T04:30:00Z", "Mars/Olympus"),
        ("2026-11-23T04:30:00Z", "../../etc/passwd"),
        ("2026-11-23T04:30:00Z", "localtime"),
        ("2026-11-23T04:30:00Z", 5),
        ("2026-11-23T04:30:00Z", None),
    ],
)
def test_what_is_no_moment_is_not_written(moment: object, zone: object) -> None:
    for source in (DATE, SHORT, TIME):
        with pytest.raises(BadValue) as bad:
            said(source, slot_start=moment, timezone=zone)
        assert bad.value.name == "visit.slot_start"
        assert bad.value.reason == "visit.slot_start is not an instant, or its time zone none"


@pytest.mark.parametrize(
    ("language", "day", "short"),
    [
        ("en", "Wednesday, 23 December 2026", "Wed 23 Dec"),
        ("hi", "बुधवार, 23 दिसंबर 2026", "बुधवार, 23 दिसंबर"),
        ("ta", "2026-12-23", "2026-12-23"),
    ],
)
def test_a_day_without_a_time_is_the_same_in_every_zone(language: str, day: str, short: str) -> None:
    assert said(DAY, language, due="2026-12-23") == day
    assert said(SHORT_DAY, language, due="2026-12-23") == short


@pytest.mark.parametrize("day", ["2026-02-29", "20261223", "2026-12-23T00:00:00Z", "tomorrow", 20261223, {}, []])
def test_what_is_no_day_is_not_written(day: object) -> None:
    for source in (DAY, SHORT_DAY):
        with pytest.raises(BadValue) as bad:
            said(source, due=day)
        assert bad.value.name == "visit.due"


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        ("500.00", "INR", "₹500.00"),
        ("0.00", "INR", "₹0.00"),
        ("0.05", "INR", "₹0.05"),
        ("999.00", "INR", "₹999.00"),
        ("1000.00", "INR", "₹1,000.00"),
        ("99999.90", "INR", "₹99,999.90"),
        ("100000.00", "INR", "₹1,00,000.00"),
        ("12345678.90", "INR", "₹1,23,45,678.90"),
        ("1234567.80", "EUR", "EUR 1,234,567.80"),
    ],
)
def test_money_is_written_as_its_country_does(amount: str, currency: str, words: str) -> None:
    fee = {"amount": amount, "currency": currency}

    assert rendered(MONEY, "Your bill", visit=visit(consultation_fee=fee)).text == words


@pytest.mark.parametrize("fee", ["500.00", 500, {}, {"amount": "x"}, {"amount": "5.001"}, {"amount": "-5.00"}, []])
def test_what_is_no_money_is_not_written(fee: object) -> None:
    with pytest.raises(BadValue):
        said(MONEY, consultation_fee=fee)


@pytest.mark.parametrize("source", [DATE, SHORT, TIME, DAY, SHORT_DAY, MONEY])
def test_nothing_is_not_written(source: str) -> None:
    with pytest.raises(MissingValue):
        said(source, slot_start=None, consultation_fee=None, due=None)
