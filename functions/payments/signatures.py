"""What processors tell unasked, signed: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`, Stripe's scheme.

A notice says where to look, never what is so: whoever gets one asks the gateway.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# The header that carries the signature, by gateway.
HEADERS = {"simulator": "Simulator-Signature", "stripe": "Stripe-Signature"}
_TOLERANCE = timedelta(seconds=300)
_SCHEME = "v1"
_SECONDS = re.compile("[0-9]{1,12}")
_OF_PAYMENTS = ("payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled")
_OF_REFUNDS = ("refund.updated", "refund.failed")
# Stripe tells of the charge: which of its refunds it was, it does not say.
_OF_CHARGES = ("charge.refunded",)


class BadSignature(Exception):
    """It was not the processor who sent this, or it was sent too long ago. The text says which, and nothing of it."""


class Notice(NamedTuple):
    """What a notice is about. `kind` and `key` are None where it is about nothing that we asked for.

    PAYMENT: look at the payment, and at its refunds that are still pending. REFUND: look at the refund.
    """

    event_id: str
    kind: Literal["PAYMENT", "REFUND"] | None = None
    key: str | None = None


def signed(body: bytes, secret: str, at: datetime) -> str:
    """The header's value."""
    seconds = int(at.timestamp())
    return f"t={seconds},{_SCHEME}={_digest(seconds, body, secret)}"


def verify(header: str | None, body: bytes, secret: str, now: datetime) -> None:
    """Raises `BadSignature`. `body` is what came, byte for byte; `now` the machine's own time (`clock.wall`).

    There may be several signatures, while a secret is being changed: one that is right is enough.
    """
    if not secret:
        raise BadSignature("no secret")
    seconds, signatures = _parts(header or "")
    expected = _digest(seconds, body, secret).encode()
    if not any(hmac.compare_digest(expected, one.encode(errors="replace")) for one in signatures):
        raise BadSignature("no signature is right")
    if abs(now.timestamp() - seconds) > _TOLERANCE.total_seconds():
        raise BadSignature("too old")


def notice(gateway: str, body: bytes) -> Notice:
    """Reads a verified body. Raises `ValueError` where it is no event of this gateway."""
    try:
        event = json.loads(body)
        return _of_stripe(event) if gateway == "stripe" else _of_simulator(event)
    except (LookupError, TypeError, AttributeError) as error:
        message = "this is no event"
        raise ValueError(message) from error


def _of_simulator(event: Mapping[str, Any]) -> Notice:
    return Notice(str(event["id"]), event["data"]["kind"], event["data"]["key"])


def _of_stripe(event: Mapping[str, Any]) -> Notice:
    about: Mapping[str, Any] = event["data"]["object"]
    named: Mapping[str, str] = about.get("metadata") or {}
    event_id, told = str(event["id"]), event["type"]
    if told in _OF_REFUNDS and "refund_id" in named:
        return Notice(event_id, "REFUND", named["refund_id"])
    if told in (*_OF_PAYMENTS, *_OF_CHARGES) and "payment_id" in named:
        return Notice(event_id, "PAYMENT", named["payment_id"])
    return Notice(event_id)


def _parts(header: str) -> tuple[int, list[str]]:
    pairs = [(name.strip(), value.strip()) for name, _, value in (part.partition("=") for part in header.split(","))]
    times = [value for name, value in pairs if name == "t"]
    if len(times) != 1 or not _SECONDS.fullmatch(times[0]):
        raise BadSignature("no time")
    return int(times[0]), [value for name, value in pairs if name == _SCHEME]


def _digest(seconds: int, body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
