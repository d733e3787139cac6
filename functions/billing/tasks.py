"""What flows and other domains may ask of bills. Amounts are whole minor units."""

from __future__ import annotations

import time
from datetime import date
from typing import TYPE_CHECKING, Literal

from billing import allocations, legacy, settlement
from billing.allocations import Transfer
from billing.model import BillFact, EntryKind, Method
from billing.owners import TasksOwners
from billing.rules import Failure
from billing.store import Bills
from hms import clock, ids, telemetry
from hms.auth import Principal
from hms.call import Call
from hms.errors import Conflicting, Invalid, NotFound, Refused
from hms.store import DynamoTable
from hms.tasks import Tasks

if TYPE_CHECKING:
    from billing.model import Bill, Posting
    from billing.settlement import Decision, Visits
    from hms.tasks import Payload

_KINDS: dict[str, Literal[EntryKind.PAYMENT, EntryKind.REFUND]] = {
    "PAYMENT": EntryKind.PAYMENT,
    "REFUND": EntryKind.REFUND,
}
_PAGE = 200
bills = Bills(DynamoTable())
visits: Visits = TasksOwners()
tasks = Tasks()
handler = tasks.handler


@tasks.task("open_bill")
def open_bill(payload: Payload) -> Payload:
    """`{"appointment_id", "version"}` → `ok` with `bill_id`, or `superseded` where the visit is over."""
    started = time.monotonic()
    decision = settlement.open_bill(payload["appointment_id"], _call(payload, "confirm-appointment"), bills, visits)
    _measure(decision, started)
    return {"outcome": decision.outcome, **_named(decision.bill)}


@tasks.task("settle")
def settle(payload: Payload) -> Payload:
    """`{"appointment_id", "version"}` → `settled` with `bill_id`, `settlement`, `credit`, `currency`.

    Or `superseded`, where the visit is not over (any more), or `flagged`, where a person has to look first. Which
    version asks does not matter: the visit as it is now decides. Money on its way is a fault: ask again.
    """
    started = time.monotonic()
    decision = settlement.settle(payload["appointment_id"], _call(payload, "settle-appointment"), bills, visits)
    _measure(decision, started)
    bill = decision.bill
    if decision.outcome != "settled" or bill is None:
        return {"outcome": decision.outcome, **_named(bill)}
    owed = {"settlement": bill.settlement_id, "credit": bill.sums.credit, "currency": bill.currency}
    return {"outcome": "settled", **_named(bill), **owed}


@tasks.task("unsettle")
def unsettle(payload: Payload) -> Payload:
    """`{"bill_id", "settlement", "problem": {"code", "detail"}}` → `reopened`, `flagged`; `superseded`.

    `declined` where it is a gateway's word on a refund, however late.
    """
    call, failure = _call(payload, "settle-appointment"), Failure(**payload["problem"])
    which = payload["bill_id"], payload["settlement"]
    undone = settlement.unsettle(*which, failure, call, bills, declined=payload.get("declined", False))
    return {"outcome": undone.outcome, **({"exception_id": undone.exception_id} if undone.exception_id else {})}


@tasks.task("reserve")
def reserve(payload: Payload) -> Payload:
    """`{"bill_id", "transaction_id", "kind", "amount", "currency", "method"}` → `ok`, or `refused` with a problem.

    A refund by the end of a visit names its `settlement` too.
    """
    try:
        allocations.reserve(_transfer(payload), _call(payload, "payments"), bills)
    except (Conflicting, Invalid, NotFound, Refused) as problem:
        told = {"code": problem.code, "detail": problem.detail, "status": problem.status}
        return {"outcome": "refused", "problem": told}
    return {"outcome": "ok"}


@tasks.task("apply")
def apply(payload: Payload) -> Payload:
    """The same as `reserve` → `ok` with the bill's `status`."""
    bill = allocations.apply(_transfer(payload), _call(payload, "payments"), bills)
    return {"outcome": "ok", "status": bill.status}


@tasks.task("release")
def release(payload: Payload) -> Payload:
    """The same, and why in `problem` → `ok`, or `applied` where the money is in the ledger already."""
    problem = payload.get("problem")
    failure = Failure(problem["code"], problem["detail"]) if problem else None
    return {"outcome": allocations.release(_transfer(payload), failure, _call(payload, "payments"), bills)}


@tasks.task("snapshot")
def snapshot(payload: Payload) -> Payload:
    """`{"bill_id"}` → the bill as the events tell it, with what may be paid on it; or `absent`."""
    stored = bills.load(payload["bill_id"])
    if stored is None:
        return {"outcome": "absent"}
    bill = stored.state
    sums = {"currency": bill.currency, "payable": bill.sums.payable, "outstanding_minor": bill.sums.outstanding}
    told = BillFact.of(bill).model_dump(mode="json") | sums | {"historical": bill.historical}
    return {"outcome": "ok", "snapshot": told}


@tasks.task("movements")
def movements(payload: Payload) -> Payload:
    """`{"day", "cursor"}` → a page of the payments and refunds in the ledger of a clinic day, oldest first."""
    page = bills.postings_on(date.fromisoformat(payload["day"]), limit=_PAGE, after=payload.get("cursor"))
    found = [movement for posting in page.postings for movement in _movements(posting)]
    return {"outcome": "ok", "movements": found, "cursor": page.last}


@tasks.task("record_bills")
def record_bills(payload: Payload) -> Payload:
    """`{"bills": […], "payments": […]}`, as JSON text → `recorded` and `paid`: `new`, `there` or `refused`, each."""
    call = _call(payload, "import")
    answers = legacy.record_all(payload["bills"], payload["payments"], call, bills)
    rows = [*answers["recorded"], *answers["paid"]]
    telemetry.log("INFO", "recorded", rows=len(rows), new=sum(one["outcome"] == "new" for one in rows))
    return {"outcome": "ok", **answers}


def _call(payload: Payload, who: str) -> Call:
    return Call(Principal(who, ("service",)), clock.now(), payload.get("correlation_id") or ids.new())


def _transfer(payload: Payload) -> Transfer:
    same = {name: payload[name] for name in ("bill_id", "transaction_id", "amount", "currency")}
    settlement = payload.get("settlement")
    return Transfer(kind=_KINDS[payload["kind"]], method=Method(payload["method"]), settlement=settlement, **same)


def _named(bill: Bill | None) -> Payload:
    return {"bill_id": bill.bill_id} if bill else {}


def _movements(posting: Posting) -> list[Payload]:
    return [
        {
            "transaction_id": entry.transaction_id,
            "bill_id": posting.bill_id,
            "kind": entry.kind,
            "amount": abs(entry.amount),
            "currency": posting.currency,
            "method": entry.method,
            "historical": posting.historical,
            "at": posting.model_dump(mode="json")["at"],
        }
        for entry in posting.entries
        if entry.kind in _KINDS
    ]


def _measure(decision: Decision, started: float) -> None:
    """`bill_creation_latency_ms`: from the instant a visit was booked until its bill is there, to the second.

    Where the owner does not tell when it was booked, from the start of this task.
    """
    if decision.made is None or decision.bill is None:
        return
    booked = decision.made.created_at
    seconds = (clock.now() - booked).total_seconds() if booked else time.monotonic() - started
    telemetry.measured(
        {"bill_creation_latency_ms": (seconds * 1000, "Milliseconds")},
        {"service": "billing"},
        level="INFO",
        message="bill made",
        bill_id=decision.bill.bill_id,
        appointment_id=decision.made.appointment_id,
    )
