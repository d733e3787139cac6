"""Cursors are opaque, and nobody else's text is one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hms.errors import Invalid
from hms.pages import opened, sealed


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
