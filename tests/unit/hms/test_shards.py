"""A sharded list reads as one list."""

from __future__ import annotations

from dataclasses import replace

from hms.rows import Insert, Item, Key
from hms.shards import SHARDS, merged, partitions, sharded, whole
from tests.support.memory import MemoryTable

PLACES = partitions("list")


def filled(count: int) -> MemoryTable:
    table = MemoryTable()
    for number in range(count):
        place = Key(sharded("list", f"one-{number}"), f"{number:03d}")
        table.commit([Insert(Item(f"row#{number}", "state", by_a=place))])
    return table


def test_what_is_spread_over_many_shards_comes_back_in_order() -> None:
    table = filled(40)

    found = merged(table, PLACES, whole("by_a"))

    assert [item.pk for item in found.items] == [f"row#{number}" for number in range(40)]
    assert found.last is None
    assert len({item.by_a.pk for item in found.items if item.by_a}) > SHARDS // 2
    assert table.reads == SHARDS


def test_pages_go_on_where_the_last_ended_in_both_directions() -> None:
    table = filled(10)
    for forward in (True, False):
        seen: list[str] = []
        after = None
        while True:
            asked = replace(whole("by_a"), limit=3, after=after, forward=forward)
            found = merged(table, PLACES, asked)
            seen += [item.pk for item in found.items]
            after = found.last
            if after is None:
                break
        assert seen == [f"row#{number}" for number in range(10)][:: 1 if forward else -1]


def test_an_empty_list_has_no_next_page() -> None:
    assert merged(MemoryTable(), PLACES, replace(whole("by_a"), limit=3)).last is None
