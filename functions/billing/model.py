"""The vocabulary of bills."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue, computed_field

from billing.charges import CHARGE_FACTS
from hms import ids
from hms.aggregate import Entity
from hms.events import Fact
from hms.money import AT_REST, Amount, Money, Rate


class BillStatus(StrEnum):
    """Never set: `Sums.status` derives it from the ledger."""

    OPEN = "OPEN"
    PARTIALLY_PAID = "PARTIALLY_PAID"
    PAID = "PAID"
    VOID = "VOID"
    REFUNDED = "REFUNDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"


class EntryKind(StrEnum):
    CHARGE = "CHARGE"
    FEE = "FEE"
    DISCOUNT = "DISCOUNT"
    REVERSAL = "REVERSAL"
    VOID = "VOID"
    WRITE_OFF = "WRITE_OFF"
    PAYMENT = "PAYMENT"
    REFUND = "REFUND"


# What these entries say is on the bill's lines; the others move money.
ON_LINES = frozenset({EntryKind.CHARGE, EntryKind.FEE, EntryKind.DISCOUNT, EntryKind.REVERSAL, EntryKind.VOID})


class Method(StrEnum):
    CASH = "CASH"
    CARD = "CARD"
    UPI = "UPI"
    BANK_TRANSFER = "BANK_TRANSFER"


class Outcome(StrEnum):
    """What a visit came to, as far as its bill is concerned."""

    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    NO_SHOW = "NO_SHOW"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class LineItem(_Part):
    """A line of a bill. `amount` is net, `line_total` with tax; a discount has a negative price.

    `tax` is rounded half-up on the line, and `tax_rate` (percent) is kept with it.
    """

    line_id: str
    kind: Literal[EntryKind.CHARGE, EntryKind.FEE, EntryKind.DISCOUNT] = EntryKind.CHARGE
    code: str | None = None
    description: str
    quantity: int
    unit_price: Amount
    tax_rate: Rate
    amount: Amount
    tax_amount: Amount
    line_total: Amount


class Entry(_Part):
    """One entry of the ledger, never changed. `amount` is what the patient owes more by it, tax included.

    Payments, discounts, reversals and write-offs are negative. `line_id` names the line that a charge put on the bill
    or a reversal took off; `transaction_id` the payment or refund.
    """

    entry_id: str
    kind: EntryKind
    amount: Amount
    tax_amount: Amount = 0
    line_id: str | None = None
    description: str | None = None
    transaction_id: str | None = None
    method: Method | None = None
    reason: str | None = None


class Posting(_Part):
    """The ledger entries of one change of a bill, as they were written."""

    bill_id: str
    bill_number: str
    patient_id: str
    version: int
    at: AwareDatetime
    by: str
    currency: str
    entries: tuple[Entry, ...]
    historical: bool = False


class Sums(_Part):
    """What the ledger of a bill adds up to, and what is reserved on it; minor units."""

    charged: Amount = 0
    tax: Amount = 0
    written_off: Amount = 0
    paid: Amount = 0
    refunded: Amount = 0
    reserved: Amount = 0
    refund_reserved: Amount = 0
    voided: bool = False

    @property
    def outstanding(self) -> int:
        """What is still to be paid; below zero, what has been paid too much."""
        return self.charged - self.written_off - self.paid + self.refunded

    @property
    def payable(self) -> int:
        """What a new payment may be at most."""
        return max(0, self.outstanding - self.reserved)

    @property
    def credit(self) -> int:
        """What is to be paid back and not yet on its way."""
        return max(0, -self.outstanding - self.refund_reserved)

    @property
    def status(self) -> BillStatus:
        """docs/rules.md "Money"."""
        kept = self.paid - self.refunded
        if self.outstanding > 0:
            return BillStatus.PARTIALLY_PAID if kept > 0 else BillStatus.OPEN
        if self.voided and self.charged == 0 and self.paid == 0:
            return BillStatus.VOID
        if self.refunded > 0:
            return BillStatus.PARTIALLY_REFUNDED if kept > 0 else BillStatus.REFUNDED
        return BillStatus.PAID


class Settlement(_Part):
    """What a bill was made of a visit's end: by which version of the visit, and what it takes to undo it.

    `before` are the lines that were taken off, `written_off` what had been written off of them; `refunded` is what had
    been refunded until then.
    """

    outcome: Outcome
    appointment_version: int
    before: tuple[LineItem, ...] = ()
    written_off: Amount = 0
    refunded: Amount = 0
    was_provisional: bool = True


class Bill(Entity):
    """What a patient owes for a visit or for what is listed.

    `provisional` until the visit is over. `due_date` is a day of the clinic. `consultation_fee` is net, and what fees
    are reckoned from; `appointment_version` is the visit's that was looked at last. `flagged` names the exception that
    a person has to look at before the bill is settled again; `attempt` grows each time it is to be settled anew.
    """

    bill_id: str
    bill_number: str
    patient_id: str
    appointment_id: str | None = None
    doctor_id: str | None = None
    department: str | None = None
    plan: str | None = None
    currency: str = "INR"
    provisional: bool = False
    items: tuple[LineItem, ...]
    issued_on: date
    due_date: date
    notes: str | None = None
    sums: Sums = Sums()
    consultation_fee: Amount = 0
    appointment_version: int = 0
    settlement: Settlement | None = None
    attempt: int = 1
    flagged: str | None = None
    historical: bool = False
    external_id: str | None = None

    @property
    def status(self) -> BillStatus:
        return self.sums.status

    @property
    def settlement_id(self) -> str | None:
        """What the refunds of a settlement are known by. Another attempt is another id, so that they are made anew."""
        if self.settlement is None:
            return None
        return ids.derived("settlement", self.bill_id, self.settlement.appointment_version, self.attempt)

    def is_overdue(self, today: date) -> bool:
        """`today` is the clinic's. A view, not a state; what is provisional or history is never dunned."""
        return self.sums.outstanding > 0 and self.due_date < today and not (self.provisional or self.historical)


