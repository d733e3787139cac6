"""The simulated card processor: a function and a table of its own, which behaves like one that others run.

It takes idempotency keys, answers late or never, decides later, tells by signed notices, and keeps a statement of its
own. How it behaves is said by the source that is charged (docs/how-to/payments.md). No card number is ever kept.
"""

from __future__ import annotations

import os
import time
from datetime import date
from typing import TYPE_CHECKING

from hms import clock, telemetry
from hms.fields import rfc3339
from hms.store import DynamoTable
from hms.tasks import Tasks
from payments import simulator_calls, simulator_notices
from payments.gateways import Unanswered, Verdict
from payments.simulator_book import Book
from payments.simulator_calls import ANSWER_SECONDS
from payments.simulator_model import Charge, KeyReused, RefundAsked

if TYPE_CHECKING:
    from hms.tasks import Payload
    from payments.simulator_book import Moved
    from payments.simulator_model import Intent, Refund

LATE_SECONDS = ANSWER_SECONDS + 2
_PAGE = 500
book = Book(DynamoTable())
tasks = Tasks()
handler = tasks.handler


@tasks.task("charge")
def charge(payload: Payload) -> Payload:
    """`{"key", "amount", "currency", "source", "description"}` → its verdict, or `refused` with KEY_REUSED.

    The first answer under a key is late where the source says so; a repeated one comes at once.
    """
    try:
        charged = book.charge(Charge.model_validate(payload), clock.now())
    except KeyReused:
        return _refused()
    intent = charged.intent
    if intent is None:
        time.sleep(LATE_SECONDS)
        return _told(Verdict("PENDING"))
    if charged.new:
        _announce("PAYMENT", intent.key, intent.behaviour.captured_after)
        _wait(late=intent.behaviour.answered_late)
    if intent.status == "VOIDED":
        return _told(Verdict("DECLINED", intent.gateway_id, "VOIDED", "The payment was voided before."))
    return _told(_verdict(intent))


@tasks.task("look")
def look(payload: Payload) -> Payload:
    """`{"key"}` → what became of the payment."""
    intent = book.look(payload["key"], clock.now())
    return _told(_verdict(intent) if intent else Verdict("ABSENT"))


@tasks.task("void")
def void(payload: Payload) -> Payload:
    """`{"key"}` → VOIDED, also for what was declined: nothing will be captured under this key. CAPTURED if it was."""
    intent = book.void(payload["key"], clock.now())
    return _told(Verdict("CAPTURED" if intent.status == "CAPTURED" else "VOIDED", intent.gateway_id))


@tasks.task("refund")
def refund(payload: Payload) -> Payload:
    """`{"key", "payment_key", "amount", "currency"}` → its verdict, or `refused` with KEY_REUSED."""
    try:
        refunded = book.refund(RefundAsked.model_validate(payload), clock.now())
    except KeyReused:
        return _refused()
    if refunded.new:
        _announce("REFUND", refunded.refund.key)
        _wait(late=refunded.behaviour.refunds_answered_late)
    return _told(_verdict(refunded.refund))


@tasks.task("look_refund")
def look_refund(payload: Payload) -> Payload:
    """`{"key"}` → what became of the refund."""
    there = book.look_refund(payload["key"])
    return _told(_verdict(there) if there else Verdict("ABSENT"))


@tasks.task("statement")
def statement(payload: Payload) -> Payload:
    """`{"day", "zone", "after"}` → a page of what moved that day, oldest first, and where the next one begins."""
    day = date.fromisoformat(payload["day"])
    moved, after = book.statement(day, payload["zone"], _PAGE, payload["after"])
    return {"outcome": "ok", "lines": [_line(one) for one in moved], "after": after}


@tasks.task("deliver")
def deliver(payload: Payload) -> Payload:
    """`{"kind", "key", "seconds"}`: what became of it is told to WEBHOOK_URL, after so many seconds."""
    time.sleep(payload["seconds"])
    return {"outcome": simulator_notices.deliver(payload["kind"], payload["key"], book)}


def _announce(kind: str, key: str, seconds: int = 0) -> None:
    """A notice that is not sent is lost, as with any processor; what was charged stays charged."""
    if not seconds and not os.environ.get("WEBHOOK_URL"):
        return
    try:
        simulator_calls.leave("deliver", kind=kind, key=key, seconds=seconds)
    except Unanswered as error:
        telemetry.fault("notice lost", error, key=key)


def _wait(*, late: bool) -> None:
    if late:
        time.sleep(LATE_SECONDS)


def _verdict(row: Intent | Refund) -> Verdict:
    status = "PENDING" if row.status == "PROCESSING" else row.status
    return Verdict(status, row.gateway_id, row.code, row.detail)


def _told(verdict: Verdict) -> Payload:
    return {"outcome": "ok", "verdict": verdict._asdict()}


def _refused() -> Payload:
    detail = "This key was used for something else."
    return {"outcome": "refused", "problem": {"code": "KEY_REUSED", "detail": detail}}


def _line(moved: Moved) -> Payload:
    row = moved.row
    at = rfc3339(row.decided_at) if row.decided_at else None
    told = {"key": row.key, "kind": moved.kind, "amount": row.amount, "currency": row.currency}
    return {**told, "at": at, "gateway_id": row.gateway_id}
