"""Whatever happens to a visit, its bill and the money, in any order and with lost answers: every unit is explained."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from billing.model import BillStatus
from billing.rules import Failure, Reserved
from billing.settlement import bill_id_of
from hms import ids
from hms.errors import Conflicting, Invalid, Refused
from hms.money import wire
from tests.support.billing import DOCTOR, OTHER_DOCTOR, VISIT, Till, a_visit, an_item, wrong_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from billing.model import Bill, Sums
    from billing.visits import Visit
    from hms.rows import Item, Key

FEES = some.sampled_from([50_000, 33_333, 80_001, 19, 1, 0])
# How much of what may be moved, let off or refunded: all of it, a part, more.
SHARES = some.sampled_from(["all", "all", "half", "odd", "one", "more"])
AGES = some.sampled_from([0, 0, 0, 0, 1, 2])
FAULTS = some.sampled_from(["", "", "", "loses_answers", "is_contended"])
LATE = some.sampled_from([7201, 7200, 7199, -60])
CLOSED = Failure("CARD_CLOSED", "The card is closed.")


@dataclass
class Money:
    """A payment or a refund as the test remembers it."""

    amount: int
    state: str


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[Visit] = []
        self.no_waiting = patch("hms.call._SLEEP_SECONDS", 0)
        self.no_waiting.start()

    def begins(self, fee: int) -> None:
        self.till = Till()
        self.words = [a_visit(fee=fee)]
        self.moving: dict[str, Money] = {}
        self.settlements: list[str] = []
        self.written: dict[Key, Item] = {}
        self.unexpected = False
        self.newest_heard = 0

    # What happens to the visit, as its owner has it.

    @initialize(fee=FEES)
    def is_booked(self, fee: int) -> None:
        self.begins(fee)

    @precondition(lambda self: self.visit.status == "SCHEDULED")
    @rule(fee=FEES, days=some.integers(0, 3))
    def is_moved_to_another_doctor(self, fee: int, days: int) -> None:
        other = OTHER_DOCTOR if self.visit.doctor_id == DOCTOR else DOCTOR
        start = self.visit.slot_start + timedelta(days=days)
        told = {"amount": wire(fee), "currency": "INR"}
        self.changes("SCHEDULED", doctor_id=other, slot_start=start, consultation_fee=told)

    @precondition(lambda self: self.visit.status in ("SCHEDULED", "CHECKED_IN"))
    @rule(by=some.sampled_from(["PATIENT", "PATIENT", "DOCTOR", "CLINIC"]), seconds=LATE)
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

    @precondition(lambda self: self.visit.outcome and self.bill and self.bill.settlement)
    @rule(fee=FEES)
    def is_over_and_another_is_booked(self, fee: int) -> None:
        self.comes_to_an_end()
        self.begins(fee)

    # What flows ask, at times with a word that has grown old on the way.

    @rule(age=AGES, fault=FAULTS)
    def open_bill(self, age: int, fault: str) -> None:
        self.with_fault(fault, lambda: self.till.open_bill(self.word(age)))

    @rule(age=AGES, fault=FAULTS)
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
            self.settlements.append(bill.settlement_id or "")
            if before is None or before.version != bill.version:
                self.is_as_the_policy_says(bill, before, self.word(age))

    @precondition(lambda self: self.settlements)
    @rule(which=some.sampled_from([-1, -1, 0]), fault=FAULTS)
    def unsettle(self, which: int, fault: str) -> None:
        before = self.bill
        undone = self.with_fault(fault, lambda: self.till.unsettle(self.settlements[which]))
        bill = self.bill
        if before and bill and undone.outcome == "reopened" and before.settlement and bill.settlement is None:
            assert bill.sums.refunded == before.settlement.refunded
            assert not bill.sums.refund_reserved

    @precondition(lambda self: self.bill)
    @rule(share=SHARES, fault=FAULTS)
    def payment_begins(self, share: str, fault: str) -> None:
        self.begins_to_move(f"payment-{len(self.moving)}", some_of(self.sums.payable, share), fault)

    @precondition(lambda self: self.bill and self.bill.sums.paid)
    @rule(share=SHARES, fault=FAULTS)
    def refund_begins(self, share: str, fault: str) -> None:
        left = self.sums.paid - self.sums.refunded - self.sums.refund_reserved
        amount = self.sums.credit if share == "all" and self.sums.credit else some_of(left, share)
        self.begins_to_move(f"refund-{len(self.moving)}", amount, fault)

    def begins_to_move(self, name: str, amount: int, fault: str) -> None:
        if self.refusal(fault, lambda: self.till.reserve(amount, name, kind=kind_of(name))) is None:
            self.moving[name] = Money(amount, "RESERVED")

    @precondition(lambda self: self.reserved)
    @rule(data=some.data(), comes=some.sampled_from([True, True, False]), fault=FAULTS)
    def ends(self, data: some.DataObject, comes: bool, fault: str) -> None:
        name = data.draw(some.sampled_from(self.reserved))
        self.apply(name, fault) if comes else self.release(name, fault)

    @precondition(lambda self: self.moving)
    @rule(data=some.data(), step=some.sampled_from(["reserve", "release", "apply"]), fault=FAULTS)
    def comes_again(self, data: some.DataObject, step: str, fault: str) -> None:
        name = data.draw(some.sampled_from(sorted(self.moving)))
        money = self.moving[name]
        if step == "reserve":
            refused = self.refusal(fault, lambda: self.till.reserve(money.amount, name, kind=kind_of(name)))
            assert refused == ("ALREADY_DECIDED" if money.state == "RELEASED" else None)
        elif step == "release":
            self.release(name, fault)
        elif money.state == "APPLIED":
            self.apply(name, fault)

    @precondition(lambda self: self.bill)
    @rule(data=some.data(), amount=some.integers(1, 60_000), fault=FAULTS, sure=some.integers(0, 5))
    def comes_although_not_expected(self, data: some.DataObject, amount: int, fault: str, sure: int) -> None:
        if sure:
            return
        released = [name for name, money in self.moving.items() if money.state == "RELEASED"]
        name = data.draw(some.sampled_from([*released, f"payment-{len(self.moving)}", f"refund-{len(self.moving)}"]))
        self.moving.setdefault(name, Money(amount, ""))
        self.apply(name, fault)
        self.unexpected = True

    def apply(self, name: str, fault: str) -> None:
        self.with_fault(fault, lambda: self.till.apply(self.moving[name].amount, name, kind=kind_of(name)))
        self.moving[name].state = "APPLIED"

    def release(self, name: str, fault: str) -> None:
        money = self.moving[name]
        answer = self.with_fault(fault, lambda: self.till.release(money.amount, name, CLOSED, kind=kind_of(name)))
        assert answer == ("applied" if money.state == "APPLIED" else "ok")
        money.state = money.state if money.state == "APPLIED" else "RELEASED"

    # What people do.

    @precondition(lambda self: self.bill)
    @rule(price=some.integers(0, 30_000), fault=FAULTS)
    def adjust(self, price: int, fault: str) -> None:
        self.refusal(fault, lambda: self.till.adjust(self.bill_id, an_item(price, quantity=3)))

    @precondition(lambda self: self.bill and self.bill.sums.payable)
    @rule(share=SHARES, rate=some.sampled_from([0, 500, 1_234]), fault=FAULTS)
    def discount(self, share: str, rate: int, fault: str) -> None:
        net = some_of(self.sums.payable * 10_000 // (10_000 + rate), share)
        if self.refusal(fault, lambda: self.till.discount(self.bill_id, net, tax_rate=wire(rate))) is None:
            assert self.sums.outstanding >= self.sums.reserved

    @precondition(lambda self: self.bill and self.bill.sums.outstanding > 0)
    @rule(share=SHARES, fault=FAULTS)
    def write_off(self, share: str, fault: str) -> None:
        amount = some_of(self.sums.payable, share)
        if self.refusal(fault, lambda: self.till.write_off(self.bill_id, amount)) is None:
            assert self.sums.outstanding >= self.sums.reserved

    @precondition(lambda self: self.bill and self.bill.sums.paid == 0)
    @rule(fault=FAULTS, sure=some.sampled_from([False, False, True]))
    def void(self, fault: str, sure: bool) -> None:
        if sure:
            self.refusal(fault, lambda: self.till.void(self.bill_id))

    @rule(fault=FAULTS, word=some.sampled_from(["retry", "retry", "resolve"]))
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
        rows = self.till.table.items
        assert {key: rows.get(key) for key in self.written} == self.written
        self.written = {key: row for key, row in rows.items() if key.sk.startswith(("ledger#", "event#", "claim"))}

    @invariant()
    def no_older_word_on_the_visit_is_taken(self) -> None:
        if (bill := self.bill) is not None:
            assert self.newest_heard <= bill.appointment_version <= self.visit.version
            self.newest_heard = bill.appointment_version

    @invariant()
    def every_version_is_told_and_every_flag_has_its_exception(self) -> None:
        if (bill := self.bill) is None:
            return
        assert len(self.till.events()) == bill.version
        raised = {
            one.exception_id: one.resolution for one in (*self.till.exceptions(), *self.till.exceptions("RESOLVED"))
        }
        assert bill.flagged is None or raised[bill.flagged] != "Tried again"

    def teardown(self) -> None:
        """However it went: once all money has come or not, and all was tried again, the bill is as the visit is.

        Unless a person has put it right by hand: then it stays as it is.
        """
        try:
            if self.words:
                self.comes_to_an_end()
        finally:
            self.no_waiting.stop()

    def comes_to_an_end(self) -> None:
        for name in self.reserved:
            self.release(name, "")
        self.looks_at_the_work_list("", "retry")
        self.settle(0, "")
        if self.bill is None or self.bill.flagged or self.unexpected or not self.visit.outcome:
            return
        assert self.bill.settlement is not None
        assert self.bill.settlement.outcome is self.visit.outcome
        if credit := self.sums.credit:
            self.till.refund(credit, "the last")
        assert self.sums.credit == 0
        assert self.sums.outstanding >= 0

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

    @property
    def sums(self) -> Sums:
        return self.till.bill.sums

    @property
    def reserved(self) -> list[str]:
        return sorted(name for name, money in self.moving.items() if money.state == "RESERVED")

    def word(self, age: int) -> Visit:
        return self.words[max(0, len(self.words) - 1 - age)]

    def changes(self, status: str, **told: object) -> None:
        fields = {"version": self.visit.version + 1, "status": status, **told}
        self.words.append(a_visit(**self.visit.model_dump(mode="json") | fields))

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


def some_of(most: int, share: str) -> int:
    """At least one minor unit."""
    parts = {"all": most, "half": most // 2, "odd": most // 3, "one": 1, "more": most + 1}
    return max(1, parts[share])


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
TestHistories.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
