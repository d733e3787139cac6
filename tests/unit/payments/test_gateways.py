"""Who is asked for which method, and the desk, which has the money already."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from hms import ids
from payments import processors
from payments.desk import Desk
from payments.gateways import Order, RefundOrder, Verdict
from payments.model import Method

PAYMENT, REFUND = ids.derived("payment", 1), ids.derived("refund", 1)
ORDER = Order(PAYMENT, 52500, "INR", Method.CASH, None, "B4839201735", datetime(2026, 11, 28, tzinfo=UTC))


@pytest.mark.parametrize(
    ("method", "name", "asked"),
    [
        (Method.CARD, "simulator", "simulator"),
        (Method.UPI, "simulator", "simulator"),
        (Method.CARD, "stripe", "stripe"),
        (Method.UPI, "stripe", "stripe"),
        (Method.CASH, "stripe", "desk"),
        (Method.BANK_TRANSFER, "simulator", "desk"),
        (Method.CASH, "desk", "desk"),
    ],
)
def test_a_processor_is_asked_for_cards_and_upi_only(method: Method, name: str, asked: str) -> None:
    assert processors.for_method(method, name).name == asked


@pytest.mark.parametrize("name", ["", "paypal", "Stripe"])
def test_a_name_that_nobody_has_is_a_fault_of_the_deployment(name: str) -> None:
    with pytest.raises(RuntimeError, match="no payment gateway"):
        processors.for_method(Method.CARD, name)


def test_the_desk_has_what_it_says_it_has() -> None:
    desk = Desk()

    assert {desk.charge(ORDER), desk.look(ORDER), desk.void(ORDER)} == {Verdict("CAPTURED", PAYMENT)}
    refund = RefundOrder(REFUND, PAYMENT, PAYMENT, 20000, "INR")
    assert {desk.refund(refund), desk.look_refund(refund)} == {Verdict("CAPTURED", REFUND)}
    assert desk.statement(date(2026, 11, 28), "Asia/Kolkata") == []
