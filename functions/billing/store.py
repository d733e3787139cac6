"""Where bills are kept, and the questions that are asked of them.

| row | pk | sk | `by_a` | `by_b` |
|---|---|---|---|---|
| bill | `bill#<id>` | `state`, `event#<version>` | `bills#<month>#<shard>` / day, id | `owed#<shard>` / due date, id |
| its ledger | `bill#<id>` | `ledger#<version>` | `ledger#<clinic month>#<shard>` / instant, id, version | |
| money on its way | `bill#<id>` | `allocation#<transaction>` | | |
| commands it has done | `bill#<id>` | `done#<token>` | | |
| its number | `number#<number>` | `claim` | | |
| of a patient | `patient#<id>` | `bill#<day>#<id>` | | |
| exception | `exception#<id>` | `state`, `event#<version>` | | `exceptions#<status>#<shard>` / instant, id |

Only bills on which something is outstanding are owed; those of older systems never are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from pydantic_core import to_json

from billing.clinic import clinic
from billing.model import Allocation, Bill, BillingException, Posting
from hms import numbers
from hms.aggregate import Aggregates, Stored
from hms.call import Done
from hms.fields import rfc3339
from hms.money import AT_REST
from hms.rows import Insert, Item, Key, Query, Replace, starting
from hms.shards import merged, partitions, sharded

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from billing.ledger import Posted
    from hms.call import Call
    from hms.events import Fact
    from hms.rows import Change, Found, Table

_NUMBER_DIGITS = 10
_FIRST, _END = " ", "\uffff"


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a decision about a bill rests on, from one consistent read. `free` are the numbers it could have."""

    stored: Stored[Bill] | None
    allocation: Allocation | None = None
    exception: Stored[BillingException] | None = None
    free: tuple[str, ...] = ()


class BillPage(NamedTuple):
    """`last` is the position to go on after, None where the list ends."""

    bills: list[Bill]
    last: str | None


class PostingPage(NamedTuple):
    postings: list[Posting]
    last: str | None


class ExceptionPage(NamedTuple):
    exceptions: list[BillingException]
    last: str | None


