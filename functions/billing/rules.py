"""Every rule of bills by hand and of money on its way (docs/rules.md "Money"), pure: refusals and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from billing import ledger
from billing.ledger import Posted
from billing.model import AllocationState, Bill, BillStatus, EntryKind
from hms import ids
from hms.errors import Conflicting, FieldError, Invalid, InvalidTransition, NotFound, Refused
from hms.money import AT_REST, wire

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from typing import Any

    from billing.clinic import Clinic
    from billing.commands import CreateBill, DiscountBill, WriteOffBill
    from billing.model import Allocation, LineItem

# A bill is one row of at most 400 KB, its lines twice where they were taken off; amounts on the wire have an end too.
_MOST_LINES = 100
_DEAREST = 10**10


class BillNotFound(NotFound):
    code, detail = "BILL_NOT_FOUND", "There is no such bill."


class ExceptionNotFound(NotFound):
    code, detail = "EXCEPTION_NOT_FOUND", "There is no such exception."


class PatientNotFound(NotFound):
    code, detail = "PATIENT_NOT_FOUND", "There is no such patient."


class BillVoid(Conflicting):
    code, detail = "BILL_VOID", "The bill is void."


class BillAlreadyPaid(Conflicting):
    code, detail = "BILL_ALREADY_PAID", "Nothing is outstanding on the bill."


class BillHasPayments(Conflicting):
    code, detail = "BILL_HAS_PAYMENTS", "Something was paid on the bill, or is being paid: it cannot be voided."


class PaymentInProgress(Conflicting):
    code, detail = "PAYMENT_IN_PROGRESS", "All that is outstanding is being paid at this moment."


class AlreadyDecided(Conflicting):
    code, detail = "ALREADY_DECIDED", "It was decided that this money does not come."


class SettlementEnded(Conflicting):
    code, detail = "SETTLEMENT_ENDED", "The bill was taken back to what it was before, or a person is looking at it."


class BillTooLarge(Refused):
    code, detail = "BILL_TOO_LARGE", f"A bill has at most {_MOST_LINES} lines and comes to at most {wire(_DEAREST)}."


class CurrencyMismatch(Refused):
    code, detail = "CURRENCY_MISMATCH", "The bill is in another currency."


class Overpayment(Refused):
    code, detail = "OVERPAYMENT", "It is more than what is outstanding and not on its way already."


class RefundExceedsPayment(Refused):
    code, detail = "REFUND_EXCEEDS_PAYMENT", "It is more than what was paid and not paid back."


class DiscountExceedsOutstanding(Refused):
    code, detail = "DISCOUNT_EXCEEDS_OUTSTANDING", "A discount is at most what is outstanding, and so is the tax on it."


class WriteOffExceedsOutstanding(Refused):
    code, detail = "WRITE_OFF_EXCEEDS_OUTSTANDING", "It is more than what is outstanding."


class NumbersExhausted(Conflicting):
    code, detail = "NUMBERS_EXHAUSTED", "No number is free for this bill."


class Failure(NamedTuple):
    """Why money could not be moved: a code, and words for people that name nobody."""

    code: str
    detail: str


class Reserved(Exception):
    """Money is on its way. Whether it comes a processor decides: the visit's event comes again until then."""


def number_of(free: tuple[str, ...]) -> str:
    if not free:
        raise NumbersExhausted
    return free[0]


def bare(bill_id: str, number: str, now: datetime, **fields: Any) -> Posted:
    """A new bill without lines."""
    own = {"bill_id": bill_id, "bill_number": number, "items": (), "created_at": now, "updated_at": now}
    return Posted(Bill.model_validate(own | fields, context=AT_REST))


def created(bill_id: str, number: str, command: CreateBill, clinic: Clinic, now: datetime) -> Posted:
    """Without its lines. Raises `Invalid` for a due date before today."""
    today = clinic.day(now)
    due_date = command.due_date or clinic.due(today)
    if due_date < today:
        raise Invalid(errors=(FieldError("due_date", "past", "a bill is not due before it is issued"),))
    same = ("patient_id", "currency", "notes", "department", "doctor_id", "plan")
    fields = {name: getattr(command, name) for name in same}
    return bare(bill_id, number, now, **fields, issued_on=today, due_date=due_date)


def charged(posted: Posted, lines: Iterable[LineItem], reason: str | None = None) -> Posted:
    """Raises `BillTooLarge`."""
    posted = posted.with_lines(lines, reason)
    if len(posted.bill.items) > _MOST_LINES or posted.bill.sums.charged > _DEAREST:
        raise BillTooLarge
    return posted


