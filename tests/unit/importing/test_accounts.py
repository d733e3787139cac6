"""Which of a bill and its payments is left out where they contradict each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.support import legacy
from tools.importing.accounts import reconcile
from tools.importing.bills import bills
from tools.importing.payments import payments
from tools.importing.reading import read
from tools.importing.run import BILLS, PAYMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tools.importing.bills import LegacyBill
    from tools.importing.entry import Batch
    from tools.importing.payments import LegacyPayment


def _reconciled(
    folder: Path, owed: Iterable[dict[str, str]], paid: Iterable[dict[str, str]]
) -> tuple[Batch[LegacyBill], Batch[LegacyPayment]]:
    batches = bills(read(legacy.write(folder, BILLS, owed))), payments(read(legacy.write(folder, PAYMENTS, paid)))
    reconcile(*batches)
    return batches


def _reasons(folder: Path, owed: Iterable[dict[str, str]], paid: Iterable[dict[str, str]]) -> list[list[list[str]]]:
    return [[entry.ordered_reasons for entry in batch.entries] for batch in _reconciled(folder, owed, paid)]


def _paid(*amounts: str) -> list[dict[str, str]]:
    return [
        legacy.payment(number, amount=amount, paid_at=f"2025-01-{number:02d} 10:00:00")
        for number, amount in enumerate(amounts, start=1)
    ]


CONTRADICTS, UNKNOWN = ["STATUS_CONTRADICTS_PAYMENTS"], ["UNKNOWN_REFERENCE"]


@pytest.mark.parametrize(
    ("status", "amounts", "bill", "paid"),
    [
        ("OPEN", [], [], []),
        ("OPEN", ["499.99"], [], [[]]),
        ("OPEN", ["500"], CONTRADICTS, [UNKNOWN]),
        ("OPEN", ["200", "300"], CONTRADICTS, [UNKNOWN, UNKNOWN]),
        ("PARTIALLY_PAID", [], CONTRADICTS, []),
        ("PARTIALLY_PAID", ["0.01"], [], [[]]),
        ("PARTIALLY_PAID", ["499.99"], [], [[]]),
        ("PARTIALLY_PAID", ["500"], CONTRADICTS, [UNKNOWN]),
        ("PAID", [], CONTRADICTS, []),
        ("PAID", ["499.99"], CONTRADICTS, [UNKNOWN]),
        ("PAID", ["500"], [], [[]]),
        ("PAID", ["200", "300"], [], [[], []]),
        ("PAID", ["500", "0.01"], [], [[], ["OVERPAYMENT"]]),
        ("PAID", ["500", "500"], [], [[], ["OVERPAYMENT"]]),
        ("PAID", ["300", "300", "200"], [], [[], ["OVERPAYMENT"], []]),
        ("PAID", ["300", "300"], CONTRADICTS, [UNKNOWN, ["OVERPAYMENT", "UNKNOWN_REFERENCE"]]),
        ("PAID", ["500.01"], CONTRADICTS, [["OVERPAYMENT", "UNKNOWN_REFERENCE"]]),
        ("OPEN", ["500.01"], [], [["OVERPAYMENT"]]),
        ("VOID", [], [], []),
        ("VOID", ["500"], [], [["PAYMENT_OF_VOID_BILL"]]),
        ("VOID", ["1", "2"], [], [["PAYMENT_OF_VOID_BILL"], ["PAYMENT_OF_VOID_BILL"]]),
    ],
)
def test_a_bill_comes_out_as_its_status_says_or_not_at_all(
    tmp_path: Path, status: str, amounts: list[str], bill: list[str], paid: list[list[str]]
) -> None:
    assert _reasons(tmp_path, [legacy.bill(1, status=status)], _paid(*amounts)) == [[bill], paid]


def test_what_came_first_was_owed_wherever_it_stands_in_the_file(tmp_path: Path) -> None:
    assert _reasons(tmp_path, [legacy.bill(1, status="PAID")], reversed(_paid("500", "1"))) == [
        [[]],
        [["OVERPAYMENT"], []],
    ]


def test_a_payment_that_is_wrong_pays_nothing(tmp_path: Path) -> None:
    paid = _paid("500")
    paid[0]["method"] = "CHEQUE"

    assert _reasons(tmp_path, [legacy.bill(1, status="PAID")], paid) == [[CONTRADICTS], [["BAD_METHOD"]]]
    assert _reasons(tmp_path, [legacy.bill(1, status="OPEN")], paid) == [[[]], [["BAD_METHOD"]]]


def test_a_payment_that_comes_twice_pays_once(tmp_path: Path) -> None:
    paid = [legacy.payment(1), legacy.payment(1)]

    assert _reasons(tmp_path, [legacy.bill(1, status="PAID")], paid) == [[[]], [[], ["DUPLICATE_ID"]]]


def test_what_was_paid_on_a_bill_that_is_left_out_is_left_out(tmp_path: Path) -> None:
    for wrong in ({"amount": "x"}, {"status": "x"}, {"created_at": "x"}):
        given = {"status": "PAID", **wrong}
        assert _reasons(tmp_path, [legacy.bill(1, **given)], _paid("500"))[1] == [UNKNOWN]


def test_of_a_payment_whose_bill_is_in_no_row_nothing_is_said_yet(tmp_path: Path) -> None:
    assert _reasons(tmp_path, [legacy.bill(2)], _paid("500"))[1] == [[]]


def test_a_number_means_the_first_row_that_has_it(tmp_path: Path) -> None:
    owed = [legacy.bill(1, status="PAID"), legacy.bill(1, amount="9", appointment_id="2")]

    assert _reasons(tmp_path, owed, _paid("500")) == [[[], ["DUPLICATE_ID"]], [[]]]


def test_a_visit_has_the_first_bill_that_is_right(tmp_path: Path) -> None:
    owed = [
        legacy.bill(1, amount="x"),
        legacy.bill(2, status="PAID"),
        legacy.bill(3),
        legacy.bill(4, amount="x"),
        legacy.bill(5, appointment_id="2"),
        legacy.bill(6, status="VOID"),
    ]
    paid = [legacy.payment(1, bill_id="3", amount="5")]

    assert _reasons(tmp_path, owed, paid) == [
        [
            ["BAD_AMOUNT"],
            CONTRADICTS,
            [],
            ["SECOND_BILL", "BAD_AMOUNT"],
            [],
            ["SECOND_BILL"],
        ],
        [[]],
    ]


def test_what_was_paid_on_a_second_bill_is_left_out(tmp_path: Path) -> None:
    owed = [legacy.bill(1), legacy.bill(2, status="PAID")]

    assert _reasons(tmp_path, owed, [legacy.payment(1, bill_id="2")]) == [[[], ["SECOND_BILL"]], [UNKNOWN]]


_ROWS = some.tuples(
    some.lists(
        some.builds(
            lambda visit, amount, status: {"appointment_id": visit, "amount": amount, "status": status},
            some.sampled_from("123"),
            some.sampled_from(["1", "2", "3", "x"]),
            some.sampled_from(["OPEN", "PAID", "VOID", "PARTIALLY_PAID"]),
        ),
        max_size=5,
    ),
    some.lists(
        some.builds(
            lambda bill, amount: {"bill_id": bill, "amount": amount},
            some.sampled_from("012345"),
            some.sampled_from(["1", "2", "x"]),
        ),
        max_size=8,
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ROWS)
def test_what_is_right_never_contradicts_itself(
    tmp_path: Path, rows: tuple[list[dict[str, str]], list[dict[str, str]]]
) -> None:
    """And what is left out has a reason: nothing is lost."""
    owed, paid = _reconciled(
        tmp_path,
        [legacy.bill(number, **given) for number, given in enumerate(rows[0])],
        [legacy.payment(number, **given) for number, given in enumerate(rows[1])],
    )
    right = {entry.said.bill_id: entry.said for entry in owed.right if entry.said}
    sums = dict.fromkeys(right, 0)
    for entry in paid.right:
        if entry.said and entry.said.bill_id in right:
            sums[entry.said.bill_id] += entry.said.amount
    for number, bill in right.items():
        stated = {"OPEN": sums[number] < bill.amount, "PAID": sums[number] == bill.amount, "VOID": sums[number] == 0}
        stated["PARTIALLY_PAID"] = 0 < sums[number] < bill.amount
        assert stated[bill.status]
    assert len({bill.appointment_id for bill in right.values()}) == len(right)
    numbers = {str(number) for number in range(len(rows[0]))}
    assert all(entry.reasons for entry in paid.entries if entry.value("bill_id") in numbers - set(right))
