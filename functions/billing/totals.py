"""What ledger entries add up to. Currencies are never mixed, and older systems' history stands apart."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, Self

from billing.model import EntryKind
from hms.fields import View
from hms.money import AT_REST, Amount

if TYPE_CHECKING:
    from collections.abc import Iterable

    from billing.model import Entry, Posting

_FIELDS = {
    EntryKind.CHARGE: "charges",
    EntryKind.FEE: "fees",
    EntryKind.DISCOUNT: "discounts",
    EntryKind.REVERSAL: "reversals",
    EntryKind.VOID: "reversals",
    EntryKind.WRITE_OFF: "write_offs",
    EntryKind.PAYMENT: "payments",
    EntryKind.REFUND: "refunds",
}


class Totals(View):
    """Signed as in the ledger: all but `tax` add up to `net`, which is what patients owe more. `tax` is within them.

    `reversals` are all lines that were taken back, voided bills' too.
    """

    charges: Amount
    fees: Amount
    discounts: Amount
    reversals: Amount
    write_offs: Amount
    payments: Amount
    refunds: Amount
    net: Amount
    tax: Amount

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        sums = dict.fromkeys(cls.model_fields, 0)
        for entry in entries:
            sums[_FIELDS[entry.kind]] += entry.amount
            sums["net"] += entry.amount
            sums["tax"] += entry.tax_amount
        return cls.model_validate(sums, context=AT_REST)


class Books(NamedTuple):
    """What is added up together."""

    historical: bool
    currency: str


def kept_apart(postings: Iterable[Posting]) -> dict[Books, list[Posting]]:
    """The postings of each currency, history apart and last."""
    apart: dict[Books, list[Posting]] = defaultdict(list)
    for posting in postings:
        apart[Books(posting.historical, posting.currency)].append(posting)
    return dict(sorted(apart.items()))


def entries_of(postings: Iterable[Posting]) -> Iterable[Entry]:
    return (entry for posting in postings for entry in posting.entries)
