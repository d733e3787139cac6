"""The arithmetic of the ledger, pure: entries, what they add up to, and what a bill is after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from billing.model import Entry, EntryKind, LineItem, Sums
from hms import ids
from hms.money import AT_REST, tax_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from billing.model import Allocation, Bill, Posting

_CHARGING = (EntryKind.CHARGE, EntryKind.FEE)


class Priced(NamedTuple):
    """A service at its price: net minor units, a rate in hundredths of a percent."""

    description: str
    unit_price: int
    tax_rate: int
    currency: str


def line(
    line_id: str,
    kind: EntryKind,
    description: str,
    *,
    unit_price: int,
    tax_rate: int,
    quantity: int = 1,
    code: str | None = None,
) -> LineItem:
    """A line with its tax, rounded half-up on the line."""
    net = quantity * unit_price
    tax = tax_of(net, tax_rate)
    fields = {
        "line_id": line_id,
        "kind": kind,
        "code": code,
        "description": description,
        "quantity": quantity,
        "unit_price": unit_price,
        "tax_rate": tax_rate,
        "amount": net,
        "tax_amount": tax,
        "line_total": net + tax,
    }
    return LineItem.model_validate(fields, context=AT_REST)


def sums_of(postings: Iterable[Posting]) -> Sums:
    """What a bill's ledger says of it, from the first entry on. What is reserved is not in the ledger."""
    sums = Sums()
    for posting in postings:
        sums = added(sums, posting.entries)
    return sums


def added(sums: Sums, entries: Iterable[Entry]) -> Sums:
    for entry in entries:
        sums = sums.model_copy(update=_effect(sums, entry))
    return sums


def _effect(sums: Sums, entry: Entry) -> dict[str, Any]:
    match entry.kind:
        case EntryKind.WRITE_OFF:
            return {"written_off": sums.written_off - entry.amount}
        case EntryKind.PAYMENT:
            return {"paid": sums.paid - entry.amount}
        case EntryKind.REFUND:
            return {"refunded": sums.refunded + entry.amount}
    voided = entry.kind is EntryKind.VOID or (sums.voided and entry.kind not in _CHARGING)
    return {"charged": sums.charged + entry.amount, "tax": sums.tax + entry.tax_amount, "voided": voided}


@dataclass(frozen=True, slots=True)
class Posted:
    """A bill after a change, and the ledger entries that made it so; none where no money moved.

    Its steps keep lines, entries and sums together; the version has grown by one, however many steps there are.
    """

    bill: Bill
    entries: tuple[Entry, ...] = ()

    @classmethod
    def over(cls, bill: Bill, now: datetime) -> Self:
        return cls(bill.model_copy(update={"version": bill.version + 1, "updated_at": now}))

    def but(self, **update: Any) -> Posted:
        """The same entries, other fields."""
        return Posted(self.bill.model_copy(update=update), self.entries)

    def with_lines(self, lines: Iterable[LineItem], reason: str | None = None) -> Posted:
        posted = self
        for one in lines:
            posted = posted.but(items=(*posted.bill.items, one)).entered(
                one.kind, one.line_total, tax_amount=one.tax_amount, **_about(one), reason=reason
            )
        return posted

    def without_lines(self, lines: Iterable[LineItem], reason: str, kind: EntryKind = EntryKind.REVERSAL) -> Posted:
        """Each line taken back exactly, its rounding too."""
        posted = self
        for one in lines:
            left = tuple(other for other in posted.bill.items if other.line_id != one.line_id)
            posted = posted.but(items=left).entered(
                kind, -one.line_total, tax_amount=-one.tax_amount, **_about(one), reason=reason
            )
        return posted

    def written_off(self, amount: int, reason: str) -> Posted:
        """What was written off is taken back where `amount` is below zero."""
        return self.entered(EntryKind.WRITE_OFF, -amount, reason=reason) if amount else self

    def transferred(self, allocation: Allocation) -> Posted:
        """A payment or a refund."""
        sign = -1 if allocation.kind is EntryKind.PAYMENT else 1
        moved = {"transaction_id": allocation.transaction_id, "method": allocation.method}
        return self.entered(allocation.kind, sign * allocation.amount, **moved)

    def entered(self, kind: EntryKind, amount: int, **more: Any) -> Posted:
        """One entry more, its id made of the bill's version and its place."""
        entry_id = ids.derived(self.bill.bill_id, self.bill.version, len(self.entries))
        fields = {"entry_id": entry_id, "kind": kind, "amount": amount, **more}
        entry = Entry.model_validate(fields, context=AT_REST)
        sums = added(self.bill.sums, (entry,))
        return Posted(self.bill.model_copy(update={"sums": sums}), (*self.entries, entry))


def _about(one: LineItem) -> dict[str, str]:
    return {"line_id": one.line_id, "description": one.description}
