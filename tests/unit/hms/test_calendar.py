"""Invitations and feeds, read back by a parser of this file's own: RFC 5545 in as many lines as a reader needs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from hms.calendar import Occasion, feed, invitation, method_of

START = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
OCCASION = Occasion(
    uid="01931c2e-7b1f-7c39-9d54-3b1c2a4f5e62@hms",
    sequence=1,
    start=START,
    end=START + timedelta(minutes=30),
    summary="Cardiology, Dr. Meera Iyer",
    description="Please come ten minutes early.",
    location="City Clinic; 2nd floor",
    changed_at=datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
)
CLINIC, ASHA = "visits@clinic.example", "asha@example.com"
WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=300)
TEXTS = st.one_of(
    WORDS,
    st.lists(
        st.sampled_from(["a,b", "c;d", "\\", "\n", ":", '"', "अनुराधा श्रीनिवासन " * 9, "👩🏽‍⚕️", "BEGIN:VEVENT"])
    ).map("".join),
)
BREAKS = ["\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]


def read(written: bytes) -> list[tuple[str, str, str]]:
    """Name, parameters and value of each property, unfolded and unescaped."""
    assert written.endswith(b"\r\n")
    assert b"\n" not in written.replace(b"\r\n", b"")
    folded = written.split(b"\r\n")
    assert max(map(len, folded)) <= 75
    for line in folded:
        line.decode()
    lines = written.decode().replace("\r\n ", "").split("\r\n")[:-1]
    return [_property(line) for line in lines]


def _property(line: str) -> tuple[str, str, str]:
    head, _, value = line.partition(":")
    name, _, parameters = head.partition(";")
    return name, parameters, _unescaped(value)


def _unescaped(text: str) -> str:
    out, letters = "", iter(text)
    for letter in letters:
        out += letter if letter != "\\" else {"n": "\n", "N": "\n"}.get(following := next(letters), following)
    return out


def values(written: bytes) -> dict[str, str]:
    return {name: value for name, _, value in read(written)}


def instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def test_an_invitation_says_who_asks_whom_for_when() -> None:
    said = values(invitation(OCCASION, CLINIC, ASHA))

    assert said["METHOD"] == "REQUEST"
    assert (said["UID"], said["SEQUENCE"], said["STATUS"]) == (OCCASION.uid, "1", "CONFIRMED")
    assert (said["DTSTART"], said["DTEND"]) == ("20261123T043000Z", "20261123T050000Z")
    assert (said["DTSTAMP"], said["LAST-MODIFIED"]) == ("20261121T090000Z", "20261121T090000Z")
    assert (said["ORGANIZER"], said["ATTENDEE"]) == ("mailto:visits@clinic.example", "mailto:asha@example.com")
    assert said["LOCATION"] == "City Clinic; 2nd floor"


def test_a_moved_visit_replaces_its_invitation_and_a_cancelled_one_takes_it_back() -> None:
    moved = replace(OCCASION, sequence=2, start=START + timedelta(days=1), end=START + timedelta(days=1, minutes=30))
    cancelled = replace(moved, sequence=3, cancelled=True)

    said = [values(invitation(one, CLINIC, ASHA)) for one in (OCCASION, moved, cancelled)]

    assert {one["UID"] for one in said} == {OCCASION.uid}
    assert [(one["METHOD"], one["SEQUENCE"]) for one in said] == [("REQUEST", "1"), ("REQUEST", "2"), ("CANCEL", "3")]
    assert [method_of(one) for one in (OCCASION, cancelled)] == ["REQUEST", "CANCEL"]
    assert said[2]["STATUS"] == "CANCELLED"


def test_nobody_is_asked_to_answer_what_is_agreed() -> None:
    parameters = next(found for name, found, _ in read(invitation(OCCASION, CLINIC, ASHA)) if name == "ATTENDEE")

    assert {"PARTSTAT=ACCEPTED", "RSVP=FALSE"} <= set(parameters.split(";"))


@pytest.mark.parametrize(
    ("address", "written"),
    [("a+b@x.org", "a+b@x.org"), ("o'neil@x.org", "o'neil@x.org"), ("50%;x=1@x.org", "50%25%3Bx%3D1@x.org")],
)
def test_an_address_is_a_uri(address: str, written: str) -> None:
    assert values(invitation(OCCASION, CLINIC, address))["ATTENDEE"] == f"mailto:{written}"


def test_a_feed_has_a_name_and_says_when_to_come_again() -> None:
    properties = read(feed("Visits; of Asha, 2026", [OCCASION]))

    assert ("METHOD", "", "PUBLISH") in properties
    assert ("NAME", "", "Visits; of Asha, 2026") in properties
    assert ("X-WR-CALNAME", "", "Visits; of Asha, 2026") in properties
    assert ("REFRESH-INTERVAL", "VALUE=DURATION", "PT1H") in properties
    assert ("X-PUBLISHED-TTL", "", "PT1H") in properties
    assert not {"ATTENDEE", "ORGANIZER"} & {name for name, _, _ in properties}


def test_an_empty_feed_is_a_calendar() -> None:
    properties = read(feed("Visits", []))

    assert (properties[0], properties[-1]) == (("BEGIN", "", "VCALENDAR"), ("END", "", "VCALENDAR"))
    assert "VEVENT" not in {value for _, _, value in properties}


def test_cancelled_visits_stay_in_the_feed_as_such_and_block_nothing() -> None:
    said = values(feed("Visits", [replace(OCCASION, cancelled=True)]))

    assert (said["STATUS"], said["TRANSP"]) == ("CANCELLED", "TRANSPARENT")


def test_the_same_visits_are_written_the_same_way() -> None:
    assert feed("Visits", [OCCASION]) == feed("Visits", [OCCASION])


@given(TEXTS, TEXTS, TEXTS)
def test_any_text_comes_back_as_it_was(summary: str, description: str, name: str) -> None:
    occasion = replace(OCCASION, summary=summary, description=description)

    said = values(feed(name, [occasion]))

    assert said.get("SUMMARY", "").rstrip("\n") == summary.rstrip("\n")
    assert said.get("DESCRIPTION", "").rstrip("\n") == description.rstrip("\n")
    assert said["X-WR-CALNAME"].rstrip("\n") == name.rstrip("\n")


@given(TEXTS)
def test_the_library_reads_what_this_file_reads(text: str) -> None:
    written = invitation(replace(OCCASION, summary=f"x{text}"), CLINIC, ASHA)

    [event] = Calendar.from_ical(written).walk("VEVENT")

    assert event["SUMMARY"] == values(written)["SUMMARY"]


@pytest.mark.parametrize("ending", BREAKS)
def test_no_kind_of_line_break_begins_a_property(ending: str) -> None:
    written = feed(f"x{ending}METHOD:CANCEL", [replace(OCCASION, summary=f"x{ending}ATTENDEE:mailto:eve@x.org")])

    assert [value for name, _, value in read(written) if name in {"METHOD", "ATTENDEE"}] == ["PUBLISH"]
    assert not any(line.startswith(("ATTENDEE", "METHOD:C")) for line in written.decode().splitlines())


def test_what_cannot_be_written_is_left_out() -> None:
    assert values(feed("Visits", [replace(OCCASION, summary="a\x00b\x07c\udc80d")]))["SUMMARY"] == "abcd"


def days_around(clock_changes: date) -> list[date]:
    return [clock_changes + timedelta(days=n) for n in (-1, 0, 1)]


@pytest.mark.parametrize(
    ("zone", "changes"),
    [
        ("Europe/Berlin", date(2026, 3, 29)),
        ("Europe/Berlin", date(2026, 10, 25)),
        ("America/New_York", date(2026, 3, 8)),
        ("America/New_York", date(2026, 11, 1)),
    ],
)
def test_nine_o_clock_is_nine_o_clock_on_both_sides_of_a_clock_change(zone: str, changes: date) -> None:
    here = ZoneInfo(zone)
    visits = [datetime.combine(day, time(9), here) for day in days_around(changes)]
    # 30 minutes of real time: of instants in one zone Python subtracts the wall clocks.
    occasions = [
        replace(OCCASION, uid=str(start.date()), start=start, end=start.astimezone(UTC) + timedelta(minutes=30))
        for start in visits
    ]

    properties = read(feed("Visits", occasions))

    starts = [instant(value).astimezone(here) for name, _, value in properties if name == "DTSTART"]
    ends = [instant(value).astimezone(here) for name, _, value in properties if name == "DTEND"]
    assert [f"{start:%F %H:%M}" for start in starts] == [f"{day} 09:00" for day in days_around(changes)]
    assert [f"{end:%H:%M}" for end in ends] == ["09:30"] * 3
    assert len({start.utcoffset() for start in starts}) == 2


@pytest.mark.parametrize(("fold", "utc"), [(0, "20261025T003000Z"), (1, "20261025T013000Z")])
def test_the_hour_that_comes_twice_is_told_apart(fold: int, utc: str) -> None:
    start = datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=ZoneInfo("Europe/Berlin"))

    assert values(feed("Visits", [replace(OCCASION, start=start)]))["DTSTART"] == utc


def test_importing_the_module_does_not_load_the_library() -> None:
    program = "import hms.calendar, sys; sys.exit('icalendar' in sys.modules)"

    assert (
        subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": "layers/hms"}, check=False).returncode == 0
    )
