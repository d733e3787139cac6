"""What is owed, by how long it is overdue."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING

from pydantic import AwareDatetime

from billing.clinic import clinic
from billing.listing import BY_DAY, position
from billing.query import Bucket
from billing.reports import Checked, surely_differing
from hms.fields import View
from hms.money import AT_REST, Amount
from hms.pages import sealed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from billing.model import Bill
    from billing.query import AgedParams
    from billing.store import Bills
    from hms.call import Call

# The last day of each bucket, counted from the due date.
_ENDS = ((0, Bucket.CURRENT), (30, Bucket.DAYS_1_30), (60, Bucket.DAYS_31_60), (90, Bucket.DAYS_61_90))


class BucketTotal(View):
    bucket: Bucket
    bills: int
    outstanding_amount: Amount


class OwedAccount(View):
    """What is owed in one currency."""

    currency: str
    buckets: list[BucketTotal]
    bills: int
    outstanding_amount: Amount


class OwedBill(View):
    bill_id: str
    bill_number: str
    patient_id: str
    currency: str
    due_date: date
    days_overdue: int
    bucket: Bucket
    total_amount: Amount
    outstanding_amount: Amount


class AgedReceivables(View):
    """`accounts` add up every bill on which something is outstanding, `items` are a page of them.

    `checked` are those of the page: their sums are held against their ledger. History is never asked for, so it is
    not here.
    """

    day: date
    as_of: AwareDatetime
    accounts: list[OwedAccount]
    items: list[OwedBill]
    next_cursor: str | None
    checked: Checked
    reconciles: bool


def aged(asked: AgedParams, call: Call, bills: Bills) -> AgedReceivables:
    """From the index, so a moment old."""
    today, after = clinic().day(call.now), position(asked.cursor, BY_DAY)
    owed = bills.owed().bills
    wanted = [bill for bill in owed if asked.bucket in (None, bucket_of(bill, today))]
    rest = [bill for bill in wanted if after is None or _place(bill) > after]
    page = rest[: asked.limit]
    checked = Checked(bills=len(page), differing=surely_differing([bill.bill_id for bill in page], bills))
    return AgedReceivables(
        day=today,
        as_of=call.now,
        accounts=accounts_of(owed, today),
        items=[_shown(bill, today) for bill in page],
        next_cursor=sealed(_place(page[-1])) if len(page) < len(rest) else None,
        checked=checked,
        reconciles=checked.reconciles,
    )


def bucket_of(bill: Bill, today: date) -> Bucket:
    if bill.provisional:
        return Bucket.PROVISIONAL
    days = (today - bill.due_date).days
    return next((bucket for end, bucket in _ENDS if days <= end), Bucket.OVER_90)


def accounts_of(bills: Iterable[Bill], today: date) -> list[OwedAccount]:
    by_currency: dict[str, list[Bill]] = defaultdict(list)
    for bill in bills:
        by_currency[bill.currency].append(bill)
    return [_account(currency, by_currency[currency], today) for currency in sorted(by_currency)]


def _account(currency: str, bills: Sequence[Bill], today: date) -> OwedAccount:
    apart: dict[Bucket, list[Bill]] = {bucket: [] for bucket in Bucket}
    for bill in bills:
        apart[bucket_of(bill, today)].append(bill)
    buckets = [{"bucket": bucket, **_summed(kept)} for bucket, kept in apart.items()]
    told = {"currency": currency, "buckets": buckets, **_summed(bills)}
    return OwedAccount.model_validate(told, context=AT_REST)


def _summed(bills: Sequence[Bill]) -> dict[str, int]:
    return {"bills": len(bills), "outstanding_amount": sum(bill.sums.outstanding for bill in bills)}


def _shown(bill: Bill, today: date) -> OwedBill:
    own = {name: getattr(bill, name) for name in ("bill_id", "bill_number", "patient_id", "currency", "due_date")}
    told = {
        "days_overdue": (today - bill.due_date).days if bill.is_overdue(today) else 0,
        "bucket": bucket_of(bill, today),
        "total_amount": bill.sums.charged,
        "outstanding_amount": bill.sums.outstanding,
    }
    return OwedBill.model_validate(own | told, context=AT_REST)


def _place(bill: Bill) -> str:
    return f"{bill.due_date}#{bill.bill_id}"
