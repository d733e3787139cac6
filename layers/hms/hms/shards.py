"""An index partition cut into shards, so that no key takes all writes; read as one list."""

from __future__ import annotations

import heapq
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from hms.rows import Found, Query, sort_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hms.rows import Item, Table

SHARDS = 16


def shard_of(name: str) -> int:
    return zlib.crc32(name.encode()) % SHARDS


def sharded(partition: str, name: str) -> str:
    """The partition key of the shard that something named so belongs to."""
    return f"{partition}#{shard_of(name)}"


def partitions(partition: str) -> list[str]:
    return [f"{partition}#{shard}" for shard in range(SHARDS)]


def merged(table: Table, places: Iterable[str], query: Query) -> Found:
    """The answers of one query to several partitions, in sort order and at most `limit`; a call for each partition."""
    found = [table.query(replace(query, pk=place)) for place in places]

    def position(item: Item) -> str:
        return sort_key(query, item) or ""

    items = list(heapq.merge(*(one.items for one in found), key=position, reverse=not query.forward))
    if query.limit is None or (len(items) <= query.limit and not any(one.last for one in found)):
        return Found(tuple(items))
    shown = tuple(items[: query.limit])
    return Found(shown, last=position(shown[-1]))


def whole(index: Literal["by_a", "by_b"]) -> Query:
    """All of a partition of an index, to be asked of many."""
    return Query("", "", "\uffff", index=index)
