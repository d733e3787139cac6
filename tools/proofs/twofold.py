"""One bill, led twice: by billing on a table of its own, and by the oracle in exact fractions. They are compared
after each step. Amounts are minor units."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from billing import allocations, exceptions, service, settlement
from billing.allocations import Transfer
from billing.commands import AdjustBill, CreateBill, DiscountBill, ResolveException, VoidBill, WriteOffBill
from billing.model import BillView, EntryKind, Method
from billing.rules import Failure, Reserved
from billing.store import Bills
from billing.visits import Visit
from hms import ids
from hms.auth import Principal
from hms.call import Call
from hms.errors import Problem
from hms.money import wire
from tools.proofs import ledgers, oracle
from tools.proofs.asked import answered, rupees
from tools.proofs.oracle import Account, Against
from tools.proofs.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from billing.model import Bill
    from tools.proofs.asked import Item, Money
    from tools.proofs.oracle import End

_START = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)
_PERMISSIONS = ("read", "create", "adjust", "discount", "write_off", "void", "exceptions", "exceptions_handle")
_CLERK = Principal("clerk", ("billing_clerk",), scopes={f"billing:{name}": "any" for name in _PERMISSIONS})
_APPOINTMENT, _PATIENT = ids.derived("visit"), ids.derived("patient")
_DOCTORS = ids.derived("doctor", 1), ids.derived("doctor", 2)
_REFUSED = Failure("REFUND_DECLINED", "The card's bank does not take money back.")
_SUMS = ("charged", "tax", "written_off", "paid", "refunded", "reserved", "refund_reserved")


class _Owners:
    """The visit as its owner has it. One patient is known, and no service has a price."""

    told: Visit | None = None

    def visit(self, appointment_id: str) -> Visit | None:  # noqa: ARG002  (there is one)
        return self.told

    def knows(self, patient_id: str) -> bool:
        return patient_id == _PATIENT

    def line(self, code: str, quantity: int, **_where: Any) -> None:
        """Nothing here has a code."""


class Twofold:
    """`told` are the steps, `wrong` where both were not of one mind, `refused` counts what neither would do."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.wrong: list[str] = []
        self.refused = 0
        self.account = Account(())
        self._shelf = Shelf()
        self._bills = Bills(self._shelf)
        self._owners = _Owners()
        self._bill_id = settlement.bill_id_of(_APPOINTMENT)
        self._version = 0

    @property
    def bill(self) -> Bill:
        stored = self._bills.load(self._bill_id)
        if stored is None:
            raise LookupError(self._bill_id)
        return stored.state

    # By hand.

    def create(self, items: Sequence[Item]) -> None:
        asked = {"patient_id": _PATIENT, "items": [one.asked for one in items]}
        command, call = CreateBill.model_validate(asked), self._call()
        self._bill_id = ids.derived("bill", call.token)
        self._does(
            f"made of {[tuple(one) for one in items]}",
            lambda: service.create(command, call, self._bills, self._owners, self._owners),
            lambda: Account(tuple(one.line for one in items)),
        )

    def adjust(self, items: Sequence[Item]) -> None:
        command = AdjustBill.model_validate({"items": [one.asked for one in items], "reason": "Forgotten"})
        self._does(
            f"adjusted by {[tuple(one) for one in items]}",
            lambda: service.adjust(self._bill_id, command, self._call(), self._bills, self._owners),
            lambda: self.account.charging(one.line for one in items),
        )

    def discount(self, net: int, rate: int) -> None:
        command = DiscountBill.model_validate({"amount": wire(net), "tax_rate": wire(rate), "reason": "Staff family"})
        self._does(
            f"discounted by {net} at {rate}",
            lambda: service.discount(self._bill_id, command, self._call(), self._bills),
            lambda: self.account.discounted(rupees(net), rupees(rate)),
        )

    def write_off(self, amount: int) -> None:
        command = WriteOffBill.model_validate({"amount": wire(amount), "reason": "Moved away"})
        self._does(
            f"written off {amount}",
            lambda: service.write_off(self._bill_id, command, self._call(), self._bills),
            lambda: self.account.writing_off(rupees(amount)),
        )

    def void(self) -> None:
        self._does(
            "voided",
            lambda: service.void(self._bill_id, VoidBill(reason="Wrong patient"), self._call(), self._bills),
            self.account.voiding,
        )

    # Money on its way.

    def begins(self, money: Money) -> bool:
        """Says whether it is reserved."""
        after = self.account.giving_back if money.back else self.account.reserving
        return self._does(
            f"{money.name} of {money.amount}",
            lambda: allocations.reserve(self._transfer(money), self._call(), self._bills),
            lambda: after(rupees(money.amount)),
        )

    def comes(self, money: Money) -> None:
        after = self.account.given_back if money.back else self.account.paying
        self._does(
            f"{money.name} came",
            lambda: allocations.apply(self._transfer(money), self._call(), self._bills),
            lambda: after(rupees(money.amount)),
        )

    def does_not_come(self, money: Money) -> None:
        after, why = (self.account.not_given_back, _REFUSED) if money.back else (self.account.declining, None)
        self._does(
            f"{money.name} did not come",
            lambda: allocations.release(self._transfer(money), why, self._call(), self._bills),
            lambda: after(rupees(money.amount)),
        )

    # The visit.

    def is_now(self, status: str, fee: int, end: End | None = None) -> None:
        """The owner's next word on the visit, with another doctor each time."""
        self._version += 1
        told = {"requested_by": end.by, "seconds_before_start": end.seconds} if end else None
        facts = {
            "appointment_id": _APPOINTMENT,
            "version": self._version,
            "patient_id": _PATIENT,
            "doctor_id": _DOCTORS[self._version % 2],
            "department": "Cardiology",
            "slot_start": _START + timedelta(days=1),
            "status": status,
            "consultation_fee": {"amount": wire(fee), "currency": "INR"},
            "cancellation": told if status == "CANCELLED" else None,
        }
        self._owners.told = Visit.model_validate(facts)

    def book(self, fee: int) -> None:
        self.is_now("SCHEDULED", fee)
        self._does(f"booked at {fee}", self._open, lambda: oracle.opened(rupees(fee)))

    def move(self, fee: int) -> None:
        self.is_now("SCHEDULED", fee)
        self._does(f"moved to a doctor at {fee}", self._open, lambda: self.account.moved(rupees(fee)))

    def is_opened_again(self) -> None:
        """An event that is told again changes nothing."""
        self._does("opened again", self._open, lambda: self.account)

    def settle(self, end: End, fee: int) -> None:
        what = f"{' '.join(map(str, end))}: settled"
        self._does(what, self._settle, lambda: self.account.ended(end, rupees(fee), self._version))

    def resume(self, fee: int) -> None:
        """The visit's end was taken back."""
        self._does("came after all: settled", self._settle, lambda: self.account.resumed(rupees(fee), self._version))

    def unsettle(self, settlement_id: str) -> None:
        self._does(
            "taken back, for a person",
            lambda: settlement.unsettle(self._bill_id, settlement_id, _REFUSED, self._call(), self._bills),
            lambda: self.account.unsettled(self._version),
        )

    def retry(self) -> None:
        exception_id = self.bill.flagged or ""
        self._does(
            "tried again",
            lambda: exceptions.retry(exception_id, self._call(), self._bills),
            self.account.tried_again,
        )

    def resolve(self) -> None:
        """A person says that it is put right: only settling it once more does that."""
        exception_id, command = self.bill.flagged or "", ResolveException(resolution="Paid back in cash")
        self._does(
            "put right by hand",
            lambda: exceptions.resolve(exception_id, command, self._call(), self._bills),
            self.account.put_right,
        )

    def rebuild(self) -> int:
        """From its rows in the table: every version by the ledger, and the bill as it is answered.

        Says how many entries the ledger has.
        """
        kept = ledgers.bills_of(self._shelf.rows())[self._bill_id]
        self.wrong += ledgers.unexplained(kept)
        if kept.balance.status != self.account.status:
            self.wrong.append(f"rebuilt, it is {kept.balance.status}, by the rules {self.account.status}")
        view = BillView.of(self.bill, _START.date()).model_dump(mode="json")
        for name, expected in answered(self.account).items():
            if view[name] != expected:
                self.wrong.append(f"{name} is answered as {view[name]}, by the rules {expected}")
        return len(list(kept.entries))

    def _does(self, what: str, command: Callable[[], object], expected: Callable[[], Account]) -> bool:
        """Says whether it was done."""
        refusal, said, after = "", "", self.account
        try:
            after = expected()
        except Against as against:
            refusal = str(against)
        try:
            command()
        except Problem as problem:
            said = problem.code
        except Reserved:
            said = "RESERVED"
        self.told.append(f"{what} → {said}" if said else what)
        self.refused += bool(said)
        if said != refusal:
            self.wrong.append(f"{what}: {said or 'done'}, by the rules {refusal or 'done'}")
        self.account = after
        self._compare(what)
        return not said

    def _compare(self, what: str) -> None:
        bill, account = self.bill, self.account
        found = [getattr(bill.sums, name) for name in _SUMS]
        exact = [getattr(account, name) * 100 for name in _SUMS]
        if found != exact or bill.status != account.status or bill.sums.credit != account.credit * 100:
            expected = [str(one) for one in exact]
            self.wrong.append(f"{what}: {bill.status} {found}, by the rules {account.status} {expected}")

    def _open(self) -> object:
        return settlement.open_bill(_APPOINTMENT, self._call(), self._bills, self._owners)

    def _settle(self) -> object:
        return settlement.settle(_APPOINTMENT, self._call(), self._bills, self._owners)

    def _transfer(self, money: Money) -> Transfer:
        kind: Literal[EntryKind.PAYMENT, EntryKind.REFUND] = EntryKind.PAYMENT
        if money.back:
            kind = EntryKind.REFUND
        return Transfer(self._bill_id, ids.derived(money.name), kind, money.amount, "INR", Method.CARD)

    def _call(self) -> Call:
        return Call(_CLERK, _START + timedelta(minutes=len(self.told)), "proof")
