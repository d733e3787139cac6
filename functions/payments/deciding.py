"""The steps of the flows: the gateway is asked, and what it said is kept. Each may come late, twice and in any order.

Whoever asks the gateway says so first (`asked`); whoever gives up says so first too (`failing`), before anything is
released, and only where nobody has asked or where the gateway said that nothing moved. Both write one row over the
version that they read: so what has failed never moves money, and what moved never fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms import telemetry
from hms.call import decided
from payments import changes
from payments.gateways import Unanswered, Verdict
from payments.model import Refund, Status
from payments.transactions import Opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.call import Call
    from payments.model import Failure, Transaction
    from payments.service import Billing, Office
    from payments.transactions import Transactions

_PENDING = Verdict("PENDING")


class Unknown(Exception):
    """There is no such payment or refund."""


class Contradiction(Exception):
    """Money moved that has failed. Nothing is written over: a person has to look."""


def charge(payment_id: str, office: Office) -> Verdict:
    """CAPTURED, DECLINED or PENDING. One read and one transaction beside the gateway; one read where it is decided."""
    found, _ = _claimed(office.payments, payment_id)
    payment = found.state

    def ask() -> Verdict:
        source = found.held.pending.source if found.held else None
        return office.gateway(payment.method, payment.gateway).charge(changes.order_of(payment, source))

    return _known(found) or _noted(office.payments, payment_id, ask)


def refund_at_gateway(refund_id: str, office: Office) -> Verdict:
    """As `charge`. A gateway that was asked before is looked at first: it may forget keys, never refunds."""
    found, asked = _claimed(office.refunds, refund_id)
    refund = found.state

    def ask() -> Verdict:
        gateway = office.gateway(refund.method, refund.gateway)
        order = changes.refund_order_of(refund, found.held.pending.source if found.held else None)
        verdict = gateway.look_refund(order) if asked else Verdict("ABSENT")
        return gateway.refund(order) if verdict.status == "ABSENT" else verdict

    return _known(found) or _noted(office.refunds, refund_id, ask)


def complete[T: Transaction](book: Transactions[T], transaction_id: str, gateway_id: str, call: Call) -> None:
    """The money moved and is in the ledger. Raises `Contradiction` where it has failed."""
    _end(book, transaction_id, Status.COMPLETED, call, lambda state: changes.completed(state, gateway_id, call.now))


def fail[T: Transaction](
    book: Transactions[T],
    transaction_id: str,
    failure: Failure,
    call: Call,
    billing: Billing,
    *,
    gateways_word: bool = False,
) -> bool:
    """Says whether it is decided. A gateway that was asked has to say itself that nothing moved (`gateways_word`).

    What is reserved is released first, and a reservation that comes late is refused for that. Raises `Contradiction`
    where it is in the ledger.
    """
    found = _closed(book, transaction_id, failure, gateways_word=gateways_word)
    if found.held is None:
        return True
    failing, asked = found.held.pending.failing, found.held.pending.asked
    if failing is None:
        return False
    refund = found.state if isinstance(found.state, Refund) else None
    # Who asks for a refund is answered why it is refused; what a gateway declines, a person has to pay back.
    by_hand = refund is not None and refund.settlement is None
    if not billing.release(found.state, failing if asked and by_hand else None, call):
        raise contradicted(found.state)
    if refund and refund.settlement:
        # One case for a person, whoever finds it out: the flow that asked for the refund, or the sweep long after.
        billing.unsettle(refund, failing, call, declined=asked)
    _end(book, transaction_id, Status.FAILED, call, lambda state: changes.failed(state, failing, call.now))
    return True


def _claimed[T: Transaction](book: Transactions[T], transaction_id: str) -> tuple[Opened[T], bool]:
    """Kept before the gateway is asked: from now on only the gateway knows. Says whether it was asked before."""

    def attempt() -> tuple[Opened[T], bool]:
        found = _opened(book, transaction_id)
        if found.held is None or found.held.pending.failing or found.held.pending.asked:
            return found, True
        asked = found.held.pending.model_copy(update={"asked": True})
        return Opened(found.stored, book.hold(transaction_id, found.held, asked)), False

    return decided(attempt)


def _known[T: Transaction](found: Opened[T]) -> Verdict | None:
    """What is decided already; None where the gateway is to be asked."""
    if found.state.status is Status.COMPLETED:
        return Verdict("CAPTURED", found.state.gateway_id)
    failing = found.held.pending.failing if found.held else found.state.failure
    return Verdict("DECLINED", None, failing.code, failing.detail) if failing else None


def _noted[T: Transaction](book: Transactions[T], transaction_id: str, ask: Callable[[], Verdict]) -> Verdict:
    """The gateway's word; where nothing moved, that is kept before anybody releases anything."""
    try:
        verdict = ask()
    except Unanswered:
        return _PENDING
    if verdict.status == "CAPTURED":
        return verdict
    if verdict.status not in ("DECLINED", "VOIDED"):
        return _PENDING
    return _known(_closed(book, transaction_id, changes.failure_of(verdict), gateways_word=True)) or _PENDING


def _closed[T: Transaction](
    book: Transactions[T], transaction_id: str, failure: Failure, *, gateways_word: bool
) -> Opened[T]:
    """Nothing is asked of the gateway any more; the first reason stays. Not where it was asked and has not said so."""

    def attempt() -> Opened[T]:
        found = _opened(book, transaction_id)
        if found.held is None or found.held.pending.failing or (found.held.pending.asked and not gateways_word):
            return found
        failing = found.held.pending.model_copy(update={"failing": failure})
        return Opened(found.stored, book.hold(transaction_id, found.held, failing))

    return decided(attempt)


def _end[T: Transaction](
    book: Transactions[T], transaction_id: str, status: Status, call: Call, change: Callable[[T], T]
) -> None:
    """Decided once: what comes later finds it so."""

    def attempt() -> T | None:
        found = _opened(book, transaction_id)
        if found.held is None:
            if found.state.status is not status:
                raise contradicted(found.state)
            # An answer that was lost: it was this very call.
            own = any(done.token == call.token for done in found.stored.done)
            return found.state if own else None
        after = change(found.state)
        book.decide(found, after, call)
        return after

    if after := decided(attempt):
        _tell(after)


def _opened[T: Transaction](book: Transactions[T], transaction_id: str) -> Opened[T]:
    found = book.opened(transaction_id)
    if found is None:
        raise Unknown
    return found


def contradicted(transaction: Transaction) -> Contradiction:
    """Tells the log and the metric of `MoneyContradictedAlarm`, whether or not the caller raises what it gets."""
    metrics: dict[str, tuple[float, str]] = {"money_contradicted_total": (1, "Count")}
    told = {"level": "ERROR", "message": "money moved that has failed, or failed that has moved"}
    named = {name: getattr(transaction, name) for name in ("kind", "transaction_id", "bill_id", "status")}
    telemetry.measured(metrics, {}, **told, **named)
    return Contradiction(transaction.transaction_id)


def _tell(transaction: Transaction) -> None:
    """`payments_failed_total` by code, `payments_completed_total` by method; of refunds the same."""
    name = f"{transaction.kind.lower()}s_{transaction.status.lower()}_total"
    by = {"code": transaction.failure.code} if transaction.failure else {"method": str(transaction.method)}
    ids = {"transaction_id": transaction.transaction_id, "bill_id": transaction.bill_id}
    telemetry.measured({name: (1, "Count")}, by, **ids, amount=transaction.amount)
