"""Every rule of payments and refunds (docs/rules.md "Money"), pure: what is refused, and how long is waited."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from hms.errors import Conflicting, FieldError, Invalid, InvalidTransition, NotFound, Problem, Refused
from payments.model import BY_GATEWAY, Failure, Method, Payment, Status

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from payments.commands import PayBill
    from payments.model import BillCopy, Transaction
    from payments.store import Shown

# Who asks again within this time waits for the first; later the flow has ended and may be run again.
YOUNG = timedelta(seconds=30)
# What is not decided by then is not left to chance: the sweep decides it.
PATIENCE = timedelta(seconds=60)
_LONGEST_WAIT_MINUTES = 60


class PaymentNotFound(NotFound):
    code, detail = "PAYMENT_NOT_FOUND", "There is no such payment."


class RefundNotFound(NotFound):
    code, detail = "REFUND_NOT_FOUND", "There is no such refund."


class BillNotFound(NotFound):
    code, detail = "BILL_NOT_FOUND", "There is no such bill."


class BillVoid(Conflicting):
    code, detail = "BILL_VOID", "The bill is void."


class BillAlreadyPaid(Conflicting):
    code, detail = "BILL_ALREADY_PAID", "Nothing is outstanding on the bill."


class PaymentInProgress(Conflicting):
    code, detail = "PAYMENT_IN_PROGRESS", "All that is outstanding is being paid at this moment."


class Overpayment(Refused):
    code, detail = "OVERPAYMENT", "It is more than what is outstanding and not on its way already."


class CurrencyMismatch(Refused):
    code, detail = "CURRENCY_MISMATCH", "The bill is in another currency."


class ReferenceRecorded(Conflicting):
    code, detail = "REFERENCE_RECORDED", "A payment with this reference is recorded on this bill already."


class PaymentDeclined(Problem):
    """`detail` is the processor's reason, in words for the payer."""

    status, code, detail = 402, "PAYMENT_DECLINED", "The payment was declined."


class RefundExceedsPayment(Refused):
    code, detail = "REFUND_EXCEEDS_PAYMENT", "It is more than what was paid and not paid back."


class RefundDeclined(Conflicting):
    code, detail = "REFUND_DECLINED", "The payment cannot be paid back this way."


PAYMENT_PROBLEMS = (
    BillNotFound,
    BillVoid,
    BillAlreadyPaid,
    PaymentInProgress,
    Overpayment,
    CurrencyMismatch,
    ReferenceRecorded,
    PaymentDeclined,
    InvalidTransition,
)
REFUND_PROBLEMS = (PaymentNotFound, InvalidTransition, RefundExceedsPayment, RefundDeclined)
EXPIRED = Failure(code="EXPIRED", detail="The payment was not confirmed in time and was called off; nothing was taken.")


def check_source(command: PayBill) -> None:
    """A gateway needs to know what to charge; the desk has the money already."""
    if command.method not in BY_GATEWAY:
        if command.source is not None:
            raise _wrong_source("forbidden", "only CARD and UPI have a source")
    elif command.source is None:
        raise _wrong_source("missing", "CARD and UPI need the processor's token for what is charged")
    elif command.method is Method.CARD and "@" in command.source:
        raise _wrong_source("not_a_token", "a card is named by the processor's token")


def _wrong_source(code: str, detail: str) -> Invalid:
    return Invalid(errors=(FieldError("source", code, detail),))


def check_payable(bill: BillCopy, command: PayBill) -> None:
    """Raises the first refusal of docs/rules.md "Money". Billing has the last word when it reserves the amount."""
    if bill.historical:
        raise InvalidTransition("A bill of an older system is not paid here.")
    if bill.status == "VOID":
        raise BillVoid
    if bill.outstanding_minor <= 0:
        raise BillAlreadyPaid
    if bill.payable == 0:
        raise PaymentInProgress
    if command.amount > bill.payable:
        raise Overpayment
    if command.currency != bill.currency:
        raise CurrencyMismatch


def check_reference(holder: Shown | None) -> None:
    """Two people may record one transfer; what has failed, or goes back whole, leaves its reference to the next."""
    if holder and holder.payment.status is not Status.FAILED and holder.refunded < holder.payment.amount:
        raise ReferenceRecorded


def check_refundable(payment: Payment, amount: int, refunded: int) -> None:
    """`refunded` is what of it was or is being paid back."""
    if payment.status is not Status.COMPLETED:
        raise InvalidTransition(f"A payment that is {payment.status} is not paid back.")
    if payment.historical:
        raise InvalidTransition("A payment of an older system is not paid back here.")
    if amount > payment.amount - refunded:
        raise RefundExceedsPayment


class Share(NamedTuple):
    """What of an amount one payment gives back."""

    payment_id: str
    amount: int


def spread(amount: int, payments: Iterable[tuple[Payment, int]]) -> tuple[Share, ...]:
    """An amount over payments, each with what of it is or is being paid back, in their order.

    Raises `RefundExceedsPayment` where they do not give that much.
    """
    shares = []
    for payment, refunded in payments:
        share = min(amount, payment.amount - refunded)
        if share > 0 and payment.status is Status.COMPLETED and not payment.historical:
            shares.append(Share(payment.payment_id, share))
            amount -= share
    if amount > 0:
        raise RefundExceedsPayment
    return tuple(shares)


def refusal_of(kind: Literal["PAYMENT", "REFUND"], failure: Failure | None) -> Problem | None:
    """The problem that whoever asked is answered, each time they ask; None where nothing has failed."""
    if failure is None:
        return None
    known: dict[str, type[Problem]] = {one.code: one for one in (*PAYMENT_PROBLEMS, *REFUND_PROBLEMS)}
    declined = PaymentDeclined if kind == "PAYMENT" else RefundDeclined
    return known.get(failure.code, declined)(failure.detail)


def is_young(transaction: Transaction, now: datetime) -> bool:
    return now - transaction.created_at < YOUNG


def is_late(transaction: Transaction, now: datetime) -> bool:
    return now - transaction.created_at >= PATIENCE


def again_at(tried: int, now: datetime) -> datetime:
    """After a first question in vain in a minute, then in two, four …, at most an hour."""
    return now + timedelta(minutes=min(2 ** min(tried, 10), _LONGEST_WAIT_MINUTES))
