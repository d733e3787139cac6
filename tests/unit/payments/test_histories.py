"""Whatever is lost, dies or comes late: at rest the bank, the ledger and our payments tell the same of every amount.

Flows and sweeps stop before each of their tasks and go on in any order, so that several work on one payment at once.
At each call to something outside it may not be heard, its answer may be lost, the function may die, or somebody else
does something just before.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hms import ids
from hms.errors import Problem
from hms.rows import Contention
from hms.tasks import TaskFailed
from payments import refunding
from payments.gateways import Verdict
from payments.model import Payment
from tests.support.payments import BILL, CARD_DECLINED, DECLINED, SECOND, SLOW, TOKEN, Counter, in_cash
from tests.support.trouble import WRONG, Died

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.trouble import Mood

keys = st.sampled_from(["one", "two", "three"])
amounts = st.sampled_from(["525.00", "525.00", "262.50", "100.00", "0.01"])
methods = st.sampled_from([("CARD", TOKEN), ("CARD", DECLINED), ("CARD", SLOW), ("UPI", "asha@bank"), ("CASH", None)])
# At which of the next calls something goes wrong, and what; every other time nothing does.
troubles = st.one_of(st.none(), st.tuples(st.integers(0, 9), st.sampled_from([*WRONG, "swept", "told"])))
changes = st.sampled_from(["bank silent", "bank slow", "bank declines", "billing down", "all well", "decided at last"])
picks = st.integers(0, 100)

type Trouble = tuple[int, str] | None


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.counter = self.stack.enter_context(Counter().opened())

    @initialize(method=methods, trouble=troubles)
    def somebody_pays(self, method: tuple[str, str | None], trouble: Trouble) -> None:
        self.pay("one", "525.00", method, False, trouble)

    @rule(key=keys, amount=amounts, method=methods, waits=st.booleans(), trouble=troubles)
    def pay(self, key: str, amount: str, method: tuple[str, str | None], waits: bool, trouble: Trouble) -> None:
        call = self.counter.call(key=f"pay {key}")
        self.counter.waiting = waits
        self.attempt(trouble, lambda: self.counter.pay(amount, call=call, method=method[0], source=method[1]))

    @rule(key=keys, amount=amounts, pick=picks, waits=st.booleans(), trouble=troubles)
    def refund(self, key: str, amount: str, pick: int, waits: bool, trouble: Trouble) -> None:
        payments = [one for one in self.counter.known() if isinstance(one, Payment)]
        if payments:
            payment_id = payments[pick % len(payments)].payment_id
            call = self.counter.call(key=f"refund {key}")
            self.counter.waiting = waits
            self.attempt(trouble, lambda: self.counter.refund(payment_id, amount, call=call))

    @rule(key=keys, share=st.integers(0, 100), waits=st.booleans(), trouble=troubles)
    def the_bill_becomes_less(self, key: str, share: int, waits: bool, trouble: Trouble) -> None:
        """As a settlement makes it, which never happens while something is reserved; its refund may come again."""
        account, office = self.counter.account, self.counter.office
        if account.reserved == account.refund_reserved == 0:
            account.charged = min(account.charged, account.paid * share // 100)
        call, settlement, credit = self.counter.call(), ids.derived("settlement", key), account.credit
        self.counter.waiting = waits
        if credit:
            self.attempt(trouble, lambda: refunding.refund_bill(BILL, settlement, credit, call, office))

    @rule(pick=picks, steps=st.integers(1, 9), trouble=troubles)
    def a_flow_goes_on(self, pick: int, steps: int, trouble: Trouble) -> None:
        """Of the last few: the others have died."""
        del self.counter.flows[:-4]
        if self.counter.flows:
            flow = self.counter.flows[pick % len(self.counter.flows)]
            self.attempt(trouble, lambda: [next(flow, None) for _ in range(steps)])

    @rule(pick=picks, trouble=troubles)
    def a_task_comes_again(self, pick: int, trouble: Trouble) -> None:
        """However late; what a flow asks of billing too."""
        if self.counter.sent:
            resource, payload = self.counter.sent[pick % len(self.counter.sent)]
            self.attempt(trouble, lambda: self.counter.ask(resource, payload))

    @rule(seconds=st.sampled_from([0, 1, 31, 60, 130, 3600]), trouble=troubles)
    def the_sweep_runs(self, seconds: int, trouble: Trouble) -> None:
        self.attempt(trouble, lambda: self.counter.sweep(timedelta(seconds=seconds)))

    @rule(trouble=troubles)
    def the_processor_tells(self, trouble: Trouble) -> None:
        self.attempt(trouble, self.counter.told)

    @rule(change=changes, pick=picks, captured=st.booleans())
    def others_change(self, change: str, pick: int, captured: bool) -> None:
        bank = self.counter.bank
        bank.silent, self.counter.billing.down = change == "bank silent", change == "billing down"
        verdicts = {"bank slow": Verdict("PENDING"), "bank declines": Verdict("DECLINED", None, *CARD_DECLINED)}
        bank.refunds_say = verdicts.get(change)
        asked = list(bank.amounts)
        if asked and change == "decided at last":
            bank.later(asked[pick % len(asked)], captured=captured)

    @invariant()
    def all_sides_agree(self) -> None:
        self.counter.agrees()

    def teardown(self) -> None:
        with self.stack:
            self.counter.comes_to_rest()

    def attempt(self, trouble: Trouble, work: Callable[[], object]) -> None:
        """A request or a task, which something may go wrong with."""
        if trouble:
            self.counter.trouble.next(MEANWHILE[trouble[1]](self.counter), after=trouble[0])
        quietly(work)
        self.counter.trouble.moods.clear()


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)


def nothing(_counter: Counter) -> None:
    """Nobody asks again and nobody looks."""


class Case(NamedTuple):
    """What is done, what went well before, and who asks again when all is at rest."""

    work: Callable[[Counter], object]
    before: Callable[[Counter], object] = nothing
    after: Callable[[Counter], object] = nothing


def paying(**changes: str | None) -> Case:
    return Case(lambda counter: counter.pay(**changes))  # type: ignore[arg-type]


def paying_too_late() -> Case:
    """The bill was payable when it was asked for; by the time its flow runs, somebody else has paid."""

    def before(counter: Counter) -> None:
        counter.waiting = True
        counter.pay(call=counter.call(key="one"))
        counter.waiting = False
        counter.pay(**in_cash())
        counter.now += 31 * SECOND

    return Case(lambda counter: counter.pay(call=counter.call(key="one")), before)


def refunding_it(amount: str = "525.00", says: Verdict | None = None, **changes: str | None) -> Case:
    def before(counter: Counter) -> None:
        counter.pay(**changes)  # type: ignore[arg-type]
        counter.bank.refunds_say = says

    return Case(lambda counter: counter.refund(counter.known()[0].transaction_id, amount), before)


def sweeping(*steps: str, **changes: str | None) -> Case:
    """A payment whose flow has not gone on after these steps is late."""

    def before(counter: Counter) -> None:
        counter.tries(**changes)  # type: ignore[arg-type]
        assert tuple(islice(counter.flows[-1], len(steps) + 1))[: len(steps)] == steps

    return Case(lambda counter: counter.sweep(), before)


def sweeping_a_refund(*steps: str, **changes: str | None) -> Case:
    def before(counter: Counter) -> None:
        counter.pay(**changes)  # type: ignore[arg-type]
        counter.waiting = True
        counter.refund(counter.known()[0].transaction_id)
        counter.waiting = False
        assert tuple(islice(counter.flows[-1], len(steps) + 1))[: len(steps)] == steps

    return Case(lambda counter: counter.sweep(), before)


def settling(*paid: dict[str, Any]) -> Case:
    """All but 25.00 goes back, over several payments."""

    def before(counter: Counter) -> None:
        for one in paid:
            counter.pay(**one)
            counter.now += SECOND
        counter.account.charged = 2500

    def work(counter: Counter) -> None:
        counter.ask("${PaymentsTasks}", {"task": "refund_bill", "correlation_id": "correlation", **settlement(counter)})

    def after(counter: Counter) -> None:
        """The event of the visit's end comes until it is settled."""
        if counter.account.credit:
            work(counter)
        assert counter.account.credit == 0

    return Case(work, before, after)


