"""What the simulated processor tells unasked: a signed POST, as Stripe sends it."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from hms import clock, ids, telemetry
from hms.settings import setting
from payments.outgoing import pool
from payments.signatures import HEADERS, signed

if TYPE_CHECKING:
    from datetime import datetime

    from payments.simulator_book import Book
    from payments.simulator_model import Intent, Refund

_TRIES = 3
_PAUSE_SECONDS = 1
_CONNECT_SECONDS, _ANSWER_SECONDS = 1, 5
_TAKEN = range(200, 300)


def deliver(kind: str, key: str, book: Book) -> str:
    """Tells what became of a payment or a refund, as often as its source says; brings on what is due first.

    `delivered`, `failed` after three tries each, or `nothing` where there is nothing to tell or nobody to tell it to.
    """
    row, times = _row(kind, key, book)
    url = os.environ.get("WEBHOOK_URL")
    if row is None or row.decided_at is None or row.status == "VOIDED" or not url:
        return "nothing"
    body = json.dumps(_event(kind, row, row.decided_at)).encode()
    delivered = [_delivered(url, body) for _ in range(times)]
    outcome = "delivered" if all(delivered) else "failed"
    telemetry.log("INFO", "notice", key=key, status=row.status, times=times, outcome=outcome)
    return outcome


def _row(kind: str, key: str, book: Book) -> tuple[Intent | Refund | None, int]:
    if kind == "REFUND":
        return book.look_refund(key), 1
    intent = book.look(key, clock.now())
    return intent, intent.behaviour.told_times if intent else 1


def _event(kind: str, row: Intent | Refund, decided_at: datetime) -> dict[str, Any]:
    """The same event has the same id, however often it is told."""
    data = {"kind": kind, "key": row.key, "gateway_id": row.gateway_id, "status": row.status}
    return {
        "id": f"evt_{ids.derived('simulator', kind, row.key, row.status)}",
        "type": f"{kind}.{row.status}".lower(),
        "created": int(decided_at.timestamp()),
        "data": {**data, "amount": row.amount, "currency": row.currency, "code": row.code},
    }


def _delivered(url: str, body: bytes) -> bool:
    for tried in range(_TRIES):
        if tried:
            time.sleep(_PAUSE_SECONDS * tried)
        if _posted(url, body):
            return True
    return False


def _posted(url: str, body: bytes) -> bool:
    from urllib3.exceptions import HTTPError

    # The machine's own time: whoever verifies it goes by theirs.
    signature = signed(body, setting("SIMULATOR_SECRET"), clock.wall())
    headers = {"Content-Type": "application/json", HEADERS["simulator"]: signature}
    try:
        return pool(_CONNECT_SECONDS, _ANSWER_SECONDS).request("POST", url, body=body, headers=headers).status in _TAKEN
    except HTTPError:
        return False
