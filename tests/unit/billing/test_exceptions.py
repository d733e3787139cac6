"""The work list: what waits for a person, and what comes of their word."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from billing import exceptions, settlement
from billing.model import BillStatus
from billing.rules import Failure
from billing.settlement import bill_id_of
from hms import ids
from hms.errors import Problem
from tests.support.billing import VISIT, Till, a_call, a_principal, a_visit, an_item, cancelled, wrong_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from billing.settlement import Undone

TOTAL = 52_500


def refusal(work: Callable[[], Any]) -> str | None:
    try:
        work()
    except Problem as problem:
        return problem.code
    return None


@pytest.fixture
def flagged(till: Till) -> str:
    """The id of the exception for which a cancelled and paid visit's bill waits."""
    till.open_bill()
    till.pay(TOTAL)
    till.settle(cancelled("CLINIC"))
    undone = till.unsettle()
    assert undone.outcome == "reopened"
    return undone.exception_id or ""


@pytest.fixture
def failed(till: Till) -> str:
    """The id of the exception of a refund by hand that failed."""
    till.open_bill()
    till.pay(TOTAL)
    till.fail_refund(100)
    return till.exceptions()[0].exception_id


# What a bill is settled with next, after somebody has dealt with an exception of it.
ATTEMPTS = {"retry": 2, "resolve": 1}


