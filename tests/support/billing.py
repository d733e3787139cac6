"""The billing domain on a table in memory: a clerk who makes bills, visits as their owner tells them, money in hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from billing import allocations, exceptions, ledger, service, settlement, tasks
from billing.allocations import Transfer
from billing.commands import AdjustBill, CreateBill, DiscountBill, ResolveException, VoidBill, WriteOffBill
from billing.model import Bill, EntryKind, LineItem, Method, Posting
from billing.rules import Failure
from billing.settlement import bill_id_of
from billing.store import Bills
from billing.visits import Visit
from hms import ids
from hms.auth import Principal
from hms.call import Call
from hms.errors import Busy
from hms.money import wire
from tests.support.appointments import UnreliableTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from billing.ledger import Posted, Priced
    from billing.model import BillingException, Sums
    from billing.settlement import Decision, Undone
    from hms.call import Outcome

# Half past nine on a Saturday in Kolkata.
NOW = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATIENT, OTHER_PATIENT = ids.derived("patient", 1), ids.derived("patient", 2)
DOCTOR, OTHER_DOCTOR = ids.derived("doctor", 1), ids.derived("doctor", 2)
VISIT = ids.derived("appointment", 1)
FEE = 50_000
PERMISSIONS = ("read", "create", "adjust", "discount", "write_off", "void", "exceptions", "exceptions_handle")


def a_principal(user: str, *permissions: str, patient_id: str | None = None) -> Principal:
    scope = "own" if patient_id else "any"
    scopes = {f"billing:{one}": scope for one in permissions}
    return Principal(user, (user,), patient_id=patient_id, scopes=scopes)  # type: ignore[arg-type]


CLERK = a_principal("billing_clerk", *PERMISSIONS)
THE_PATIENT = a_principal("patient", "read", patient_id=PATIENT)
ANOTHER_PATIENT = a_principal("patient", "read", patient_id=OTHER_PATIENT)


def a_call(who: Principal = CLERK, now: datetime = NOW, **details: Any) -> Call:
    return Call(who, now, "correlation", **details)


def an_item(price: int = 10_000, **changes: Any) -> dict[str, Any]:
    return {"description": "Dressing", "unit_price": wire(price)} | changes


def a_visit(status: str = "SCHEDULED", version: int = 1, fee: int = FEE, **changes: Any) -> Visit:
    facts: dict[str, Any] = {
        "appointment_id": VISIT,
        "version": version,
        "patient_id": PATIENT,
        "doctor_id": DOCTOR,
        "department": "Cardiology",
        "slot_start": NOW + timedelta(hours=4),
        "status": status,
        "consultation_fee": {"amount": wire(fee), "currency": "INR"},
        "created_at": NOW,
    }
    return Visit.model_validate(facts | changes)


def cancelled(by: str = "PATIENT", seconds: int = 7200, version: int = 2, **changes: Any) -> Visit:
    told = {"requested_by": by, "seconds_before_start": seconds}
    return a_visit("CANCELLED", version, cancellation=told, **changes)


def a_line(price: int, rate: int = 500, quantity: int = 1) -> LineItem:
    return ledger.line(ids.new(), EntryKind.CHARGE, "Dressing", unit_price=price, tax_rate=rate, quantity=quantity)


def a_posting(posted: Posted) -> Posting:
    """What the ledger's row of a change says."""
    bill = posted.bill
    own = {name: getattr(bill, name) for name in ("bill_id", "bill_number", "patient_id", "version", "currency")}
    return Posting.model_validate(own | {"at": bill.updated_at, "by": "clerk", "entries": posted.entries})


@dataclass
class FakeOwners:
    """The owners of visits and patients; silent where `down`."""

    visits: dict[str, Visit] = field(default_factory=dict)
    patients: set[str] = field(default_factory=lambda: {PATIENT, OTHER_PATIENT})
    down: bool = False

    def visit(self, appointment_id: str) -> Visit | None:
        self._answer()
        return self.visits.get(appointment_id)

    def knows(self, patient_id: str) -> bool:
        self._answer()
        return patient_id in self.patients

    def _answer(self) -> None:
        if self.down:
            raise Busy


