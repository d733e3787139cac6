"""A patient's statement: what was owed before, every entry of the ledger since then, and what is owed after it."""

from __future__ import annotations

from datetime import date
from itertools import chain
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, ConfigDict, Field

from billing.clinic import clinic
from billing.model import EntryKind, Method
from billing.totals import Books, Totals, kept_apart
from hms.errors import Forbidden, Refused
from hms.fields import View
from hms.money import AT_REST, Amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from billing.model import Entry, Posting
    from billing.query import StatementParams
    from billing.store import Bills
    from hms.call import Call

# What is still printed, and answered, well within the time a function has.
MOST_LINES = 2000


class StatementTooLong(Refused):
    code, detail = "STATEMENT_TOO_LONG", f"It would have more than {MOST_LINES} lines; ask for a shorter time."


class StatementLine(View):
    """One entry. `amount` is what the patient owes more by it, `balance` what they owe after it."""

    at: AwareDatetime
    day: date
    bill_id: str
    bill_number: str
    kind: EntryKind
    method: Method | None
    description: str | None
    reason: str | None
    amount: Amount
    balance: Amount


class Account(View):
    """One currency; what an older system had recorded is apart. A balance below zero is the patient's credit."""

    currency: str
    historical: bool
    opening_balance: Amount
    lines: list[StatementLine]
    totals: Totals
    closing_balance: Amount


class Statement(View):
    """`from` is null where the statement goes back to the beginning."""

    model_config = ConfigDict(serialize_by_alias=True)

    patient_id: str
    start: date | None = Field(alias="from")
    end: date = Field(alias="to")
    as_of: AwareDatetime
    accounts: list[Account]


def statement(patient_id: str, asked: StatementParams, call: Call, bills: Bills) -> Statement:
    """Every read is consistent. Raises `StatementTooLong`."""
    if not call.who.reaches("billing:statement", patient_id=patient_id):
        raise Forbidden
    end = asked.end or clinic().day(call.now)
    owned = bills.of_patient(patient_id).bills
    postings = list(chain.from_iterable(bills.postings(bill.bill_id).postings for bill in owned))
    told = {"patient_id": patient_id, "from": asked.start, "to": end, "as_of": call.now}
    return Statement.model_validate(told | {"accounts": accounts_of(postings, asked.start, end)})


def accounts_of(postings: Iterable[Posting], start: date | None, end: date) -> list[Account]:
    """Raises `StatementTooLong`."""
    ordered = sorted(postings, key=lambda posting: (posting.at, posting.bill_id, posting.version))
    until = [posting for posting in ordered if _day(posting) <= end]
    shown = sum(len(posting.entries) for posting in until if _is_since(posting, start))
    if shown > MOST_LINES:
        raise StatementTooLong
    return [_account(books, kept, start) for books, kept in kept_apart(until).items()]


def _account(books: Books, postings: Sequence[Posting], start: date | None) -> Account:
    earlier = _amount(posting for posting in postings if not _is_since(posting, start))
    shown = [(posting, entry) for posting in postings if _is_since(posting, start) for entry in posting.entries]
    told = {
        "currency": books.currency,
        "historical": books.historical,
        "opening_balance": earlier,
        "lines": _lines(shown, earlier),
        "totals": Totals.of(entry for _, entry in shown),
        "closing_balance": _amount(postings),
    }
    return Account.model_validate(told, context=AT_REST)


def _lines(shown: Iterable[tuple[Posting, Entry]], balance: int) -> list[StatementLine]:
    lines = []
    for posting, entry in shown:
        balance += entry.amount
        same = {name: getattr(entry, name) for name in ("kind", "method", "description", "reason", "amount")}
        about = {"at": posting.at, "day": _day(posting), "bill_id": posting.bill_id, "bill_number": posting.bill_number}
        lines.append(StatementLine.model_validate(about | same | {"balance": balance}, context=AT_REST))
    return lines


def _amount(postings: Iterable[Posting]) -> int:
    return sum(entry.amount for posting in postings for entry in posting.entries)


def _is_since(posting: Posting, start: date | None) -> bool:
    return start is None or _day(posting) >= start


def _day(posting: Posting) -> date:
    return clinic().day(posting.at)