class Bills(Aggregates[Bill]):
    def __init__(self, table: Table) -> None:
        super().__init__(table, "bill", Bill)
        self.exceptions = Aggregates(table, "exception", BillingException)

    def scene(self, bill_id: str, *, transaction_id: str | None = None, exception_id: str | None = None) -> Scene:
        own = self.key(bill_id)
        allocation = _allocation_key(bill_id, transaction_id) if transaction_id else None
        exception = self.exceptions.key(exception_id) if exception_id else None
        found = self.table.get_many([key for key in (own, allocation, exception) if key])
        return Scene(
            self.read(found.get(own)),
            _allocation(found.get(allocation)) if allocation else None,
            self.exceptions.read(found.get(exception)) if exception else None,
        )

    def asked(self, bill_id: str, call: Call) -> Stored[Bill] | None:
        """The bill, with what this very call led to among what it has done; one read.

        A bill forgets no command, however late it comes again: each is money.
        """
        own, mark = self.key(bill_id), _mark_key(bill_id, call)
        found = self.table.get_many([own, mark])
        stored = self.read(found.get(own))
        if stored is None or mark not in found:
            return stored
        done = Done(call.token, found[mark].body or "", found[mark].version)
        return Stored(stored.state, (*stored.done, done))

    def new(self, bill_id: str) -> Scene:
        """For a bill that may have to be made: the numbers that it could have too."""
        own = self.key(bill_id)
        claims = {f"B{one}": _number_key(f"B{one}") for one in numbers.candidates(bill_id, _NUMBER_DIGITS)}
        found = self.table.get_many([own, *claims.values()])
        return Scene(self.read(found.get(own)), free=tuple(one for one, key in claims.items() if key not in found))

    def save(
        self,
        before: Stored[Bill] | None,
        posted: Posted,
        fact: Fact,
        call: Call,
        *more: Change,
        remembered: bool = False,
    ) -> None:
        """State, event and ledger in one transaction, with a new bill's number and place among its patient's.

        What is `remembered` has a row that tells it was done; what flows ask for has rows of its own that do.
        """
        bill = posted.bill
        state, event = self.changes(bill.bill_id, before, bill, fact, call, by_a=_issued(bill), by_b=_owed(bill))
        if before and isinstance(state, Replace):
            state = Replace(replace(state.item, done=to_json(before.done).decode()))
        changes = [state, event, *more]
        if remembered:
            changes.append(Insert(Item(*_mark_key(bill.bill_id, call), version=bill.version, body=call.digest or None)))
        if posted.entries:
            changes.append(Insert(_ledger_row(posted, call)))
        if before is None:
            changes += [Insert(Item(*_number_key(bill.bill_number), body=bill.bill_id)), Insert(Item(*_place(bill)))]
        self.table.commit(changes)

    def allocated(self, bill_id: str, allocation: Allocation) -> Change:
        """The row of money on its way, over the version before it."""
        key = _allocation_key(bill_id, allocation.transaction_id)
        body = allocation.model_dump_json(context=AT_REST)
        item = Item(*key, version=allocation.version, body=body)
        return Insert(item) if allocation.version == 1 else Replace(item)

    def excepted(
        self, before: Stored[BillingException] | None, after: BillingException, fact: Fact, call: Call
    ) -> list[Change]:
        place = Key(sharded(f"exceptions#{after.status}", after.exception_id), _position(after))
        return self.exceptions.changes(after.exception_id, before, after, fact, call, by_b=place)

    def numbered(self, number: str) -> Stored[Bill] | None:
        """Two consistent reads; one where nothing has this number."""
        claim = self.table.get(_number_key(number))
        return self.load(claim.body or "") if claim else None

    def many(self, bill_ids: Iterable[str]) -> list[Bill]:
        """Those that exist, in the order asked for; consistent."""
        keys = [self.key(one) for one in bill_ids]
        found = self.table.get_many(keys)
        return [self._bill(found[key]) for key in keys if key in found]

    def of_patient(
        self,
        patient_id: str,
        first: date | None = None,
        last: date | None = None,
        *,
        limit: int | None = None,
        after: str | None = None,
        forward: bool = False,
    ) -> BillPage:
        """A patient's bills by the day they were issued, newest first unless `forward`; two consistent reads."""
        low, high = _days(first, last, "bill#")
        found = self.table.query(Query(f"patient#{patient_id}", low, high, limit=limit, after=after, forward=forward))
        return BillPage(self.many(item.sk.rpartition("#")[2] for item in found.items), found.last)

    def issued_in(
        self,
        month: str,
        first: date | None = None,
        last: date | None = None,
        *,
        limit: int | None = None,
        after: str | None = None,
        forward: bool = False,
    ) -> BillPage:
        """Bills issued in a month (`2026-11`) by day, newest first unless `forward`; from the index."""
        low, high = _days(first, last)
        query = Query("", low, high, index="by_a", limit=limit, after=after, forward=forward)
        return self._page(merged(self.table, partitions(f"bills#{month}"), query))

    def owed(self, until: date | None = None, *, limit: int | None = None, after: str | None = None) -> BillPage:
        """Bills on which something is outstanding, due first first, up to those due `until`; from the index."""
        low, high = _days(None, until)
        query = Query("", low, high, index="by_b", limit=limit, after=after)
        return self._page(merged(self.table, partitions("owed"), query))

    def postings(self, bill_id: str, *, limit: int | None = None, after: str | None = None) -> PostingPage:
        """A bill's ledger, oldest first; consistent."""
        found = self.table.query(Query(self.key(bill_id).pk, *starting("ledger#"), limit=limit, after=after))
        return _postings(found)

    def postings_in(self, month: str) -> list[Posting]:
        """The ledger of a clinic month (`2026-11`), oldest first; from the index."""
        query = Query("", _FIRST, _END, index="by_a")
        return _postings(merged(self.table, partitions(f"ledger#{month}"), query)).postings

    def postings_on(self, day: date, *, limit: int | None = None, after: str | None = None) -> PostingPage:
        """The ledger of a clinic day, oldest first; from the index."""
        low, high = rfc3339(_midnight(day)), rfc3339(_midnight(day + timedelta(days=1)))
        query = Query("", low, high, index="by_a", limit=limit, after=after)
        return _postings(merged(self.table, partitions(f"ledger#{day:%Y-%m}"), query))

    def exceptions_with(self, status: str, *, limit: int | None = None, after: str | None = None) -> ExceptionPage:
        """Exceptions that are `OPEN` or `RESOLVED`, oldest first; from the index."""
        query = Query("", _FIRST, _END, index="by_b", limit=limit, after=after)
        found = merged(self.table, partitions(f"exceptions#{status}"), query)
        states = [stored.state for item in found.items if (stored := self.exceptions.read(item))]
        return ExceptionPage(states, found.last)

    def _bill(self, item: Item) -> Bill:
        return Bill.model_validate_json(item.body or "", context=AT_REST)

    def _page(self, found: Found) -> BillPage:
        return BillPage([self._bill(item) for item in found.items], found.last)


