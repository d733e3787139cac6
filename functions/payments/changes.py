"""What payments and refunds are when they are asked for and when they are decided, and how a gateway is asked; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hms.money import AT_REST
from payments.gateways import Order, RefundOrder
from payments.model import (
    DESK,
    Failure,
    Payment,
    PaymentCompleted,
    PaymentFailed,
    Refund,
    RefundCompleted,
    RefundFailed,
    Status,
)
from payments.rules import EXPIRED

if TYPE_CHECKING:
    from datetime import datetime

    from hms.call import Call
    from hms.events import Fact
    from payments.commands import PayBill, RefundPayment
    from payments.gateways import Verdict
    from payments.model import BillCopy, Transaction

_VOIDED = "VOIDED"
_UNEXPLAINED = "The bank gave no reason."
_SETTLED = "The bill came to less than was paid"


def paid(payment_id: str, command: PayBill, bill: BillCopy, gateway: str, call: Call) -> Payment:
    fields = {
        "payment_id": payment_id,
        "bill_id": bill.bill_id,
        "bill_number": bill.bill_number,
        "patient_id": bill.patient_id,
        "amount": command.amount,
        "currency": command.currency,
        "method": command.method,
        "gateway": gateway,
        "reference": command.reference,
        "received_by": call.who.user_id,
        "created_at": call.now,
        "updated_at": call.now,
    }
    return Payment.model_validate(fields, context=AT_REST)


def asked_back(refund_id: str, payment: Payment, command: RefundPayment, call: Call) -> Refund:
    """By hand; over the desk where it is to go another way than it came."""
    way = {"method": command.method, "gateway": DESK} if command.method else {}
    return _refund(refund_id, payment, call, amount=command.amount, reason=command.reason, **way)


def settled_back(refund_id: str, payment: Payment, amount: int, settlement: str, call: Call) -> Refund:
    """By the end of a visit."""
    return _refund(refund_id, payment, call, amount=amount, reason=_SETTLED, settlement=settlement)


def _refund(refund_id: str, payment: Payment, call: Call, **asked: Any) -> Refund:
    same = ("payment_id", "bill_id", "bill_number", "patient_id", "currency", "method", "gateway")
    fields = {name: getattr(payment, name) for name in same}
    fields |= {"refund_id": refund_id, "requested_by": call.who.user_id}
    fields |= {"created_at": call.now, "updated_at": call.now}
    return Refund.model_validate(fields | asked, context=AT_REST)


def completed[T: Transaction](transaction: T, gateway_id: str, now: datetime) -> T:
    return _decided(transaction, now, status=Status.COMPLETED, gateway_id=gateway_id)


def failed[T: Transaction](transaction: T, failure: Failure, now: datetime) -> T:
    return _decided(transaction, now, status=Status.FAILED, failure=failure)


def _decided[T: Transaction](transaction: T, now: datetime, **update: object) -> T:
    version = transaction.version + 1
    return transaction.model_copy(update={**update, "version": version, "decided_at": now, "updated_at": now})


def fact_of(transaction: Transaction) -> Fact:
    """What is told of money that is decided."""
    code = {"code": transaction.failure.code} if transaction.failure else {}
    if isinstance(transaction, Refund):
        return RefundFailed.of(transaction, **code) if code else RefundCompleted.of(transaction)
    assert isinstance(transaction, Payment)  # noqa: S101  (there is no third kind)
    return PaymentFailed.of(transaction, **code) if code else PaymentCompleted.of(transaction)


def failure_of(verdict: Verdict) -> Failure:
    """Why the gateway moved nothing. What we called off ourselves has expired, whatever the gateway calls that."""
    if _VOIDED in (verdict.status, verdict.code):
        return EXPIRED
    return Failure(code=verdict.code or "DECLINED", detail=verdict.detail or _UNEXPLAINED)


def order_of(payment: Payment, source: str | None = None) -> Order:
    return Order(
        key=payment.payment_id,
        amount=payment.amount,
        currency=payment.currency,
        method=payment.method,
        source=source,
        description=payment.bill_number,
        at=payment.created_at,
    )


def refund_order_of(refund: Refund, source: str | None) -> RefundOrder:
    """`source` is what the gateway calls the payment."""
    return RefundOrder(
        key=refund.refund_id,
        payment_key=refund.payment_id,
        gateway_id=source or refund.payment_id,
        amount=refund.amount,
        currency=refund.currency,
    )