def discounted(bill: Bill, command: DiscountBill, clinic: Clinic, now: datetime) -> Posted:
    """One negative line. Never more than is outstanding and not on its way, nor more net or tax than the bill has."""
    check_changes(bill)
    rate = clinic.tax_rate if command.tax_rate is None else command.tax_rate
    posted = Posted.over(bill, now)
    line_id = ids.derived("line", bill.bill_id, posted.bill.version)
    line = ledger.line(line_id, EntryKind.DISCOUNT, "Discount", unit_price=-command.amount, tax_rate=rate)
    posted = charged(posted, (line,), command.reason)
    if -line.line_total > bill.sums.payable or not _is_sound(posted):
        raise DiscountExceedsOutstanding
    return posted


def written_off(bill: Bill, command: WriteOffBill, now: datetime) -> Posted:
    check_changes(bill)
    if command.amount > bill.sums.payable:
        raise WriteOffExceedsOutstanding
    return Posted.over(bill, now).written_off(command.amount, command.reason)


def voided(bill: Bill, reason: str, now: datetime) -> Posted:
    """Every line is taken back, and what was written off of them."""
    check_changes(bill)
    sums = bill.sums
    if sums.paid or sums.reserved or sums.refund_reserved:
        raise BillHasPayments
    return emptied(Posted.over(bill, now), EntryKind.VOID, reason)


def emptied(posted: Posted, kind: EntryKind, reason: str) -> Posted:
    """Whatever was asked for is asked for no more."""
    sums = posted.bill.sums
    return posted.without_lines(posted.bill.items, reason, kind).written_off(-sums.written_off, reason)


def repriced(posted: Posted, line: LineItem, reason: str) -> Posted:
    """The line in place of the one with its id. Discounts and write-offs that are more than is left go with it."""
    old = [one for one in posted.bill.items if one.line_id == line.line_id]
    posted = posted.without_lines(old, reason).with_lines((line,), reason)
    if _is_sound(posted):
        return posted
    discounts = [one for one in posted.bill.items if one.kind is EntryKind.DISCOUNT]
    return posted.without_lines(discounts, reason).written_off(-posted.bill.sums.written_off, reason)


def check_changes(bill: Bill) -> None:
    """Raises `InvalidTransition` for a bill of an older system, `BillVoid` where all lines were taken back."""
    if bill.historical:
        raise InvalidTransition("A bill of an older system does not change.")
    if bill.sums.voided:
        raise BillVoid


def check_reserve(bill: Bill, allocation: Allocation, currency: str) -> None:
    """Raises the first refusal of docs/rules.md "Money" about a payment or a refund."""
    if allocation.amount <= 0:
        raise Invalid(errors=(FieldError("amount", "too_small", "an amount is at least one minor unit"),))
    if currency != bill.currency:
        raise CurrencyMismatch
    if bill.historical:
        raise InvalidTransition("A bill of an older system does not change.")
    if allocation.kind is EntryKind.REFUND:
        _check_refund(bill, allocation.amount)
    else:
        _check_payment(bill, allocation.amount)


def check_settlement(bill: Bill, settlement: str | None) -> None:
    """What a settlement owes is refunded only while it stands: once one of its refunds has failed a person decides."""
    if settlement and (bill.flagged or bill.settlement_id != settlement):
        raise SettlementEnded


def _check_refund(bill: Bill, amount: int) -> None:
    if amount > bill.sums.paid - bill.sums.refunded - bill.sums.refund_reserved:
        raise RefundExceedsPayment


def _check_payment(bill: Bill, amount: int) -> None:
    if bill.status is BillStatus.VOID:
        raise BillVoid
    if bill.sums.outstanding <= 0:
        raise BillAlreadyPaid
    if bill.sums.payable == 0:
        raise PaymentInProgress
    if amount > bill.sums.payable:
        raise Overpayment


def reserved(bill: Bill, allocation: Allocation, now: datetime) -> Posted:
    return _held(Posted.over(bill, now), allocation, allocation.amount)


def released(bill: Bill, allocation: Allocation, now: datetime) -> Posted:
    return _held(Posted.over(bill, now), allocation, -allocation.amount)


def applied(bill: Bill, held: Allocation | None, allocation: Allocation, now: datetime) -> Posted:
    """The money is there: it is in the ledger, whether or not it was reserved."""
    posted = Posted.over(bill, now)
    if held and held.state is AllocationState.RESERVED:
        posted = _held(posted, held, -held.amount)
    return posted.transferred(allocation)


def _held(posted: Posted, allocation: Allocation, amount: int) -> Posted:
    name = "reserved" if allocation.kind is EntryKind.PAYMENT else "refund_reserved"
    sums = posted.bill.sums
    return posted.but(sums=sums.model_copy(update={name: getattr(sums, name) + amount}))


def _is_sound(posted: Posted) -> bool:
    """What is asked for is not below zero; neither is its tax, nor what it is without."""
    sums = posted.bill.sums
    return min(sums.charged - sums.written_off, sums.tax, sums.charged - sums.tax) >= 0