class BillView(BaseModel):
    """A bill as it is answered."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    bill_id: str
    version: int
    bill_number: str
    patient_id: str
    appointment_id: str | None
    doctor_id: str | None
    department: str | None
    plan: str | None
    status: BillStatus
    provisional: bool
    currency: str
    items: tuple[LineItem, ...]
    amount: Amount
    tax_amount: Amount
    total_amount: Amount
    written_off_amount: Amount
    paid_amount: Amount
    refunded_amount: Amount
    reserved_amount: Amount
    outstanding_amount: Amount
    issued_on: date
    due_date: date
    overdue: bool
    notes: str | None
    outcome: Outcome | None
    flagged: str | None
    historical: bool
    external_id: str | None
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @classmethod
    def of(cls, bill: Bill, today: date) -> Self:
        """`today` is the clinic's."""
        sums = bill.sums
        own = {name: getattr(bill, name) for name in cls.model_fields if name in Bill.model_fields}
        told = {
            "status": bill.status,
            "amount": sums.charged - sums.tax,
            "tax_amount": sums.tax,
            "total_amount": sums.charged,
            "written_off_amount": sums.written_off,
            "paid_amount": sums.paid,
            "refunded_amount": sums.refunded,
            "reserved_amount": sums.reserved,
            "outstanding_amount": sums.outstanding,
            "overdue": bill.is_overdue(today),
            "outcome": bill.settlement.outcome if bill.settlement else None,
        }
        return cls.model_validate(own | told, context=AT_REST)


class AllocationState(StrEnum):
    RESERVED = "RESERVED"
    APPLIED = "APPLIED"
    RELEASED = "RELEASED"


class Allocation(_Part):
    """A payment's or refund's hold on a bill, in a row of its own beside it: what comes late finds how it ended."""

    transaction_id: str
    version: int = 1
    kind: Literal[EntryKind.PAYMENT, EntryKind.REFUND]
    amount: Amount
    method: Method
    state: AllocationState


class ExceptionKind(StrEnum):
    """Why a person is needed."""

    REFUND_FAILED = "REFUND_FAILED"
    SETTLEMENT_FAILED = "SETTLEMENT_FAILED"
    UNRESERVED_CAPTURE = "UNRESERVED_CAPTURE"


class BillingException(Entity):
    """Something that a person has to put right, with what they need to know. Ids and amounts only: it names nobody."""

    exception_id: str
    kind: ExceptionKind
    bill_id: str
    bill_number: str
    patient_id: str
    appointment_id: str | None = None
    appointment_version: int | None = None
    transaction_id: str | None = None
    amount: Amount
    currency: str
    code: str
    detail: str
    to_do: str
    status: Literal["OPEN", "RESOLVED"] = "OPEN"
    resolution: str | None = None
    resolved_by: str | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def retryable(self) -> bool:
        """Whether `POST …/retry` can do what failed."""
        return self.status == "OPEN" and self.appointment_version is not None


_EXAMPLE: dict[str, JsonValue] = {
    "bill_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e70",
    "version": 2,
    "bill_number": "B4839201735",
    "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
    "appointment_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e62",
    "status": "OPEN",
    "provisional": False,
    "total": {"amount": "525.00", "currency": "INR"},
    "paid": {"amount": "0.00", "currency": "INR"},
    "refunded": {"amount": "0.00", "currency": "INR"},
    "outstanding": {"amount": "525.00", "currency": "INR"},
    "due_date": "2026-12-23",
}


def _example(**more: JsonValue) -> ConfigDict:
    return ConfigDict(frozen=True, json_schema_extra={"examples": [_EXAMPLE | more]})


class BillFact(Fact):
    """The bill as it is after the change; `outstanding` is never below zero here."""

    bill_id: str
    version: int
    bill_number: str
    patient_id: str
    appointment_id: str | None
    status: BillStatus
    provisional: bool
    total: Money
    paid: Money
    refunded: Money
    outstanding: Money
    due_date: date

    @classmethod
    def of(cls, bill: Bill, **more: object) -> Self:
        sums = bill.sums
        amounts = {
            "total": sums.charged,
            "paid": sums.paid,
            "refunded": sums.refunded,
            "outstanding": max(0, sums.outstanding),
        }
        money = {name: Money.model_construct(amount=amount, currency=bill.currency) for name, amount in amounts.items()}
        own = {name: getattr(bill, name) for name in BillFact.model_fields if hasattr(bill, name)}
        return cls.model_validate(own | money | more)


