"""A person's visits as a calendar that ordinary programs subscribe to."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from appointments import agenda, sharing
from appointments.model import Status
from hms import masking
from hms.calendar import Occasion
from hms.errors import Conflicting, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from appointments.calendars import Owner
    from appointments.service import Owners
    from appointments.sheets import Line
    from appointments.store import Appointments
    from hms.call import Call

MOST_VISITS = 500
PAST = timedelta(days=30)
_DAY = timedelta(days=1)


def feed(owner: Owner, secret: str, call: Call, appointments: Appointments, owners: Owners) -> bytes:
    """iCalendar text: two reads and one for the names.

    Raises `NotFound`, always the same, for whatever is not a token of this very owner, or of one who is gone.
    """
    from hms import calendar

    stored, copy = appointments.calendar(owner)
    if stored is None or not stored.state.opens(secret):
        raise NotFound
    try:
        person = sharing.active(owner, copy, appointments, owners)
    except (NotFound, Conflicting) as error:
        raise NotFound from error
    lines = _visits(owner, call.now, appointments)
    names = appointments.names(owner.other, {line.other for line in lines})
    return calendar.feed(_title(owner, person.name), [occasion(owner, line, names) for line in lines])


def _visits(owner: Owner, now: datetime, appointments: Appointments) -> list[Line]:
    first = (now - PAST).date() - _DAY
    sheets = appointments.sheets(owner.sheets, first, date.max, MOST_VISITS + PAST.days)
    return shown((line for _, line in agenda.in_order(sheets)), now)


def shown(lines: Iterable[Line], now: datetime) -> list[Line]:
    """The visits of a calendar by start; where there are too many, those nearest to now, the cancelled ones last.

    What was cancelled is shown as such for a while, so that every program has heard of it.
    """
    recent = [line for line in lines if (line.changed_at if _cancelled(line) else line.slot.end) >= now - PAST]
    nearest = sorted(recent, key=lambda line: (_cancelled(line), abs(line.slot.start - now)))[:MOST_VISITS]
    return sorted(nearest, key=lambda line: (line.slot.start, line.appointment_id))


def occasion(owner: Owner, line: Line, names: Mapping[str, str]) -> Occasion:
    """A visit as its owner's calendar shows it. Other people's servers read it too: no patient's name stands there."""
    name = names.get(line.other, "")
    if owner.kind == "doctor":
        summary, description = f"Visit: {masking.name(name)}" if name else "Visit", line.department
    else:
        summary, description = f"{name} · {line.department}" if name else line.department, ""
    return Occasion(
        uid=f"{line.appointment_id}@hms",
        sequence=line.version,
        start=line.slot.start,
        end=line.slot.end,
        summary=summary,
        description=description,
        location="",
        changed_at=line.changed_at,
        cancelled=_cancelled(line),
    )


def _cancelled(line: Line) -> bool:
    return line.status is Status.CANCELLED


def _title(owner: Owner, name: str) -> str:
    return f"Visits: {name if owner.kind == 'doctor' else masking.name(name)}"
