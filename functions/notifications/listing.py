"""Messages as lists: a recipient's, those about one subject, a day's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms.errors import FieldError, Forbidden, Invalid
from hms.pages import opened, sealed, sifted
from notifications.model import NotificationPage, NotificationView
from notifications.store import moment

if TYPE_CHECKING:
    from hms.call import Call
    from hms.pages import Reading
    from notifications.model import Notification
    from notifications.query import ListNotifications
    from notifications.store import Notifications

_A_READ = 100


def listed(asked: ListNotifications, call: Call, notifications: Notifications) -> NotificationPage:
    """Newest first. Those who reach only their own get their own."""
    patient_id = _patient_id(asked, call, notifications)
    if asked.about and patient_id is None:
        return _page([], None, call)
    span, day = asked.span, asked.day or call.now.date()

    def read(after: str | None) -> Reading[Notification]:
        if patient_id:
            found = notifications.of_recipient(patient_id, span, _A_READ, after)
        else:
            found = notifications.of_day(day, _A_READ, after)
        states = [(moment(item), stored.state) for item in found.items if (stored := notifications.read(item))]
        return states, found.last

    return _page(*sifted(read, asked.takes, asked.limit, _position(asked.cursor)), call)


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
