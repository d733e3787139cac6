"""What is refused and in which order, how refunds are spread, how long is waited, and card numbers known when seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hms.cards import holds_card_number, mentions_card_number
from hms.errors import Invalid, InvalidTransition, Problem
from hms.money import AT_REST
from payments import changes, rules
from payments.commands import PayBill, RefundPayment
from payments.gateways import Verdict
from payments.model import BillCopy, Failure, Payment, Status
from payments.rules import RefundExceedsPayment
from tests.support.payments import BILL, NOW, NUMBER, PATIENT, SECOND, a_payment

PAN, OTHER_PAN = "4111111111111111", "378282246310005"


def a_bill(**sums: Any) -> BillCopy:
    facts = {"bill_id": BILL, "bill_number": NUMBER, "patient_id": PATIENT, "status": "OPEN", "currency": "INR"}
    return BillCopy.model_validate(facts | {"payable": 52500, "outstanding_minor": 52500} | sums)


def payment(amount: int = 52500, **changes: Any) -> Payment:
    facts = {
        "payment_id": "p",
        "bill_id": BILL,
        "bill_number": NUMBER,
        "patient_id": PATIENT,
        "amount": amount,
        "currency": "INR",
        "method": "CARD",
        "status": "COMPLETED",
        "gateway": "bank",
        "received_by": "clerk",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Payment.model_validate(facts | changes, context=AT_REST)


def refusal(bill: BillCopy, command: PayBill) -> str | None:
    try:
        rules.check_payable(bill, command)
    except Problem as problem:
        return problem.code
    return None


@pytest.mark.parametrize(
    ("bill", "amount", "code"),
    [
        (a_bill(), "525.00", None),
        (a_bill(), "0.01", None),
        (a_bill(), "525.01", "OVERPAYMENT"),
        (a_bill(payable=100), "1.00", None),
        (a_bill(payable=100), "1.01", "OVERPAYMENT"),
        (a_bill(payable=0), "0.01", "PAYMENT_IN_PROGRESS"),
        (a_bill(payable=0, outstanding_minor=1), "525.00", "PAYMENT_IN_PROGRESS"),
        (a_bill(payable=0, outstanding_minor=0), "0.01", "BILL_ALREADY_PAID"),
        (a_bill(payable=0, outstanding_minor=-1), "0.01", "BILL_ALREADY_PAID"),
        (a_bill(status="VOID", payable=0, outstanding_minor=0), "0.01", "BILL_VOID"),
        (a_bill(currency="EUR"), "525.00", "CURRENCY_MISMATCH"),
        (a_bill(currency="EUR"), "525.01", "OVERPAYMENT"),
    ],
)
def test_the_first_rule_that_is_broken_answers(bill: BillCopy, amount: str, code: str | None) -> None:
    assert refusal(bill, a_payment(amount)) == code


@pytest.mark.parametrize("amount", ["0.00", "-1.00", "0.001", "1e3", "", "525,00"])
def test_an_amount_is_at_least_one_minor_unit(amount: str) -> None:
    with pytest.raises(ValidationError):
        a_payment(amount)


@pytest.mark.parametrize(
    ("method", "source", "code"),
    [
        ("CARD", "tok_visa", None),
        ("CARD", None, "missing"),
        ("CARD", "asha@bank", "not_a_token"),
        ("UPI", "asha.rao@bank", None),
        ("UPI", "tok_upi", None),
        ("UPI", None, "missing"),
        ("CASH", None, None),
        ("CASH", "tok_visa", "forbidden"),
        ("BANK_TRANSFER", None, None),
        ("BANK_TRANSFER", "tok_visa", "forbidden"),
    ],
)
def test_what_is_charged_is_said_of_cards_and_upi_only(method: str, source: str | None, code: str | None) -> None:
    command = a_payment(method=method, source=source)
    if code is None:
        rules.check_source(command)
        return
    with pytest.raises(Invalid) as caught:
        rules.check_source(command)

    assert [(error.field, error.code) for error in caught.value.errors] == [("source", code)]


@pytest.mark.parametrize(
    "text",
    [
        PAN,
        OTHER_PAN,
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111 1111 1111 1111 12/26",
        "tok_4111111111111111",
        f"card {PAN} of Asha",
        "4111.1111_1111/1111",
        "４１１１１１１１１１１１１１１１",
        f"{PAN}0000",
        "0000000000000",
        "0000000000000000000",
    ],
)
def test_a_card_number_is_known_however_it_is_written(text: str) -> None:
    assert holds_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tok_visa",
        "4111111111111112",
        "9876543210@bank",
        "000000000000",
        "UTR HDFCR52026112345678",
        "4111 1111 and 1111 1111",
        "pm_1MqLiJLkdIwHu7ixUEgbFdYF",
    ],
)
def test_what_only_looks_like_a_card_number_is_taken(text: str) -> None:
    assert not holds_card_number(text)


@given(st.text("0123456789", min_size=12, max_size=18), st.sampled_from(["", " ", "-", "  ", "/"]))
def test_every_number_that_passes_the_check_is_known_in_any_grouping(digits: str, between: str) -> None:
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits))]
    total = sum(value // 10 + value % 10 for value in doubled)
    number = f"{digits}{-total % 10}"

    assert holds_card_number(between.join([number[:4], number[4:9], number[9:]]))


def test_a_long_text_is_looked_through_at_once() -> None:
    assert not holds_card_number("1 " * 5_000)
    assert not mentions_card_number("4 " * 5_000)


@pytest.mark.parametrize(
    "text",
    [PAN, OTHER_PAN, f"paid by {PAN}.", "card 4111 1111 1111 1111 12/26", "4111-1111-1111-1111", "6011111111111117"],
)
def test_a_card_number_in_prose_is_known(text: str) -> None:
    assert mentions_card_number(text)


@pytest.mark.parametrize("hour", range(24))
def test_dates_amounts_phones_and_pressures_are_no_card_numbers(hour: int) -> None:
    day, clock = f"2026-11-{hour + 1:02}", f"{hour:02}:15"
    texts = (
        f"Stay {day} {clock} - 2026-12-03 11:15",
        f"{day} - 2026-12-{hour + 1:02}",
        f"1234.{hour:02}, 980.00, 77{hour:02}.50, 1500.00",
        f"12{hour % 10}/80, 13{hour % 10}/85, 118/76, 125/82",
        f"+91 98765 432{hour:02}, 080 4000 00{hour:02}",
        f"890123456{hour:02}17",
        "IMEI 356938035643809",
    )
    assert [text for text in texts if mentions_card_number(text)] == []


@pytest.mark.parametrize("field", ["source", "reference"])
@pytest.mark.parametrize("text", [PAN, "4111 1111 1111 1111", PAN + " " * 300, "\u2003" * 300 + PAN])
def test_a_card_number_is_refused_and_not_told_again(field: str, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        a_payment(**{field: text})

    (error,) = caught.value.errors(include_input=False)
    assert (error["loc"], error["type"]) == ((field,), "card_number")
    assert "4111" not in error["msg"]


def test_the_reason_of_a_refund_holds_no_card_number_either() -> None:
    with pytest.raises(ValidationError, match="card number"):
        RefundPayment.model_validate({"payment_id": BILL, "amount": "1.00", "reason": f"to {PAN}"})


@pytest.mark.parametrize(
    ("paid", "amount", "refunded", "problem"),
    [
        (payment(), 52500, 0, None),
        (payment(), 1, 52499, None),
        (payment(), 2, 52499, RefundExceedsPayment),
        (payment(), 1, 52500, RefundExceedsPayment),
        (payment(status="PENDING"), 1, 0, InvalidTransition),
        (payment(status="FAILED"), 1, 0, InvalidTransition),
        (payment(historical=True), 1, 0, InvalidTransition),
    ],
)
def test_a_refund_is_of_a_completed_payment_and_at_most_what_is_left_of_it(
    paid: Payment, amount: int, refunded: int, problem: type[Problem] | None
) -> None:
    if problem is None:
        rules.check_refundable(paid, amount, refunded)
    else:
        with pytest.raises(problem):
            rules.check_refundable(paid, amount, refunded)


def test_an_amount_is_spread_in_order_and_passes_over_what_cannot_be_paid_back() -> None:
    paid = [
        (payment(100, payment_id="newest"), 30),
        (payment(100, payment_id="pending", status="PENDING"), 0),
        (payment(100, payment_id="old system", historical=True), 0),
        (payment(100, payment_id="used up"), 100),
        (payment(100, payment_id="oldest"), 0),
    ]

    assert rules.spread(120, paid) == (("newest", 70), ("oldest", 50))
    assert rules.spread(70, paid) == (("newest", 70),)
    assert rules.spread(0, paid) == ()
    with pytest.raises(RefundExceedsPayment):
        rules.spread(171, paid)


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 100)), max_size=5), st.integers(0, 300))
def test_what_is_spread_adds_up_and_exceeds_no_payment(amounts: list[tuple[int, int]], wanted: int) -> None:
    paid = [(payment(max(amount, back), payment_id=str(at)), back) for at, (amount, back) in enumerate(amounts)]
    left = {one.payment_id: one.amount - back for one, back in paid}
    try:
        shares = rules.spread(wanted, paid)
    except RefundExceedsPayment:
        assert sum(left.values()) < wanted
        return

    assert sum(share.amount for share in shares) == wanted
    assert all(0 < share.amount <= left[share.payment_id] for share in shares)


def test_thirty_seconds_are_young_no_more_and_sixty_are_late() -> None:
    one = payment()

    assert rules.is_young(one, NOW + 29 * SECOND)
    assert not rules.is_young(one, NOW + 30 * SECOND)
    assert not rules.is_late(one, NOW + 59 * SECOND)
    assert rules.is_late(one, NOW + 60 * SECOND)


def test_a_silent_gateway_is_asked_after_one_two_four_minutes_and_so_on_for_ever() -> None:
    waits = [(rules.again_at(tried, NOW) - NOW) // timedelta(minutes=1) for tried in range(9)]

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert rules.again_at(100_000, NOW) - NOW == timedelta(minutes=60)


@pytest.mark.parametrize(
    ("kind", "code", "status", "answered"),
    [
        ("PAYMENT", "CARD_DECLINED", 402, "PAYMENT_DECLINED"),
        ("PAYMENT", "EXPIRED", 402, "PAYMENT_DECLINED"),
        ("PAYMENT", "BILL_ALREADY_PAID", 409, "BILL_ALREADY_PAID"),
        ("PAYMENT", "BILL_NOT_FOUND", 404, "BILL_NOT_FOUND"),
        ("PAYMENT", "OVERPAYMENT", 422, "OVERPAYMENT"),
        ("PAYMENT", "INVALID_TRANSITION", 409, "INVALID_TRANSITION"),
        ("REFUND", "CARD_DECLINED", 409, "REFUND_DECLINED"),
        ("REFUND", "REFUND_EXCEEDS_PAYMENT", 422, "REFUND_EXCEEDS_PAYMENT"),
    ],
)
def test_what_has_failed_is_answered_as_what_it_was(kind: Any, code: str, status: int, answered: str) -> None:
    problem = rules.refusal_of(kind, Failure(code=code, detail="Why it is so."))

    assert problem
    assert (problem.status, problem.code, problem.detail) == (status, answered, "Why it is so.")
    assert rules.refusal_of(kind, None) is None


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict("DECLINED", None, "CARD_DECLINED", "No."), "CARD_DECLINED"),
        (Verdict("DECLINED"), "DECLINED"),
        (Verdict("VOIDED"), "EXPIRED"),
        (Verdict("DECLINED", None, "VOIDED", "Called off."), "EXPIRED"),
    ],
)
def test_what_we_called_off_has_expired_and_what_is_declined_says_why(verdict: Verdict, code: str) -> None:
    failure = changes.failure_of(verdict)

    assert failure.code == code
    assert failure.detail


def test_a_decision_is_the_next_version_and_says_when() -> None:
    later = NOW + SECOND
    done = changes.completed(payment(status="PENDING"), "ch_1", later)
    failed = changes.failed(payment(status="PENDING"), Failure(code="EXPIRED", detail="Late."), later)

    assert (done.status, done.version, done.gateway_id, done.decided_at) == (Status.COMPLETED, 2, "ch_1", later)
    assert (failed.status, failed.version, failed.decided_at, failed.updated_at) == (Status.FAILED, 2, later, later)
    assert changes.fact_of(failed).model_dump()["code"] == "EXPIRED"