@dataclass
class FakePrices:
    """A charge master; remembers what it was asked."""

    priced: dict[str, Priced] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def line(self, code: str, quantity: int, **where: Any) -> Priced | None:
        self.asked.append({"code": code, "quantity": quantity} | where)
        return self.priced.get(code)


@dataclass
class Till:
    """The domain with two known patients and one visit; `now` is the time of its calls."""

    table: UnreliableTable = field(default_factory=UnreliableTable)
    owners: FakeOwners = field(default_factory=FakeOwners)
    prices: FakePrices = field(default_factory=FakePrices)
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.bills = Bills(self.table)
        self.told(a_visit())

    def told(self, visit: Visit) -> None:
        """The owner's latest word on a visit."""
        self.owners.visits[visit.appointment_id] = visit

    def call(self, who: Principal = CLERK, **details: Any) -> Call:
        return a_call(who, self.now, **details)

    def create(self, *items: dict[str, Any], call: Call | None = None, **changes: Any) -> Outcome[Bill]:
        asked = {"patient_id": PATIENT, "items": items or (an_item(),)} | changes
        command = CreateBill.model_validate_json(json.dumps(asked))
        return service.create(command, call or self.call(), self.bills, self.owners, self.prices)

    def made(self, *items: dict[str, Any], **changes: Any) -> str:
        """The id of a new bill."""
        return self.create(*items, **changes).state.bill_id

    def adjust(self, bill_id: str, *items: dict[str, Any], call: Call | None = None) -> Outcome[Bill]:
        asked = {"items": items or (an_item(),), "reason": "Forgotten"}
        command = AdjustBill.model_validate_json(json.dumps(asked))
        return service.adjust(bill_id, command, call or self.call(), self.bills, self.prices)

    def discount(self, bill_id: str, amount: int, *, call: Call | None = None, **changes: Any) -> Outcome[Bill]:
        command = DiscountBill.model_validate({"amount": wire(amount), "reason": "Staff family"} | changes)
        return service.discount(bill_id, command, call or self.call(), self.bills)

    def write_off(self, bill_id: str, amount: int, *, call: Call | None = None) -> Outcome[Bill]:
        command = WriteOffBill.model_validate({"amount": wire(amount), "reason": "Moved away"})
        return service.write_off(bill_id, command, call or self.call(), self.bills)

    def void(self, bill_id: str, *, call: Call | None = None) -> Outcome[Bill]:
        return service.void(bill_id, VoidBill(reason="Wrong patient"), call or self.call(), self.bills)

    def read(self, bill_id: str, who: Principal = CLERK) -> Bill:
        return service.read(bill_id, self.call(who), self.bills)

    def open_bill(self, visit: Visit | None = None) -> Decision:
        self.told(visit or self.owners.visits[VISIT])
        return settlement.open_bill(VISIT, self.call(), self.bills, self.owners)

    def settle(self, visit: Visit | None = None) -> Decision:
        self.told(visit or self.owners.visits[VISIT])
        return settlement.settle(VISIT, self.call(), self.bills, self.owners)

    def unsettle(self, settlement_id: str | None = None) -> Undone:
        asked = settlement_id or self.bill.settlement_id or ""
        failure = Failure("CARD_CLOSED", "The card is closed.")
        return settlement.unsettle(bill_id_of(VISIT), asked, failure, self.call(), self.bills)

    @property
    def bill(self) -> Bill:
        """The visit's."""
        return self.read(bill_id_of(VISIT))

    def transfer(self, amount: int, name: str = "payment-1", kind: str = "PAYMENT", bill_id: str = "") -> Transfer:
        kinds = tasks._KINDS
        return Transfer(bill_id or bill_id_of(VISIT), ids.derived(name), kinds[kind], amount, "INR", Method.CARD)

    def reserve(self, amount: int, name: str = "payment-1", **more: str) -> None:
        allocations.reserve(self.transfer(amount, name, **more), self.call(), self.bills)

    def apply(self, amount: int, name: str = "payment-1", **more: str) -> Bill:
        return allocations.apply(self.transfer(amount, name, **more), self.call(), self.bills)

    def release(self, amount: int, name: str = "payment-1", failure: Failure | None = None, **more: str) -> str:
        return allocations.release(self.transfer(amount, name, **more), failure, self.call(), self.bills)

    def pay(self, amount: int, name: str = "payment-1", bill_id: str = "") -> Bill:
        self.reserve(amount, name, bill_id=bill_id)
        return self.apply(amount, name, bill_id=bill_id)

    def refund(self, amount: int, name: str = "refund-1", bill_id: str = "") -> Bill:
        self.reserve(amount, name, kind="REFUND", bill_id=bill_id)
        return self.apply(amount, name, kind="REFUND", bill_id=bill_id)

    def fail_refund(self, amount: int, name: str = "refund-1") -> None:
        self.reserve(amount, name, kind="REFUND")
        self.release(amount, name, Failure("CARD_CLOSED", "The card is closed."), kind="REFUND")

    def retry(self, exception_id: str, *, call: Call | None = None) -> Outcome[exceptions.Rerun]:
        return exceptions.retry(exception_id, call or self.call(), self.bills)

    def resolve(self, exception_id: str, *, call: Call | None = None) -> Outcome[BillingException]:
        command = ResolveException(resolution="Paid back in cash")
        return exceptions.resolve(exception_id, command, call or self.call(), self.bills)

    def exceptions(self, status: str = "OPEN") -> list[BillingException]:
        return exceptions.listed(status, 100, None, self.call(), self.bills).exceptions

    def postings(self, bill_id: str = "") -> list[Posting]:
        return self.bills.postings(bill_id or bill_id_of(VISIT)).postings

    def entries(self, bill_id: str = "") -> list[tuple[str, int]]:
        """Kind and amount of each entry, in order."""
        return [(one.kind.value, one.amount) for posting in self.postings(bill_id) for one in posting.entries]

    def events(self, bill_id: str = "") -> list[str]:
        """The types of what was told about a bill, in order, without domain and version."""
        found = self.bills.history(bill_id or bill_id_of(VISIT), limit=1000)
        return [json.loads(item.body or "")["type"].split(".")[1] for item in found.items]

    def calls_of(self, work: Callable[[], Any]) -> tuple[int, int]:
        """How many reads and commits something takes."""
        reads, commits = self.table.reads, self.table.commits
        work()
        return self.table.reads - reads, self.table.commits - commits


