"""Reports say what the ledger says, and name the bills that say otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from billing import receivables, reports
from billing.model import EntryKind, Method, Posting
from billing.query import AgedParams, Bucket, DailyParams, MonthlyParams
from billing.reports import day_accounts, month_accounts
from billing.totals import Totals, entries_of
from hms import ids
from hms.money import AT_REST
from tests.support.billing import NOW, OTHER_PATIENT, Till, a_visit, an_item, cancelled
from tests.support.memory import LaggingTable

if TYPE_CHECKING:
    from billing.receivables import AgedReceivables
    from billing.reports import DailyReport, MonthlyReport

TODAY = date(2026, 11, 28)


def daily(till: Till, day: date | None = None) -> DailyReport:
    return reports.daily(DailyParams(day=day), till.call(), till.bills)


def monthly(till: Till, month: str | None = None) -> MonthlyReport:
    return reports.monthly(MonthlyParams(month=month), till.call(), till.bills)


def aged(till: Till, **asked: Any) -> AgedReceivables:
    return receivables.aged(AgedParams.model_validate(asked), till.call(), till.bills)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def a_posting(*entries: dict[str, Any], **changes: Any) -> Posting:
    facts: dict[str, Any] = {
        "bill_id": ids.derived("bill", 1),
        "bill_number": "B1",
        "patient_id": ids.derived("patient", 1),
        "version": 1,
        "at": NOW,
        "by": "clerk",
        "currency": "INR",
        "entries": [{"entry_id": str(place), **entry} for place, entry in enumerate(entries)],
    }
    return Posting.model_validate(facts | changes, context=AT_REST)


def nonzero(totals: Totals) -> dict[str, int]:
    return {name: amount for name, amount in totals if amount}


def test_a_day_is_added_up_by_kind_and_method(till: Till) -> None:
    one, other = till.made(), till.made(an_item(20_000), patient_id=OTHER_PATIENT)
    till.discount(other, 1_000)
    till.write_off(one, 500)
    till.pay(10_000, "a", one)
    till.pay(4_000, "b", other)
    till.refund(1_000, bill_id=other)

    report = daily(till)

    (account,) = report.accounts
    assert (report.day, account.currency, account.historical, report.reconciles) == (TODAY, "INR", False, True)
    assert nonzero(account.totals) == {
        "charges": 31_500,
        "discounts": -1_050,
        "write_offs": -500,
        "payments": -14_000,
        "refunds": 1_000,
        "net": 16_950,
        "tax": 1_450,
    }
    assert [(one.kind, one.method, one.entries, one.amount, one.tax_amount) for one in account.kinds] == [
        (EntryKind.CHARGE, None, 2, 31_500, 1_500),
        (EntryKind.DISCOUNT, None, 1, -1_050, -50),
        (EntryKind.WRITE_OFF, None, 1, -500, 0),
        (EntryKind.PAYMENT, Method.CARD, 2, -14_000, 0),
        (EntryKind.REFUND, Method.CARD, 1, 1_000, 0),
    ]
    assert (report.checked.bills, report.checked.differing) == (2, [])


def test_what_was_taken_back_and_the_fee_instead_are_told_apart(till: Till) -> None:
    till.open_bill()
    till.settle(cancelled())

    (account,) = daily(till).accounts

    assert nonzero(account.totals) == {
        "charges": 52_500,
        "reversals": -52_500,
        "fees": 26_250,
        "net": 26_250,
        "tax": 1_250,
    }


def test_what_is_only_on_its_way_is_in_no_report_and_still_reconciles(till: Till) -> None:
    bill = till.made()
    till.reserve(10_000, bill_id=bill)

    report = daily(till)

    assert nonzero(report.accounts[0].totals) == {"charges": 10_500, "net": 10_500, "tax": 500}
    assert (report.checked.bills, report.reconciles) == (1, True)


def test_a_bill_that_says_otherwise_than_its_ledger_is_named(till: Till) -> None:
    honest, forged = till.made(), till.made()
    key = till.bills.key(forged)
    item = till.table.items[key]
    till.table.items[key] = replace(item, body=(item.body or "").replace('"charged":10500', '"charged":10400'))

    report = daily(till)

    assert (report.checked.bills, report.checked.differing, report.reconciles) == (2, [forged], False)
    assert honest != forged


def test_an_index_that_is_late_makes_no_bill_differ() -> None:
    table = LaggingTable()
    till = Till(table=table)  # type: ignore[arg-type]
    bill = till.made()
    table.catch_up()
    till.write_off(bill, 500)

    report = daily(till)

    assert nonzero(report.accounts[0].totals) == {"charges": 10_500, "net": 10_500, "tax": 500}
    assert (report.checked.bills, report.reconciles) == (1, True)


def test_a_bill_of_another_day_is_held_against_its_whole_ledger(till: Till) -> None:
    till.now = at("2026-11-27T23:59:59+05:30")
    bill = till.made()
    till.now = at("2026-11-28T00:00:00+05:30")
    till.pay(10_500, bill_id=bill)

    before, after = daily(till, date(2026, 11, 27)), daily(till)

    assert nonzero(before.accounts[0].totals) == {"charges": 10_500, "net": 10_500, "tax": 500}
    assert nonzero(after.accounts[0].totals) == {"payments": -10_500, "net": -10_500}
    assert (before.checked.bills, after.checked.bills) == (1, 1)
    assert (before.reconciles, after.reconciles) == (True, True)


@pytest.mark.parametrize("day", [date(2026, 11, 27), date(2026, 11, 28)])
def test_an_entry_that_is_lost_is_found_on_every_day_of_its_bill(till: Till, day: date) -> None:
    till.now = at("2026-11-27T23:59:59+05:30")
    bill = till.made()
    till.write_off(bill, 100)
    till.now = at("2026-11-28T00:00:00+05:30")
    till.pay(10_400, bill_id=bill)
    rows = [key for key in till.table.items if key.pk == f"bill#{bill}" and key.sk.startswith("ledger#")]
    del till.table.items[sorted(rows)[1]]

    assert (daily(till, day).reconciles, daily(till, day).checked.differing) == (False, [bill])


def test_no_more_ledgers_are_read_than_a_caller_waits_for(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "_MOST_READ", 2)
    till.now = at("2026-11-27T12:00:00+05:30")
    made = [till.made() for _ in range(3)]
    till.now = at("2026-11-28T12:00:00+05:30")
    for bill in made:
        till.write_off(bill, 100)

    checked = daily(till).checked

    assert (checked.bills, checked.unchecked, checked.reconciles) == (2, 1, True)


def test_a_day_without_entries_has_no_accounts(till: Till) -> None:
    report = daily(till, date(2026, 1, 1))

    assert (report.accounts, report.checked.bills, report.reconciles) == ([], 0, True)


def test_currencies_are_never_added_and_history_is_apart() -> None:
    charge = {"kind": "CHARGE", "amount": 100}
    accounts = day_accounts(
        [a_posting(charge, historical=True), a_posting(charge, currency="INR"), a_posting(charge, currency="EUR")]
    )

    assert [(one.currency, one.historical, one.totals.net) for one in accounts] == [
        ("EUR", False, 100),
        ("INR", False, 100),
        ("INR", True, 100),
    ]


def test_a_month_has_a_line_for_each_day_so_far_and_adds_up(till: Till) -> None:
    for moment in ("2026-10-31T23:59:59+05:30", "2026-11-01T00:00:00+05:30", "2026-11-28T09:00:00+05:30"):
        till.now = at(moment)
        till.made()

    report = monthly(till)

    (account,) = report.accounts
    assert (report.month, [line.day.day for line in account.days]) == ("2026-11", list(range(1, 29)))
    assert [line.day.day for line in account.days if line.totals.charges] == [1, 28]
    assert nonzero(account.totals) == {"charges": 21_000, "net": 21_000, "tax": 1_000}
    assert [len(one.days) for one in monthly(till, "2026-10").accounts] == [31]
    assert monthly(till, "2026-12").accounts == []


def test_a_month_that_is_over_has_all_its_days(till: Till) -> None:
    till.now = at("2024-02-29T12:00:00+05:30")
    till.made()
    till.now = NOW

    (account,) = monthly(till, "2024-02").accounts

    assert [line.day.day for line in account.days if line.totals.net] == [29]
    assert len(account.days) == 29


KINDS = list(EntryKind)
ENTRIES = some.fixed_dictionaries(
    {
        "kind": some.sampled_from(KINDS),
        "amount": some.integers(-(10**9), 10**9),
        "tax_amount": some.integers(-(10**6), 10**6),
        "method": some.sampled_from([None, *Method]),
    }
)
POSTINGS = some.builds(
    lambda entries, day, currency: a_posting(*entries, at=datetime(2026, 11, day, 12, tzinfo=UTC), currency=currency),
    some.lists(ENTRIES, min_size=1, max_size=4),
    some.integers(1, 28),
    some.sampled_from(["INR", "EUR"]),
)


@given(some.lists(POSTINGS, max_size=12))
def test_every_report_comes_to_what_the_entries_come_to(postings: list[Posting]) -> None:
    total: dict[str, int] = {}
    for posting in postings:
        total[posting.currency] = total.get(posting.currency, 0) + sum(entry.amount for entry in posting.entries)

    days = day_accounts(postings)
    months = month_accounts([date(2026, 11, day) for day in range(1, 29)], postings)

    assert {one.currency: one.totals.net for one in days} == total
    assert {one.currency: sum(kind.amount for kind in one.kinds) for one in days} == total
    assert {one.currency: one.totals.net for one in months} == total
    assert {one.currency: sum(line.totals.net for line in one.days) for one in months} == total


@given(some.lists(ENTRIES, max_size=12))
def test_all_totals_but_the_tax_add_up_to_the_net(entries: list[dict[str, Any]]) -> None:
    totals = Totals.of(entries_of([a_posting(*entries)]))

    parts = sum(amount for name, amount in totals if name not in ("net", "tax"))
    assert parts == totals.net == sum(entry["amount"] for entry in entries)
    assert totals.tax == sum(entry["tax_amount"] for entry in entries)


@pytest.mark.parametrize(
    ("today", "bucket"),
    [
        ("2026-11-30", Bucket.CURRENT),
        ("2026-12-01", Bucket.DAYS_1_30),
        ("2026-12-30", Bucket.DAYS_1_30),
        ("2026-12-31", Bucket.DAYS_31_60),
        ("2027-01-29", Bucket.DAYS_31_60),
        ("2027-01-30", Bucket.DAYS_61_90),
        ("2027-02-28", Bucket.DAYS_61_90),
        ("2027-03-01", Bucket.OVER_90),
    ],
)
def test_what_is_owed_ages_from_the_day_after_it_is_due(till: Till, today: str, bucket: Bucket) -> None:
    till.made(due_date="2026-11-30")
    till.now = at(f"{today}T00:00:00+05:30")

    report = aged(till)

    (account,) = report.accounts
    assert [one.bucket for one in account.buckets] == list(Bucket)
    assert [(one.bucket, one.outstanding_amount) for one in account.buckets if one.bills] == [(bucket, 10_500)]
    assert (account.bills, account.outstanding_amount) == (1, 10_500)
    assert (report.items[0].bucket, report.items[0].days_overdue) == (
        bucket,
        max(0, (date.fromisoformat(today) - date(2026, 11, 30)).days),
    )


def test_only_what_is_outstanding_is_owed(till: Till) -> None:
    paid, partly, void = till.made(), till.made(), till.made()
    till.pay(10_500, "a", paid)
    till.pay(10_000, "b", partly)
    till.void(void)

    report = aged(till)

    assert [(one.bill_id, one.outstanding_amount, one.total_amount) for one in report.items] == [(partly, 500, 10_500)]
    assert report.accounts[0].outstanding_amount == 500


def test_what_a_visit_to_come_will_cost_is_not_due_yet(till: Till) -> None:
    till.open_bill()

    till.now += timedelta(days=365)
    assert [(one.bucket, one.days_overdue) for one in aged(till).items] == [(Bucket.PROVISIONAL, 0)]
    till.settle(a_visit("COMPLETED", 2))
    assert [one.bucket for one in aged(till).items] == [Bucket.CURRENT]


def test_those_owed_the_longest_come_first_page_after_page_and_all_are_added_up(till: Till) -> None:
    made = [till.made(due_date=f"2026-12-{day:02}") for day in (5, 3, 4)]
    till.made(currency="EUR", due_date="2026-12-09")

    first = aged(till, limit=2)
    rest = aged(till, limit=2, cursor=first.next_cursor)

    assert [one.bill_id for one in first.items] == [made[1], made[2]]
    assert [one.currency for one in rest.items] == ["INR", "EUR"]
    assert rest.next_cursor is None
    for page in (first, rest):
        sums = {one.currency: (one.bills, one.outstanding_amount) for one in page.accounts}
        assert sums == {"INR": (3, 31_500), "EUR": (1, 10_500)}
        assert (page.checked.bills, page.reconciles) == (2, True)


def test_a_bucket_can_be_looked_into(till: Till) -> None:
    till.made(due_date="2027-03-01")
    late = till.made(due_date="2026-12-01")
    till.now = at("2026-12-02T10:00:00+05:30")

    report = aged(till, bucket="DAYS_1_30")

    assert [one.bill_id for one in report.items] == [late]
    assert report.accounts[0].bills == 2


def test_a_bill_that_is_owed_and_says_otherwise_than_its_ledger_is_named(till: Till) -> None:
    forged = till.made()
    key = till.bills.key(forged)
    item = till.table.items[key]
    till.table.items[key] = replace(item, body=(item.body or "").replace('"charged":10500', '"charged":10400'))

    report = aged(till)

    assert (report.checked.differing, report.reconciles) == ([forged], False)
