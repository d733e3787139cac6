"""What flows, the schedule and other domains may ask of payments. Amounts are whole minor units.

Every answer of a step is data; a fault raises, and the flow leaves what it cannot know to the sweep.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hms import clock, ids, telemetry
from hms.auth import Principal
from hms.call import Call
from hms.settings import setting
from hms.store import DynamoTable
from hms.tasks import Tasks
from hms.timers import Timers
from payments import deciding, refunding
from payments.flow import ExecutedFlows
from payments.model import Failure, PaymentFact, RefundFact
from payments.owners import TasksBilling
from payments.processors import for_method
from payments.service import Office
from payments.store import Payments, Refunds
from payments.sweep import sweep as decide

if TYPE_CHECKING:
    from hms.events import Fact
    from hms.rows import Item
    from hms.tasks import Payload
    from payments.gateways import Verdict

# The function may take 60 s: one that has begun ends in time.
_SWEEP_SECONDS = 40
table = DynamoTable()
office = Office(
    Payments(table), Refunds(table), TasksBilling(), ExecutedFlows(), for_method, lambda: setting("PAYMENT_GATEWAY")
)
tasks = Tasks()
handler = tasks.handler


@tasks.task("charge")
def charge(payload: Payload) -> Payload:
    """`{"payment_id"}` → `captured` with `gateway_id`, `declined` with `code` and `detail`, or `pending`."""
    return _told(deciding.charge(payload["payment_id"], office), "captured")


@tasks.task("complete_payment")
def complete_payment(payload: Payload) -> Payload:
    """`{"payment_id", "gateway_id"}` → `ok`. Raises where it has failed: that is never written over."""
    call = _call(payload, "take-payment")
    deciding.complete(office.payments, payload["payment_id"], payload["gateway_id"], call)
    return {"outcome": "ok"}


@tasks.task("fail_payment")
def fail_payment(payload: Payload) -> Payload:
    """`{"payment_id", "code", "detail"}` → `ok`. What is decided stays; what may have been captured waits."""
    call = _call(payload, "take-payment")
    deciding.fail(office.payments, payload["payment_id"], _failure(payload), call, office.billing)
    return {"outcome": "ok"}


@tasks.task("refund_at_gateway")
def refund_at_gateway(payload: Payload) -> Payload:
    """`{"refund_id"}` → `refunded` with `gateway_id`, `declined` with `code` and `detail`, or `pending`."""
    return _told(deciding.refund_at_gateway(payload["refund_id"], office), "refunded")


@tasks.task("complete_refund")
def complete_refund(payload: Payload) -> Payload:
    """`{"refund_id", "gateway_id"}` → `ok`. Raises where it has failed: that is never written over."""
    call = _call(payload, "refund-payment")
    deciding.complete(office.refunds, payload["refund_id"], payload["gateway_id"], call)
    return {"outcome": "ok"}


@tasks.task("fail_refund")
def fail_refund(payload: Payload) -> Payload:
    """`{"refund_id", "code", "detail"}` → `ok`. What is decided stays; what may have been paid back waits."""
    call = _call(payload, "refund-payment")
    deciding.fail(office.refunds, payload["refund_id"], _failure(payload), call, office.billing)
    return {"outcome": "ok"}


@tasks.task("refund_bill")
def refund_bill(payload: Payload) -> Payload:
    """`{"bill_id", "settlement", "amount", "currency"}` → `refunded`, `pending`, or `failed` with a `problem`."""
    call = _call(payload, "settle-appointment")
    bill_id, settlement, amount = payload["bill_id"], payload["settlement"], payload["amount"]
    refunded = refunding.refund_bill(bill_id, settlement, amount, call, office)
    why = {"problem": refunded.problem.model_dump()} if refunded.problem else {}
    return {"outcome": refunded.outcome, **why}


@tasks.task("snapshot")
def snapshot(payload: Payload) -> Payload:
    """`{"payment_id"}` or `{"refund_id"}` → it as its events tell it, read consistently, or `absent`."""
    fact = _refund(payload["refund_id"]) if "refund_id" in payload else _payment(payload["payment_id"])
    return {"outcome": "ok", "snapshot": fact.model_dump(mode="json")} if fact else {"outcome": "absent"}


@tasks.task("sweep")
def sweep(payload: Payload) -> Payload:
    """Decides what has been on its way for too long: the gateway is looked at."""
    call = _call(payload, "payments-sweep")

    def fire(item: Item) -> None:
        decide(item, replace(call, token=ids.new()), office)

    swept = Timers(office.payments.table).sweep(call.now, fire, _SWEEP_SECONDS)
    return {"outcome": "ok", **swept._asdict()}


@tasks.task("record_payments")
def record_payments(payload: Payload) -> Payload:
    """`{"payments": [RecordPayment as JSON text…]}` → for each whether it is `new`, `there` or `refused`."""
    from payments import legacy
    from payments.legacy_store import LegacyPayments

    call = _call(payload, "import")
    answers = legacy.record_all(payload["payments"], call, LegacyPayments(office.payments.table))
    telemetry.log("INFO", "recorded", rows=len(answers), new=sum(one["outcome"] == "new" for one in answers))
    return {"outcome": "ok", "recorded": answers}


def _call(payload: Payload, who: str) -> Call:
    return Call(Principal(who, ("service",)), clock.now(), payload.get("correlation_id") or ids.new())


def _payment(payment_id: str) -> Fact | None:
    stored = office.payments.load(payment_id)
    return PaymentFact.of(stored.state) if stored else None


def _refund(refund_id: str) -> Fact | None:
    stored = office.refunds.load(refund_id)
    return RefundFact.of(stored.state) if stored else None


def _failure(payload: Payload) -> Failure:
    return Failure(code=payload["code"], detail=payload["detail"])


def _told(verdict: Verdict, moved: str) -> Payload:
    if verdict.status == "CAPTURED":
        return {"outcome": moved, "gateway_id": verdict.gateway_id}
    if verdict.status == "DECLINED":
        return {"outcome": "declined", "code": verdict.code, "detail": verdict.detail}
    return {"outcome": "pending"}
