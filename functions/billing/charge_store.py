"""Where the charge master is kept: each service by its code, which its id is derived from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.charges import ChargeItem
from hms import ids
from hms.aggregate import Aggregates
from hms.rows import Key, Query

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hms.aggregate import Stored
    from hms.call import Call
    from hms.events import Fact
    from hms.rows import Found, Table

# One partition: prices change a few times a day, and a list stays one read.
_ALL = "charge-items"


def charge_item_id(code: str) -> str:
    """The row of a code is its claim: whatever its case, it is the same one."""
    return ids.derived("charge-item", code.casefold())


class ChargeItems(Aggregates[ChargeItem]):
    """`charge-item#<id>` / `state` and `event#<version>`; `by_a`: `charge-items` / code in small letters."""

    def __init__(self, table: Table) -> None:
        super().__init__(table, "charge-item", ChargeItem)

    def by_codes(self, codes: Iterable[str]) -> dict[str, ChargeItem]:
        """The services of those codes that there are, by the codes as they were asked; one consistent read."""
        keys = {code: self.key(charge_item_id(code)) for code in codes}
        found = self.table.get_many(keys.values())
        stored = {code: self.read(found.get(key)) for code, key in keys.items()}
        return {code: one.state for code, one in stored.items() if one}

    def save(self, before: Stored[ChargeItem] | None, after: ChargeItem, fact: Fact, call: Call) -> None:
        place = Key(_ALL, after.code.casefold())
        self.table.commit(self.changes(after.charge_item_id, before, after, fact, call, by_a=place))

    def listed(self, limit: int, after: str | None) -> Found:
        """By code; from an index, so a moment old."""
        return self.table.query(Query(_ALL, "", "\uffff", "by_a", limit=limit, after=after))
