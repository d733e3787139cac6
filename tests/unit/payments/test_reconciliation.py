"""The gateway's statement against the ledger: what is right agrees, and whatever is wrong is found."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.gateways import StatementLine
from payments.model import Method, Status
from payments.reconciliation import Movement, Reconciliation, days_around, explained, reconcile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

type Kind = Literal["PAYMENT", "REFUND"]
type Statement = Mapping[date, Sequence[StatementLine]]
type Movements = Mapping[date, Sequence[Movement]]

DAY = date(2026, 11, 28)
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)
NOON = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)


def a_line(key: str = "p1", amount: int = 52500, kind: Kind = "PAYMENT", currency: str = "INR") -> StatementLine:
    return StatementLine(key, kind, amount, currency, NOON, f"sim_{key}")


def a_movement(
    key: str = "p1", amount: int = 52500, kind: Kind = "PAYMENT", method: Method = Method.CARD, **more: Any
) -> Movement:
    told = {"transaction_id": key, "bill_id": f"bill-{key}", "kind": kind, "amount": amount, "method": method}
    return Movement.model_validate({**told, "at": NOON, **more})


def found(statement: Statement, movements: Movements, day: date = DAY) -> list[tuple[str, str, str]]:
    return [(one.kind, one.movement, one.key) for one in reconcile(day, statement, movements).differences]


def test_the_same_on_both_sides_agrees() -> None:
    told = reconcile(DAY, {DAY: [a_line()]}, {DAY: [a_movement()]})

    assert told.agrees
    assert told.differences == []
    assert [(one.gateway_amount, one.ledger_amount, one.agrees) for one in told.totals] == [(52500, 52500, True)]


def test_a_day_without_money_agrees() -> None:
    told = reconcile(DAY, {}, {})

    assert told == Reconciliation(day=DAY, agrees=True, differences=[], totals=[], desk=[], around_midnight=[])


def test_money_that_no_bill_knows_of_is_found() -> None:
    told = reconcile(DAY, {DAY: [a_line()]}, {})

    (difference,) = told.differences
    assert (difference.kind, difference.key, difference.gateway_id) == ("MISSING_IN_LEDGER", "p1", "sim_p1")
    assert (difference.gateway_amount, difference.ledger_amount, difference.bill_id) == (52500, None, None)
    assert not told.agrees
    assert not told.totals[0].agrees


def test_money_that_the_processor_never_moved_is_found() -> None:
    told = reconcile(DAY, {}, {DAY: [a_movement()]})

    (difference,) = told.differences
    assert (difference.kind, difference.key, difference.bill_id) == ("MISSING_AT_GATEWAY", "p1", "bill-p1")
    assert (difference.gateway_amount, difference.ledger_amount, difference.gateway_id) == (None, 52500, None)


@pytest.mark.parametrize("amount", [52499, 52501, 1])
def test_another_amount_is_found(amount: int) -> None:
    told = reconcile(DAY, {DAY: [a_line()]}, {DAY: [a_movement(amount=amount)]})

    (difference,) = told.differences
    assert difference.kind == "AMOUNT_DIFFERS"
    assert (difference.gateway_amount, difference.ledger_amount) == (52500, amount)


def test_another_currency_is_found() -> None:
    told = reconcile(DAY, {DAY: [a_line(currency="USD")]}, {DAY: [a_movement()]})

    (difference,) = told.differences
    assert (difference.kind, difference.gateway_currency, difference.ledger_currency) == (
        "AMOUNT_DIFFERS",
        "USD",
        "INR",
    )
    assert [(one.currency, one.gateway_amount, one.ledger_amount) for one in told.totals] == [
        ("INR", 0, 52500),
        ("USD", 52500, 0),
    ]


def test_a_payment_is_no_refund() -> None:
    assert sorted(found({DAY: [a_line(kind="REFUND")]}, {DAY: [a_movement()]})) == [
        ("MISSING_AT_GATEWAY", "PAYMENT", "p1"),
        ("MISSING_IN_LEDGER", "REFUND", "p1"),
    ]


def test_the_ledger_may_write_what_comes_in_with_either_sign() -> None:
    assert found({DAY: [a_line()]}, {DAY: [a_movement(amount=-52500)]}) == []


def test_a_card_that_was_charged_twice_under_one_key_is_found() -> None:
    assert found({DAY: [a_line(), a_line()]}, {DAY: [a_movement()]}) == [("MISSING_IN_LEDGER", "PAYMENT", "p1")]


def test_a_payment_that_a_bill_counts_twice_is_found() -> None:
    assert found({DAY: [a_line()]}, {DAY: [a_movement(), a_movement()]}) == [("MISSING_AT_GATEWAY", "PAYMENT", "p1")]


def test_of_two_lines_of_one_key_that_which_is_equal_is_right() -> None:
    told = reconcile(DAY, {DAY: [a_line(amount=99), a_line()]}, {DAY: [a_movement()]})

    assert [(one.kind, one.gateway_amount) for one in told.differences] == [("MISSING_IN_LEDGER", 99)]


def test_lines_without_a_key_of_ours_are_each_found() -> None:
    told = reconcile(DAY, {DAY: [a_line(""), a_line("", 100)]}, {})

    assert [one.kind for one in told.differences] == ["MISSING_IN_LEDGER"] * 2
    assert told.keys() == []


@pytest.mark.parametrize(("gateway", "ledger"), [(DAY, AFTER), (DAY, BEFORE)])
def test_money_that_moved_around_midnight_is_matched_on_the_gateways_day(gateway: date, ledger: date) -> None:
    statement, movements = {gateway: [a_line()]}, {ledger: [a_movement()]}

    for day in (gateway, ledger):
        told = reconcile(day, statement, movements)
        assert told.agrees
        assert [(one.key, one.gateway_day, one.ledger_day) for one in told.around_midnight] == [("p1", gateway, ledger)]
    totals = {day: reconcile(day, statement, movements).totals for day in (gateway, ledger)}
    assert [(one.gateway_amount, one.ledger_amount) for one in totals[gateway]] == [(52500, 52500)]
    assert totals[ledger] == []


@pytest.mark.parametrize("day", [BEFORE, AFTER])
def test_what_crosses_no_midnight_of_the_day_is_not_told_with_it(day: date) -> None:
    told = reconcile(DAY, {day: [a_line()]}, {day: [a_movement()]})

    assert (told.agrees, told.around_midnight, told.totals) == (True, [], [])


@pytest.mark.parametrize("day", [BEFORE, AFTER])
def test_differences_of_other_days_are_told_with_those(day: date) -> None:
    assert found({day: [a_line()]}, {day: [a_movement("p2")]}) == []
    assert len(found({day: [a_line()]}, {day: [a_movement("p2")]}, day)) == 2


def test_more_than_a_day_apart_is_a_difference_on_both_days() -> None:
    later = DAY + timedelta(days=2)
    statement, movements = {DAY: [a_line()]}, {later: [a_movement()]}

    assert found(statement, movements) == [("MISSING_IN_LEDGER", "PAYMENT", "p1")]
    assert found(statement, movements, later) == [("MISSING_AT_GATEWAY", "PAYMENT", "p1")]


def test_the_desk_is_counted_and_not_compared() -> None:
    movements = [
        a_movement("p1", 100, method=Method.CASH),
        a_movement("p2", -250, method=Method.CASH),
        a_movement("r1", 50, "REFUND", Method.CASH),
        a_movement("p3", 900, method=Method.BANK_TRANSFER),
    ]

    told = reconcile(DAY, {}, {DAY: movements, AFTER: movements})

    assert told.agrees
    assert [(one.method, one.movement, one.amount, one.count) for one in told.desk] == [
        ("BANK_TRANSFER", "PAYMENT", 900, 1),
        ("CASH", "PAYMENT", 350, 2),
        ("CASH", "REFUND", 50, 1),
    ]


def test_what_an_older_system_took_is_not_compared() -> None:
    assert found({}, {DAY: [a_movement(historical=True)]}) == []
    assert reconcile(DAY, {}, {DAY: [a_movement(historical=True, method=Method.CASH)]}).desk == []


def test_it_is_told_in_decimals() -> None:
    told = json.loads(reconcile(DAY, {DAY: [a_line()]}, {DAY: [a_movement(amount=5)]}).model_dump_json())

    assert told["totals"][0] == {
        "movement": "PAYMENT",
        "currency": "INR",
        "gateway_amount": "525.00",
        "ledger_amount": "0.05",
        "agrees": False,
    }
    assert (told["differences"][0]["gateway_amount"], told["differences"][0]["ledger_amount"]) == ("525.00", "0.05")


def test_our_own_record_explains_a_difference() -> None:
    told = reconcile(DAY, {DAY: [a_line("p1"), a_line("p2"), a_line("")]}, {})
    assert told.keys() == [("PAYMENT", "p1"), ("PAYMENT", "p2")]

    with_ours = explained(told, {"p1": Status.PENDING})

    assert {one.key: one.our_status for one in with_ours.differences} == {"p1": "PENDING", "p2": None, "": None}


def test_differences_are_in_order_of_time() -> None:
    lines = [a_line(f"p{number}")._replace(at=NOON - timedelta(minutes=number)) for number in range(5)]

    told = reconcile(DAY, {DAY: lines}, {})

    assert [one.key for one in told.differences] == ["p4", "p3", "p2", "p1", "p0"]


class Moved(NamedTuple):
    """One movement, as both sides should have it, and what went wrong with it."""

    key: str
    kind: Kind
    amount: int
    day: date
    ledger_after: int
    fault: Literal["none", "not in ledger", "not at gateway", "amount", "twice at gateway", "twice in ledger"]
    wrong_by: int


moves = st.lists(
    st.builds(
        Moved,
        key=st.integers(0, 10**6).map(str),
        kind=st.sampled_from(["PAYMENT", "REFUND"]),
        amount=st.integers(1, 10**9),
        day=st.sampled_from(days_around(DAY)),
        ledger_after=st.sampled_from([-1, 0, 0, 0, 1]),
        fault=st.sampled_from(
            ["none", "none", "not in ledger", "not at gateway", "amount", "twice at gateway", "twice in ledger"]
        ),
        wrong_by=st.integers(1, 10**6),
    ),
    unique_by=lambda moved: (moved.key, moved.kind),
    max_size=30,
)


def sides(moved: list[Moved]) -> tuple[dict[date, list[StatementLine]], dict[date, list[Movement]]]:
    statement: dict[date, list[StatementLine]] = {}
    movements: dict[date, list[Movement]] = {}
    for one in moved:
        lines = {"not at gateway": 0, "twice at gateway": 2}.get(one.fault, 1)
        written = {"not in ledger": 0, "twice in ledger": 2}.get(one.fault, 1)
        in_ledger = one.amount + (one.wrong_by if one.fault == "amount" else 0)
        ledger_day = one.day + timedelta(days=one.ledger_after)
        statement.setdefault(one.day, []).extend([a_line(one.key, one.amount, one.kind)] * lines)
        movements.setdefault(ledger_day, []).extend([a_movement(one.key, in_ledger, one.kind)] * written)
    return statement, movements


def expected(one: Moved) -> list[tuple[date, str, str, str]]:
    """By the day it belongs to: the gateway's where it has it."""
    ledger_day = one.day + timedelta(days=one.ledger_after)
    match one.fault:
        case "none":
            return []
        case "amount":
            return [(one.day, "AMOUNT_DIFFERS", one.kind, one.key)]
        case "not in ledger" | "twice at gateway":
            return [(one.day, "MISSING_IN_LEDGER", one.kind, one.key)]
        case _:
            return [(ledger_day, "MISSING_AT_GATEWAY", one.kind, one.key)]