@pytest.fixture(params=ATTEMPTS)
def word(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def waiting(word: str, request: pytest.FixtureRequest) -> str:
    """The id of an exception that the word is for."""
    return str(request.getfixturevalue({"retry": "flagged", "resolve": "failed"}[word]))


def test_a_retry_lets_the_bill_be_settled_again_by_another_settlement(till: Till, flagged: str) -> None:
    outcome = till.retry(flagged)

    assert (outcome.state.appointment_id, outcome.state.version) == (VISIT, 2)
    assert (outcome.state.exception.status, outcome.state.exception.resolved_by) == ("RESOLVED", "billing_clerk")
    assert (till.bill.flagged, till.bill.attempt) == (None, 2)
    decision = till.settle()
    assert (decision.outcome, till.bill.sums.credit) == ("settled", TOTAL)
    assert till.bill.settlement_id == ids.derived("settlement", till.bill.bill_id, 2, 2)
    assert till.refund(TOTAL).status is BillStatus.REFUNDED
    assert till.events()[-4:] == ["settlement_retried", "voided", "reserved", "refunded"]


def test_a_second_failure_is_a_second_exception(till: Till, flagged: str) -> None:
    till.retry(flagged)
    till.settle()

    undone = till.unsettle()

    assert undone.outcome == "reopened"
    assert undone.exception_id != flagged
    assert [one.exception_id for one in till.exceptions()] == [undone.exception_id]


def test_a_retry_refunds_what_is_left_where_some_was_refunded(till: Till) -> None:
    till.open_bill()
    till.pay(TOTAL)
    first = till.settle(cancelled("CLINIC")).bill
    till.refund(10_000)
    till.retry(till.unsettle().exception_id or "")

    decision = till.settle()

    assert (decision.outcome, till.bill.sums.credit) == ("settled", TOTAL - 10_000)
    assert first is not None
    assert till.bill.settlement_id != first.settlement_id
    assert wrong_with(till.bill, till.postings()) == []


def test_a_failure_of_the_attempt_before_undoes_nothing_of_this_one(till: Till, flagged: str) -> None:
    first = ids.derived("settlement", bill_id_of(VISIT), 2, 1)
    till.retry(flagged)
    till.settle()
    before = till.bill

    assert till.unsettle(first).outcome == "reopened"
    assert till.bill == before


def test_a_settlement_is_retried_and_not_resolved(till: Till, flagged: str) -> None:
    """Given back over the desk, the bill as it was before asks for all of it again."""
    till.refund(TOTAL)

    assert refusal(lambda: till.resolve(flagged)) == "INVALID_TRANSITION"

    till.retry(flagged)
    assert (till.settle().outcome, till.bill.flagged) == ("settled", None)
    assert (till.bill.status, till.bill.sums.credit) == (BillStatus.REFUNDED, 0)


def declined_late(till: Till, settlement_id: str) -> Undone:
    """A gateway's word on a refund that was reserved."""
    till.release(30_000, "refund-300", kind="REFUND")
    why = Failure("CARD_CLOSED", "The card is closed.")
    return settlement.unsettle(bill_id_of(VISIT), settlement_id, why, till.call(), till.bills, declined=True)


@pytest.fixture
def retried(till: Till) -> str:
    """The settlement of which one card was declined; a refund to another is still on its way, and all else is back."""
    till.open_bill()
    till.pay(30_000)
    till.pay(22_500, "payment-2")
    settled = till.settle(cancelled("CLINIC")).bill
    assert settled
    till.reserve(30_000, "refund-300", kind="REFUND")
    first = till.unsettle().exception_id or ""
    till.refund(22_500, "over the desk")
    till.retry(first)
    assert (till.settle().outcome, till.bill.sums.credit) == ("settled", 0)
    return settled.settlement_id or ""


def test_a_refund_that_is_declined_when_nobody_waits_any_more_is_settled_once_more(till: Till, retried: str) -> None:
    before = till.bill.settlement_id

    declined_late(till, retried)

    assert till.events()[-1] == "settlement_retried"
    assert (till.settle().outcome, till.bill.sums.credit) == ("settled", 30_000)
    assert till.bill.settlement_id != before
    assert till.unsettle().outcome == "flagged"
    assert [(one.kind, one.amount) for one in till.exceptions()] == [("SETTLEMENT_FAILED", 30_000)]


def test_a_refund_that_is_declined_late_and_is_not_owed_any_more_is_nobodys_case(till: Till, retried: str) -> None:
    till.release(30_000, "refund-300", kind="REFUND")
    till.refund(30_000, "the rest over the desk")
    before = till.bill

    declined_late(till, retried)

    assert (till.bill, till.exceptions()) == (before, [])


def test_while_a_person_waits_a_refund_that_is_declined_late_changes_nothing_else(till: Till) -> None:
    till.open_bill()
    till.pay(TOTAL)
    settled = till.settle(cancelled("CLINIC")).bill
    assert settled
    till.reserve(30_000, "refund-300", kind="REFUND")
    first = till.unsettle().exception_id

    declined_late(till, settled.settlement_id or "")

    assert [one.exception_id for one in till.exceptions()] == [first]
    assert (till.bill.flagged, till.bill.attempt) == (first, 1)


def test_a_later_end_of_the_visit_settles_a_flagged_bill(till: Till) -> None:
    till.open_bill()
    till.pay(TOTAL)
    till.adjust(till.bill.bill_id, an_item())
    till.pay(10_500, "payment-2")
    till.settle(a_visit("NO_SHOW", 2))
    till.unsettle()

    assert till.settle(a_visit("CHECKED_IN", 3)).outcome == "superseded"
    assert till.settle(a_visit("COMPLETED", 5)).outcome == "settled"
    assert (till.bill.flagged, till.bill.provisional, till.bill.status) == (None, False, BillStatus.PAID)
    assert till.settle(a_visit("COMPLETED", 5)).outcome == "settled"


def test_a_word_on_an_exception_is_few_reads_and_one_transaction(till: Till, waiting: str, word: str) -> None:
    assert till.calls_of(lambda: getattr(till, word)(waiting)) == (ATTEMPTS[word], 1)


def test_a_refund_that_failed_is_resolved_and_not_retried(till: Till, failed: str) -> None:
    assert refusal(lambda: till.retry(failed)) == "INVALID_TRANSITION"
    before = till.bill

    till.resolve(failed)

    assert till.exceptions() == []
    assert till.bill == before


def test_what_is_resolved_is_not_resolved_again(till: Till, waiting: str, word: str) -> None:
    getattr(till, word)(waiting)

    assert refusal(lambda: getattr(till, word)(waiting)) == "INVALID_TRANSITION"
    assert till.bill.attempt == ATTEMPTS[word]


def test_a_repeated_word_answers_the_same(till: Till, waiting: str, word: str) -> None:
    first = getattr(till, word)(waiting, call=a_call(token="key-1"))

    again = getattr(till, word)(waiting, call=a_call(token="key-1"))

    assert (again.replayed, again.state) == (True, first.state)
    assert till.bill.attempt == ATTEMPTS[word]


@pytest.mark.parametrize("fault", ["loses_answers", "is_contended"])
def test_a_lost_answer_or_a_lost_race_resolves_once(till: Till, waiting: str, word: str, fault: str) -> None:
    getattr(till.table, fault)(1)

    getattr(till, word)(waiting)

    assert (till.bill.attempt, len(till.exceptions("RESOLVED"))) == (ATTEMPTS[word], 1)


def test_a_stale_version_changes_nothing(till: Till, waiting: str, word: str) -> None:
    before = till.bill

    assert refusal(lambda: getattr(till, word)(waiting, call=a_call(if_match=2))) == "STALE_VERSION"
    assert till.bill == before


def test_exceptions_are_listed_by_status_oldest_first(till: Till, flagged: str) -> None:
    for number in range(4):
        till.now += timedelta(minutes=1)
        till.fail_refund(100, f"refund-{number}")
    till.retry(flagged)

    page = exceptions.listed("OPEN", 3, None, till.call(), till.bills)
    rest = exceptions.listed("OPEN", 3, page.last, till.call(), till.bills)

    names = [one.transaction_id for one in (*page.exceptions, *rest.exceptions)]
    assert names == [ids.derived(f"refund-{number}") for number in range(4)]
    assert [one.exception_id for one in till.exceptions("RESOLVED")] == [flagged]


def test_an_exception_is_read_by_its_id(till: Till, flagged: str) -> None:
    read = exceptions.read(flagged, till.call(), till.bills)

    assert read == till.exceptions()[0]
    assert "retry" in read.to_do
    assert refusal(lambda: exceptions.read(ids.new(), till.call(), till.bills)) == "EXCEPTION_NOT_FOUND"
    assert refusal(lambda: till.retry(ids.new())) == "EXCEPTION_NOT_FOUND"


def test_who_may_look_at_exceptions_may_not_for_that_resolve_them(till: Till, flagged: str) -> None:
    till.fail_refund(100)
    failed = next(one.exception_id for one in till.exceptions() if one.kind == "REFUND_FAILED")
    nobody, auditor = (till.call(a_principal("user", *some)) for some in ((), ("exceptions",)))
    work = (
        lambda call: exceptions.listed("OPEN", 10, None, call, till.bills),
        lambda call: exceptions.read(flagged, call, till.bills),
        lambda call: till.retry(flagged, call=call),
        lambda call: till.resolve(failed, call=call),
    )

    assert [refusal(partial(one, nobody)) for one in work] == ["FORBIDDEN"] * 4
    assert [refusal(partial(one, auditor)) for one in work] == [None, None, "FORBIDDEN", "FORBIDDEN"]
    assert len(till.exceptions()) == 2


def test_an_exception_is_told_when_it_is_raised_and_when_it_is_resolved(till: Till, failed: str) -> None:
    till.resolve(failed)

    told = till.bills.exceptions.history(failed, limit=10).items
    types = [(item.body or "").partition('"type":"')[2].partition('"')[0] for item in told]
    assert types == ["billing.exception_raised.v1", "billing.exception_resolved.v1"]
