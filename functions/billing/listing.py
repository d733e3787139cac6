"""Bills as lists: a patient's, a visit's, those of some days, those owed. A bill's ledger, and the work list."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from pydantic import AwareDatetime

from billing import exceptions, service
from billing.clinic import clinic
from billing.model import BillingException, BillView, EntryKind, Method
from billing.settlement import bill_id_of
from hms import numbers
from hms.errors import FieldError, Forbidden, Invalid
from hms.fields import View
from hms.money import AT_REST, Amount
from hms.pages import opened, sealed, sifted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from billing.model import Bill
    from billing.query import ListBills, ListExceptions
    from billing.store import Bills
    from hms.aggregate import Stored
    from hms.call import Call
    from hms.pages import PageParams, Reading

# Where a filter may leave little of what is read.
_A_READ = 100
_DAY = timedelta(days=1)
_LONGEST_SPAN = 366
# A place in a month that has been read to its end: after every id.
_END = "~"
BY_DAY = re.compile(r"\d{4}-\d{2}-\d{2}#([0-9a-f-]{36}|~)", re.ASCII)
_OF_PATIENT = re.compile(r"bill#\d{4}-\d{2}-\d{2}#[0-9a-f-]{36}", re.ASCII)
_IN_LEDGER = re.compile(r"ledger#\d{8}", re.ASCII)
_BY_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T[0-9:.]+Z#[0-9a-f-]{36}", re.ASCII)


class BillList(View):
    items: list[BillView]
    next_cursor: str | None
    as_of: AwareDatetime


class EntryView(View):
    """An entry as it is answered; see `billing.model.Entry`."""

    entry_id: str
    kind: EntryKind
    amount: Amount
    tax_amount: Amount
    line_id: str | None
    description: str | None
    transaction_id: str | None
    method: Method | None
    reason: str | None


class PostingView(View):
    """The entries of one change of a bill, by whom and when; `version` is the bill's after it."""

    version: int
    at: AwareDatetime
    by: str
    currency: str
    entries: list[EntryView]


class LedgerPage(View):
    """The postings of a bill, oldest first."""

    items: list[PostingView]
    next_cursor: str | None


class ExceptionList(View):
    items: list[BillingException]
    next_cursor: str | None
    as_of: AwareDatetime


class _Source(NamedTuple):
    """A list that is read from somewhere, and what a position in it looks like."""

    read: Callable[[str | None], Reading[Bill]]
    positions: re.Pattern[str]


def listed(asked: ListBills, call: Call, bills: Bills) -> BillList:
    """Those who reach only their own see their own. All but those of days and those owed are consistent.

    Raises `Invalid` for a bill number whose check digit is wrong.
    """
    today = clinic().day(call.now)
    if asked.appointment_id or asked.bill_number:
        stored = _named(asked, bills)
        found = [stored.state] if stored else []
        return _page([bill for bill in found if _reaches(bill, call) and asked.takes(bill, today)], None, call)
    source = _source(asked, _patient_id(asked, call), today, bills)
    after = position(asked.cursor, source.positions)
    return _page(*sifted(source.read, lambda bill: asked.takes(bill, today), asked.limit, after), call)


def ledger_of(bill_id: str, asked: PageParams, call: Call, bills: Bills) -> LedgerPage:
    service.read(bill_id, call, bills)
    page = bills.postings(bill_id, limit=asked.limit, after=position(asked.cursor, _IN_LEDGER))
    told = [posting.model_dump(context=AT_REST) for posting in page.postings]
    return LedgerPage.model_validate({"items": told, "next_cursor": sealed(page.last)}, context=AT_REST)


def work_list(asked: ListExceptions, call: Call, bills: Bills) -> ExceptionList:
    """From the index, so a moment old."""
    page = exceptions.listed(asked.status, asked.limit, position(asked.cursor, _BY_INSTANT), call, bills)
    return ExceptionList(items=page.exceptions, next_cursor=sealed(page.last), as_of=call.now)


def position(cursor: str | None, form: re.Pattern[str]) -> str | None:
    """Raises `Invalid` for a cursor of another list."""
    found = opened(cursor)
    if found is not None and not form.fullmatch(found):
        raise _foreign()
    return found


def _named(asked: ListBills, bills: Bills) -> Stored[Bill] | None:
    if asked.appointment_id:
        return bills.load(bill_id_of(asked.appointment_id))
    number = asked.bill_number or ""
    numbers.check(number.removeprefix("B"), "bill_number")
    return bills.numbered(number)


def _reaches(bill: Bill, call: Call) -> bool:
    return call.who.reaches("billing:read", patient_id=bill.patient_id)


def _patient_id(asked: ListBills, call: Call) -> str | None:
    if call.who.scopes["billing:read"] == "any":
        return asked.patient_id
    patient_id = asked.patient_id or call.who.patient_id
    if patient_id is None or patient_id != call.who.patient_id:
        raise Forbidden
    return patient_id


def _source(asked: ListBills, patient_id: str | None, today: date, bills: Bills) -> _Source:
    if patient_id:
        return _Source(lambda after: _of_patient(asked, patient_id, after, bills), _OF_PATIENT)
    if asked.is_of_what_is_owed:
        until = today - _DAY if asked.overdue else None
        return _Source(lambda after: _owed(until, after, bills), BY_DAY)
    first, last = _span(asked, today)
    return _Source(lambda after: _issued(asked, first, last, after, bills), BY_DAY)


def _of_patient(asked: ListBills, patient_id: str, after: str | None, bills: Bills) -> Reading[Bill]:
    page = bills.of_patient(patient_id, asked.start, asked.end, limit=_at_once(asked), after=after)
    return [(f"bill#{bill.issued_on}#{bill.bill_id}", bill) for bill in page.bills], page.last


def _owed(until: date | None, after: str | None, bills: Bills) -> Reading[Bill]:
    page = bills.owed(until, limit=_A_READ, after=after)
    return [(f"{bill.due_date}#{bill.bill_id}", bill) for bill in page.bills], page.last


def _span(asked: ListBills, today: date) -> tuple[date, date]:
    last = asked.end or today
    first = asked.start or last
    if (last - first).days >= _LONGEST_SPAN:
        raise Invalid(errors=(FieldError("from", "too_long", f"ask for at most {_LONGEST_SPAN} days at once"),))
    return first, last


def _issued(asked: ListBills, first: date, last: date, after: str | None, bills: Bills) -> Reading[Bill]:
    """Month by month, the newest first."""
    day = _day_of(after, first, last) if after else last
    page = bills.issued_in(f"{day:%Y-%m}", first, last, limit=_at_once(asked), after=after)
    found = [(f"{bill.issued_on}#{bill.bill_id}", bill) for bill in page.bills]
    before = day.replace(day=1) - _DAY
    return found, page.last or (f"{before}#{_END}" if before >= first else None)


def _day_of(after: str, first: date, last: date) -> date:
    try:
        day = date.fromisoformat(after.partition("#")[0])
    except ValueError:
        raise _foreign() from None
    if not first <= day <= last:
        raise _foreign()
    return day


def _at_once(asked: ListBills) -> int:
    return asked.limit if asked.status is None and asked.overdue is None else _A_READ


def _foreign() -> Invalid:
    return Invalid(errors=(FieldError("cursor", "cursor", "this is not a cursor of this list"),))


def _page(found: Iterable[Bill], last: str | None, call: Call) -> BillList:
    today = clinic().day(call.now)
    return BillList(items=[BillView.of(bill, today) for bill in found], next_cursor=sealed(last), as_of=call.now)
