"""Where payments and refunds are kept.

| row | pk | sk | index |
|---|---|---|---|
| payment | `payment#<id>` | `state`, `event#<version>` | `by_a` its clinic day, 16 shards |
| refund | `refund#<id>` | `state`, `event#<version>` | |
| what is on its way | `payment#<id>`, `refund#<id>` | `pending` | `by_b` timers |
| what of a payment is or is being paid back | `payment#<id>` | `refunds` | |
| a payment's refunds | `payment#<id>` | `refund#<created>#<refund>` | |
| a bill's payments, a patient's | `bill#<id>`, `patient#<id>` | `payment#<created>#<payment>` | |
| a reference of what the desk received | `bill#<id>` | `reference#<digest of method and reference>` | |
| how a settlement's refund is spread | `bill#<id>` | `settlement#<settlement>` | |
| notice of a processor | `notice#<gateway>#<event>` | `seen` | |
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from pydantic_core import from_json, to_json

from hms import ids
from hms.fields import day_of, rfc3339
from hms.rows import Conflict, Insert, Item, Key, Query, Replace, starting
from hms.shards import merged, partitions, sharded, whole
from payments.clinic import clinic
from payments.model import DESK, Payment, PaymentRequested, Refund, RefundRequested, Status
from payments.rules import Share
from payments.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from hms.call import Call
    from hms.rows import Change, Found, Table
    from payments.model import Pending, Transaction
    from payments.transactions import Opened

# A processor tells again for days, never for months.
_NOTICES_KEPT = timedelta(days=90)


class Shown(NamedTuple):
    """A payment, and what of it is or is being paid back."""

    payment: Payment
    refunded: int


class Reference(NamedTuple):
    """What the desk calls a payment by: its place, the claim on it, and the payment that has it."""

    key: Key
    claim: Item | None
    holder: Shown | None


class ShownPage(NamedTuple):
    """`positions` are where the payments stand in their list; `last` is where to go on from, None at the end."""

    shown: list[Shown]
    positions: list[str]
    last: str | None


class Payments(Transactions[Payment]):
    def __init__(self, table: Table) -> None:
        super().__init__(table, "payment", Payment)

    def open(
        self, payment: Payment, pending: Pending, call: Call, reference: Reference | None = None
    ) -> Opened[Payment]:
        """With a claim on its reference."""
        pointer = f"payment#{_position(payment)}"
        owners = (f"bill#{payment.bill_id}", f"patient#{payment.patient_id}")
        more: list[Change] = [Insert(Item(owner, pointer)) for owner in owners]
        if reference:
            more.append(_claim_row(reference, payment))
        return self._open(payment, pending, PaymentRequested.of(payment), call, more)

    def reference(self, payment: Payment) -> Reference | None:
        """Of what the desk received; one read, and another where it is claimed."""
        if payment.gateway != DESK or not payment.reference:
            return None
        key = _reference_key(payment.bill_id, payment.method, payment.reference)
        claim = self.table.get(key)
        return Reference(key, claim, self.shown(claim.body or "") if claim else None)

    def shown(self, payment_id: str) -> Shown | None:
        """One read."""
        return next(iter(self._all_shown([payment_id])), None)

    def of_bill(self, bill_id: str, limit: int | None = None, after: str | None = None) -> ShownPage:
        """Newest first, in two consistent reads."""
        return self._pointed(f"bill#{bill_id}", limit, after)

    def of_patient(self, patient_id: str, limit: int | None = None, after: str | None = None) -> ShownPage:
        """Newest first, in two consistent reads."""
        return self._pointed(f"patient#{patient_id}", limit, after)

    def of_day(self, day: date, limit: int | None = None, after: str | None = None) -> ShownPage:
        """Newest first; a clinic day from the index, which is a moment old."""
        newest = replace(whole("by_a"), limit=limit, after=after, forward=False)
        return self._page(merged(self.table, partitions(f"day#{day}"), newest))

    def plan(self, bill_id: str, settlement: str) -> tuple[Share, ...] | None:
        item = self.table.get(_plan_key(bill_id, settlement))
        return tuple(Share(*one) for one in from_json(item.body or "")) if item else None

    def note(self, gateway: str, event_id: str, now: datetime) -> bool:
        """Whether this notice of a processor comes for the first time."""
        until = int((now + _NOTICES_KEPT).timestamp())
        try:
            self.table.commit([Insert(Item(f"notice#{gateway}#{event_id}", "seen", expires_at=until))])
        except Conflict:
            return False
        return True

    def _pointed(self, owner: str, limit: int | None, after: str | None) -> ShownPage:
        query = Query(owner, *starting("payment#"), limit=limit, after=after, forward=False)
        return self._page(self.table.query(query))

    def _page(self, found: Found) -> ShownPage:
        """Pointers and the payments themselves both end with the id, in the order of their list."""
        positions = [item.by_a.sk if item.by_a else item.sk for item in found.items]
        return ShownPage(self._all_shown(one.rpartition("#")[2] for one in positions), positions, found.last)

    def _all_shown(self, payment_ids: Iterable[str]) -> list[Shown]:
        wanted = list(payment_ids)
        keys = [key for one in wanted for key in (self.key(one), refunds_key(one))]
        found = self.table.get_many(keys) if keys else {}
        stored = [(one, self.read(found.get(self.key(one)))) for one in wanted]
        return [Shown(known.state, amount_of(found.get(refunds_key(one)))) for one, known in stored if known]

    def _place(self, transaction: Payment) -> Key | None:
        day = day_of(transaction.created_at, clinic().timezone)
        return Key(sharded(f"day#{day}", transaction.payment_id), _position(transaction))


class Basis(NamedTuple):
    """What a refund rests on, from one read. `refunds` is the row of what is or is being paid back."""

    opened: Opened[Refund] | None
    payment: Payment | None
    refunds: Item | None

    @property
    def refunded(self) -> int:
        return amount_of(self.refunds)


class Refunds(Transactions[Refund]):
    def __init__(self, table: Table) -> None:
        super().__init__(table, "refund", Refund)
        self._payments = Payments(table)

    def basis(self, refund_id: str, payment_id: str) -> Basis:
        payment, refunds = self._payments.key(payment_id), refunds_key(payment_id)
        rows = self.table.get_many([*self.keys(refund_id), payment, refunds])
        paid = self._payments.read(rows.get(payment))
        return Basis(self.found(refund_id, rows), paid.state if paid else None, rows.get(refunds))

    def open(
        self, refund: Refund, pending: Pending, basis: Basis, call: Call, plan: tuple[Share, ...] = ()
    ) -> Opened[Refund]:
        """With its amount reserved on the payment; the first of a settlement with how the settlement is spread."""
        pointer = Item(f"payment#{refund.payment_id}", f"refund#{_position(refund)}")
        reserved = _refunds_row(refund.payment_id, basis.refunds, basis.refunded + refund.amount)
        kept = [_plan_row(refund, plan)] if plan else []
        return self._open(refund, pending, RefundRequested.of(refund), call, [Insert(pointer), reserved, *kept])

    def of_payment(self, payment_id: str, limit: int | None = None, after: str | None = None) -> RefundPage:
        """Newest first, in two consistent reads."""
        query = Query(f"payment#{payment_id}", *starting("refund#"), limit=limit, after=after, forward=False)
        found = self.table.query(query)
        keys = [self.key(item.sk.rpartition("#")[2]) for item in found.items]
        rows = self.table.get_many(keys) if keys else {}
        stored = [self.read(rows.get(key)) for key in keys]
        return RefundPage([one.state for one in stored if one], found.last)

    def _settled(self, after: Refund) -> list[Change]:
        """What is not paid back after all may be paid back another time."""
        if after.status is not Status.FAILED:
            return []
        row = self.table.get(refunds_key(after.payment_id))
        return [_refunds_row(after.payment_id, row, amount_of(row) - after.amount)]


class RefundPage(NamedTuple):
    refunds: list[Refund]
    last: str | None


def _reference_key(bill_id: str, method: str, reference: str) -> Key:
    """Of any reference, however long."""
    return Key(f"bill#{bill_id}", f"reference#{ids.derived(method, ''.join(reference.split()).casefold())}")


def _claim_row(reference: Reference, payment: Payment) -> Change:
    version = reference.claim.version + 1 if reference.claim else 1
    item = Item(*reference.key, version=version, body=payment.payment_id)
    return Replace(item) if reference.claim else Insert(item)


def refunds_key(payment_id: str) -> Key:
    return Key(f"payment#{payment_id}", "refunds")


def amount_of(refunds: Item | None) -> int:
    return int(from_json(refunds.body or "")) if refunds else 0


def _refunds_row(payment_id: str, before: Item | None, amount: int) -> Change:
    version = before.version + 1 if before else 1
    item = Item(*refunds_key(payment_id), version=version, body=str(amount))
    return Replace(item) if before else Insert(item)


def _position(transaction: Transaction) -> str:
    return f"{rfc3339(transaction.created_at)}#{transaction.transaction_id}"


def _plan_row(refund: Refund, shares: tuple[Share, ...]) -> Change:
    body = to_json([list(one) for one in shares]).decode()
    return Insert(Item(*_plan_key(refund.bill_id, refund.settlement or ""), body=body))


def _plan_key(bill_id: str, settlement: str) -> Key:
    return Key(f"bill#{bill_id}", f"settlement#{settlement}")
