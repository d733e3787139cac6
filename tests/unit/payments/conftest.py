"""Every test has a counter of its own, with nothing paid yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.payments import Counter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def counter() -> Iterator[Counter]:
    with Counter().opened() as counter:
        yield counter
