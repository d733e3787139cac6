"""One suite for every engine that a table may have: what the domains rely on, and nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hms.rows import Amend, Conflict, Insert, Item, Key, Query, Refresh, Remove, Replace, starting
from tests.support.memory import MemoryTable
from tests.support.tables import dynamo_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hms.rows import Table


def an_item(sk: str = "state", version: int = 1, pk: str = "thing#1", **more: object) -> Item:
    return Item(pk, sk, version=version, body=f'{{"n":{version}}}', **more)  # type: ignore[arg-type]


class TableContract:
    def test_what_was_inserted_is_read_back_whole(self, table: Table) -> None:
        item = an_item(
            entries={"a-1": "x", "b": "y"},
            by_a=Key("index", "one"),
            by_b=Key("other", "two"),
            done="[]",
            event_id="e",
            state="{}",
            expires_at=1_800_000_000,
        )
        table.commit([Insert(item)])
        assert table.get(item.key) == item

    def test_a_missing_row_is_none(self, table: Table) -> None:
        assert table.get(Key("nothing", "here")) is None

    def test_inserting_over_a_row_is_a_conflict_that_names_the_change(self, table: Table) -> None:
        table.commit([Insert(an_item())])
        clash = Insert(an_item())
        with pytest.raises(Conflict) as raised:
            table.commit([Insert(an_item("other")), clash, Remove(Key("thing#1", "gone"))])
        assert raised.value.changes == (clash,)
        assert table.get(Key("thing#1", "other")) is None

    def test_replacing_needs_the_version_before(self, table: Table) -> None:
        table.commit([Insert(an_item())])
        table.commit([Replace(an_item(version=2))])
        with pytest.raises(Conflict):
            table.commit([Replace(an_item(version=2))])
        with pytest.raises(Conflict):
            table.commit([Replace(an_item("absent", version=2))])

    def test_refreshing_goes_forward_only(self, table: Table) -> None:
        table.commit([Refresh(an_item(version=3))])
        with pytest.raises(Conflict):
            table.commit([Refresh(an_item(version=3))])
        table.commit([Refresh(an_item(version=4))])
        stored = table.get(Key("thing#1", "state"))
        assert stored is not None
        assert stored.version == 4

    def test_entries_are_amended_unread(self, table: Table) -> None:
        table.commit([Insert(an_item(entries={"a-1": "x", "b-2": "y"}))])
        table.commit([Amend(Key("thing#1", "state"), put={"a-1": "z"}, drop=["b-2"])])
        stored = table.get(Key("thing#1", "state"))
        assert stored is not None
        assert (stored.entries, stored.version) == ({"a-1": "z"}, 2)

    def test_amending_an_entry_that_is_not_there_is_a_conflict(self, table: Table) -> None:
        table.commit([Insert(an_item(entries={"a": "x"}))])
        for amend in (Amend(Key("thing#1", "state"), drop=["b"]), Amend(Key("thing#1", "no"), put={"a": "y"})):
            with pytest.raises(Conflict):
                table.commit([amend])

    def test_removing_what_is_gone_is_fine(self, table: Table) -> None:
        table.commit([Insert(an_item())])
        table.commit([Remove(Key("thing#1", "state")), Insert(an_item("new"))])
        table.commit([Remove(Key("thing#1", "state"))])
        assert table.get(Key("thing#1", "state")) is None

    def test_removing_a_version_takes_that_one_only(self, table: Table) -> None:
        key = Key("thing#1", "state")
        table.commit([Insert(an_item(version=2)), Insert(an_item("other"))])
        for remove in (Remove(key, version=1), Remove(key, version=3), Remove(Key("thing#1", "absent"), version=1)):
            with pytest.raises(Conflict) as raised:
                table.commit([Remove(Key("thing#1", "other")), remove, Insert(an_item("new"))])
            assert raised.value.changes == (remove,)
        rows = [key, Key("thing#1", "other"), Key("thing#1", "new")]
        assert set(table.get_many(rows)) == set(rows[:2])
        table.commit([Remove(key, version=2)])
        assert table.get(key) is None

    def test_get_many_reads_what_there_is_and_tolerates_repeats(self, table: Table) -> None:
        table.commit([Insert(an_item("a")), Insert(an_item("b"))])
        keys = [Key("thing#1", name) for name in ("a", "b", "c", "a")]
        assert set(table.get_many(keys)) == {Key("thing#1", "a"), Key("thing#1", "b")}

    @pytest.mark.parametrize("forward", [True, False])
    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 7])
    def test_pages_cover_a_range_once_in_order(self, table: Table, limit: int, *, forward: bool) -> None:
        names = [f"day#{n}" for n in range(5)]
        table.commit([Insert(an_item(name)) for name in [*names, "aaa", "zzz"]])
        seen: list[str] = []
        after = None
        while True:
            found = table.query(Query("thing#1", *starting("day#"), limit=limit, after=after, forward=forward))
            seen += [item.sk for item in found.items]
            assert len(found.items) <= limit
            after = found.last
            if after is None:
                break
        assert seen == (names if forward else names[::-1])

    def test_an_index_is_asked_by_its_own_keys(self, table: Table) -> None:
        rows = [an_item("state", pk=f"thing#{n}", by_a=Key("all", f"name-{n}")) for n in range(3)]
        table.commit([Insert(row) for row in rows])
        found = table.query(Query("all", "name-1", "name-9", index="by_a"))
        assert [item.pk for item in found.items] == ["thing#1", "thing#2"]

    def test_a_range_is_inclusive_at_both_ends(self, table: Table) -> None:
        table.commit([Insert(an_item(f"d#{n}")) for n in range(4)])
        found = table.query(Query("thing#1", "d#1", "d#2"))
        assert [item.sk for item in found.items] == ["d#1", "d#2"]

    def test_a_range_without_a_lower_end_begins_at_the_first_row(self, table: Table) -> None:
        table.commit([Insert(an_item("state", by_a=Key("all", "name")))])
        for query in (Query("thing#1", "", "\uffff"), Query("all", "", "\uffff", index="by_a")):
            assert len(table.query(query).items) == 1


class TestMemory(TableContract):
    @pytest.fixture
    def table(self) -> Table:
        return MemoryTable()


class TestMoto(TableContract):
    @pytest.fixture
    def table(self) -> Iterator[Table]:
        with dynamo_table() as table:
            yield table
