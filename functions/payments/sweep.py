"""What was not decided in time is decided: the gateway is looked at, whatever was asked before and however it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms.call import decided
from hms.errors import Busy
from payments import changes, deciding, rules
from payments.gateways import Unanswered, Verdict
from payments.model import BY_GATEWAY, Status
from payments.rules import EXPIRED

if TYPE_CHECKING:
    from hms.call import Call
    from hms.rows import Item
    from payments.model import Payment, Transaction
    from payments.service import Office
    from payments.transactions import Transactions


def sweep(due: Item, call: Call, office: Office) -> None:
    """One row that is due. Where the gateway still says nothing it is looked at again later, for ever."""
    kind, _, transaction_id = due.pk.partition("#")
    if kind == "payment":
        if not pursue_payment(transaction_id, call, office):
            _put_off(office.payments, transaction_id, call)
    elif not pursue_refund(transaction_id, call, office):
        _put_off(office.refunds, transaction_id, call)


def pursue_payment(payment_id: str, call: Call, office: Office) -> bool:
    """Says whether it is decided. One that is not late is only looked at: its flow may be at work."""
    found = office.payments.opened(payment_id)
    if found is None or found.held is None:
        return True
    payment, pending = found.state, found.held.pending
    if pending.failing:
        return deciding.fail(office.payments, payment_id, pending.failing, call, office.billing)
    if pending.asked:
        return _conclude(office.payments, payment, _looked(payment, call, office), call, office)
    return _pursue_unasked(payment, call, office)


def pursue_refund(refund_id: str, call: Call, office: Office) -> bool:
    """Says whether it is decided. A refund is never given up: it is asked for until the gateway has decided."""
    found = office.refunds.opened(refund_id)
    if found is None or found.held is None:
        return True
    refund, pending = found.state, found.held.pending
    if failing := pending.failing or (None if pending.asked else office.billing.reserve(refund, call)):
        return deciding.fail(office.refunds, refund_id, failing, call, office.billing)
    return _conclude(office.refunds, refund, deciding.refund_at_gateway(refund_id, office), call, office)


def recheck_refund(refund_id: str, office: Office) -> None:
    """A bank may send a refund back that its processor had called done: then it rings, and nothing is changed.

    Raises `Busy` where the processor does not say, so that its notice comes again.
    """
    stored = office.refunds.load(refund_id)
    refund = stored.state if stored else None
    paid = office.payments.load(refund.payment_id) if refund else None
    if refund is None or paid is None or refund.status is not Status.COMPLETED:
        return
    order = changes.refund_order_of(refund, paid.state.gateway_id)
    try:
        verdict = office.gateway(refund.method, refund.gateway).look_refund(order)
    except Unanswered as error:
        raise Busy("The payment processor does not answer; send the request again.") from error
    if verdict.status == "DECLINED":
        deciding.contradicted(refund)


def _pursue_unasked(payment: Payment, call: Call, office: Office) -> bool:
    """Nothing was ever charged. What the desk has taken is there all the same, whether or not the bill has room for it.

    Where it has none, the ledger takes it and a person is asked to look: the drawer holds the money.
    """
    if payment.method in BY_GATEWAY:
        late = rules.is_late(payment, call.now)
        return late and deciding.fail(office.payments, payment.payment_id, EXPIRED, call, office.billing)
    office.billing.reserve(payment, call)
    verdict = deciding.charge(payment.payment_id, office)
    return _conclude(office.payments, payment, verdict, call, office)


def _looked(payment: Payment, call: Call, office: Office) -> Verdict:
    """What is not captured by now is called off, so that it cannot be captured later."""
    gateway, order = office.gateway(payment.method, payment.gateway), changes.order_of(payment)
    try:
        verdict = gateway.look(order)
        if verdict.status in ("ABSENT", "PENDING") and rules.is_late(payment, call.now):
            verdict = gateway.void(order)
    except Unanswered:
        return Verdict("PENDING")
    return verdict


def _conclude[T: Transaction](
    book: Transactions[T], transaction: T, verdict: Verdict, call: Call, office: Office
) -> bool:
    """What the flow would have gone on with."""
    transaction_id = transaction.transaction_id
    if verdict.status == "CAPTURED":
        office.billing.apply(transaction, call)
        deciding.complete(book, transaction_id, verdict.gateway_id or transaction_id, call)
        return True
    if verdict.status in ("DECLINED", "VOIDED"):
        failure = changes.failure_of(verdict)
        return deciding.fail(book, transaction_id, failure, call, office.billing, gateways_word=True)
    return False


def _put_off[T: Transaction](book: Transactions[T], transaction_id: str, call: Call) -> None:
    def attempt() -> None:
        found = book.opened(transaction_id)
        if found is None or found.held is None:
            return
        pending = found.held.pending
        again = pending.model_copy(update={"tried": pending.tried + 1})
        book.hold(transaction_id, found.held, again, rules.again_at(pending.tried, call.now))

    decided(attempt)
