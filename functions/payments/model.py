"""The vocabulary of payments and refunds."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

from hms.aggregate import Entity
from hms.events import Fact
from hms.money import AT_REST, Amount, Money


class Status(StrEnum):
    """Of payments and of refunds: decided once, never changed again."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Method(StrEnum):
    CASH = "CASH"
    CARD = "CARD"
    UPI = "UPI"
    BANK_TRANSFER = "BANK_TRANSFER"


# What a processor is asked for. The others were received at the desk, and who says so must be allowed to.
BY_GATEWAY = frozenset({Method.CARD, Method.UPI})


# What stands for the gateway of money that needs none.
DESK = "desk"


class Failure(BaseModel):
    """Why money did not move: a code of ours or the processor's, and words for the payer."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    code: str
    detail: str


class Pending(BaseModel):
    """What is known of money on its way. It lies beside the payment or refund, and goes when that is decided.

    `source` is the processor's own name for the card or account that is charged (card numbers never get here), or for
    the payment that is paid back. `opener` is the request that opened it, so that one whose answer was lost knows its
    own. Once `asked`, only the gateway says what becomes of it; where it is `failing`, nothing is asked any more and
    nothing will ever have moved. `tried` counts how often the gateway was looked at in vain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    source: str | None = None
    opener: str = ""
    asked: bool = False
    failing: Failure | None = None
    tried: int = 0


class BillCopy(BaseModel):
    """A bill as its owner tells it now; minor units. `outstanding_minor` is below zero where too much was paid."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    bill_id: str
    bill_number: str
    patient_id: str
    status: str
    currency: str
    payable: int
    outstanding_minor: int
    historical: bool = False


class Transaction(Entity):
    """Money that moves on a bill, one way or the other. `gateway` is who was asked, `gateway_id` what they call it."""

    kind: ClassVar[Literal["PAYMENT", "REFUND"]]

    bill_id: str
    bill_number: str
    patient_id: str
    amount: Amount
    currency: str
    method: Method
    status: Status = Status.PENDING
    gateway: str
    gateway_id: str | None = None
    failure: Failure | None = None
    decided_at: AwareDatetime | None = None

    @property
    def transaction_id(self) -> str:
        raise NotImplementedError


class Payment(Transaction):
    """Money asked for on a bill. `payment_id` is the processor's idempotency key."""

    kind = "PAYMENT"

    payment_id: str
    reference: str | None = None
    received_by: str
    historical: bool = False
    external_id: str | None = None

    @property
    def transaction_id(self) -> str:
        return self.payment_id


class PaymentView(BaseModel):
    """A payment as it is answered; `refunded_amount` is what of it was or is being paid back."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    payment_id: str
    version: int
    bill_id: str
    bill_number: str
    patient_id: str
    amount: Amount
    refunded_amount: Amount
    currency: str
    method: Method
    status: Status
    reference: str | None
    gateway: str
    gateway_id: str | None
    failure: Failure | None
    received_by: str
    decided_at: AwareDatetime | None
    historical: bool
    external_id: str | None
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @classmethod
    def of(cls, payment: Payment, refunded: int) -> Self:
        own = {name: getattr(payment, name) for name in cls.model_fields if name in Payment.model_fields}
        return cls.model_validate(own | {"refunded_amount": refunded}, context=AT_REST)


class Refund(Transaction):
    """Money on its way back. `refund_id` is the processor's idempotency key, `settlement` the visit's end that asks."""

    kind = "REFUND"

    refund_id: str
    payment_id: str
    reason: str
    settlement: str | None = None
    requested_by: str

    @property
    def transaction_id(self) -> str:
        return self.refund_id


_PAYMENT: dict[str, JsonValue] = {
    "payment_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e80",
    "version": 2,
    "bill_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e70",
    "bill_number": "B4839201735",
    "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
    "amount": {"amount": "525.00", "currency": "INR"},
    "method": "CARD",
    "status": "COMPLETED",
}


def _example(base: dict[str, JsonValue], **more: JsonValue) -> ConfigDict:
    return ConfigDict(frozen=True, json_schema_extra={"examples": [base | more]})


class PaymentFact(Fact):
    payment_id: str
    version: int
    bill_id: str
    bill_number: str
    patient_id: str
    amount: Money
    method: Method
    status: Status

    @classmethod
    def of(cls, payment: Payment, **more: object) -> Self:
        own = {name: getattr(payment, name) for name in PaymentFact.model_fields}
        own["amount"] = Money.model_construct(amount=payment.amount, currency=payment.currency)
        return cls.model_validate(own | more)


class PaymentRequested(PaymentFact):
    type: ClassVar[str] = "payments.requested.v1"
    model_config = _example(_PAYMENT, version=1, status="PENDING")


class PaymentCompleted(PaymentFact):
    """The money is there and in the bill's ledger."""

    type: ClassVar[str] = "payments.completed.v1"
    model_config = _example(_PAYMENT)


class PaymentFailed(PaymentFact):
    """It will never come; `code` says why."""

    type: ClassVar[str] = "payments.failed.v1"
    model_config = _example(_PAYMENT, status="FAILED", code="CARD_DECLINED")
    code: str


class PaymentRecorded(PaymentFact):
    """A payment of an older system."""

    type: ClassVar[str] = "payments.recorded.v1"
    model_config = _example(_PAYMENT, version=1)


_REFUND: dict[str, JsonValue] = {
    "refund_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e81",
    "version": 2,
    "payment_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e80",
    "bill_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e70",
    "bill_number": "B4839201735",
    "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
    "amount": {"amount": "262.50", "currency": "INR"},
    "method": "CARD",
    "status": "COMPLETED",
}


class RefundFact(Fact):
    refund_id: str
    version: int
    payment_id: str
    bill_id: str
    bill_number: str
    patient_id: str
    amount: Money
    method: Method
    status: Status

    @classmethod
    def of(cls, refund: Refund, **more: object) -> Self:
        own = {name: getattr(refund, name) for name in RefundFact.model_fields}
        own["amount"] = Money.model_construct(amount=refund.amount, currency=refund.currency)
        return cls.model_validate(own | more)


class RefundRequested(RefundFact):
    type: ClassVar[str] = "payments.refund_requested.v1"
    model_config = _example(_REFUND, version=1, status="PENDING")


class RefundCompleted(RefundFact):
    type: ClassVar[str] = "payments.refund_completed.v1"
    model_config = _example(_REFUND)


class RefundFailed(RefundFact):
    type: ClassVar[str] = "payments.refund_failed.v1"
    model_config = _example(_REFUND, status="FAILED", code="REFUND_REJECTED")
    code: str


FACTS: tuple[type[Fact], ...] = (
    PaymentRequested,
    PaymentCompleted,
    PaymentFailed,
    PaymentRecorded,
    RefundRequested,
    RefundCompleted,
    RefundFailed,
)
