"""The HTTP face of calendars: the same four operations for patients and for doctors."""

from __future__ import annotations

import hashlib
from functools import wraps
from typing import TYPE_CHECKING, Any

from appointments import rules, sharing
from appointments.calendars import (
    CalendarToken,
    CalendarTokenNotFound,
    Kind,
    NewCalendarToken,
    Owner,
    TooManyCalendarTokens,
)
from appointments.commands import NothingMore
from appointments.query import CalendarParams
from hms.api import PUBLIC, Response
from hms.fields import View
from hms.request import base_url, key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.service import Owners
    from appointments.store import Appointments
    from hms.api import Api, Request

_SHARE, _MANAGE = "appointments:share_calendar", "appointments:manage_calendar_tokens"
_KINDS: tuple[Kind, ...] = ("patient", "doctor")
_PEOPLE = {
    "patient": (rules.PatientNotFound, rules.PatientInactive),
    "doctor": (rules.DoctorNotFound, rules.DoctorInactive),
}
_FEED_HEADERS = {
    "Cache-Control": "private, max-age=900",
    "Content-Disposition": 'attachment; filename="visits.ics"',
    # The address is the key: it is not to be told to the next page, nor to be found by a search.
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


class CalendarTokenPage(View):
    items: list[CalendarToken]
    next_cursor: str | None


def serve(app: Api, appointments: Appointments, owners: Owners) -> None:
    """Declares the routes of both kinds of owners."""
    for kind in _KINDS:
        _Calendars(kind, appointments, owners).declare(app)


class _Calendars:
    def __init__(self, kind: Kind, appointments: Appointments, owners: Owners) -> None:
        self._kind = kind
        self._appointments = appointments
        self._owners = owners

    def declare(self, app: Api) -> None:
        kind, people = self._kind, _PEOPLE[self._kind]
        whose = f"/v1/{kind}s/{{{kind}_id}}"
        tokens = f"{whose}/calendar-tokens"
        made = {"body": NothingMore, "answers": NewCalendarToken, "status": 201}
        made |= {"problems": (TooManyCalendarTokens, *people)}
        app.route("POST", tokens, _SHARE, summary=f"Make a secret link to a {kind}'s calendar", **made)(
            _named(f"create_{kind}_calendar_token", self.create)
        )
        app.route("GET", tokens, _MANAGE, summary=f"List the links to a {kind}'s calendar", answers=CalendarTokenPage)(
            _named(f"list_{kind}_calendar_tokens", self.list_all)
        )
        gone = {"status": 204, "problems": (CalendarTokenNotFound,)}
        app.route("DELETE", f"{tokens}/{{token_id}}", _MANAGE, summary=f"Revoke a link to a {kind}'s calendar", **gone)(
            _named(f"revoke_{kind}_calendar_token", self.revoke)
        )
        text = {"query": CalendarParams, "media_type": "text/calendar"}
        app.route("GET", f"{whose}/calendar.ics", PUBLIC, summary=f"Subscribe to a {kind}'s calendar", **text)(
            _named(f"get_{kind}_calendar", self.show)
        )

    def create(self, request: Request, _command: NothingMore) -> Response:
        """The link is told here alone; the same Idempotency-Key tells it again."""
        owner, event = self._owner(request), request.event
        outcome, secret = sharing.create(owner, key_of(event), request.call, self._appointments, self._owners)
        token = outcome.state
        url = f"{base_url(event)}/v1/{self._kind}s/{owner.owner_id}/calendar.ics?token={secret}"
        told = NewCalendarToken(token_id=token.token_id, url=url, created_at=token.created_at)
        return Response(201, told, {"Idempotency-Replayed": "true"} if outcome.replayed else {})

    def list_all(self, request: Request) -> Response:
        items = sharing.listed(self._owner(request), request.call, self._appointments)
        return Response(body=CalendarTokenPage(items=items, next_cursor=None))

    def revoke(self, request: Request) -> Response:
        """It opens nothing from the very next request on."""
        sharing.revoke(self._owner(request), request.path["token_id"], request.call, self._appointments)
        return Response(204)

    def show(self, request: Request, params: CalendarParams) -> Response:
        """iCalendar text for calendar programs, which send nothing but the address. Its token is the lock."""
        from appointments import feeds

        owner = self._owner(request)
        written = feeds.feed(owner, params.token, request.call, self._appointments, self._owners)
        headers = {"ETag": f'"{hashlib.sha256(written).hexdigest()[:32]}"', **_FEED_HEADERS}
        return Response(body=written.decode(), headers=headers, media_type="text/calendar; charset=utf-8")

    def _owner(self, request: Request) -> Owner:
        return Owner(self._kind, request.path[f"{self._kind}_id"])


def _named(name: str, handle: Callable[..., Response]) -> Callable[..., Response]:
    """An operation's id is its function's name."""

    @wraps(handle)
    def operation(*asked: Any) -> Response:
        return handle(*asked)

    operation.__name__ = name
    return operation
