"""What a table holds and what may be asked of it, without any engine.

`hms.store` answers it from DynamoDB, the tests' memory table from a dict; one contract suite runs on both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


_LOWEST = "\x00"


class Key(NamedTuple):
    pk: str
    sk: str


@dataclass(frozen=True, slots=True)
class Item:
    """One row. `body` is JSON text; `entries` is a small map whose members may be changed without reading the row.

    `by_a` and `by_b` place it in the table's two indexes; `done` keeps the commands that made it what it is;
    `event_id` marks an event row, whose `body` the relay publishes and whose `state` is the aggregate at that version.
    """

    pk: str
    sk: str
    version: int = 1
    body: str | None = None
    entries: Mapping[str, str] | None = None
    by_a: Key | None = None
    by_b: Key | None = None
    done: str | None = None
    event_id: str | None = None
    state: str | None = None
    expires_at: int | None = None

    @property
    def key(self) -> Key:
        return Key(self.pk, self.sk)


@dataclass(frozen=True, slots=True)
class Insert:
    """Written only where nothing is."""

    item: Item


@dataclass(frozen=True, slots=True)
class Replace:
    """Written only over the version before it."""

    item: Item


@dataclass(frozen=True, slots=True)
class Refresh:
    """Written only over nothing or over an older version: a copy of something that is owned elsewhere."""

    item: Item


@dataclass(frozen=True, slots=True)
class Remove:
    """Gone afterwards, whether or not it was there. With a version, it must be there at that version."""

    key: Key
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Amend:
    """Members of `entries` set or dropped unread, the version raised. Every named member must be there already."""

    key: Key
    put: Mapping[str, str] = field(default_factory=dict)
    drop: Sequence[str] = ()


type Change = Insert | Replace | Refresh | Remove | Amend


@dataclass(frozen=True, slots=True)
class Query:
    """Rows of one partition in sort order, from `low` to `high` (both inclusive).

    `after` is the sort key where the page before ended; sort keys are unique in a partition, in the indexes too.
    """

    pk: str
    low: str
    high: str
    index: Literal["by_a", "by_b"] | None = None
    limit: int | None = None
    after: str | None = None
    forward: bool = True

    def bounds(self) -> tuple[str, str]:
        """What is left of the range after `after`; where going backward, `after` itself is still in it."""
        # DynamoDB refuses an empty key, in conditions too.
        low = self.low or _LOWEST
        if self.after is None:
            return low, self.high
        if self.forward:
            return max(low, self.after + _LOWEST), self.high
        return low, min(self.high, self.after)


def starting(prefix: str) -> tuple[str, str]:
    """The range of all sort keys with a prefix."""
    return prefix, prefix + "\uffff"


@dataclass(frozen=True, slots=True)
class Found:
    """`last` is the sort key to go on after, None where the range is read to its end."""

    items: tuple[Item, ...]
    last: str | None = None


def page(query: Query, items: Sequence[Item]) -> Found:
    """A page out of the rows that an engine found within the bounds, at least two more than the limit if there are."""
    kept = [item for item in items if sort_key(query, item) != query.after]
    if query.limit is None or len(kept) <= query.limit:
        return Found(tuple(kept))
    shown = tuple(kept[: query.limit])
    return Found(shown, last=sort_key(query, shown[-1]))


def sort_key(query: Query, item: Item) -> str | None:
    """Where an item stands in the order of a query."""
    key = {None: item.key, "by_a": item.by_a, "by_b": item.by_b}[query.index]
    return key.sk if key else None


class Contention(Exception):
    """Somebody else was faster, or the table is throttled: read again and decide again."""


class Conflict(Contention):
    """A condition did not hold; `changes` are those that failed."""

    def __init__(self, changes: tuple[Change, ...]) -> None:
        super().__init__(f"{len(changes)} conditions failed")
        self.changes = changes


class Table(Protocol):
    """Reads by key are consistent; reads by index are not. `commit` is all or nothing, 1 to 10 changes."""

    def get(self, key: Key) -> Item | None: ...
    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]: ...
    def query(self, query: Query) -> Found: ...
    def commit(self, changes: Sequence[Change]) -> None: ...
