"""What can be done to bills by hand, one function per command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from billing import ledger, rules
from billing.clinic import clinic
from billing.ledger import Posted, Priced
from billing.model import BillAdjusted, BillIssued, BillVoided, EntryKind
from billing.rules import BillNotFound, CurrencyMismatch, PatientNotFound
from hms import ids
from hms.call import Outcome, decided
from hms.errors import FieldError, Forbidden, Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from billing.commands import AdjustBill, BillItem, CreateBill, DiscountBill, VoidBill, WriteOffBill
    from billing.model import Bill, BillFact, LineItem
    from billing.store import Bills
    from hms.aggregate import Stored
    from hms.call import Call


class Patients(Protocol):
    """The word of the owner of patients. Raises `Busy` where they do not answer."""

    def knows(self, patient_id: str) -> bool: ...


class Prices(Protocol):
    """The charge master: what a code costs on a day of the clinic; None where it has no such code or no price then."""

    def line(
        self, code: str, quantity: int, *, department: str | None, doctor_id: str | None, plan: str | None, on: date
    ) -> Priced | None: ...


type _Decide = Callable[[Bill], tuple[Posted, type[BillFact]]]


def create(command: CreateBill, call: Call, bills: Bills, patients: Patients, prices: Prices) -> Outcome[Bill]:
    """A bill by hand. Raises `PatientNotFound`; `Invalid` for a code without a price; `CurrencyMismatch`."""
    call.who.require("billing:create")
    bill_id = ids.derived("bill", call.token)

    def attempt() -> Outcome[Bill]:
        scene = bills.new(bill_id)
        if earlier := bills.earlier(scene.stored, bill_id, call):
            return earlier
        if not patients.knows(command.patient_id):
            raise PatientNotFound
        bare = rules.created(bill_id, rules.number_of(scene.free), command, clinic(), call.now)
        posted = rules.charged(bare, _lines(command.items, bare.bill, call, prices))
        bills.save(None, posted, BillIssued.of(posted.bill), call)
        return Outcome(posted.bill)

    return decided(attempt)


def read(bill_id: str, call: Call, bills: Bills) -> Bill:
    return _reached(bills.load(bill_id), "billing:read", call).state


def adjust(bill_id: str, command: AdjustBill, call: Call, bills: Bills, prices: Prices) -> Outcome[Bill]:
    """Lines more, with a reason. Raises as `create` does; `BillVoid`, `BillTooLarge`."""

    def decide(bill: Bill) -> tuple[Posted, type[BillFact]]:
        rules.check_changes(bill)
        posted = Posted.over(bill, call.now)
        return rules.charged(posted, _lines(command.items, posted.bill, call, prices), command.reason), BillAdjusted

    return _change(bill_id, "billing:adjust", call, bills, decide)


def discount(bill_id: str, command: DiscountBill, call: Call, bills: Bills) -> Outcome[Bill]:
    def decide(bill: Bill) -> tuple[Posted, type[BillFact]]:
        return rules.discounted(bill, command, clinic(), call.now), BillAdjusted

    return _change(bill_id, "billing:discount", call, bills, decide)


def write_off(bill_id: str, command: WriteOffBill, call: Call, bills: Bills) -> Outcome[Bill]:
    def decide(bill: Bill) -> tuple[Posted, type[BillFact]]:
        return rules.written_off(bill, command, call.now), BillAdjusted

    return _change(bill_id, "billing:write_off", call, bills, decide)


def void(bill_id: str, command: VoidBill, call: Call, bills: Bills) -> Outcome[Bill]:
    def decide(bill: Bill) -> tuple[Posted, type[BillFact]]:
        return rules.voided(bill, command.reason, call.now), BillVoided

    return _change(bill_id, "billing:void", call, bills, decide)


def _change(bill_id: str, permission: str, call: Call, bills: Bills, decide: _Decide) -> Outcome[Bill]:
    def attempt() -> Outcome[Bill]:
        stored = _reached(bills.asked(bill_id, call), permission, call)
        if earlier := bills.earlier(stored, bill_id, call):
            return earlier
        call.expect(stored.state.version)
        posted, fact = decide(stored.state)
        bills.save(stored, posted, fact.of(posted.bill), call, remembered=True)
        return Outcome(posted.bill)

    return decided(attempt)


def _reached(stored: Stored[Bill] | None, permission: str, call: Call) -> Stored[Bill]:
    if stored is None:
        # To those who reach only their own, an unknown bill looks like somebody else's.
        raise BillNotFound if call.who.scopes.get(permission) == "any" else Forbidden
    if not call.who.reaches(permission, patient_id=stored.state.patient_id):
        raise Forbidden
    return stored


def _lines(items: Iterable[BillItem], bill: Bill, call: Call, prices: Prices) -> list[LineItem]:
    """The lines that a version of a bill brings."""
    return [_line(item, number, bill, call, prices) for number, item in enumerate(items)]


def _line(item: BillItem, number: int, bill: Bill, call: Call, prices: Prices) -> LineItem:
    priced = _priced(item, number, bill, call, prices)
    if priced.currency != bill.currency:
        raise CurrencyMismatch
    return ledger.line(
        ids.derived("line", bill.bill_id, bill.version, number),
        EntryKind.CHARGE,
        priced.description,
        unit_price=priced.unit_price,
        tax_rate=priced.tax_rate,
        quantity=item.quantity,
        code=item.code,
    )


def _priced(item: BillItem, number: int, bill: Bill, call: Call, prices: Prices) -> Priced:
    if item.code is None:
        rate = clinic().tax_rate if item.tax_rate is None else item.tax_rate
        return Priced(item.description or "", item.unit_price or 0, rate, bill.currency)
    wanted = {"department": bill.department, "doctor_id": bill.doctor_id, "plan": bill.plan}
    priced = prices.line(item.code, item.quantity, **wanted, on=clinic().day(call.now))
    if priced is None:
        raise Invalid(errors=(FieldError(f"items.{number}.code", "unknown", "there is no price for this code today"),))
    return priced
