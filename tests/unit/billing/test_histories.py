"""Whatever happens to a visit, its bill and the money, in any order and with lost answers: every unit is explained."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from billing.model import BillStatus
from billing.rules import Failure, Reserved
from billing.settlement import bill_id_of
from hms import ids
from hms.errors import Conflicting, Invalid, Refused
from tests.support.billing import DOCTOR, OTHER_DOCTOR, VISIT, Till, a_visit, an_item, wrong_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from billing.model import Bill, Sums
    from billing.visits import Visit

FEES = some.sampled_from([50_000, 33_333, 80_001, 19, 1, 0])
AMOUNTS = some.one_of(some.integers(1, 90_000), some.sampled_from([1, 52_500, 26_250]))
PAYMENTS = some.sampled_from([f"payment-{number}" for number in range(4)])
REFUNDS = some.sampled_from([f"refund-{number}" for number in range(4)])
TRANSFERS = some.one_of(PAYMENTS, REFUNDS)
FAULTS = some.sampled_from(["", "", "loses_answers", "is_contended"])
LATE = [7201, 7200, 7199, 0, -60]


@dataclass
class Money:
    """A payment or a refund as the test remembers it."""

    amount: int
    state: str = ""


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.till = Till()
        self.words: list[Visit] = []
        self.moving: dict[str, Money] = {}
        self.unexpected = False
        self.settlements: set[str] = set()
        self.ledger: dict[Any, Any] = {}
        self.no_waiting = patch("hms.call._SLEEP_SECONDS", 0)
        self.no_waiting.start()

    # What happens to the visit, as its owner has it.

    @initialize(fee=FEES)
    def is_booked(self, fee: int) -> None:
        self.says(a_visit(fee=fee))

    @precondition(lambda self: self.visit.status == "SCHEDULED")
    @rule(fee=FEES, days=some.integers(0, 3))
    def is_moved_to_another_doctor(self, fee: int, days: int) -> None:
        other = OTHER_DOCTOR if self.visit.doctor_id == DOCTOR else DOCTOR
        start = self.visit.slot_start + timedelta(days=days)
        told = {"amount": f"{fee // 100}.{fee % 100:02}", "currency": "INR"}
        self.changes("SCHEDULED", doctor_id=other, slot_start=start, consultation_fee=told)

    @precondition(lambda self: self.visit.status in ("SCHEDULED", "CHECKED_IN"))
    @rule(by=some.sampled_from(["PATIENT", "PATIENT", "DOCTOR", "CLINIC"]), seconds=some.sampled_from(LATE))
    def is_cancelled(self, by: str, seconds: int) -> None:
        self.changes("CANCELLED", cancellation={"requested_by": by, "seconds_before_start": seconds})

    @precondition(lambda self: self.visit.status == "SCHEDULED")
    @rule()
    def is_a_no_show(self) -> None:
        self.changes("NO_SHOW")

    @precondition(lambda self: self.visit.status == "NO_SHOW")
    @rule()
    def is_reinstated(self) -> None:
        self.changes("CHECKED_IN")

    @precondition(lambda self: self.visit.status in ("SCHEDULED", "CHECKED_IN"))
    @rule()
    def is_completed(self) -> None:
        self.changes("COMPLETED")

    @rule()
    def is_noted(self) -> None:
        self.changes(self.visit.status)

    # What flows ask, often with a word that has grown old on the way.

    @rule(age=some.sampled_from([0, 0, 0, 1, 2]), fault=FAULTS)
    def open_bill(self, age: int, fault: str) -> None:
        self.with_fault(fault, lambda: self.till.open_bill(self.word(age)))

    @rule(age=some.sampled_from([0, 0, 0, 1, 2]), fault=FAULTS)
    def settle(self, age: int, fault: str) -> None:
        before = self.bill
        try:
            decision = self.with_fault(fault, lambda: self.till.settle(self.word(age)))
        except Reserved:
            assert before is not None
            assert before.sums.reserved or before.sums.refund_reserved
            return
        bill = self.bill
        if decision.outcome == "settled" and bill is not None:
            self.settlements.add(bill.settlement_id or "")
            if before is None or before.version != bill.version:
                self.is_as_the_policy_says(bill, before, self.word(age))

    @precondition(lambda self: self.settlements)
    @rule(data=some.data(), fault=FAULTS)
    def unsettle(self, data: some.DataObject, fault: str) -> None:
        settlement = data.draw(some.sampled_from(sorted(self.settlements)))
        self.with_fault(fault, lambda: self.till.unsettle(settlement))

    @precondition(lambda self: self.bill)
    @rule(name=TRANSFERS, amount=AMOUNTS, fault=FAULTS)
    def reserve(self, name: str, amount: int, fault: str) -> None:
        money = self.moving.get(name) or Money(amount)
        refused = self.refusal(fault, lambda: self.till.reserve(money.amount, name, kind=kind_of(name)))
        assert (refused == "ALREADY_DECIDED") == (money.state == "RELEASED")
        if refused is None:
            self.moving[name] = money
            money.state = money.state or "RESERVED"

    @precondition(lambda self: self.bill)
    @rule(name=TRANSFERS, amount=AMOUNTS, fault=FAULTS, reserved=some.sampled_from([True, True, True, False]))
    def apply(self, name: str, amount: int, fault: str, reserved: bool) -> None:
        money = self.moving.get(name) or Money(amount)
        if reserved and money.state != "RESERVED":
            return
        self.with_fault(fault, lambda: self.till.apply(money.amount, name, kind=kind_of(name)))
        self.unexpected |= money.state in ("", "RELEASED")
        money.state = "APPLIED"
        self.moving[name] = money

    @precondition(lambda self: self.bill)
    @rule(name=TRANSFERS, amount=AMOUNTS, fault=FAULTS)
    def release(self, name: str, amount: int, fault: str) -> None:
        money = self.moving.setdefault(name, Money(amount))
        failure = Failure("CARD_CLOSED", "The card is closed.")
        answer = self.with_fault(fault, lambda: self.till.release(money.amount, name, failure, kind=kind_of(name)))
        assert answer == ("applied" if money.state == "APPLIED" else "ok")
        money.state = "APPLIED" if money.state == "APPLIED" else "RELEASED"

    # What people do.

    @precondition(lambda self: self.bill)
    @rule(price=some.integers(0, 30_000), fault=FAULTS)
    def adjust(self, price: int, fault: str) -> None:
        self.refusal(fault, lambda: self.till.adjust(self.bill_id, an_item(price, quantity=3)))

    @precondition(lambda self: self.bill)
    @rule(amount=AMOUNTS, rate=some.sampled_from(["0.00", "5.00", "12.34"]), fault=FAULTS)
    def discount(self, amount: int, rate: str, fault: str) -> None:
        self.refusal(fault, lambda: self.till.discount(self.bill_id, amount, tax_rate=rate))

    @precondition(lambda self: self.bill)
    @rule(amount=AMOUNTS, fault=FAULTS)
    def write_off(self, amount: int, fault: str) -> None:
        self.refusal(fault, lambda: self.till.write_off(self.bill_id, amount))

    @precondition(lambda self: self.bill and self.bill.sums.paid == 0)
    @rule(fault=FAULTS, sure=some.sampled_from([False, False, True]))
    def void(self, fault: str, sure: bool) -> None:
        if sure:
            self.refusal(fault, lambda: self.till.void(self.bill_id))

    @rule(fault=FAULTS, word=some.sampled_from(["retry", "resolve"]))
    def looks_at_the_work_list(self, fault: str, word: str) -> None:
        for exception in self.till.exceptions():
            self.refusal(fault, lambda: getattr(self.till, word)(exception.exception_id))  # noqa: B023  (run at once)

    # What holds after every step.

    @invariant()
    def every_unit_is_explained(self) -> None:
        if (bill := self.bill) is not None:
            assert wrong_with(bill, self.till.postings(), unexpected=self.unexpected) == []

    @invariant()
    def what_is_paid_is_what_was_applied_and_each_once(self) -> None:
        if (bill := self.bill) is None:
            return
        for kind, paid, reserved in (
            ("PAYMENT", bill.sums.paid, bill.sums.reserved),
            ("REFUND", bill.sums.refunded, bill.sums.refund_reserved),
        ):
            assert paid == self.total(kind, "APPLIED")
            assert reserved == self.total(kind, "RESERVED")
        entries = [entry for posting in self.till.postings() for entry in posting.entries if entry.transaction_id]
        applied = [ids.derived(name) for name, money in self.moving.items() if money.state == "APPLIED"]
        assert sorted(entry.transaction_id or "" for entry in entries) == sorted(applied)

    @invariant()
    def the_status_is_what_the_sums_say(self) -> None:
        if (bill := self.bill) is not None:
            assert bill.status is status_of(bill.sums)

    @invariant()
    def what_is_written_never_changes(self) -> None:
        written = {
            key: item
            for key, item in self.till.table.items.items()
            if key.sk.startswith(("ledger#", "event#", "claim"))
        }
        assert {key: written.get(key) for key in self.ledger} == self.ledger
        self.ledger = written

    @invariant()
    def every_version_is_told_and_every_flag_has_its_exception(self) -> None:
        if (bill := self.bill) is None:
            return
        assert len(self.till.events()) == bill.version
        waiting = {one.exception_id for one in self.till.exceptions()}
        assert bill.flagged is None or bill.flagged in waiting

    def teardown(self) -> None:
        """However it went: once all money has come or not, and people have looked, the bill is as the visit is."""
        try:
            self.comes_to_an_end()
        finally:
            self.no_waiting.stop()

    def comes_to_an_end(self) -> None:
        if not self.words:
            return
        for name, money in self.moving.items():
            if money.state == "RESERVED":
                self.till.release(money.amount, name, kind=kind_of(name))
        for exception in self.till.exceptions():
            self.till.resolve(exception.exception_id)
        decision = self.till.settle(self.visit)
        assert decision.outcome == ("settled" if self.visit.outcome else "superseded")
        bill = self.bill
        if bill is None or self.unexpected or not self.visit.outcome:
            return
        assert bill.settlement is not None
        assert bill.settlement.outcome is self.visit.outcome
        if credit := bill.sums.credit:
            self.till.refund(credit, "the last")
        assert self.till.bill.sums.credit == 0
        assert self.till.bill.sums.outstanding >= 0

    # How the test gets there.

    @property
    def visit(self) -> Visit:
        return self.words[-1]

    @property
    def bill_id(self) -> str:
        return bill_id_of(VISIT)

    @property
    def bill(self) -> Bill | None:
        stored = self.till.bills.load(self.bill_id)
        return stored.state if stored else None

    def word(self, age: int) -> Visit:
        return self.words[max(0, len(self.words) - 1 - age)]

    def changes(self, status: str, **told: Any) -> None:
        fields = {"version": self.visit.version + 1, "status": status, **told}
        self.says(a_visit(**self.visit.model_dump(mode="json") | fields))

    def says(self, visit: Visit) -> None:
        self.words.append(visit)

    def total(self, kind: str, state: str) -> int:
        return sum(one.amount for name, one in self.moving.items() if kind_of(name) == kind and one.state == state)

    def with_fault[T](self, fault: str, work: Callable[[], T]) -> T:
        if fault:
            getattr(self.till.table, fault)(1)
        try:
            return work()
        finally:
            self.till.table.before.clear()
            self.till.table.after.clear()

    def refusal(self, fault: str, work: Callable[[], object]) -> str | None:
        try:
            self.with_fault(fault, work)
        except (Conflicting, Invalid, Refused) as problem:
            return problem.code
        return None

    def is_as_the_policy_says(self, bill: Bill, before: Bill | None, visit: Visit) -> None:
        """Of a bill that this very settlement has changed."""
        assert not bill.provisional
        if visit.status == "COMPLETED" or (before and before.sums.voided and not before.settlement):
            return
        assert bill.sums.charged == fee_of(visit)
        assert bill.sums.written_off == 0


def kind_of(name: str) -> str:
    return name.partition("-")[0].upper()


def fee_of(visit: Visit) -> int:
    """The rules of a visit that did not take place once more, by fractions."""
    fee = Fraction(visit.consultation_fee.amount)
    if visit.cancellation:
        late = visit.cancellation.requested_by == "PATIENT" and visit.cancellation.seconds_before_start <= 2 * 3600
        fee = fee / 2 if late else Fraction(0)
    net = int(fee + Fraction(1, 2))
    return net + int(Fraction(net, 20) + Fraction(1, 2))


def status_of(sums: Sums) -> BillStatus:
    """The rules of status once more, in other words."""
    kept, due = sums.paid - sums.refunded, sums.charged - sums.written_off
    if due > kept:
        return BillStatus.OPEN if kept <= 0 else BillStatus.PARTIALLY_PAID
    if not sums.paid and not sums.charged and sums.voided:
        return BillStatus.VOID
    if not sums.refunded:
        return BillStatus.PAID
    return BillStatus.REFUNDED if kept <= 0 else BillStatus.PARTIALLY_REFUNDED


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
