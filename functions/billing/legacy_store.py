"""What the numbers of an older system became, in the bills' table.

| row | pk | sk | body |
|---|---|---|---|
| a bill's number there | `legacy-bill#<number>` | `claim` | the bill |
| a payment of there | `legacy-payment#<transaction>` | `claim` | the digest of what came with it |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hms.rows import Insert, Item, Key

if TYPE_CHECKING:
    from hms.rows import Change, Table


class Claims(NamedTuple):
    """The bill that a number became, and the digest that a payment was recorded with; None where neither was."""

    bill_id: str | None
    digest: str | None


def bill_id_of(table: Table, external_id: str) -> str | None:
    return _body(table.get(_bill_key(external_id)))


def claims(table: Table, external_id: str, transaction_id: str) -> Claims:
    bill, payment = _bill_key(external_id), _payment_key(transaction_id)
    found = table.get_many([bill, payment])
    return Claims(_body(found.get(bill)), _body(found.get(payment)))


def bill_claim(external_id: str, bill_id: str) -> Change:
    return Insert(Item(*_bill_key(external_id), body=bill_id))


def payment_claim(transaction_id: str, digest: str) -> Change:
    return Insert(Item(*_payment_key(transaction_id), body=digest))


def _body(item: Item | None) -> str | None:
    return item.body if item else None


def _bill_key(external_id: str) -> Key:
    return Key(f"legacy-bill#{external_id}", "claim")


def _payment_key(transaction_id: str) -> Key:
    return Key(f"legacy-payment#{transaction_id}", "claim")