@given(moves)
def test_every_drop_and_every_change_is_found_and_nothing_else(moved: list[Moved]) -> None:
    statement, movements = sides(moved)

    told = reconcile(DAY, statement, movements)

    wanted = Counter(each[1:] for one in moved for each in expected(one) if each[0] == DAY)
    assert Counter((one.kind, one.movement, one.key) for one in told.differences) == wanted
    assert told.agrees == (not wanted)


@given(moves)
def test_totals_are_the_statements_and_differ_by_the_differences(moved: list[Moved]) -> None:
    statement, movements = sides(moved)

    told = reconcile(DAY, statement, movements)

    for kind in ("PAYMENT", "REFUND"):
        at_gateway = sum(line.amount for line in statement.get(DAY, ()) if line.kind == kind)
        total = next((one for one in told.totals if one.movement == kind), None)
        differ = [one for one in told.differences if one.movement == kind]
        apart = sum((one.gateway_amount or 0) - (one.ledger_amount or 0) for one in differ)
        assert (total.gateway_amount if total else 0) == at_gateway
        assert (total.gateway_amount - total.ledger_amount if total else 0) == apart
        assert not total or total.agrees == (apart == 0)


@given(moves, st.randoms(use_true_random=False))
def test_the_order_of_what_is_given_does_not_matter(moved: list[Moved], chance: Any) -> None:
    statement, movements = sides(moved)
    told = reconcile(DAY, statement, movements)
    for side in (*statement.values(), *movements.values()):
        chance.shuffle(side)

    again = reconcile(DAY, statement, movements)

    assert again.totals == told.totals
    assert {one.model_dump_json() for one in again.differences} == {one.model_dump_json() for one in told.differences}
