"""A patient's statement: from what was owed before, over every entry, to what is owed after it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from billing import statements
from billing.model import EntryKind, Posting
from billing.query import StatementParams
from billing.statements import MOST_LINES, Statement, StatementTooLong, accounts_of
from hms import ids
from hms.errors import Forbidden
from hms.money import AT_REST
from tests.support.billing import NOW, OTHER_PATIENT, PATIENT, Till, a_principal, a_visit

if TYPE_CHECKING:
    from hms.auth import Principal

DESK = a_principal("receptionist", "statement")
THE_PATIENT = a_principal("patient", "statement", patient_id=PATIENT)
ANOTHER_PATIENT = a_principal("patient", "statement", patient_id=OTHER_PATIENT)
DAY = date(2026, 11, 28)


def statement(till: Till, who: Principal = DESK, patient_id: str = PATIENT, **asked: str) -> Statement:
    params = StatementParams.model_validate({{"start": "from", "end": "to"}[name]: day for name, day in asked.items()})
    return statements.statement(patient_id, params, till.call(who), till.bills)


def told(one: Statement) -> list[tuple[str, int, int]]:
    """Kind, amount and balance of every line."""
    return [(line.kind, line.amount, line.balance) for account in one.accounts for line in account.lines]


def a_posting(amount: int = 100, **changes: Any) -> Posting:
    facts: dict[str, Any] = {
        "bill_id": ids.derived("bill", 1),
        "bill_number": "B1",
        "patient_id": PATIENT,
        "version": 1,
        "at": NOW,
        "by": "clerk",
        "currency": "INR",
        "entries": [{"entry_id": "1", "kind": "CHARGE", "amount": amount}],
    }
    return Posting.model_validate(facts | changes, context=AT_REST)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_every_entry_of_every_bill_is_told_with_the_balance_after_it(till: Till) -> None:
    till.open_bill()
    till.pay(52_500)
    till.now = at("2026-11-28T11:00:00+05:30")
    other = till.made()
    till.write_off(other, 500)
    till.now = at("2026-11-28T12:00:00+05:30")
    till.settle(a_visit("COMPLETED", 2))

    one = statement(till)

    assert told(one) == [
        ("CHARGE", 52_500, 52_500),
        ("PAYMENT", -52_500, 0),
        ("CHARGE", 10_500, 10_500),
        ("WRITE_OFF", -500, 10_000),
    ]
    (account,) = one.accounts
    assert (account.opening_balance, account.closing_balance, account.totals.net) == (0, 10_000, 10_000)
    assert account.lines[3].reason == "Moved away"
    assert account.lines[1].method == "CARD"


def test_what_happened_before_is_the_opening_balance(till: Till) -> None:
    till.now = at("2026-11-26T23:59:59+05:30")
    bill = till.made()
    till.now = at("2026-11-27T00:00:00+05:30")
    till.pay(500, bill_id=bill)
    till.now = at("2026-11-27T23:59:59+05:30")
    till.write_off(bill, 1_000)
    till.now = at("2026-11-28T00:00:00+05:30")
    till.pay(2_000, "late", bill)

    (account,) = statement(till, start="2026-11-27", end="2026-11-27").accounts

    assert account.opening_balance == 10_500
    assert [(line.kind, line.balance) for line in account.lines] == [("PAYMENT", 10_000), ("WRITE_OFF", 9_000)]
    assert [line.day for line in account.lines] == [date(2026, 11, 27)] * 2
    assert account.closing_balance == 9_000


def test_a_statement_reads_consistently_a_bill_at_a_time(till: Till) -> None:
    till.made()
    till.made()

    assert till.calls_of(lambda: statement(till)) == (4, 0)


def test_a_statement_has_one_patients_bills_only(till: Till) -> None:
    till.made()
    till.made(patient_id=OTHER_PATIENT)

    assert told(statement(till)) == [("CHARGE", 10_500, 10_500)]
    assert statement(till, patient_id=ids.derived("patient", 9)).accounts == []


def test_patients_read_their_own_statement_and_nobody_elses(till: Till) -> None:
    till.made()

    assert told(statement(till, THE_PATIENT)) == [("CHARGE", 10_500, 10_500)]
    with pytest.raises(Forbidden):
        statement(till, ANOTHER_PATIENT)


def test_currencies_and_history_have_accounts_of_their_own() -> None:
    postings = [a_posting(1, historical=True), a_posting(2, currency="USD"), a_posting(3), a_posting(4, version=2)]

    accounts = accounts_of(postings, None, DAY)

    assert [(one.currency, one.historical, one.closing_balance) for one in accounts] == [
        ("INR", False, 7),
        ("USD", False, 2),
        ("INR", True, 1),
    ]


def test_an_account_that_is_at_rest_is_still_told() -> None:
    (account,) = accounts_of([a_posting(5)], date(2026, 11, 29), date(2026, 11, 30))

    assert (account.opening_balance, account.lines, account.closing_balance) == (5, [], 5)


def test_an_account_that_begins_later_is_not_told() -> None:
    assert accounts_of([a_posting(5)], None, date(2026, 11, 27)) == []


def test_a_statement_has_an_end(till: Till) -> None:
    entries = [{"entry_id": str(number), "kind": "CHARGE", "amount": 1} for number in range(MOST_LINES)]
    full, earlier = a_posting(entries=entries), a_posting(at=at("2026-11-27T10:00:00+05:30"))

    (account,) = accounts_of([full, earlier], DAY, DAY)

    assert len(account.lines) == MOST_LINES
    with pytest.raises(StatementTooLong):
        accounts_of([full, earlier], None, DAY)


def test_on_the_wire_amounts_are_decimal_strings_and_the_days_are_from_and_to(till: Till) -> None:
    till.made()

    wire = json.loads(statement(till, start="2026-11-01").model_dump_json())

    assert (wire["from"], wire["to"]) == ("2026-11-01", "2026-11-28")
    assert wire["accounts"][0]["lines"][0]["balance"] == wire["accounts"][0]["closing_balance"] == "105.00"
    assert json.loads(statement(till).model_dump_json())["from"] is None


@pytest.mark.parametrize("asked", [{"start": "2026-11-28", "end": "2026-11-27"}, {"start": "2026-02-30"}])
def test_what_is_no_time_is_refused(till: Till, asked: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        statement(till, DESK, PATIENT, **asked)


POSTINGS = some.lists(
    some.builds(
        lambda amount, kind, day, bill, version, currency: a_posting(
            entries=[{"entry_id": "1", "kind": kind, "amount": amount}, {"entry_id": "2", "kind": "FEE", "amount": 7}],
            at=datetime(2026, 11, day, 12, tzinfo=UTC),
            bill_id=ids.derived("bill", bill),
            version=version,
            currency=currency,
        ),
        some.integers(-(10**9), 10**9),
        some.sampled_from(list(EntryKind)),
        some.integers(1, 28),
        some.integers(1, 3),
        some.integers(1, 9),
        some.sampled_from(["INR", "EUR"]),
    ),
    max_size=12,
)
DAYS = some.dates(date(2026, 11, 1), date(2026, 11, 28))


@given(POSTINGS, DAYS, DAYS)
def test_balances_run_without_a_gap_from_the_first_day_to_the_last(
    postings: list[Posting], one: date, other: date
) -> None:
    start, end = sorted((one, other))

    for account in accounts_of(postings, start, end):
        balance = account.opening_balance
        for line in account.lines:
            balance += line.amount
            assert line.balance == balance
            assert start <= line.day <= end
        assert balance == account.closing_balance == account.opening_balance + account.totals.net


@given(POSTINGS, some.integers(1, 27))
def test_two_statements_one_after_the_other_are_one(postings: list[Posting], day: int) -> None:
    split, last = date(2026, 11, day), date(2026, 11, 28)
    first = {one.currency: one for one in accounts_of(postings, None, split)}
    second = {one.currency: one for one in accounts_of(postings, split.replace(day=day + 1), last)}

    for account in accounts_of(postings, None, last):
        before, after = first.get(account.currency), second[account.currency]
        assert (before.lines if before else []) + after.lines == account.lines
        assert (before.closing_balance if before else 0) == after.opening_balance
        assert after.closing_balance == account.closing_balance
