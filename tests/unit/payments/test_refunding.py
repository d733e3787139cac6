"""Money goes back: never more than came, by hand and at the end of a visit, and where it fails somebody is told."""

from __future__ import annotations

import threading
from collections import Counter as Tally
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from hms.errors import Busy, Problem
from hms.tasks import TaskFailed
from payments import listing, refunding, tasks
from payments.gateways import Verdict
from payments.model import Method, Refund, Status
from payments.query import ListRefunds
from payments.store import Refunds
from tests.support.payments import (
    ANOTHER_PATIENT,
    AUDITOR,
    BILL,
    CARD_DECLINED,
    CLERK,
    MINUTE,
    SECOND,
    THE_PATIENT,
    in_cash,
)
from tests.support.trouble import Died

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.tasks import Payload
    from payments.store import Basis
    from tests.support.payments import Counter

NO = Verdict("DECLINED", None, *CARD_DECLINED)
OVER = ids.derived("settlement", 1)


def refusal(work: Callable[[], Any]) -> str | None:
    try:
        work()
    except Problem as problem:
        return problem.code
    return None


def refunds(counter: Counter) -> list[Refund]:
    return sorted((one for one in counter.known() if isinstance(one, Refund)), key=lambda one: one.amount)


def test_a_payment_goes_back_the_way_it_came(counter: Counter) -> None:
    paid = counter.paid()
    back = counter.refund(paid, "262.50").state

    assert (back.status, back.amount, back.payment_id, back.bill_id) == (Status.COMPLETED, 26250, paid, BILL)
    assert (back.gateway, back.gateway_id, back.requested_by) == ("bank", f"re_{back.refund_id}", CLERK.user_id)
    assert counter.bank.moved == [(paid, 52500), (back.refund_id, -26250)]
    assert (counter.account.refunded, counter.account.refund_reserved) == (26250, 0)
    assert counter.events("refund", back.refund_id) == ["payments.refund_requested.v1", "payments.refund_completed.v1"]


