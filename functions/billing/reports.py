"""Reports of the ledger: a day, a month, and what is owed.

They are added up from the entries themselves, so that they are what the ledger says. Where a bill's own sums can be
held against it, they are, and bills that say otherwise are named.
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pydantic import AwareDatetime

from billing import ledger
from billing.clinic import clinic
from billing.model import EntryKind, Method
from billing.totals import Books, Totals, entries_of, kept_apart
from hms.fields import View
from hms.money import AT_REST, Amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from billing.model import Bill, Entry, Posting
    from billing.query import DailyParams, MonthlyParams
    from billing.store import Bills
    from hms.call import Call

# Two questions each.
_MOST_READ = 200
_ORDER = {kind: place for place, kind in enumerate(EntryKind)}


class KindTotal(View):
    """Entries of one kind, of money that moved by its method."""

    kind: EntryKind
    method: Method | None
    entries: int
    amount: Amount
    tax_amount: Amount


class Checked(View):
    """Bills whose own sums were held against their ledger, and those that say otherwise.

    `unchecked`: so many more have entries of the day; each would be a question of its own.
    """

    bills: int
    unchecked: int = 0
    differing: list[str]

    @property
    def reconciles(self) -> bool:
        return not self.differing


class DayAccount(View):
    """A day in one currency; what an older system had recorded is apart."""

    currency: str
    historical: bool
    totals: Totals
    kinds: list[KindTotal]


class DailyReport(View):
    """What the ledger says of a clinic day. `checked` are the bills that have entries of it."""

    day: date
    as_of: AwareDatetime
    accounts: list[DayAccount]
    checked: Checked
    reconciles: bool


class DayTotals(View):
    day: date
    totals: Totals


class MonthAccount(View):
    currency: str
    historical: bool
    days: list[DayTotals]
    totals: Totals


class MonthlyReport(View):
    """What the ledger says of a month, a line for each of its clinic days that has begun."""

    month: str
    as_of: AwareDatetime
    accounts: list[MonthAccount]


def daily(asked: DailyParams, call: Call, bills: Bills) -> DailyReport:
    """From the index, so a moment old; the bills that seem to differ are looked at again, consistently."""
    day = asked.day or clinic().day(call.now)
    postings = bills.postings_on(day).postings
    checked = _checked(day, postings, bills)
    return DailyReport(
        day=day,
        as_of=call.now,
        accounts=day_accounts(postings),
        checked=checked,
        reconciles=checked.reconciles,
    )


def monthly(asked: MonthlyParams, call: Call, bills: Bills) -> MonthlyReport:
    """From the index, so a moment old."""
    today = clinic().day(call.now)
    month = asked.month or f"{today:%Y-%m}"
    accounts = month_accounts(days_of(month, today), bills.postings_in(month))
    return MonthlyReport(month=month, as_of=call.now, accounts=accounts)


def day_accounts(postings: Iterable[Posting]) -> list[DayAccount]:
    return [
        DayAccount(
            currency=books.currency,
            historical=books.historical,
            totals=Totals.of(entries_of(kept)),
            kinds=_by_kind(entries_of(kept)),
        )
        for books, kept in kept_apart(postings).items()
    ]


def month_accounts(days: Sequence[date], postings: Iterable[Posting]) -> list[MonthAccount]:
    return [_month_account(books, days, kept) for books, kept in kept_apart(postings).items()]


def days_of(month: str, today: date) -> list[date]:
    """The days of a month (`2026-11`) up to today."""
    first = date.fromisoformat(f"{month}-01")
    last = min(first.replace(day=calendar.monthrange(first.year, first.month)[1]), today)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def differing(bills: Iterable[Bill], postings: Iterable[Posting]) -> list[str]:
    """The bills whose sums are not what these postings, which are all of theirs, add up to."""
    of_bill: dict[str, list[Posting]] = defaultdict(list)
    for posting in sorted(postings, key=lambda posting: posting.version):
        of_bill[posting.bill_id].append(posting)
    return [bill.bill_id for bill in bills if not _explained(bill, of_bill[bill.bill_id])]


def surely_differing(bill_ids: Iterable[str], bills: Bills) -> list[str]:
    """Those that differ on consistent reads: an index may have been late."""
    return [
        bill_id
        for bill_id in bill_ids
        if (stored := bills.load(bill_id)) and differing([stored.state], bills.postings(bill_id).postings)
    ]


def _checked(day: date, postings: Sequence[Posting], bills: Bills) -> Checked:
    """Of a bill that was made on the day and not changed since, the day's ledger has every entry; others are read."""
    touched = bills.many(dict.fromkeys(posting.bill_id for posting in postings))
    whole: list[Bill] = []
    others: list[Bill] = []
    for bill in touched:
        ours = {_day(bill.created_at), _day(bill.updated_at)} == {day}
        (whole if ours else others).append(bill)
    suspects = [*differing(whole, postings), *(bill.bill_id for bill in others[:_MOST_READ])]
    left = len(others[_MOST_READ:])
    return Checked(bills=len(touched) - left, unchecked=left, differing=surely_differing(suspects, bills))


def _day(instant: AwareDatetime) -> date:
    return clinic().day(instant)


def _explained(bill: Bill, postings: Iterable[Posting]) -> bool:
    """Money that is only on its way is not in the ledger; what was posted since the bill was read is not in it."""
    moved = bill.sums.model_copy(update={"reserved": 0, "refund_reserved": 0})
    return moved == ledger.sums_of(posting for posting in postings if posting.version <= bill.version)


def _by_kind(entries: Iterable[Entry]) -> list[KindTotal]:
    grouped: dict[tuple[int, Method | None], list[Entry]] = defaultdict(list)
    for entry in entries:
        grouped[_ORDER[entry.kind], entry.method].append(entry)
    return [_kind_total(grouped[key]) for key in sorted(grouped, key=lambda key: (key[0], key[1] or ""))]


def _kind_total(entries: Sequence[Entry]) -> KindTotal:
    told = {
        "kind": entries[0].kind,
        "method": entries[0].method,
        "entries": len(entries),
        "amount": sum(entry.amount for entry in entries),
        "tax_amount": sum(entry.tax_amount for entry in entries),
    }
    return KindTotal.model_validate(told, context=AT_REST)


def _month_account(books: Books, days: Sequence[date], postings: Iterable[Posting]) -> MonthAccount:
    on: dict[date, list[Posting]] = defaultdict(list)
    for posting in postings:
        on[_day(posting.at)].append(posting)
    return MonthAccount(
        currency=books.currency,
        historical=books.historical,
        days=[DayTotals(day=day, totals=Totals.of(entries_of(on[day]))) for day in days],
        totals=Totals.of(entry for kept in on.values() for entry in entries_of(kept)),
    )
