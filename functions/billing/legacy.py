"""Bills of an older system and what was paid on them: history in the ledger, at the instants it happened.

Nobody pays, refunds or changes them here; only the import may still find that something had been paid.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError

from billing import ledger, rules
from billing.clinic import clinic
from billing.legacy_store import bill_claim, bill_id_of, claims, payment_claim
from billing.model import Allocation, AllocationState, BillRecorded, EntryKind, Method
from billing.rules import BillNotFound, BillVoid, Overpayment
from billing.settlement import bill_id_of as bill_id_of_visit
from hms import ids
from hms.call import Outcome, decided
from hms.errors import Busy, Conflicting, IdempotencyKeyReused, Invalid, Problem
from hms.fields import Command, Id, Instant, Line
from hms.money import AT_REST, Amount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from billing.ledger import Posted
    from billing.model import Bill
    from billing.store import Bills
    from hms.call import Call

SYSTEM = "legacy"
_LINE, _VOID = "Imported bill", "Void in the older system"

Some = Annotated[Amount, Field(gt=0)]


class SecondBill(Conflicting):
    code, detail = "SECOND_BILL", "The visit has a bill."


class RecordBill(Command):
    """`external_id` is its number there, `amount` all that was owed: how much of it was tax nobody knows."""

    external_id: Line
    patient_id: Id
    appointment_id: Id
    amount: Some
    void: bool = False
    created_at: Instant


class RecordPaid(Command):
    """What was paid on the bill with the number `bill`. `transaction_id` is the payment's id here."""

    transaction_id: Id
    bill: Line
    amount: Some
    method: Annotated[Method, Field(strict=False)]
    paid_at: Instant


def record_all(rows: Iterable[str], paid: Iterable[str], call: Call, bills: Bills) -> dict[str, list[dict[str, Any]]]:
    """What became of each bill, and after them of each payment: `new`, `there`, or `refused` with a `code`.

    What is in comes with the bill's id, number and patient. It all may be asked again at any time.
    """

    def record_bill(row: str) -> Outcome[Bill]:
        return record(RecordBill.model_validate_json(row), call, bills)

    def record_paid(row: str) -> Outcome[Bill]:
        return pay(RecordPaid.model_validate_json(row), call, bills)

    return {
        "recorded": [_answered(record_bill, row) for row in rows],
        "paid": [_answered(record_paid, row) for row in paid],
    }


def record(command: RecordBill, call: Call, bills: Bills) -> Outcome[Bill]:
    """Replayed where this very bill was recorded before.

    Raises `SecondBill`; `IdempotencyKeyReused` where its number came with other data before; `BillTooLarge`.
    """
    bill_id = bill_id_of_visit(command.appointment_id)
    call = replace(call, token=ids.derived(SYSTEM, "bill", command.external_id), digest=_digest(command))

    def attempt() -> Outcome[Bill]:
        scene = bills.new(bill_id)
        if earlier := bills.earlier(scene.stored, bill_id, call):
            return earlier
        if bill_id_of(bills.table, command.external_id):
            raise IdempotencyKeyReused
        if scene.stored:
            raise SecondBill
        posted = _recorded(bill_id, rules.number_of(scene.free), command)
        claim = bill_claim(command.external_id, bill_id)
        bills.save(None, posted, BillRecorded.of(posted.bill), _at(command.created_at, call), claim)
        return Outcome(posted.bill)

    return decided(attempt)


def pay(command: RecordPaid, call: Call, bills: Bills) -> Outcome[Bill]:
    """Replayed where this very payment is in the bill's ledger.

    Raises `BillNotFound`, `BillVoid`, `Overpayment`; `IdempotencyKeyReused` where it was recorded with other data.
    """
    digest = _digest(command)

    def attempt() -> Outcome[Bill]:
        known = claims(bills.table, command.bill, command.transaction_id)
        stored = bills.load(known.bill_id) if known.bill_id else None
        if known.digest not in (None, digest):
            raise IdempotencyKeyReused
        if stored is None:
            raise BillNotFound
        if known.digest:
            return Outcome(stored.state, replayed=True)
        posted = _paid(stored.state, command)
        claim = payment_claim(command.transaction_id, digest)
        fact = BillRecorded.of(posted.bill)
        bills.save(stored, posted, fact, _at(command.paid_at, call), claim)
        return Outcome(posted.bill)

    return decided(attempt)


def _recorded(bill_id: str, number: str, command: RecordBill) -> Posted:
    day = clinic().day(command.created_at)
    fields = {"patient_id": command.patient_id, "appointment_id": command.appointment_id}
    days = {"issued_on": day, "due_date": clinic().due(day)}
    history = {"historical": True, "external_id": command.external_id}
    bare = rules.bare(bill_id, number, command.created_at, **fields, **days, **history)
    line_id = ids.derived("line", bill_id, bare.bill.version, 0)
    line = ledger.line(line_id, EntryKind.CHARGE, _LINE, unit_price=command.amount, tax_rate=0)
    posted = rules.charged(bare, (line,))
    return rules.emptied(posted, EntryKind.VOID, _VOID) if command.void else posted


def _paid(bill: Bill, command: RecordPaid) -> Posted:
    if bill.sums.voided:
        raise BillVoid
    if command.amount > bill.sums.payable:
        raise Overpayment
    fields = {name: getattr(command, name) for name in ("transaction_id", "amount", "method")}
    fields |= {"kind": EntryKind.PAYMENT, "state": AllocationState.APPLIED}
    return rules.applied(bill, None, Allocation.model_validate(fields, context=AT_REST), command.paid_at)


def _at(then: datetime, call: Call) -> Call:
    """The ledger tells when it happened, not when it was imported."""
    return replace(call, now=then)


def _digest(command: Command) -> str:
    return hashlib.sha256(command.model_dump_json().encode()).hexdigest()[:32]


def _answered(attempt: Callable[[str], Outcome[Bill]], row: str) -> dict[str, Any]:
    try:
        outcome = attempt(row)
    except ValidationError:
        return {"outcome": "refused", "code": Invalid.code}
    except Busy:
        raise
    except Problem as problem:
        return {"outcome": "refused", "code": problem.code}
    bill = outcome.state
    known = {"bill_id": bill.bill_id, "bill_number": bill.bill_number, "patient_id": bill.patient_id}
    return {"outcome": "there" if outcome.replayed else "new", **known}
