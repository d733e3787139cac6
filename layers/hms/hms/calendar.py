"""Visits as calendar programs read them: RFC 5545. Imports a heavy library inside its functions only.

Instants are UTC: a single event needs no VTIMEZONE, and the reader's program shows it in the reader's own zone.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from icalendar import Calendar, Event, vCalAddress

_PRODUCT = "-//HMS//Visits//EN"
_UNWRITABLE = {"Cc", "Cs"}
_REFRESH = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that takes place. `uid` never changes; `sequence` grows with every change of it.

    `changed_at` is when it last changed: the same occasion is always written the same way.
    """

    uid: str
    sequence: int
    start: datetime
    end: datetime
    summary: str
    description: str
    location: str
    changed_at: datetime
    cancelled: bool = False


def invitation(occasion: Occasion, organizer: str, attendee: str) -> bytes:
    """A message for one person (RFC 5546): asks them to keep the time, or takes a cancelled occasion back.

    `organizer` and `attendee` are e-mail addresses. A later `sequence` of the same `uid` replaces the earlier ones.
    Send it as `text/calendar; charset=utf-8; method=REQUEST`, or `method=CANCEL` where it is cancelled.
    """
    calendar = _calendar(method_of(occasion))
    event = _event(occasion)
    event.add("organizer", _address(organizer))
    # The time is agreed already: nobody waits for an answer, and none would be read.
    agreed = {"ROLE": "REQ-PARTICIPANT", "PARTSTAT": "ACCEPTED", "RSVP": "FALSE", "CUTYPE": "INDIVIDUAL"}
    event.add("attendee", _address(attendee), parameters=agreed)
    calendar.add_component(event)
    return _written(calendar)


def method_of(occasion: Occasion) -> str:
    """What an invitation does, as its content type says it too."""
    return "CANCEL" if occasion.cancelled else "REQUEST"


def feed(name: str, occasions: Iterable[Occasion], refresh: timedelta = _REFRESH) -> bytes:
    """A calendar to subscribe to, under the name that programs show; they are asked to read it again after `refresh`.

    Cancelled occasions stay in it as such: programs differ in whether they drop what is no longer there.
    """
    from icalendar import vDuration, vText

    calendar = _calendar("PUBLISH")
    # The library knows neither of those that begin with x, and would write them unescaped.
    for title in ("name", "x-wr-calname"):
        calendar.add(title, vText(_plain(name)))
    calendar.add("refresh-interval", refresh, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(refresh))
    for occasion in occasions:
        calendar.add_component(_event(occasion))
    return _written(calendar)


def _calendar(method: str) -> Calendar:
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    return calendar


def _written(calendar: Calendar) -> bytes:
    text: bytes = calendar.to_ical()
    return text


def _event(occasion: Occasion) -> Event:
    from icalendar import Event

    event = Event()
    event.add("uid", occasion.uid)
    event.add("sequence", occasion.sequence)
    for name in ("dtstamp", "last-modified"):
        event.add(name, _utc(occasion.changed_at))
    event.add("dtstart", _utc(occasion.start))
    event.add("dtend", _utc(occasion.end))
    event.add("status", "CANCELLED" if occasion.cancelled else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if occasion.cancelled else "OPAQUE")
    for name in ("summary", "description", "location"):
        if text := _plain(getattr(occasion, name)):
            event.add(name, text)
    return event


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)


def _address(email: str) -> vCalAddress:
    from icalendar import vCalAddress

    return vCalAddress("mailto:" + quote(email, safe="@!$'*+"))


def _plain(text: str) -> str:
    """Without control characters. Only a line feed can be escaped: any other line break would end the line for some."""
    lines = "\n".join(text.splitlines())
    return "".join(letter for letter in lines if letter == "\n" or unicodedata.category(letter) not in _UNWRITABLE)
