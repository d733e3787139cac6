"""The steps of the flows and the sweep, each late, twice and in any order: what is decided stays, nothing is lost."""

from __future__ import annotations

import json
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from hms.tasks import TaskFailed
from payments import deciding, tasks
from payments.gateways import Verdict
from payments.model import Failure, Status
from tests.support.payments import BILL, CARD_DECLINED, CLERK, DECLINED, MINUTE, SECOND, SLOW, in_cash

if TYPE_CHECKING:
    from hms.tasks import Payload
    from tests.support.payments import Counter

REFUSED = {"code": "OVERPAYMENT", "detail": "It is more than what is outstanding and not on its way already."}


def ask(counter: Counter, task: str, payment_id: str, **more: str) -> Payload:
    return tasks.handler({"task": task, "payment_id": payment_id, "correlation_id": "correlation", **more})


def reserve(counter: Counter, payment_id: str) -> None:
    assert counter.owner.reserve(counter.payment(payment_id), counter.call()) is None


def lines(capsys: pytest.CaptureFixture[str], metric: str) -> list[Any]:
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in printed if metric in line]


def test_a_charge_that_comes_twice_is_made_once(counter: Counter) -> None:
    payment_id = counter.tries()
    first, again = (ask(counter, "charge", payment_id) for _ in range(2))

    assert first == again == {"outcome": "captured", "gateway_id": f"ch_{payment_id}"}
    assert len(counter.bank.moved) == 1


def test_a_charge_after_the_decision_asks_nobody(counter: Counter) -> None:
    paid = counter.paid("100.00")
    with pytest.raises(Exception, match="declined"):
        counter.pay("100.00", source=DECLINED)
    failed = next(one.transaction_id for one in counter.known() if one.status is Status.FAILED)
    before = len(counter.trouble.calls)

    assert ask(counter, "charge", paid) == {"outcome": "captured", "gateway_id": f"ch_{paid}"}
    code, detail = CARD_DECLINED
    assert ask(counter, "charge", failed) == {"outcome": "declined", "code": code, "detail": detail}
    assert counter.trouble.names(before) == ["read", "read"]


@pytest.mark.parametrize("lost", ["unheard", "unanswered"])
def test_without_an_answer_a_charge_is_pending(counter: Counter, lost: Any) -> None:
    payment_id = counter.tries()
    counter.trouble.next(lost, after=2)

    assert ask(counter, "charge", payment_id) == {"outcome": "pending"}
    assert counter.trouble.calls[-1] == "bank:charge"
    assert ask(counter, "charge", payment_id)["outcome"] == "captured"
    assert len(counter.bank.moved) == 1


@pytest.mark.parametrize("status", ["PENDING", "ABSENT"])
def test_what_the_gateway_has_not_decided_is_pending(counter: Counter, status: Any) -> None:
    payment_id = counter.tries()
    counter.bank.charges[payment_id] = Verdict(status)

    assert ask(counter, "charge", payment_id) == {"outcome": "pending"}


def test_completing_twice_is_once_and_counted_once(counter: Counter, capsys: pytest.CaptureFixture[str]) -> None:
    payment_id = counter.tries()
    for gateway_id in ("ch_1", "ch_2"):
        assert ask(counter, "complete_payment", payment_id, gateway_id=gateway_id) == {"outcome": "ok"}

    assert (counter.payment(payment_id).gateway_id, counter.payment(payment_id).version) == ("ch_1", 2)
    (line,) = lines(capsys, "payments_completed_total")
    assert (line["method"], line["transaction_id"], line["bill_id"]) == ("CARD", payment_id, BILL)


def test_a_decision_whose_answer_was_lost_is_counted_all_the_same(
    counter: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    payment_id = counter.tries()
    counter.trouble.next("unanswered", after=1)

    ask(counter, "complete_payment", payment_id, gateway_id="ch_1")

    assert counter.payment(payment_id).version == 2
    assert len(lines(capsys, "payments_completed_total")) == 1


def test_failing_twice_is_once_and_the_first_reason_stays(counter: Counter, capsys: pytest.CaptureFixture[str]) -> None:
    payment_id = counter.tries()
    for code in ("OVERPAYMENT", "ALREADY_DECIDED"):
        assert ask(counter, "fail_payment", payment_id, code=code, detail="Why.") == {"outcome": "ok"}

    failure = counter.payment(payment_id).failure
    assert failure == Failure(code="OVERPAYMENT", detail="Why.")
    (line,) = lines(capsys, "payments_failed_total")
    assert (line["code"], line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]) == ("OVERPAYMENT", [["code"]])


