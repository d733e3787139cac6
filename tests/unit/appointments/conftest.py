"""Nobody waits between attempts, and every test has a desk of its own."""

from __future__ import annotations

import pytest

from tests.support.appointments import Desk


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hms.call._SLEEP_SECONDS", 0)


@pytest.fixture
def desk() -> Desk:
    return Desk()