def _days(first: date | None, last: date | None, prefix: str = "") -> tuple[str, str]:
    """The range of sort keys that begin with a day."""
    return f"{prefix}{first or _FIRST}", f"{prefix}{last or ''}{_END}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(clinic().timezone)).astimezone(UTC)


def _allocation_key(bill_id: str, transaction_id: str) -> Key:
    return Key(f"bill#{bill_id}", f"allocation#{transaction_id}")


def _allocation(item: Item | None) -> Allocation | None:
    return Allocation.model_validate_json(item.body or "", context=AT_REST) if item else None


def _number_key(number: str) -> Key:
    return Key(f"number#{number}", "claim")


def _mark_key(bill_id: str, call: Call) -> Key:
    return Key(f"bill#{bill_id}", f"done#{call.token}")


def _place(bill: Bill) -> Key:
    return Key(f"patient#{bill.patient_id}", f"bill#{bill.issued_on}#{bill.bill_id}")


def _issued(bill: Bill) -> Key:
    return Key(sharded(f"bills#{bill.issued_on:%Y-%m}", bill.bill_id), f"{bill.issued_on}#{bill.bill_id}")


def _owed(bill: Bill) -> Key | None:
    if bill.sums.outstanding <= 0 or bill.historical:
        return None
    return Key(sharded("owed", bill.bill_id), f"{bill.due_date}#{bill.bill_id}")


def _position(exception: BillingException) -> str:
    return f"{rfc3339(exception.created_at)}#{exception.exception_id}"


def _ledger_row(posted: Posted, call: Call) -> Item:
    bill = posted.bill
    own = {name: getattr(bill, name) for name in Posting.model_fields if name in Bill.model_fields}
    fields = own | {"at": call.now, "by": call.who.user_id, "entries": posted.entries}
    posting = Posting.model_validate(fields, context=AT_REST)
    return Item(
        f"bill#{bill.bill_id}",
        f"ledger#{bill.version:08d}",
        body=posting.model_dump_json(context=AT_REST),
        by_a=Key(
            sharded(f"ledger#{clinic().day(call.now):%Y-%m}", bill.bill_id),
            f"{rfc3339(call.now)}#{bill.bill_id}#{bill.version:08d}",
        ),
    )


def _postings(found: Found) -> PostingPage:
    postings = [Posting.model_validate_json(item.body or "", context=AT_REST) for item in found.items]
    return PostingPage(postings, found.last)