def test_what_has_failed_cannot_be_reserved_any_more(counter: Counter) -> None:
    """A reservation that comes late would never end."""
    payment_id = counter.tries()
    ask(counter, "fail_payment", payment_id, **REFUSED)
    refusal = counter.owner.reserve(counter.payment(payment_id), counter.call())

    assert refusal
    assert refusal.code == "ALREADY_DECIDED"
    assert counter.account.reserved == 0


def test_a_refusal_that_comes_while_another_flow_charges_fails_nothing(counter: Counter) -> None:
    """Billing refused one flow; meanwhile room was made, and another flow has reserved and asked the gateway."""
    payment_id = counter.tries(source=SLOW)
    reserve(counter, payment_id)
    ask(counter, "charge", payment_id)

    assert ask(counter, "fail_payment", payment_id, **REFUSED) == {"outcome": "ok"}
    assert counter.payment(payment_id).status is Status.PENDING
    assert counter.account.reserved == 52500

    counter.bank.later(payment_id, captured=True)
    counter.sweep()
    assert counter.payment(payment_id).status is Status.COMPLETED


def test_what_the_desk_has_taken_does_not_fail_either(counter: Counter) -> None:
    payment_id = counter.tries(**in_cash())
    reserve(counter, payment_id)
    ask(counter, "charge", payment_id)
    ask(counter, "fail_payment", payment_id, **REFUSED)

    counter.sweep()

    assert counter.payment(payment_id).status is Status.COMPLETED
    counter.comes_to_rest()


def test_failing_a_completed_payment_changes_nothing(counter: Counter) -> None:
    paid = counter.paid()
    before = counter.payment(paid)

    assert ask(counter, "fail_payment", paid, **REFUSED) == {"outcome": "ok"}
    assert counter.payment(paid) == before
    assert counter.account.paid == 52500


