"""Stripe's HTTP interface, as far as payments need it: form encoding in, JSON out, one try."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from hms import telemetry
from hms.errors import Busy
from hms.settings import setting
from payments.gateways import Misused, Unanswered
from payments.outgoing import pool
from payments.secrets import parameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3 import BaseHTTPResponse

type Body = dict[str, Any]
type Form = Mapping[str, str | int]

# What objects and errors look like depends on it: raise it together with the adapter and its tests.
API_VERSION = "2024-06-20"
_URL = "https://api.stripe.com"
_CONNECT_SECONDS, _ANSWER_SECONDS = 1, 6
_PAGE = 100
# Nothing is decided by these: another request is at work, too many are, Stripe fails, or our key is not accepted.
_UNDECIDED = {401, 403, 409, 429}
_FAULTS = 500


class Answer(NamedTuple):
    """`ok`: `body` is the object. Otherwise it is Stripe's error: `code`, `message`, `type`, maybe `payment_intent`."""

    ok: bool
    body: Body


def get(path: str, **query: str | int) -> Answer:
    return _answered("GET", f"{path}?{urlencode(query)}" if query else path)


def post(path: str, form: Form, key: str | None = None) -> Answer:
    """Under an idempotency key the first answer comes again for a day. Raises `Misused` for one with another form."""
    return _answered("POST", path, urlencode(form), {"Idempotency-Key": key} if key else {})


def pages(path: str, **query: str | int) -> Iterator[Body]:
    """Everything that a list has, newest first."""
    after: dict[str, str] = {}
    while True:
        answer = get(path, limit=_PAGE, **query, **after)
        if not answer.ok:
            raise Unanswered(str(answer.body.get("code")))
        yield from answer.body["data"]
        if not answer.body["has_more"]:
            return
        after = {"starting_after": answer.body["data"][-1]["id"]}


def _answered(method: str, path: str, form: str | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    response = _response(method, path, form, {**_common(), **(headers or {})})
    if response.status in _UNDECIDED or response.status >= _FAULTS:
        request = response.headers.get("Request-Id")
        telemetry.log("WARNING", "stripe did not decide", status=response.status, stripe_request_id=request)
        raise Unanswered(f"HTTP {response.status}")
    body = _json(response)
    if response.status < 300:  # noqa: PLR2004  (a success)
        return Answer(ok=True, body=body)
    error: Body = body["error"]
    if error.get("type") == "idempotency_error":
        raise Misused("idempotency_error")
    return Answer(ok=False, body=error)


def _response(method: str, path: str, form: str | None, headers: Mapping[str, str]) -> BaseHTTPResponse:
    from urllib3.exceptions import HTTPError

    url = os.environ.get("STRIPE_URL") or _URL
    try:
        return pool(_CONNECT_SECONDS, _ANSWER_SECONDS).request(method, url + path, body=form, headers=headers)
    except HTTPError as error:
        raise Unanswered(type(error).__name__) from error


def _json(response: BaseHTTPResponse) -> Body:
    try:
        body: Body = json.loads(response.data)
    except ValueError as error:
        raise Unanswered("NoJson") from error
    return body


def _common() -> dict[str, str]:
    try:
        secret = parameter(setting("STRIPE_SECRET_KEY_PARAMETER"))
    except Busy as error:
        raise Unanswered("NoSecret") from error
    kind = "application/x-www-form-urlencoded"
    return {"Authorization": f"Bearer {secret}", "Stripe-Version": API_VERSION, "Content-Type": kind}