def test_a_key_that_is_used_while_the_rows_are_read_is_replayed_not_refused(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several rows are not read at one moment: what is given back already is of the request with the same key."""
    paid, call, read = counter.paid(), counter.call(key="one"), Refunds.basis

    def overtaken(book: Refunds, *asked: str) -> Basis:
        monkeypatch.setattr(Refunds, "basis", read)
        counter.refund(paid, call=call)
        return read(book, *asked)._replace(opened=None)

    monkeypatch.setattr(Refunds, "basis", overtaken)
    outcome = counter.refund(paid, call=call)

    assert (outcome.replayed, outcome.state.status) == (True, Status.COMPLETED)
    assert len(counter.bank.moved) == 2


def test_what_a_refund_asks_of_others_is_counted(counter: Counter) -> None:
    """The request: two reads, one commit and the flow. The flow: two steps on each side."""
    paid = counter.paid()

    assert counter.calls_of(lambda: counter.refund(paid)) == [
        "read",
        "commit",
        *("billing:reserve", "read", "commit", "bank:refund", "billing:apply", "read", "commit"),
        "read",
    ]


def test_cash_goes_back_over_the_desk(counter: Counter) -> None:
    paid = counter.paid(**in_cash())

    assert counter.refund(paid).state.gateway == "desk"
    assert counter.bank.moved == []
    counter.comes_to_rest()


def test_no_more_goes_back_than_came(counter: Counter) -> None:
    paid = counter.paid()
    counter.refund(paid, "500.00")
    commits = counter.table.commits

    assert refusal(lambda: counter.refund(paid, "25.01")) == "REFUND_EXCEEDS_PAYMENT"
    assert counter.table.commits == commits
    assert counter.refund(paid, "25.00").state.status is Status.COMPLETED
    assert refusal(lambda: counter.refund(paid, "0.01")) == "REFUND_EXCEEDS_PAYMENT"


def test_what_is_on_its_way_back_counts_too(counter: Counter) -> None:
    paid = counter.paid()
    counter.bank.refunds_say = Verdict("PENDING")
    pending = counter.refund(paid, "500.00").state

    assert pending.status is Status.PENDING
    assert counter.office.payments.shown(paid) == (counter.payment(paid), 50000)
    assert refusal(lambda: counter.refund(paid, "25.01")) == "REFUND_EXCEEDS_PAYMENT"


def test_what_failed_to_go_back_may_go_back_another_time(counter: Counter) -> None:
    paid = counter.paid()
    counter.bank.refunds_say = NO
    for _ in range(2):
        with pytest.raises(Problem) as caught:
            counter.refund(paid, call=counter.call(key="one"))
        assert (caught.value.status, caught.value.code) == (409, "REFUND_DECLINED")
        assert caught.value.detail == "The card was declined."
    counter.bank.refunds_say = None

    assert counter.office.payments.shown(paid) == (counter.payment(paid), 0)
    assert counter.refund(paid).state.status is Status.COMPLETED


def test_a_refund_that_the_bank_declines_is_a_case_for_a_person(counter: Counter) -> None:
    paid = counter.paid()
    counter.bank.refunds_say = NO
    refusal(lambda: counter.refund(paid))

    (back,) = refunds(counter)
    assert counter.billing.exceptions == [("REFUND_FAILED", back.refund_id)]
    assert counter.account.refund_reserved == 0


def test_a_refund_that_billing_refuses_is_told_to_who_asks_and_to_nobody_else(counter: Counter) -> None:
    """The ledger has less than the payment, which only somebody else's mistake can bring about."""
    paid = counter.paid()
    counter.account.refund_reserved = 1

    assert refusal(lambda: counter.refund(paid)) == "REFUND_EXCEEDS_PAYMENT"
    assert refunds(counter)[0].status is Status.FAILED
    assert counter.billing.exceptions == []


@pytest.mark.parametrize("payment", ["pending", "failed"])
def test_only_what_is_completed_goes_back(counter: Counter, payment: str) -> None:
    payment_id = counter.tries()
    if payment == "failed":
        counter.sweep()

    assert refusal(lambda: counter.refund(payment_id)) == "INVALID_TRANSITION"
    assert refusal(lambda: counter.refund(ids.new())) == "PAYMENT_NOT_FOUND"


def test_the_same_key_refunds_once(counter: Counter) -> None:
    paid = counter.paid()
    first = counter.refund(paid, "100.00", call=counter.call(key="one"))
    again = counter.refund(paid, "100.00", call=counter.call(key="one"))

    assert (first.replayed, again.replayed, again.state) == (False, True, first.state)
    assert counter.account.refunded == 10000


def test_twenty_refunds_of_one_payment_never_exceed_it(counter: Counter) -> None:
    paid = counter.paid()
    start = threading.Barrier(20)

    def back(number: int) -> str:
        start.wait()
        return refusal(lambda: counter.refund(paid, "100.00", call=counter.call(key=str(number)))) or "ok"

    with ThreadPoolExecutor(20) as pool:
        answers = Tally(pool.map(back, range(20)))

    assert answers == {"ok": 5, "REFUND_EXCEEDS_PAYMENT": 15}
    counter.comes_to_rest()


def test_a_refund_that_the_bank_has_not_decided_is_asked_for_until_it_has(counter: Counter) -> None:
    paid = counter.paid()
    counter.bank.refunds_say = Verdict("PENDING")
    refund_id = counter.refund(paid).state.refund_id
    for _ in range(3):
        counter.sweep(4 * MINUTE)
    assert counter.refund_of(refund_id).status is Status.PENDING

    counter.bank.later(refund_id, captured=True)
    counter.sweep(60 * MINUTE)
    assert counter.refund_of(refund_id).status is Status.COMPLETED
    assert counter.trouble.calls.count("bank:refund") == 1


def test_a_refund_of_which_the_bank_never_heard_is_asked_for_again(counter: Counter) -> None:
    paid = counter.paid()
    counter.trouble.next("unheard", after=5)
    pending = counter.refund(paid).state
    assert (counter.trouble.calls[-2:], pending.status) == (["bank:refund", "read"], Status.PENDING)

    counter.sweep()

    assert counter.refund_of(pending.refund_id).status is Status.COMPLETED


def test_the_sweep_begins_what_was_never_begun(counter: Counter) -> None:
    paid = counter.paid()
    counter.waiting = True
    refund_id = counter.refund(paid).state.refund_id
    counter.sweep()

    assert counter.refund_of(refund_id).status is Status.COMPLETED


def test_money_that_went_back_after_it_failed_is_a_fault(counter: Counter) -> None:
    paid = counter.paid()
    counter.bank.refunds_say = NO
    refusal(lambda: counter.refund(paid))
    refund_id = refunds(counter)[0].refund_id

    with pytest.raises(TaskFailed, match="Contradiction"):
        tasks.handler({"task": "complete_refund", "refund_id": refund_id, "gateway_id": "re_1"})
    assert counter.refund_of(refund_id).status is Status.FAILED


def test_refunds_are_read_and_listed_newest_first(counter: Counter) -> None:
    paid = counter.paid()
    made: list[Refund] = []
    for amount in ("1.00", "2.00", "3.00"):
        counter.now += SECOND
        made.insert(0, counter.refund(paid, amount).state)
    params = ListRefunds.model_validate({"payment_id": paid, "limit": 2})
    page = listing.refunds(params, counter.call(AUDITOR), counter.office)
    rest = listing.refunds(params.model_copy(update={"cursor": page.next_cursor}), counter.call(), counter.office)

    assert [*page.items, *rest.items] == made
    assert rest.next_cursor is None
    assert refunding.read(made[0].refund_id, counter.call(THE_PATIENT), counter.office) == made[0]
    for work in (
        lambda: refunding.read(made[0].refund_id, counter.call(ANOTHER_PATIENT), counter.office),
        lambda: listing.refunds(params, counter.call(ANOTHER_PATIENT), counter.office),
        lambda: refunding.read(ids.new(), counter.call(THE_PATIENT), counter.office),
    ):
        assert refusal(work) == "FORBIDDEN"
    assert refusal(lambda: refunding.read(ids.new(), counter.call(), counter.office)) == "REFUND_NOT_FOUND"


def settle(counter: Counter, amount: int | None = None, settlement: str = OVER) -> Payload:
    credit = counter.account.credit if amount is None else amount
    asked = {"bill_id": BILL, "settlement": settlement, "amount": credit, "currency": "INR"}
    return tasks.handler({"task": "refund_bill", "correlation_id": "correlation", **asked})


def test_a_settlement_whose_refunds_another_run_opens_between_two_reads_has_not_failed(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid, read = counter.paid(), Refunds.basis

    def overtaken(book: Refunds, *asked: str) -> Basis:
        monkeypatch.setattr(Refunds, "basis", read)
        assert settle(counter, 52500) == {"outcome": "refunded"}
        return read(book, *asked)._replace(opened=None)

    monkeypatch.setattr(Refunds, "basis", overtaken)
    counter.account.charged = 0

    assert settle(counter, 52500) == {"outcome": "refunded"}
    assert counter.bank.moved == [(paid, 52500), (ids.derived("refund", OVER, paid), -52500)]


@pytest.fixture
def paid_thrice(counter: Counter) -> list[str]:
    """100.00 in cash, 200.00 and 225.00 by card; oldest first."""
    made = []
    for changes in (in_cash("100.00"), {"amount": "200.00"}, {"amount": "225.00"}):
        made.append(counter.paid(**changes))
        counter.now += SECOND
    return made


def test_a_visits_end_pays_back_newest_first(counter: Counter, paid_thrice: list[str]) -> None:
    counter.account.charged = 15000

    assert settle(counter) == {"outcome": "refunded"}
    assert [(one.payment_id, one.amount) for one in refunds(counter)] == [
        (paid_thrice[1], 15000),
        (paid_thrice[2], 22500),
    ]
    assert {one.settlement for one in refunds(counter)} == {OVER}
    assert (counter.account.outstanding, counter.account.credit) == (0, 0)


def test_asked_again_a_visits_end_pays_nothing_back_twice(counter: Counter, paid_thrice: list[str]) -> None:
    counter.account.charged = 0
    settle(counter)

    assert settle(counter, 52500) == settle(counter, 0) == {"outcome": "refunded"}
    assert counter.account.refunded == 52500
    assert len(refunds(counter)) == 3


def test_how_it_was_spread_at_first_is_how_it_stays(counter: Counter, paid_thrice: list[str]) -> None:
    """The function died with one of three refunds open; by then the bill's credit reads less."""
    counter.account.charged = 0
    counter.waiting = True
    counter.trouble.next("dies before", after=8)
    with pytest.raises(BaseException, match="commit"):
        settle(counter)
    assert [one.amount for one in refunds(counter)] == [22500]
    counter.sweep()
    counter.waiting = False

    assert settle(counter) == {"outcome": "refunded"}
    assert [one.amount for one in refunds(counter)] == [10000, 20000, 22500]
    assert counter.account.credit == 0


def test_what_is_not_decided_leaves_the_settlement_pending(counter: Counter, paid_thrice: list[str]) -> None:
    counter.account.charged = 42500
    counter.bank.refunds_say = Verdict("PENDING")

    assert settle(counter) == {"outcome": "pending"}
    counter.bank.later(refunds(counter)[0].refund_id, captured=True)
    counter.sweep()
    assert settle(counter, 10000) == {"outcome": "refunded"}
    assert counter.account.refunded == 10000


def test_one_that_fails_fails_the_settlement_with_its_reason(counter: Counter, paid_thrice: list[str]) -> None:
    counter.account.charged = 42500
    counter.bank.refunds_say = NO
    failed = {"outcome": "failed", "problem": dict(zip(("code", "detail"), CARD_DECLINED, strict=True))}

    assert settle(counter) == settle(counter, 10000) == failed
    counter.bank.refunds_say = None
    assert settle(counter, settlement=ids.derived("settlement", 2)) == {"outcome": "refunded"}


def test_a_failed_settlement_asks_for_nothing_more(counter: Counter, paid_thrice: list[str]) -> None:
    """The newest is declined; the others, of which nobody was asked yet, are not paid back either."""
    counter.account.charged = 0
    counter.bank.declines_refunds_of = {paid_thrice[-1]}
    assert settle(counter)["outcome"] == "failed"

    assert {one.status for one in refunds(counter)} == {Status.FAILED}
    assert (counter.account.refunded, counter.account.refund_reserved) == (0, 0)
    assert counter.billing.exceptions == [("SETTLEMENT_FAILED", OVER)]


def test_flows_are_begun_only_while_they_can_end_in_time(
    counter: Counter, paid_thrice: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are left to the sweep."""
    instants = iter([0.0, 1.0, 14.9, 15.0])
    monkeypatch.setattr("payments.refunding.time", SimpleNamespace(monotonic=lambda: next(instants)))
    counter.account.charged = 0

    assert settle(counter) == {"outcome": "pending"}
    assert [one.status for one in refunds(counter)] == [Status.PENDING, Status.COMPLETED, Status.COMPLETED]


def test_payments_that_do_not_give_so_much_fail_the_settlement(counter: Counter) -> None:
    counter.paid("100.00")
    counter.account.paid += 5000
    counter.account.charged = 0

    answer = settle(counter)

    assert (answer["outcome"], answer["problem"]["code"]) == ("failed", "REFUND_EXCEEDS_PAYMENT")
    assert refunds(counter) == []


def test_what_was_refunded_since_it_was_reckoned_is_not_refunded_again(counter: Counter) -> None:
    paid = counter.paid()
    counter.account.charged = 0
    counter.refund(paid, "500.00")

    assert settle(counter, 52500) == {"outcome": "refunded"}
    assert [one.amount for one in refunds(counter)] == [2500, 50000]


def test_other_money_on_its_way_back_is_waited_for(counter: Counter) -> None:
    paid = counter.paid()
    counter.account.charged = 0
    counter.bank.refunds_say = Verdict("PENDING")
    other = counter.refund(paid, "500.00").state.refund_id

    with pytest.raises(TaskFailed, match="Busy"):
        settle(counter, 52500)
    counter.bank.later(other, captured=True)
    counter.bank.refunds_say = None
    assert settle(counter, 52500) == {"outcome": "refunded"}
    assert counter.account.refunded == 52500


def test_a_plan_is_kept_once_by_whoever_is_faster(counter: Counter, paid_thrice: list[str]) -> None:
    counter.account.charged = 0
    counter.trouble.next(lambda: settle(counter, 30000), after=2)

    assert settle(counter) == {"outcome": "refunded"}
    assert sum(one.amount for one in refunds(counter)) == 30000


def test_a_plan_of_which_nothing_was_begun_is_reckoned_anew(counter: Counter) -> None:
    """Somebody has paid back a part by hand before the event came again."""
    paid = counter.paid()
    counter.account.charged = 26250
    counter.trouble.next("dies before", after=5)
    with pytest.raises(Died):
        settle(counter)
    assert refunds(counter) == []

    counter.refund(paid, "100.00")

    assert settle(counter, counter.account.credit) == {"outcome": "refunded"}
    assert counter.account.outstanding == 0


def test_what_was_paid_by_card_may_be_given_back_in_cash(counter: Counter) -> None:
    paid = counter.paid()
    counter.bank.refunds_say = NO
    refusal(lambda: counter.refund(paid))

    counter.refund(paid, method="CASH")

    given = [(one.method, one.gateway, one.status) for one in refunds(counter) if one.status is Status.COMPLETED]
    assert given == [(Method.CASH, "desk", Status.COMPLETED)]
    assert counter.account.refunded == 52500
    assert len(counter.bank.moved) == 1


def test_a_silent_owner_of_bills_is_busy(counter: Counter) -> None:
    counter.paid()
    counter.billing.down = True

    with pytest.raises(Busy):
        refunding.refund_bill(BILL, OVER, 100, counter.call(), counter.office)
    assert refunds(counter) == []
