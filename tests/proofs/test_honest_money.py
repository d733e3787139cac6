"""P3 at a small size, and that what judges it has teeth."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from billing import rules
from billing import tasks as billing_tasks
from billing.settlement import bill_id_of
from hms import ids
from hms.money import wire
from payments import sweep
from payments import tasks as payments_tasks
from payments.gateways import Verdict
from tests.support.billing import VISIT, Till, a_visit, cancelled
from tests.support.payments import DECLINED, SLOW, Counter
from tools.proofs import contests, p3, sources
from tools.proofs.accounts import Accounts, Findings, Line, judged
from tools.proofs.callers import Answer
from tools.proofs.contests import Contest
from tools.proofs.deaths import Death, ends
from tools.proofs.machines import Point
from tools.proofs.sources import Source, Tried
from tools.proofs.tills import paying, refunding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.memory import MemoryTable
    from tools.proofs.ledgers import Row
    from tools.system import System

pytestmark = pytest.mark.proof
TOTAL = 52_500
NO_REFUND = Verdict("DECLINED", None, "REFUND_DECLINED", "The card's bank does not take money back.")


@pytest.mark.e2e
@pytest.mark.chaos
def test_money_is_charged_once_whatever_happens(failing_system: System) -> None:
    report = p3.prove(failing_system, full=False)

    assert report.met, report.figure


# ── a house of money in memory: both domains as deployed, the real flows, and a bank ─────────────────────────────────


class Asked:
    """The tasks of billing, as they are asked through its function."""

    def ask(self, task: str, **payload: Any) -> Any:
        return json.loads(json.dumps(billing_tasks.handler(json.loads(json.dumps({"task": task, **payload})))))


@dataclass
class House:
    counter: Counter
    till: Till

    def bill(self) -> str:
        return self.till.made({"description": "Dressing", "unit_price": "500.00"})

    def pays(self, bill_id: str, amount: str = "525.00", **how: Any) -> str:
        """The id of a payment that is through, or on its way."""
        return self.counter.pay(amount, bill_id=bill_id, **how).state.payment_id

    def visit_paid_and_called_off(self) -> str:
        """Late, so that a part of what was paid goes back."""
        bill = self.till.open_bill().bill
        assert bill
        self.pays(bill.bill_id)
        self.till.told(cancelled(seconds=7200))
        asked = {"correlation_id": "c", "appointment_id": VISIT, "version": 2}
        settled = billing_tasks.handler({"task": "settle", **asked})
        back = {"bill_id": bill.bill_id, "settlement": settled["settlement"], "amount": settled["credit"]}
        payments_tasks.handler({"task": "refund_bill", "correlation_id": "c", "currency": "INR", **back})
        return bill.bill_id

    def settles(self, *, dies_before_the_second: bool = False) -> None:
        """The flow of a visit's end, to its end; or twice, the first time only up to the first refund."""
        settled = billing_tasks.handler(
            {"task": "settle", "correlation_id": "c", "appointment_id": VISIT, "version": 2}
        )
        if settled["credit"] <= 0:
            return
        back = {"bill_id": settled["bill_id"], "settlement": settled["settlement"], "amount": settled["credit"]}
        asked = {"task": "refund_bill", "correlation_id": "c", "currency": "INR", **back}
        if dies_before_the_second:
            self.counter.waiting = True
            payments_tasks.handler(asked)
            self.counter.waiting = False
            self.counter.run(self.counter.flows[-2])
        answer = payments_tasks.handler(asked)
        if answer["outcome"] == "failed":
            told = {"bill_id": settled["bill_id"], "settlement": settled["settlement"], "problem": answer["problem"]}
            billing_tasks.handler({"task": "unsettle", "correlation_id": "c", **told})

    def accounts(self) -> Accounts:
        moved = self.counter.bank.moved
        lines = [Line("PAYMENT" if amount > 0 else "REFUND", key, abs(amount)) for key, amount in moved]
        return Accounts.of(rows(self.till.table), rows(self.counter.table), lines)

    def judged(self) -> Findings:
        accounts = self.accounts()
        return judged(accounts, accounts.bills.keys())


def rows(table: MemoryTable) -> list[Row]:
    return [{"pk": one.pk, "sk": one.sk, "body": one.body, "state": one.state} for one in table.items.values()]


@contextmanager
def a_house() -> Iterator[House]:
    counter, till = Counter(), Till()
    till.now = counter.now
    counter.billing = Asked()  # type: ignore[assignment]
    with ExitStack() as stack:
        stack.enter_context(mock.patch("billing.tasks.bills", till.bills))
        stack.enter_context(mock.patch("billing.tasks.visits", till.owners))
        stack.enter_context(counter.opened())
        yield House(counter, till)


