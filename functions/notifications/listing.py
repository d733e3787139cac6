"""Messages as lists: a recipient's, those about one subject, a day's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms.errors import FieldError, Forbidden, Invalid
from hms.pages import opened, sealed
from notifications.model import NotificationPage, NotificationView
from notifications.store import moment

if TYPE_CHECKING:
    from hms.call import Call
    from notifications.model import Notification
    from notifications.query import ListNotifications
    from notifications.store import Notifications

# A filter may leave little of what is read. Reading on stops after so many reads, and the cursor goes on.
_A_READ = 100
_MOST_READS = 10


def listed(asked: ListNotifications, call: Call, notifications: Notifications) -> NotificationPage:
    """Newest first. Those who reach only their own get their own."""
    patient_id = _patient_id(asked, call, notifications)
    if asked.about and patient_id is None:
        return _page([], None, call)
    span, day = asked.span, asked.day or call.now.date()
    kept: list[Notification] = []
    after = _position(asked.cursor)
    for _ in range(_MOST_READS):
        if patient_id:
            found = notifications.of_recipient(patient_id, span, _A_READ, after)
        else:
            found = notifications.of_day(day, _A_READ, after)
        for item in found.items:
            read = notifications.read(item)
            if read and asked.takes(read.state):
                if len(kept) == asked.limit:
                    return _page(kept, after, call)
                kept.append(read.state)
            after = moment(item)
        if found.last is None:
            return _page(kept, None, call)
    return _page(kept, after, call)


def _patient_id(asked: ListNotifications, call: Call, notifications: Notifications) -> str | None:
    patient_id = asked.patient_id
    if call.who.scopes["notifications:read"] == "own":
        patient_id = patient_id or call.who.patient_id
        if patient_id is None or patient_id != call.who.patient_id:
            raise Forbidden
    if patient_id is None and asked.about:
        latest = notifications.latest(asked.about)
        patient_id = latest.data["patient_id"] if latest else None
    return patient_id


def _position(cursor: str | None) -> str | None:
    position = opened(cursor)
    if position is not None and "#" not in position:
        raise Invalid(errors=(FieldError("cursor", "cursor", "this is not a cursor of this list"),))
    return position


def _page(kept: list[Notification], last: str | None, call: Call) -> NotificationPage:
    items = [NotificationView.of(one) for one in kept]
    return NotificationPage(items=items, next_cursor=sealed(last), as_of=call.now)
