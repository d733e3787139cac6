"""Money on its way: reserved on a bill, then applied to its ledger or released. What comes late finds how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from billing import exceptions, rules
from billing.model import (
    Allocation,
    AllocationState,
    BillPaid,
    BillRefunded,
    BillReleased,
    BillReserved,
    EntryKind,
    ExceptionKind,
)
from billing.rules import AlreadyDecided, BillNotFound, Failure
from hms import ids
from hms.call import decided

if TYPE_CHECKING:
    from billing.model import Bill, BillingException, Method
    from billing.store import Bills, Scene
    from hms.aggregate import Stored
    from hms.call import Call
    from hms.rows import Change

_UNRESERVED = Failure("UNRESERVED", "The gateway moved this money although nothing was reserved for it on the bill.")


class Transfer(NamedTuple):
    """A payment or a refund, in minor units; `settlement` is the visit's end that asks for a refund."""

    bill_id: str
    transaction_id: str
    kind: Literal[EntryKind.PAYMENT, EntryKind.REFUND]
    amount: int
    currency: str
    method: Method
    settlement: str | None = None


def reserve(transfer: Transfer, call: Call, bills: Bills) -> None:
    """Raises the refusals of `rules.check_reserve`; `BillNotFound`; `AlreadyDecided` where it was released before.

    `SettlementEnded` where a refund is what a settlement owes that was taken back or waits for a person.
    """

    def attempt() -> None:
        scene = _scene(transfer, bills)
        stored, held = _existing(scene), scene.allocation
        if held and held.state is AllocationState.RELEASED:
            raise AlreadyDecided
        if held:
            return
        allocation = _become(transfer, None, AllocationState.RESERVED)
        rules.check_settlement(stored.state, transfer.settlement)
        rules.check_reserve(stored.state, allocation, transfer.currency)
        posted = rules.reserved(stored.state, allocation, call.now)
        fact = BillReserved.of(posted.bill, transaction_id=transfer.transaction_id)
        row = bills.allocated(transfer.bill_id, allocation)
        bills.save(stored, posted, fact, call, row)

    decided(attempt)


def apply(transfer: Transfer, call: Call, bills: Bills) -> Bill:
    """The money has moved. It is in the ledger once, with an exception where nothing was reserved for it."""

    def attempt() -> Bill:
        scene = _scene(transfer, bills)
        stored, held = _existing(scene), scene.allocation
        if held and held.state is AllocationState.APPLIED:
            return stored.state
        allocation = _become(transfer, held, AllocationState.APPLIED)
        posted = rules.applied(stored.state, held, allocation, call.now)
        about = BillPaid if transfer.kind is EntryKind.PAYMENT else BillRefunded
        fact = about.of(posted.bill, transaction_id=transfer.transaction_id)
        rows = [bills.allocated(transfer.bill_id, allocation)]
        if held is None or held.state is AllocationState.RELEASED:
            exception = _exception(ExceptionKind.UNRESERVED_CAPTURE, transfer, _UNRESERVED, posted.bill, call)
            rows += exceptions.raising(exception, call, bills)
        bills.save(stored, posted, fact, call, *rows)
        return posted.bill

    return decided(attempt)


def release(transfer: Transfer, failure: Failure | None, call: Call, bills: Bills) -> Literal["ok", "applied"]:
    """The money does not come, and cannot be reserved any more. A refund that failed is a case for a person.

    Who releases first may not know why: whoever says it later is heard too.
    """
    told = failure if transfer.kind is EntryKind.REFUND else None

    def attempt() -> Literal["ok", "applied"]:
        scene = _scene(transfer, bills, ExceptionKind.REFUND_FAILED if told else None)
        stored, held = scene.stored, scene.allocation
        if stored is None:
            return "ok"
        if held and held.state is AllocationState.APPLIED:
            return "applied"
        rows: list[Change] = []
        if told and scene.exception is None:
            exception = _exception(ExceptionKind.REFUND_FAILED, transfer, told, stored.state, call)
            rows += exceptions.raising(exception, call, bills)
        if held is None or held.state is AllocationState.RESERVED:
            rows.append(bills.allocated(transfer.bill_id, _become(transfer, held, AllocationState.RELEASED)))
        if held and held.state is AllocationState.RESERVED:
            posted = rules.released(stored.state, held, call.now)
            fact = BillReleased.of(posted.bill, transaction_id=transfer.transaction_id)
            bills.save(stored, posted, fact, call, *rows)
        elif rows:
            bills.table.commit(rows)
        return "ok"

    return decided(attempt)


def _scene(transfer: Transfer, bills: Bills, kind: ExceptionKind | None = None) -> Scene:
    exception_id = _exception_id(kind, transfer) if kind else None
    return bills.scene(transfer.bill_id, transaction_id=transfer.transaction_id, exception_id=exception_id)


def _exception_id(kind: ExceptionKind, transfer: Transfer) -> str:
    return ids.derived("exception", kind, transfer.transaction_id)


def _existing(scene: Scene) -> Stored[Bill]:
    if scene.stored is None:
        raise BillNotFound
    return scene.stored


def _become(transfer: Transfer, held: Allocation | None, state: AllocationState) -> Allocation:
    return Allocation.model_construct(
        transaction_id=transfer.transaction_id,
        version=held.version + 1 if held else 1,
        kind=transfer.kind,
        amount=transfer.amount,
        method=transfer.method,
        state=state,
    )


def _exception(kind: ExceptionKind, transfer: Transfer, failure: Failure, bill: Bill, call: Call) -> BillingException:
    return exceptions.raised(
        kind,
        _exception_id(kind, transfer),
        bill,
        call,
        amount=transfer.amount,
        code=failure.code,
        detail=failure.detail,
        transaction_id=transfer.transaction_id,
    )