def in_ledger(sums: Sums) -> Sums:
    """What of a bill's sums is in its ledger: what is reserved is not."""
    return sums.model_copy(update={"reserved": 0, "refund_reserved": 0})


def wrong_with(bill: Bill, postings: Sequence[Posting], *, unexpected: bool = False) -> list[str]:
    """Whatever of a bill its ledger does not explain; `unexpected` where money moved that nobody had reserved."""
    sums, lines = bill.sums, bill.items
    checks = {
        "the sums are those of the ledger": in_ledger(sums) == ledger.sums_of(postings),
        "the lines come to what is charged": sum(one.line_total for one in lines) == sums.charged,
        "the tax is that of the lines": sum(one.tax_amount for one in lines) == sums.tax,
        "every line is put on and taken off": _standing(postings) == {one.line_id: one.line_total for one in lines},
        "nobody owes less than nothing": unexpected or sums.charged - sums.written_off >= 0,
        "no tax is below zero": 0 <= sums.tax <= sums.charged,
        "nothing is refunded that was not paid": unexpected or sums.refunded + sums.refund_reserved <= sums.paid,
        "a credit was paid": unexpected or sums.credit <= sums.paid - sums.refunded - sums.refund_reserved,
        "nothing is reserved below zero": min(sums.reserved, sums.refund_reserved, sums.written_off) >= 0,
    }
    return [name for name, holds in checks.items() if not holds]


def _standing(postings: Sequence[Posting]) -> dict[str, int]:
    """Lines that the ledger put on and did not take off, by what they come to."""
    found: dict[str, list[int]] = {}
    for entry in (entry for posting in postings for entry in posting.entries if entry.line_id):
        found.setdefault(entry.line_id or "", []).append(entry.amount)
    return {line_id: sum(amounts) for line_id, amounts in found.items() if len(amounts) % 2}
