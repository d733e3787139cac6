"""A table in memory that keeps the promises of `hms.rows.Table`; the contract suite holds it to what DynamoDB does."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from hms.rows import Amend, Conflict, Found, Insert, Item, Key, Refresh, Remove, Replace, page

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hms.rows import Change, Query

MOST_CHANGES = 10


class MemoryTable:
    """Counts its calls (`reads`, `commits`), as the number of AWS calls is part of the design."""

    def __init__(self) -> None:
        self.items: dict[Key, Item] = {}
        self.reads = 0
        self.commits = 0
        self._lock = Lock()

    def get(self, key: Key) -> Item | None:
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        self.reads += 1
        return {key: self.items[key] for key in keys if key in self.items}

    def query(self, query: Query) -> Found:
        self.reads += 1
        low, high = query.bounds()
        shown = list(self._shown(query).values())
        placed = [(place, item) for item in shown if (place := _place(query, item))]
        within = [(place.sk, item) for place, item in placed if place.pk == query.pk and low <= place.sk <= high]
        within.sort(key=lambda pair: pair[0], reverse=not query.forward)
        return page(query, [item for _, item in within])

    def commit(self, changes: Sequence[Change]) -> None:
        keys = [_key(change) for change in changes]
        assert 1 <= len(changes) <= MOST_CHANGES, f"{len(changes)} changes in one transaction"
        assert len(set(keys)) == len(keys), "two changes of one row in one transaction"
        with self._lock:
            self.commits += 1
            failed = tuple(change for change in changes if not self._holds(change))
            if failed:
                raise Conflict(failed)
            for change in changes:
                self._apply(change)

    def _shown(self, _query: Query) -> dict[Key, Item]:
        return self.items

    def _holds(self, change: Change) -> bool:
        present = self.items.get(_key(change))
        match change:
            case Insert():
                return present is None
            case Replace(item):
                return present is not None and present.version == item.version - 1
            case Refresh(item):
                return present is None or present.version < item.version
            case Remove(_, version):
                return version is None or (present is not None and present.version == version)
            case Amend(_, put, drop):
                return present is not None and all(name in (present.entries or {}) for name in (*put, *drop))

    def _apply(self, change: Change) -> None:
        match change:
            case Insert(item) | Replace(item) | Refresh(item):
                self.items[item.key] = item
            case Remove(key):
                self.items.pop(key, None)
            case Amend(key, put, drop):
                present = self.items[key]
                entries = {**(present.entries or {}), **put}
                kept = {name: value for name, value in entries.items() if name not in drop}
                self.items[key] = replace(present, entries=kept, version=present.version + 1)


class LaggingTable(MemoryTable):
    """Its indexes show the rows as they were when they last caught up."""

    def __init__(self) -> None:
        super().__init__()
        self._indexed: dict[Key, Item] = {}

    def catch_up(self) -> None:
        self._indexed = dict(self.items)

    def _shown(self, query: Query) -> dict[Key, Item]:
        return self._indexed if query.index else self.items


def _place(query: Query, item: Item) -> Key | None:
    return {None: item.key, "by_a": item.by_a, "by_b": item.by_b}[query.index]


def _key(change: Change) -> Key:
    return change.key if isinstance(change, Remove | Amend) else change.item.key