def settlement(counter: Counter) -> dict[str, Any]:
    return {"bill_id": BILL, "settlement": "over", "amount": counter.account.credit, "currency": "INR"}


CASES = {
    "card": paying(),
    "declined card": paying(source=DECLINED),
    "slow card": paying(source=SLOW),
    "UPI": paying(method="UPI", source="asha@bank"),
    "cash": paying(**in_cash()),
    "too late": paying_too_late(),
    "refund": refunding_it("262.50"),
    "refund of cash": refunding_it(**in_cash()),
    "declined refund": refunding_it(says=Verdict("DECLINED", None, *CARD_DECLINED)),
    "slow refund": refunding_it(says=Verdict("PENDING")),
    "sweep before all": sweeping(),
    "sweep of what is reserved": sweeping("Reserve"),
    "sweep of what is charged": sweeping("Reserve", "Charge"),
    "sweep of what is applied": sweeping("Reserve", "Charge", "Apply"),
    "sweep of what is declined": sweeping("Reserve", "Charge", source=DECLINED),
    "sweep of what is slow": sweeping("Reserve", "Charge", source=SLOW),
    "sweep of cash": sweeping(**in_cash()),
    "sweep of a refund": sweeping_a_refund(),
    "sweep of a refund that is made": sweeping_a_refund("Reserve", "RefundAtGateway"),
    "settlement": settling({"amount": "300.00"}, in_cash("125.00"), {"amount": "100.00"}),
}
MEANWHILE: dict[str, Callable[[Counter], Mood]] = {
    **{wrong: lambda _counter, wrong=wrong: wrong for wrong in WRONG},  # type: ignore[misc]
    "swept": lambda counter: counter.sweep,
    "told": lambda counter: counter.told,
    "begun again": lambda counter: counter.begin_again,
    "gone on with": lambda counter: counter.go_on,
}


def calls_of(case: Case) -> int:
    with Counter().opened() as counter:
        case.before(counter)
        return len(counter.calls_of(lambda: quietly(lambda: case.work(counter))))


def quietly(work: Callable[[], object]) -> None:
    with suppress(Problem, Contention, TaskFailed, Died):
        work()


@pytest.mark.parametrize("mood", MEANWHILE)
@pytest.mark.parametrize("name", CASES)
def test_whatever_happens_at_whichever_call_the_sweep_leaves_nothing_open(name: str, mood: str) -> None:
    """Every call of a request and of its flow, one after the other."""
    case = CASES[name]
    for number in range(calls_of(case)):
        with Counter().opened() as counter:
            case.before(counter)
            counter.trouble.next(MEANWHILE[mood](counter), after=number)
            quietly(lambda: case.work(counter))
            counter.comes_to_rest()
            case.after(counter)
            counter.comes_to_rest()