@pytest.fixture
def house() -> Iterator[House]:
    with a_house() as house:
        yield house


@pytest.fixture
def accounts(house: House) -> Accounts:
    """Bills that were paid in parts, in cash, by a card that was declined and one that was slow, and paid back."""
    first, second, third = house.bill(), house.bill(), house.bill()
    paid = [house.pays(first, "200.00"), house.pays(first, "325.00")]
    house.counter.refund(paid[1], "100.00")
    house.pays(second, method="CASH", source=None)
    with pytest.raises(Exception, match="declined"):
        house.pays(third, source=DECLINED)
    house.pays(third, source=SLOW)
    house.counter.sweep()
    house.pays(third)
    house.visit_paid_and_called_off()
    return house.accounts()


def kinds_of(findings: Findings) -> set[str]:
    return {kind for kind in ("doubled", "lost", "stuck", "off", "unreasoned") if getattr(findings, kind)}


def test_what_is_as_it_should_be_is_judged_so(accounts: Accounts) -> None:
    findings = judged(accounts, accounts.bills.keys())

    assert findings.all == []
    assert (findings.bills, findings.captures, findings.refunds) == (4, 5, 2)
    assert (len(accounts.payments), len(accounts.statement)) == (7, 6)


def a_payment(accounts: Accounts, status: str = "COMPLETED", method: str = "CARD") -> dict[str, Any]:
    return next(one for one in accounts.payments.values() if (one["status"], one["method"]) == (status, method))


def capture(accounts: Accounts, key: str, amount: int = TOTAL) -> None:
    accounts.statement.append(Line("PAYMENT", key, amount))


def without_entry(accounts: Accounts) -> None:
    """The ledger row of a payment is gone, and nothing else."""
    key = a_payment(accounts)["payment_id"]
    for kept in accounts.bills.values():
        gone = [number for number, one in kept.ledger.items() if key in json.dumps(one)]
        for number in gone:
            del kept.ledger[number]


def doubled_entry(accounts: Accounts) -> None:
    key = a_payment(accounts)["payment_id"]
    for kept in accounts.bills.values():
        for one in kept.ledger.values():
            one["entries"] += [deepcopy(entry) for entry in one["entries"] if entry["transaction_id"] == key]


def held_for_ever(accounts: Accounts) -> None:
    kept = accounts.bills[a_payment(accounts)["bill_id"]]
    kept.state["sums"]["reserved"] = 100
    kept.history[kept.state["version"]] = kept.history[kept.state["version"]][0], kept.state
    kept.allocations[ids.new()] = {"state": "RESERVED", "kind": "PAYMENT"}


def excepted(accounts: Accounts, **told: Any) -> None:
    bill_id = a_payment(accounts)["bill_id"]
    of = {"bill_id": bill_id, "kind": "REFUND_FAILED", "code": "REFUND_DECLINED", "transaction_id": None}
    accounts.exceptions[ids.new()] = of | {"status": "OPEN"} | told


def paid_too_much(accounts: Accounts) -> None:
    kept = accounts.bills[a_payment(accounts)["bill_id"]]
    entry = {"entry_id": ids.new(), "kind": "WRITE_OFF", "amount": -20_000, "line_id": None, "transaction_id": None}
    version = max(kept.ledger)
    kept.ledger[version]["entries"].append(entry)