class BillOpened(BillFact):
    type: ClassVar[str] = "billing.opened.v1"
    model_config = _example(version=1, provisional=True)


class BillIssued(BillFact):
    """It is final: a manual bill, a completed visit's, or a fee."""

    type: ClassVar[str] = "billing.issued.v1"
    model_config = _example(outcome="COMPLETED")
    outcome: Outcome | None = None


class BillVoided(BillFact):
    type: ClassVar[str] = "billing.voided.v1"
    model_config = _example(
        status="VOID",
        total={"amount": "0.00", "currency": "INR"},
        outstanding={"amount": "0.00", "currency": "INR"},
    )


class BillReopened(BillFact):
    """Its settlement was taken back."""

    type: ClassVar[str] = "billing.reopened.v1"
    model_config = _example(version=3, provisional=True)


class BillFlagged(BillFact):
    """No event settles it again: a person has to look at the exception."""

    type: ClassVar[str] = "billing.flagged.v1"
    model_config = _example(version=4, exception_id="8f1e6d80-5f0a-8c39-9d54-3b1c2a4f5e90")
    exception_id: str


class BillSettlementRetried(BillFact):
    """It is to be settled again: a person wants that, or a refund was declined when its exception was closed."""

    type: ClassVar[str] = "billing.settlement_retried.v1"
    model_config = _example(version=5, exception_id="8f1e6d80-5f0a-8c39-9d54-3b1c2a4f5e90")
    exception_id: str


class BillAdjusted(BillFact):
    """Lines were added or priced anew, or something was discounted or written off."""

    type: ClassVar[str] = "billing.adjusted.v1"
    model_config = _example(version=3)


class BillReserved(BillFact):
    """Money is on its way."""

    type: ClassVar[str] = "billing.reserved.v1"
    model_config = _example(version=3, transaction_id="01931c2e-7b1f-7c39-9d54-3b1c2a4f5e80")
    transaction_id: str


class BillReleased(BillFact):
    """It did not come."""

    type: ClassVar[str] = "billing.released.v1"
    model_config = _example(version=4, transaction_id="01931c2e-7b1f-7c39-9d54-3b1c2a4f5e80")
    transaction_id: str


class BillPaid(BillFact):
    """A payment is in the ledger, in full or in part."""

    type: ClassVar[str] = "billing.paid.v1"
    model_config = _example(
        version=4,
        status="PAID",
        paid={"amount": "525.00", "currency": "INR"},
        outstanding={"amount": "0.00", "currency": "INR"},
        transaction_id="01931c2e-7b1f-7c39-9d54-3b1c2a4f5e80",
    )
    transaction_id: str


class BillRefunded(BillFact):
    """A refund is in the ledger."""

    type: ClassVar[str] = "billing.refunded.v1"
    model_config = _example(
        version=6,
        status="REFUNDED",
        total={"amount": "0.00", "currency": "INR"},
        paid={"amount": "525.00", "currency": "INR"},
        refunded={"amount": "525.00", "currency": "INR"},
        outstanding={"amount": "0.00", "currency": "INR"},
        transaction_id="01931c2e-7b1f-7c39-9d54-3b1c2a4f5e81",
    )
    transaction_id: str


class BillRecorded(BillFact):
    """A bill of an older system."""

    type: ClassVar[str] = "billing.recorded.v1"
    model_config = _example(version=1)


_EXCEPTION: dict[str, JsonValue] = {
    "exception_id": "8f1e6d80-5f0a-8c39-9d54-3b1c2a4f5e90",
    "version": 1,
    "kind": "REFUND_FAILED",
    "bill_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e70",
    "status": "OPEN",
}


class ExceptionFact(Fact):
    exception_id: str
    version: int
    kind: ExceptionKind
    bill_id: str
    status: Literal["OPEN", "RESOLVED"]

    @classmethod
    def of(cls, exception: BillingException) -> Self:
        return cls.model_validate({name: getattr(exception, name) for name in cls.model_fields})


class ExceptionRaised(ExceptionFact):
    type: ClassVar[str] = "billing.exception_raised.v1"
    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [_EXCEPTION]})


class ExceptionResolved(ExceptionFact):
    type: ClassVar[str] = "billing.exception_resolved.v1"
    model_config = ConfigDict(
        frozen=True, json_schema_extra={"examples": [_EXCEPTION | {"version": 2, "status": "RESOLVED"}]}
    )


FACTS: tuple[type[Fact], ...] = (
    BillOpened,
    BillIssued,
    BillVoided,
    BillReopened,
    BillFlagged,
    BillSettlementRetried,
    BillAdjusted,
    BillReserved,
    BillReleased,
    BillPaid,
    BillRefunded,
    BillRecorded,
    ExceptionRaised,
    ExceptionResolved,
    *CHARGE_FACTS,
)
