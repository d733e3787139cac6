"""Money on its way to a bill and back: reserved, applied, released; repeated, late, and in any order."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from billing import allocations
from billing.model import AllocationState, BillStatus, ExceptionKind
from billing.rules import BillNotFound, Failure
from billing.settlement import bill_id_of
from hms import ids
from hms.errors import Problem
from tests.support.billing import PATIENT, VISIT, Till, a_visit, wrong_with

if TYPE_CHECKING:
    from collections.abc import Callable

TOTAL = 52_500
CLOSED = Failure("CARD_CLOSED", "The card is closed.")


@pytest.fixture(autouse=True)
def _booked(till: Till) -> None:
    till.open_bill()


def refusal(work: Callable[[], Any]) -> str | None:
    try:
        work()
    except Problem as problem:
        return problem.code
    return None


def state(till: Till, name: str = "payment-1") -> AllocationState | None:
    held = till.bills.scene(bill_id_of(VISIT), transaction_id=ids.derived(name)).allocation
    return held.state if held else None


def test_each_step_is_one_batch_read_and_one_transaction(till: Till) -> None:
    assert till.calls_of(lambda: till.reserve(TOTAL)) == (1, 1)
    assert till.calls_of(lambda: till.apply(TOTAL)) == (1, 1)
    assert till.table.largest == 5
    assert till.calls_of(lambda: till.reserve(TOTAL, "refund-1", kind="REFUND")) == (1, 1)
    assert till.calls_of(lambda: till.release(TOTAL, "refund-1", CLOSED, kind="REFUND")) == (1, 1)
    assert till.calls_of(lambda: till.apply(TOTAL, "refund-1", kind="REFUND")) == (1, 1)
    assert till.table.largest == 6


def test_what_is_reserved_cannot_be_paid_by_another(till: Till) -> None:
    till.reserve(50_000)

    assert (till.bill.sums.payable, till.bill.sums.outstanding, till.bill.status) == (2_500, TOTAL, BillStatus.OPEN)
    assert refusal(lambda: till.reserve(2_501, "payment-2")) == "OVERPAYMENT"
    till.reserve(2_500, "payment-2")
    assert refusal(lambda: till.reserve(1, "payment-3")) == "PAYMENT_IN_PROGRESS"
    assert till.entries() == [("CHARGE", TOTAL)]
    assert till.events() == ["opened", "reserved", "reserved"]


def test_what_is_applied_is_in_the_ledger(till: Till) -> None:
    till.reserve(TOTAL)

    bill = till.apply(TOTAL)

    assert (bill.status, bill.sums.paid, bill.sums.reserved) == (BillStatus.PAID, TOTAL, 0)
    (entry,) = till.postings()[-1].entries
    assert (entry.kind, entry.amount, entry.transaction_id) == ("PAYMENT", -TOTAL, ids.derived("payment-1"))
    assert entry.method == "CARD"
    assert till.events()[-1] == "paid"
    assert refusal(lambda: till.reserve(1, "payment-2")) == "BILL_ALREADY_PAID"


def test_what_is_released_can_be_paid_again(till: Till) -> None:
    till.reserve(TOTAL)

    assert till.release(TOTAL, failure=CLOSED) == "ok"

    assert (till.bill.sums.payable, till.events()[-1]) == (TOTAL, "released")
    assert till.entries() == [("CHARGE", TOTAL)]
    assert till.exceptions() == []
    till.pay(TOTAL, "payment-2")


def test_a_part_is_paid_to_the_minor_unit(till: Till) -> None:
    assert till.pay(1).status is BillStatus.PARTIALLY_PAID
    assert till.pay(TOTAL - 2, "payment-2").status is BillStatus.PARTIALLY_PAID
    assert refusal(lambda: till.reserve(2, "payment-3")) == "OVERPAYMENT"
    assert till.pay(1, "payment-3").status is BillStatus.PAID


@pytest.mark.parametrize("kind", ["PAYMENT", "REFUND"])
@pytest.mark.parametrize("amount", [0, -1])
def test_an_amount_is_at_least_one_minor_unit(till: Till, amount: int, kind: str) -> None:
    till.pay(100, "payment-0")

    assert refusal(lambda: till.reserve(amount, kind=kind)) == "INVALID"


@pytest.mark.parametrize("kind", ["PAYMENT", "REFUND"])
def test_money_comes_in_the_bills_currency(till: Till, kind: str) -> None:
    transfer = till.transfer(100, kind=kind)._replace(currency="USD")

    assert refusal(lambda: allocations.reserve(transfer, till.call(), till.bills)) == "CURRENCY_MISMATCH"


def test_a_bill_that_is_not_there_is_not_paid(till: Till) -> None:
    nowhere = ids.derived("bill", "nowhere")

    assert refusal(lambda: till.reserve(1, bill_id=nowhere)) == "BILL_NOT_FOUND"
    assert till.release(1, bill_id=nowhere) == "ok"
    with pytest.raises(BillNotFound):
        till.apply(1, bill_id=nowhere)


def test_a_bill_with_too_much_on_it_takes_no_more(till: Till) -> None:
    till.pay(TOTAL)
    till.settle(a_visit("COMPLETED", 2, fee=10_000))

    assert till.bill.sums.credit == 42_000
    assert refusal(lambda: till.reserve(1, "payment-2")) == "BILL_ALREADY_PAID"


def test_no_more_is_refunded_than_was_paid(till: Till) -> None:
    assert refusal(lambda: till.reserve(1, "refund-1", kind="REFUND")) == "REFUND_EXCEEDS_PAYMENT"
    till.pay(20_000)
    till.reserve(15_000, "refund-1", kind="REFUND")

    assert refusal(lambda: till.reserve(5_001, "refund-2", kind="REFUND")) == "REFUND_EXCEEDS_PAYMENT"
    till.reserve(5_000, "refund-2", kind="REFUND")
    till.apply(15_000, "refund-1", kind="REFUND")
    assert refusal(lambda: till.reserve(1, "refund-3", kind="REFUND")) == "REFUND_EXCEEDS_PAYMENT"
    till.release(5_000, "refund-2", kind="REFUND")
    assert refusal(lambda: till.reserve(5_001, "refund-3", kind="REFUND")) == "REFUND_EXCEEDS_PAYMENT"
    till.refund(5_000, "refund-3")
    assert till.bill.sums.refunded == till.bill.sums.paid == 20_000


def test_what_is_refunded_is_outstanding_again(till: Till) -> None:
    till.pay(TOTAL)

    bill = till.refund(2_500)

    assert (bill.status, bill.sums.outstanding, bill.sums.payable) == (BillStatus.PARTIALLY_PAID, 2_500, 2_500)
    assert till.entries()[-1] == ("REFUND", 2_500)
    assert till.events()[-2:] == ["reserved", "refunded"]


def test_a_refund_that_failed_is_a_case_for_a_person(till: Till) -> None:
    till.pay(TOTAL)
    till.reserve(2_500, "refund-1", kind="REFUND")

    till.release(2_500, "refund-1", CLOSED, kind="REFUND")
    till.release(2_500, "refund-1", CLOSED, kind="REFUND")

    (exception,) = till.exceptions()
    assert (exception.kind, exception.code, exception.amount) == ("REFUND_FAILED", "CARD_CLOSED", 2_500)
    assert (exception.bill_id, exception.transaction_id) == (bill_id_of(VISIT), ids.derived("refund-1"))
    assert (exception.patient_id, exception.bill_number) == (PATIENT, till.bill.bill_number)
    assert not exception.retryable
    assert till.bill.flagged is None


@pytest.mark.parametrize("kind", ["PAYMENT", "REFUND"])
def test_a_release_without_a_reason_needs_nobody(till: Till, kind: str) -> None:
    till.pay(200, "payment-0")
    till.reserve(100, kind=kind)

    till.release(100, kind=kind)

    assert till.exceptions() == []


@pytest.mark.parametrize("reserved", [True, False])
def test_nothing_is_reserved_after_it_was_released(till: Till, reserved: bool) -> None:
    if reserved:
        till.reserve(100)
    assert till.release(100) == "ok"
    assert till.release(100) == "ok"

    assert refusal(lambda: till.reserve(100)) == "ALREADY_DECIDED"
    assert state(till) is AllocationState.RELEASED
    assert till.bill.sums.reserved == 0


def test_a_release_of_what_was_never_reserved_does_not_touch_the_bill(till: Till) -> None:
    before = till.bill

    till.release(100)

    assert till.bill == before


def test_a_refund_that_failed_before_it_was_reserved_is_a_case_for_a_person_too(till: Till) -> None:
    till.release(100, "refund-1", CLOSED, kind="REFUND")

    assert [one.kind for one in till.exceptions()] == ["REFUND_FAILED"]


def test_what_is_applied_is_not_released(till: Till) -> None:
    till.pay(100)
    before = till.bill

    assert till.release(100, failure=CLOSED) == "applied"
    assert till.bill == before


@pytest.mark.parametrize("step", ["reserve", "apply"])
def test_a_repeat_finds_that_it_was_done(till: Till, step: str) -> None:
    till.reserve(100)
    if step == "apply":
        till.apply(100)
    before = till.bill

    getattr(till, step)(100)

    assert till.bill == before


def test_a_late_reservation_of_what_was_paid_changes_nothing(till: Till) -> None:
    till.pay(TOTAL)
    before = till.bill

    till.reserve(TOTAL)

    assert till.bill == before


@pytest.mark.parametrize("kind", ["PAYMENT", "REFUND"])
@pytest.mark.parametrize("released", [True, False])
def test_money_that_moved_without_a_reservation_is_in_the_ledger_with_an_exception(
    till: Till, kind: str, released: bool
) -> None:
    till.pay(TOTAL, "payment-0")
    if released:
        till.release(100, kind=kind)

    till.apply(100, kind=kind)
    till.apply(100, kind=kind)

    moved = {"PAYMENT": ("PAYMENT", -100), "REFUND": ("REFUND", 100)}[kind]
    assert till.entries()[1:] == [("PAYMENT", -TOTAL), moved]
    (exception,) = till.exceptions()
    assert (exception.kind, exception.code, exception.amount) == ("UNRESERVED_CAPTURE", "UNRESERVED", 100)
    assert (till.bill.sums.reserved, till.bill.sums.refund_reserved) == (0, 0)
    assert state(till) is AllocationState.APPLIED


def test_what_another_reserved_is_not_used_up_by_money_that_came_unreserved(till: Till) -> None:
    till.reserve(50_000)

    till.apply(TOTAL, "payment-2")

    assert (till.bill.sums.reserved, till.bill.sums.payable) == (50_000, 0)


STEPS: dict[str, Callable[[Till], Any]] = {
    "reserve": lambda till: refusal(lambda: till.reserve(100)),
    "apply": lambda till: till.apply(100),
    "release": lambda till: till.release(100),
}
ORDERS = [(*order, *more) for order in permutations(STEPS) for more in ((), order, order[::-1])]


@pytest.mark.parametrize("order", ORDERS)
def test_in_any_order_money_that_moved_is_in_the_ledger_once(till: Till, order: tuple[str, ...]) -> None:
    for step in order:
        STEPS[step](till)

    assert till.entries() == [("CHARGE", TOTAL), ("PAYMENT", -100)]
    assert (till.bill.sums.paid, till.bill.sums.reserved) == (100, 0)
    assert state(till) is AllocationState.APPLIED
    reserved_in_time = order.index("reserve") < order.index("apply") < order.index("release")
    assert len(till.exceptions()) == (0 if reserved_in_time else 1)
    assert wrong_with(till.bill, till.postings()) == []


@pytest.mark.parametrize("fault", ["loses_answers", "is_contended"])
@pytest.mark.parametrize("ends", ["apply", "release"])
def test_lost_answers_and_races_move_money_once(till: Till, ends: str, fault: str) -> None:
    for step in ("reserve", ends):
        getattr(till.table, fault)(1)
        getattr(till, step)(100)

    assert till.bill.version == 3
    assert (till.bill.sums.reserved, len(till.postings())) == (0, 2 if ends == "apply" else 1)


def test_who_is_overtaken_looks_again_at_what_is_left(till: Till) -> None:
    def overtaken() -> None:
        till.reserve(50_000, "payment-2")

    till.table.before.append(overtaken)

    assert refusal(lambda: till.reserve(50_000)) == "OVERPAYMENT"
    assert till.bill.sums.reserved == 50_000


def test_who_says_later_why_a_refund_failed_is_heard_too(till: Till) -> None:
    till.open_bill()
    till.pay(TOTAL)
    till.reserve(100, "refund-1", kind="REFUND")
    till.release(100, "refund-1", kind="REFUND")
    assert till.exceptions() == []

    for _ in range(2):
        till.release(100, "refund-1", CLOSED, kind="REFUND")

    assert [one.kind for one in till.exceptions()] == [ExceptionKind.REFUND_FAILED]
    assert till.bill.sums.refund_reserved == 0