# What is planted, and as what it is found.
PLANTED: dict[str, tuple[Callable[[Accounts], object], set[str]]] = {
    "a capture that is there twice": (lambda one: one.statement.append(one.statement[0]), {"doubled"}),
    "a refund that is there twice": (
        lambda one: one.statement.append(next(line for line in one.statement if line.kind == "REFUND")),
        {"doubled"},
    ),
    "a capture that nobody asked for": (lambda one: capture(one, ids.new()), {"lost"}),
    "a capture of what has failed": (lambda one: capture(one, a_payment(one, "FAILED")["payment_id"]), {"lost"}),
    "a capture that the processor has not": (lambda one: one.statement.pop(0), {"lost"}),
    "a capture of a cent less": (
        lambda one: one.statement.insert(0, one.statement.pop(0)._replace(amount=19_999)),
        {"lost"},
    ),
    "a capture in another currency": (
        lambda one: one.statement.insert(0, one.statement.pop(0)._replace(currency="EUR")),
        {"lost"},
    ),
    "a ledger entry that is lost": (without_entry, {"lost", "off"}),
    "a ledger entry that is there twice": (doubled_entry, {"doubled", "off", "unreasoned"}),
    "a bill that is lost": (lambda one: one.bills.pop(a_payment(one)["bill_id"]), {"lost", "off"}),
    "a payment that is not decided": (lambda one: a_payment(one).update(status="PENDING"), {"lost", "stuck"}),
    "a payment that waits": (lambda one: one.pending.add(a_payment(one)["payment_id"]), {"stuck"}),
    "a reservation that is held for ever": (held_for_ever, {"stuck"}),
    "a hold that was let go of though the money came": (
        lambda one: (
            one.bills[a_payment(one)["bill_id"]].allocations[a_payment(one)["payment_id"]].update(state="RELEASED")
        ),
        {"stuck"},
    ),
    "a refund that is not counted": (lambda one: one.given_back.clear(), {"lost"}),
    "an exception without a refund that failed": (excepted, {"unreasoned"}),
    "money that moved and was not expected": (
        lambda one: excepted(one, kind="UNRESERVED_CAPTURE", code="UNRESERVED"),
        {"unreasoned"},
    ),
    "a bill that waits for nobody": (
        lambda one: one.bills[a_payment(one)["bill_id"]].state.update(flagged=ids.new()),
        {"off", "unreasoned"},
    ),
    "too much that was paid and nobody knows": (paid_too_much, {"off", "unreasoned"}),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_fault_is_found(planted: str, accounts: Accounts) -> None:
    bills = set(accounts.bills)
    plant, expected = PLANTED[planted]
    plant(accounts)

    assert kinds_of(judged(accounts, bills)) >= expected


def test_two_keys_that_both_capture_one_bill_are_found(house: House) -> None:
    """As where nobody asks the bill before the card is charged."""
    bill = house.bill()
    with mock.patch.object(rules, "check_reserve"), mock.patch("payments.rules.check_payable"):
        house.pays(bill)
        house.pays(bill)

    assert {"doubled", "unreasoned"} <= kinds_of(house.judged())


def test_a_capture_after_the_payment_was_given_up_is_found(house: House) -> None:
    """As where the sweep gives up what it has not called off at the processor."""
    bill = house.bill()
    payment_id = house.pays(bill, source=SLOW)
    with mock.patch.object(sweep, "_looked", return_value=Verdict("VOIDED")):
        house.counter.sweep()
    house.counter.bank.later(payment_id, captured=True)

    assert kinds_of(house.judged()) == {"lost"}


@pytest.mark.parametrize(
    ("declines", "back", "left_to_a_person"),
    [("older", 30_000, 20_000), ("newer", 0, 50_000)],
)
@pytest.mark.parametrize("dies", [False, True], ids=["", "and the function dies between the two"])
def test_what_a_settlement_owes_goes_back_only_while_it_stands(
    house: House, declines: str, back: int, left_to_a_person: int, *, dies: bool
) -> None:
    """A bill of 1,025.00 comes to a fee of 525.00; of what goes back over two cards one takes nothing."""
    house.till.open_bill()
    bill_id = bill_id_of(VISIT)
    house.till.adjust(bill_id, {"description": "Dressing", "unit_price": "476.19"})
    older = house.pays(bill_id, "725.00")
    house.counter.now += timedelta(seconds=1)
    newer = house.pays(bill_id, "300.00")
    house.counter.bank.declines_refunds_of = {older if declines == "older" else newer}
    house.till.told(a_visit("NO_SHOW", 2))

    house.settles(dies_before_the_second=dies)
    for _ in range(3):
        house.counter.sweep()

    (exception,) = house.till.exceptions()
    bill = house.till.bill
    assert (exception.kind, exception.amount, bill.flagged) == (
        "SETTLEMENT_FAILED",
        left_to_a_person,
        exception.exception_id,
    )
    assert (bill.sums.refunded, bill.sums.refund_reserved, bill.provisional) == (back, 0, not back)
    house.counter.refund(older, wire(left_to_a_person), method="CASH")
    house.till.retry(exception.exception_id)
    house.settles()
    assert (house.till.bill.status, house.till.bill.sums.charged, house.till.bill.sums.outstanding) == (
        "PARTIALLY_REFUNDED",
        52_500,
        0,
    )
    assert house.judged().all == []


def test_a_refund_that_is_declined_after_the_retry_goes_back_all_the_same(house: House) -> None:
    """One card is declined at once and its money given back over the desk; the other is declined long after."""
    bill = house.till.open_bill().bill
    assert bill
    declined = house.pays(bill.bill_id, "225.00")
    house.counter.now += timedelta(seconds=1)
    slow = house.pays(bill.bill_id, "300.00")
    bank = house.counter.bank
    late = ids.derived("refund", ids.derived("settlement", bill.bill_id, 2, 1), slow)
    bank.declines_refunds_of, bank.refunds[late] = {declined}, Verdict("PENDING")
    house.till.told(cancelled("CLINIC"))
    house.settles()
    house.counter.refund(declined, "225.00", method="CASH")
    house.till.retry(house.till.exceptions()[0].exception_id)
    house.settles()
    assert (house.till.bill.sums.credit, house.till.exceptions()) == (0, [])

    bank.later(late, captured=False)
    house.counter.sweep()
    assert (house.till.bill.sums.credit, house.till.events()[-1]) == (30_000, "settlement_retried")
    house.settles()

    assert (house.till.bill.status, house.till.bill.sums.credit) == ("REFUNDED", 0)
    assert house.judged().all == []


def test_a_refund_that_nobody_can_make_has_its_reason(house: House) -> None:
    house.counter.bank.refunds_say = NO_REFUND
    bill = house.bill()
    with pytest.raises(Exception, match="take money back"):
        house.counter.refund(house.pays(bill))
    house.visit_paid_and_called_off()

    accounts = house.accounts()
    assert judged(accounts, accounts.bills.keys()).all == []
    accounts.exceptions.clear()
    assert kinds_of(judged(accounts, accounts.bills.keys())) == {"unreasoned"}


# ── who asked and what they were told ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "told", "fine"),
    [
        ("COMPLETED", 201, True),
        ("COMPLETED", 200, True),
        ("FAILED", 402, True),
        ("COMPLETED", 402, False),
        ("FAILED", 201, False),
        ("COMPLETED", 202, False),
        ("COMPLETED", 503, False),
        ("COMPLETED", 0, False),
        (None, 402, False),
    ],
)
@pytest.mark.parametrize("kind", ["payment", "refund"])
def test_a_caller_is_to_be_told_what_became_of_it(kind: str, status: str | None, told: int, fine: bool) -> None:
    ask = paying("b") if kind == "payment" else refunding("p")
    moved = {"x": {"status": status, "bill_id": "b", "payment_id": "p"}} if status else {}
    accounts = Accounts({}, {}, moved if kind == "payment" else {}, moved if kind == "refund" else {}, set(), {}, [])

    assert (Death("x", ask, Answer(told, {}, 0)).wrong(accounts) == []) is fine


