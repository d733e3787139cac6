"""Cursors are opaque, and nobody else's text is one; filtered lists fill their pages."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hms.errors import Invalid
from hms.pages import opened, sealed, sifted

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.pages import Reading


@given(some.text(min_size=1, max_size=200, alphabet=some.characters(exclude_categories=["Cs"])))
def test_a_cursor_leads_back_to_its_position(position: str) -> None:
    assert opened(sealed(position)) == position


def test_the_end_of_a_list_has_no_cursor() -> None:
    assert sealed(None) is None
    assert opened(None) is None


@pytest.mark.parametrize(
    "cursor",
    ["", "?", "a", "YWJj!", "é", "\ud800", "//8=", base64.b64encode(b"\xff\xfe").decode(), sealed("x" * 1001)],
)
def test_what_is_not_a_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as refusal:
        opened(cursor)

    assert [error.field for error in refusal.value.errors] == ["cursor"]


def numbers(end: int, at_once: int) -> Callable[[str | None], Reading[int]]:
    """A list of the numbers up to an end, of which one read gives so many."""

    def read(after: str | None) -> Reading[int]:
        first = int(after) + 1 if after else 0
        found = range(first, min(first + at_once, end))
        more = first + at_once < end
        return [(str(number), number) for number in found], str(found[-1]) if more else None

    return read


def is_wanted(number: int) -> bool:
    return number % 7 == 0


@given(end=some.integers(0, 300), at_once=some.integers(1, 20), limit=some.integers(1, 20))
def test_page_after_page_shows_all_that_is_wanted_once_and_in_order(end: int, at_once: int, limit: int) -> None:
    shown: list[int] = []
    after: str | None = None
    while True:
        page, after = sifted(numbers(end, at_once), is_wanted, limit, after)
        assert len(page) <= limit
        shown += page
        if after is None:
            break

    assert shown == list(range(0, end, 7))


def test_a_page_is_filled_over_several_reads() -> None:
    assert sifted(numbers(100, 10), is_wanted, 5, None) == ([0, 7, 14, 21, 28], "29")
    assert sifted(numbers(100, 15), is_wanted, 4, None) == ([0, 7, 14, 21], "27")


def test_a_page_that_is_full_reads_no_more() -> None:
    reads: list[str | None] = []

    def counted(after: str | None) -> Reading[int]:
        reads.append(after)
        return numbers(100, 10)(after)

    assert sifted(counted, lambda _: True, 10, None) == (list(range(10)), "9")
    assert reads == [None]


def test_a_page_that_ends_with_the_list_leads_nowhere() -> None:
    assert sifted(numbers(15, 10), is_wanted, 3, None) == ([0, 7, 14], None)


def test_a_page_stays_short_where_ten_reads_find_too_little() -> None:
    reads: list[str | None] = []
    read = numbers(1000, 10)

    def counted(after: str | None) -> Reading[int]:
        reads.append(after)
        return read(after)

    assert sifted(counted, lambda number: number == 0, 2, None) == ([0], "99")
    assert len(reads) == 10
