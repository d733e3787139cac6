"""What the wire's field types take and how they come out."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from hms.fields import CalendarDate, Command, Id, Instant, Line, Note, Params, Zone, day_of, rfc3339


class _Everything(Command):
    at: Instant | None = None
    line: Line | None = None
    note: Note | None = None
    thing_id: Id | None = None
    zone: Zone | None = None


def read(**fields: Any) -> _Everything:
    return _Everything.model_validate_json(json.dumps(fields))


@pytest.mark.parametrize("text", ["2026-11-23T10:00:00+05:30", "2026-11-23T04:30:00Z", "2026-11-23T04:30:00.000+00:00"])
def test_an_instant_is_the_same_in_every_offset(text: str) -> None:
    instant = read(at=text).at

    assert instant == datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
    assert json.loads(read(at=text).model_dump_json())["at"] == "2026-11-23T04:30:00Z"
    assert rfc3339(datetime.fromisoformat(text)) == "2026-11-23T04:30:00Z"


@pytest.mark.parametrize(
    "value", ["2026-11-23T10:00:00", "2026-11-23", "1795231117", 1795231117, True, "1899-12-31T00:00:00Z", "now"]
)
def test_what_does_not_name_one_instant_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        read(at=value)


def test_text_is_trimmed_and_composed() -> None:
    assert read(line="  Jose\u0301  ").line == "José"


@pytest.mark.parametrize("line", ["", " ", "a\nb", "a\tb", "a\0b", "a\u202eb", "a\u200bb", "a\ufffdb", "x" * 201])
def test_a_line_is_one_line_of_readable_text(line: str) -> None:
    with pytest.raises(ValidationError):
        read(line=line)


def test_a_note_may_have_lines() -> None:
    assert read(note="first\nsecond\tthird").note == "first\nsecond\tthird"


def test_an_id_is_written_in_small_letters() -> None:
    assert read(thing_id="01931C2E-7B1F-7C39-9D54-3B1C2A4F5E60").thing_id == "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60"


@pytest.mark.parametrize(
    "zone", ["Asia/Calcuta", "", "../etc/passwd", "Asia/Kolkata\0", "/", "IST+5", "x" * 1000, "localtime", "right/UTC"]
)
def test_a_zone_has_a_name_that_iana_knows(zone: str) -> None:
    with pytest.raises(ValidationError):
        read(zone=zone)


@pytest.mark.parametrize("value", ["0", "20261123", "2026-11-23T00:00:00", "1e9", 0, True, "2026-13-01", "٢٠٢٦-١١-٢٣"])
def test_a_date_has_year_month_and_day(value: Any) -> None:
    class Born(Command):
        day: CalendarDate

    with pytest.raises(ValidationError):
        Born.model_validate_json(json.dumps({"day": value}))
    assert Born.model_validate_json('{"day": "2026-11-23"}').day == date(2026, 11, 23)


def test_a_day_depends_on_the_zone() -> None:
    late = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)

    assert day_of(late, "Asia/Kolkata") == date(2026, 11, 24)
    assert day_of(late, "America/New_York") == date(2026, 11, 23)


def test_query_parameters_are_text_and_unknown_ones_are_refused() -> None:
    class _Page(Params):
        limit: int

    assert _Page.model_validate({"limit": "20"}).limit == 20
    with pytest.raises(ValidationError):
        _Page.model_validate({"limit": "20", "colour": "red"})
