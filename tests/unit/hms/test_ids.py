"""Identifiers sort, repeat where they must, and cannot run into each other."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as some

from hms import ids

PARTS = some.lists(some.text(alphabet="ab/", max_size=4), min_size=1, max_size=4)


def test_a_new_id_is_a_version_7_uuid_and_never_the_same() -> None:
    made = {ids.new() for _ in range(1000)}

    assert len(made) == 1000
    assert {UUID(one).version for one in made} == {7}
    assert all(ids.is_id(one) for one in made)


def test_ids_sort_by_the_time_they_were_made() -> None:
    early = ids.new()[:13]

    assert early <= ids.new()[:13]


@given(PARTS, PARTS)
def test_a_derived_id_is_the_same_for_the_same_parts_only(one: list[str], other: list[str]) -> None:
    assert (ids.derived(*one) == ids.derived(*other)) == (one == other)
    assert UUID(ids.derived(*one)).version == 8


def test_only_a_uuid_in_small_letters_is_an_id() -> None:
    assert not ids.is_id("x")
    assert not ids.is_id(ids.new().upper().replace("0", "A"))
    assert not ids.is_id(f"{ids.new()}\n")
    assert not ids.is_id(f"{{{ids.new()}}}")