def test_a_caller_who_was_never_answered_is_found() -> None:
    assert Death("x", paying("b")).wrong(Accounts({}, {}, {}, {}, set(), {}, []))


def test_a_contest_that_paid_a_bill_twice_or_not_at_all_is_found(house: House) -> None:
    paid, unpaid = house.bill(), house.bill()
    house.pays(paid)
    accounts = house.accounts()

    assert contests.judged(Contest("50 with one key", paid, []), accounts) == []
    assert len(contests.judged(Contest("50 with one key", paid, [], wrong=["answered 500"]), accounts)) == 1
    assert len(contests.judged(Contest("12 pay a part", unpaid, []), accounts)) == 1
    assert len(contests.judged(Contest("50 with one key", unpaid, []), accounts)) == 2


def test_a_contest_hears_what_nobody_should_be_answered() -> None:
    contest = Contest("50 with one key", "b", [])
    contest.heard([Answer(201, {}, 1), Answer(409, {"code": "BILL_ALREADY_PAID"}, 2)])
    assert (contest.wrong, contest.slowest) == ([], 2)
    contest.heard([Answer(500, {"code": "INTERNAL"}, 3), Answer(0, {}, 30)])
    assert (len(contest.wrong), contest.slowest) == (2, 30)


def test_a_source_that_does_not_become_what_it_should_is_found(house: House) -> None:
    bill = house.bill()
    house.pays(bill)
    accounts = house.accounts()

    assert sources.judged([Tried(Source("tok_ok", "COMPLETED"), bill)], accounts) == []
    assert sources.judged([Tried(Source("tok_ok", "COMPLETED", "COMPLETED"), bill)], accounts)
    assert sources.judged([Tried(Source("tok_declined", "FAILED"), bill)], accounts)


def test_a_few_points_are_the_last_of_each_task() -> None:
    points = [Point("Reserve", "a#1:before"), Point("Reserve", "a#1:after"), Point("Charge", "b#1:before")]

    assert ends(points) == points[1:]