def test_money_that_moved_after_it_failed_is_a_fault_and_nothing_is_written_over(
    counter: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    payment_id = counter.tries()
    ask(counter, "fail_payment", payment_id, **REFUSED)
    before = counter.payment(payment_id)

    with pytest.raises(TaskFailed, match="Contradiction"):
        ask(counter, "complete_payment", payment_id, gateway_id="ch_1")
    assert counter.payment(payment_id) == before
    (line,) = lines(capsys, "money_contradicted_total")
    assert (line["kind"], line["status"], line["transaction_id"], line["level"]) == (
        "PAYMENT",
        "FAILED",
        payment_id,
        "ERROR",
    )


def test_what_is_in_the_ledger_never_fails(counter: Counter) -> None:
    payment_id = counter.tries()
    counter.owner.apply(counter.payment(payment_id), counter.call())

    with pytest.raises(TaskFailed, match="Contradiction"):
        ask(counter, "fail_payment", payment_id, **REFUSED)
    assert counter.payment(payment_id).status is Status.PENDING


@pytest.mark.parametrize("task", ["charge", "complete_payment", "fail_payment"])
def test_a_step_of_a_payment_that_is_not_there_is_a_fault(counter: Counter, task: str) -> None:
    with pytest.raises(TaskFailed, match="Unknown"):
        ask(counter, task, "nobody", gateway_id="ch_1", **REFUSED)


LATE = [
    ("reserve", {}),
    ("charge", {}),
    ("apply", {}),
    ("complete_payment", {"gateway_id": "ch"}),
]


@pytest.mark.parametrize("order", [*permutations(range(len(LATE)))])
def test_after_a_flow_has_ended_its_tasks_change_nothing_in_whatever_order_they_come(
    counter: Counter, order: tuple[int, ...]
) -> None:
    paid = counter.paid()
    before, ledger = counter.payment(paid), list(counter.billing.ledger)
    for at in (*order, *order):
        task, more = LATE[at]
        if task in ("reserve", "apply"):
            getattr(counter.owner, task)(counter.payment(paid), counter.call())
        else:
            ask(counter, task, paid, **more)

    assert (counter.payment(paid), counter.billing.ledger) == (before, ledger)
    counter.comes_to_rest()


@pytest.mark.parametrize("order", [*permutations(["reserve", "charge", "release", "fail_payment"])])
def test_after_a_decline_its_tasks_change_nothing_in_whatever_order_they_come(
    counter: Counter, order: tuple[str, ...]
) -> None:
    with pytest.raises(Exception, match="declined"):
        counter.pay(source=DECLINED)
    (before,) = counter.known()
    for task in (*order, *order):
        if task == "reserve":
            assert counter.owner.reserve(before, counter.call())
        elif task == "release":
            assert counter.owner.release(before, None, counter.call())
        else:
            ask(counter, task, before.transaction_id, **REFUSED)

    assert counter.known() == [before]
    counter.comes_to_rest()


def test_the_sweep_takes_up_what_is_a_minute_old_and_not_a_second_before(counter: Counter) -> None:
    payment_id = counter.tries()

    assert counter.sweep(59 * SECOND)["fired"] == 0
    assert counter.sweep(SECOND)["fired"] == 1
    assert counter.payment(payment_id).failure == Failure(
        code="EXPIRED", detail="The payment was not confirmed in time and was called off; nothing was taken."
    )


def test_the_sweep_calls_off_what_is_pending_so_that_it_is_never_captured(counter: Counter) -> None:
    payment_id = counter.pay(source=SLOW).state.payment_id
    counter.sweep()
    counter.bank.later(payment_id, captured=True)

    assert counter.payment(payment_id).failure
    assert (counter.bank.moved, counter.account.reserved) == ([], 0)
    assert ask(counter, "charge", payment_id)["outcome"] == "declined"


def test_the_sweep_completes_what_was_captured_unheard(counter: Counter) -> None:
    counter.trouble.next("unanswered", after=6)
    pending = counter.pay().state
    assert (counter.trouble.calls[6], pending.status) == ("bank:charge", Status.PENDING)

    counter.sweep()

    assert counter.payment(pending.payment_id).status is Status.COMPLETED
    assert counter.account.paid == 52500


def test_the_sweep_fails_what_was_declined_unheard_with_the_gateways_reason(counter: Counter) -> None:
    counter.trouble.next("unanswered", after=6)
    pending = counter.pay(source=DECLINED).state

    counter.sweep()

    failure = counter.payment(pending.payment_id).failure
    assert (failure and failure.code) == "CARD_DECLINED"
    assert "bank:void" not in counter.trouble.calls


def test_a_capture_that_is_faster_than_being_called_off_counts(counter: Counter) -> None:
    payment_id = counter.pay(source=SLOW).state.payment_id
    look = counter.bank.look

    def late(order: Any) -> Verdict:
        verdict = look(order)
        counter.bank.later(payment_id, captured=True)
        return verdict

    counter.bank.look = late  # type: ignore[method-assign]
    counter.sweep()

    assert counter.payment(payment_id).status is Status.COMPLETED
    counter.comes_to_rest()


def test_cash_is_not_called_off_but_completed(counter: Counter) -> None:
    payment_id = counter.tries(**in_cash())
    counter.sweep()

    assert counter.payment(payment_id).status is Status.COMPLETED
    assert counter.account.paid == 52500


def test_cash_for_which_the_bill_has_no_room_any_more_is_in_the_ledger_and_a_case_for_a_person(
    counter: Counter,
) -> None:
    """Whoever took it heard that it is on its way: it lies in the drawer."""
    late = counter.tries(**in_cash())
    counter.paid()
    counter.sweep()

    assert counter.payment(late).status is Status.COMPLETED
    assert counter.account.paid == 2 * 52500
    assert counter.billing.exceptions == [("UNRESERVED_CAPTURE", late)]


def test_a_silent_gateway_is_looked_at_after_longer_and_longer_and_for_ever(counter: Counter) -> None:
    payment_id = counter.pay(source=SLOW).state.payment_id
    counter.bank.silent = True
    looked: list[int] = []
    for minute in range(1, 400):
        before = len(counter.trouble.calls)
        counter.sweep()
        looked += [minute] if "bank:look" in counter.trouble.names(before) else []

    assert looked == [1, 2, 4, 8, 16, 32, 64, 124, 184, 244, 304, 364]
    assert counter.payment(payment_id).status is Status.PENDING
    assert counter.account.reserved == 52500

    counter.bank.silent = False
    counter.sweep(60 * MINUTE)
    assert counter.payment(payment_id).status is Status.FAILED


def test_while_billing_is_silent_the_sweep_comes_again_each_minute(counter: Counter) -> None:
    payment_id = counter.pay(source=SLOW).state.payment_id
    counter.billing.down = True

    assert [counter.sweep()["failed"] for _ in range(3)] == [1, 1, 1]
    counter.billing.down = False
    assert counter.sweep()["fired"] == 1
    assert counter.payment(payment_id).status is Status.FAILED


def test_one_that_cannot_be_decided_stops_no_other(counter: Counter) -> None:
    stuck = counter.tries("1.00", source=SLOW)
    counter.owner.apply(counter.payment(stuck), counter.call())
    other = counter.tries("1.00", call=counter.call(CLERK))

    assert counter.sweep()["failed"] == 1
    assert counter.payment(other).status is Status.FAILED
    assert counter.payment(stuck).status is Status.PENDING


def test_the_words_of_a_verdict_are_kept_for_the_payer(counter: Counter) -> None:
    payment_id = counter.tries(source=DECLINED)

    assert deciding.charge(payment_id, counter.office) == Verdict("DECLINED", None, *CARD_DECLINED)
