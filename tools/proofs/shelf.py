"""A table of `hms.rows` that one bill has to itself: nobody else uses it, and nothing is ever lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms.rows import Conflict, Found, Insert, Replace, page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hms.rows import Change, Item, Key, Query
    from tools.proofs.ledgers import Row


class Shelf:
    def __init__(self) -> None:
        self.items: dict[Key, Item] = {}

    def get(self, key: Key) -> Item | None:
        return self.items.get(key)

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        return {key: self.items[key] for key in keys if key in self.items}

    def query(self, query: Query) -> Found:
        """Of the table itself; nothing here asks an index."""
        low, high = query.bounds()
        found = [one for key, one in self.items.items() if key.pk == query.pk and low <= key.sk <= high]
        return page(query, sorted(found, key=lambda one: one.sk, reverse=not query.forward))

    def commit(self, changes: Sequence[Change]) -> None:
        """Rows that are made and rows that change: nothing of a bill is ever taken away."""
        failed = tuple(change for change in changes if not self._holds(change))
        if failed:
            raise Conflict(failed)
        self.items |= {one.item.key: one.item for one in changes if isinstance(one, Insert | Replace)}

    def rows(self) -> Iterator[Row]:
        for item in self.items.values():
            yield {"pk": item.pk, "sk": item.sk, "body": item.body, "state": item.state}

    def _holds(self, change: Change) -> bool:
        if isinstance(change, Insert):
            return change.item.key not in self.items
        if isinstance(change, Replace):
            there = self.items.get(change.item.key)
            return there is not None and there.version == change.item.version - 1
        message = f"a {type(change).__name__} of a bill"
        raise TypeError(message)
