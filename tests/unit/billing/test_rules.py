"""The arithmetic of bills and the edges of every rule of money, without a table."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from billing import ledger, rules, terms
from billing.clinic import clinic
from billing.commands import DiscountBill
from billing.ledger import Posted
from billing.model import Allocation, AllocationState, Bill, BillStatus, EntryKind, Method, Outcome, Sums
from hms.errors import InvalidTransition
from hms.money import AT_REST
from tests.support.billing import FEE, NOW, OTHER_DOCTOR, PATIENT, a_line, a_posting, a_visit, cancelled, wrong_with

if TYPE_CHECKING:
    from billing.visits import Visit

MINOR = some.integers(0, 10**8)
RATES = some.integers(0, 10_000)


def a_bill(*prices: int, rate: int = 500) -> Posted:
    issued = {"patient_id": PATIENT, "issued_on": NOW.date(), "due_date": NOW.date()}
    return rules.bare("bill-1", "B1", NOW, **issued).with_lines([a_line(price, rate) for price in prices])


def exact(quantity: int, price: int, rate: int) -> int:
    """Tax by fractions: rounded half-up, and for what is taken off the same with a minus."""
    tax = Fraction(quantity * price * rate, 10_000)
    up = int(abs(tax) + Fraction(1, 2))
    return up if tax >= 0 else -up


def test_ten_thousand_lines_are_what_fractions_say() -> None:
    chance = random.Random(11)  # noqa: S311  (the same lines every time)
    wrong = []
    for _ in range(10_000):
        quantity, price, rate = chance.randint(1, 10_000), chance.randint(-(10**7), 10**7), chance.randint(0, 10_000)
        line = a_line(price, rate, quantity)
        tax = exact(quantity, price, rate)
        if (line.amount, line.tax_amount, line.line_total) != (quantity * price, tax, quantity * price + tax):
            wrong.append(line)
    assert wrong == []


@given(some.lists(some.tuples(MINOR, RATES), min_size=1, max_size=20))
def test_a_bill_is_the_sum_of_its_rounded_lines(lines: list[tuple[int, int]]) -> None:
    posted = a_bill().with_lines([a_line(price, rate) for price, rate in lines])

    assert posted.bill.sums.tax == sum(exact(1, price, rate) for price, rate in lines)
    assert posted.bill.sums.charged == sum(price for price, _ in lines) + posted.bill.sums.tax
    assert wrong_with(posted.bill, [a_posting(posted)]) == []


@given(some.lists(some.tuples(MINOR, RATES), min_size=1, max_size=20))
def test_what_is_taken_back_leaves_nothing_of_its_rounding(lines: list[tuple[int, int]]) -> None:
    posted = a_bill().with_lines([a_line(price, rate) for price, rate in lines])

    sums = posted.without_lines(posted.bill.items, "Wrong").bill.sums

    assert (sums.charged, sums.tax) == (0, 0)


@pytest.mark.parametrize(
    ("sums", "status"),
    [
        ({"charged": 525}, "OPEN"),
        ({"charged": 525, "reserved": 525}, "OPEN"),
        ({"charged": 525, "paid": 1}, "PARTIALLY_PAID"),
        ({"charged": 525, "paid": 524}, "PARTIALLY_PAID"),
        ({"charged": 525, "paid": 525}, "PAID"),
        ({"charged": 525, "written_off": 525}, "PAID"),
        ({"charged": 525, "paid": 525, "refunded": 525}, "OPEN"),
        ({"charged": 525, "paid": 525, "refunded": 25}, "PARTIALLY_PAID"),
        ({"charged": 0, "voided": True}, "VOID"),
        ({"charged": 0, "voided": True, "paid": 525}, "PAID"),
        ({"charged": 0, "voided": True, "paid": 525, "refunded": 525}, "REFUNDED"),
        ({"charged": 0, "voided": True, "paid": 525, "refunded": 524}, "PARTIALLY_REFUNDED"),
        ({"charged": 263, "paid": 525, "refunded": 262}, "PARTIALLY_REFUNDED"),
        ({"charged": 525, "paid": 1050, "refunded": 525}, "PARTIALLY_REFUNDED"),
    ],
)
def test_the_sums_say_the_status(sums: dict[str, Any], status: str) -> None:
    assert Sums.model_validate(sums, context=AT_REST).status is BillStatus(status)


@pytest.mark.parametrize(
    ("visit", "percent"),
    [
        (cancelled(seconds=7201), 0),
        (cancelled(seconds=7200), 50),
        (cancelled(seconds=7199), 50),
        (cancelled(seconds=0), 50),
        (cancelled(seconds=-60), 50),
        (cancelled("CLINIC", 7201), 0),
        (cancelled("CLINIC", 7200), 0),
        (cancelled("CLINIC", -60), 0),
        (cancelled("DOCTOR", 7200), 0),
        (cancelled("DOCTOR", 0), 0),
        (a_visit("NO_SHOW", 2), 100),
    ],
)
def test_who_cancels_when_decides_on_the_fee(visit: Visit, percent: int) -> None:
    assert terms.fee_percent(visit, clinic()) == percent


@pytest.mark.parametrize(
    ("fee", "late", "missed"),
    [
        (50_000, (25_000, 1_250), (50_000, 2_500)),
        (33_333, (16_667, 833), (33_333, 1_667)),
        (33_330, (16_665, 833), (33_330, 1_667)),
        (99_999, (50_000, 2_500), (99_999, 5_000)),
        (19, (10, 1), (19, 1)),
        (3, (2, 0), (3, 0)),
        (1, (1, 0), (1, 0)),
    ],
)
def test_odd_fees_are_halved_and_taxed_half_up(fee: int, late: tuple[int, int], missed: tuple[int, int]) -> None:
    assert _fee_line(cancelled(seconds=7200, fee=fee)) == late
    assert _fee_line(a_visit("NO_SHOW", 2, fee=fee)) == missed


def _fee_line(visit: Visit) -> tuple[int, int]:
    opened = terms.opened("bill-1", "B1", a_visit(fee=visit.consultation_fee.amount), clinic(), NOW)
    (line,) = terms.settled(opened, visit, clinic(), NOW).bill.items
    assert line.kind is EntryKind.FEE
    return line.amount, line.tax_amount


@pytest.mark.parametrize("visit", [cancelled(seconds=7200, fee=0), a_visit("NO_SHOW", 2, fee=0)])
def test_a_fee_of_nothing_is_no_line(visit: Visit) -> None:
    opened = terms.opened("bill-1", "B1", a_visit(fee=0), clinic(), NOW)

    assert terms.settled(opened, visit, clinic(), NOW).bill.status is BillStatus.VOID


@given(MINOR, some.sampled_from(["CLINIC", "DOCTOR", "PATIENT"]), some.integers(-86_400, 86_400))
def test_a_cancelled_visit_costs_half_with_tax_or_nothing(fee: int, by: str, seconds: int) -> None:
    opened = terms.opened("bill-1", "B1", a_visit(fee=fee), clinic(), NOW)

    posted = terms.settled(opened, cancelled(by, seconds, fee=fee), clinic(), NOW)

    half = int(Fraction(fee, 2) + Fraction(1, 2))
    late = by == "PATIENT" and seconds <= 7200
    assert posted.bill.sums.charged == (half + exact(1, half, 500) if late else 0)
    assert wrong_with(posted.bill, [a_posting(posted)]) == []


@pytest.mark.parametrize(
    "by_hand", [{"discount": 10_000}, {"write_off": 20_000}, {"discount": 40_000, "write_off": 9_000}]
)
@pytest.mark.parametrize("visit", [cancelled(seconds=7201), cancelled(seconds=7200), a_visit("NO_SHOW", 2)])
def test_what_a_settlement_takes_back_is_as_before_once_it_is_undone(visit: Visit, by_hand: dict[str, int]) -> None:
    opened = _changed(terms.opened("bill-1", "B1", a_visit(), clinic(), NOW), **by_hand)

    settled = terms.settled(opened, visit, clinic(), NOW)
    restored = terms.restored(settled)

    assert settled.bill.sums.written_off == 0
    assert restored.bill.sums == opened.bill.sums
    assert (restored.bill.items, restored.bill.provisional) == (opened.bill.items, True)


def _changed(posted: Posted, discount: int = 0, write_off: int = 0) -> Posted:
    line = ledger.line("discount", EntryKind.DISCOUNT, "Discount", unit_price=-discount, tax_rate=500)
    return posted.with_lines((line,) if discount else ()).written_off(write_off, "Moved away")


def test_what_was_charged_since_a_settlement_stays_and_what_was_let_off_goes() -> None:
    opened = terms.opened("bill-1", "B1", a_visit(), clinic(), NOW)
    settled = terms.settled(opened, a_visit("NO_SHOW", 2), clinic(), NOW)

    since = _changed(settled.with_lines((a_line(1_000),)), discount=30_000, write_off=20_000)
    restored = terms.restored(since)

    assert restored.bill.sums.charged == opened.bill.sums.charged + 1_050
    assert restored.bill.sums.written_off == 0
    assert wrong_with(restored.bill, [a_posting(restored)]) == []


def test_a_cheaper_doctor_takes_discounts_back_that_are_more_than_is_left() -> None:
    opened = _changed(terms.opened("bill-1", "B1", a_visit(), clinic(), NOW), discount=30_000, write_off=5_000)

    little = terms.moved(opened, a_visit(version=2, fee=40_000, doctor_id=OTHER_DOCTOR), clinic()).bill
    much = terms.moved(opened, a_visit(version=2, fee=20_000, doctor_id=OTHER_DOCTOR), clinic()).bill

    assert (little.sums.charged, little.sums.written_off) == (10_500, 5_000)
    assert (much.sums.charged, much.sums.written_off) == (21_000, 0)


@given(some.integers(1, 60_000), some.integers(0, 10_000), some.integers(0, 10_000))
def test_a_discount_never_leaves_less_than_nothing(amount: int, rate: int, own: int) -> None:
    before = a_bill(50_000, rate=own)
    line = ledger.line("discount", EntryKind.DISCOUNT, "Discount", unit_price=-amount, tax_rate=rate)
    within = amount <= 50_000 and -line.tax_amount <= before.bill.sums.tax

    try:
        after = rules.discounted(before.bill, a_discount(amount, rate), clinic(), NOW).bill.sums
    except rules.DiscountExceedsOutstanding:
        assert not within
    else:
        assert within
        assert min(after.charged, after.tax, after.charged - after.tax) >= 0


def a_discount(amount: int, rate: int) -> DiscountBill:
    return DiscountBill.model_construct(amount=amount, tax_rate=rate, reason="Staff family")


def test_a_bill_has_at_most_a_hundred_lines_and_is_not_astronomical() -> None:
    full = a_bill(*[100] * 100).bill
    dear = a_bill(10**10 - 1, rate=0).bill

    for bill, price in ((full, 0), (dear, 2)):
        with pytest.raises(rules.BillTooLarge):
            rules.charged(Posted.over(bill, NOW), [a_line(price)])
    assert rules.charged(Posted.over(dear, NOW), [a_line(1, 0)]).bill.sums.charged == 10**10


def test_a_bill_of_an_older_system_does_not_change() -> None:
    bill = a_bill(50_000).bill.model_copy(update={"historical": True})
    payment = Allocation.model_construct(
        transaction_id="payment-1",
        kind=EntryKind.PAYMENT,
        amount=1,
        method=Method.CASH,
        state=AllocationState.RESERVED,
    )

    with pytest.raises(InvalidTransition):
        rules.check_changes(bill)
    with pytest.raises(InvalidTransition):
        rules.check_reserve(bill, payment, "INR")


def test_a_late_word_of_a_cancellation_without_its_terms_is_no_word() -> None:
    with pytest.raises(ValueError, match="a cancelled visit has a cancellation"):
        a_visit("CANCELLED", 2)
    assert a_visit("CHECKED_IN").outcome is None
    assert a_visit("COMPLETED").outcome is Outcome.COMPLETED


def test_a_number_already_taken_is_passed_over() -> None:
    assert rules.number_of(("B2", "B3")) == "B2"
    with pytest.raises(rules.NumbersExhausted):
        rules.number_of(())


def test_money_at_rest_is_whole_numbers() -> None:
    bill = a_bill(FEE).bill

    text = bill.model_dump_json(context=AT_REST)

    assert '"unit_price":50000' in text
    assert Bill.model_validate_json(text, context=AT_REST) == bill
