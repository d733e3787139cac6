"""Nobody waits between attempts, and every test has a post office of its own."""

from __future__ import annotations

import pytest

from tests.support.notifications import PostOffice


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hms.call._SLEEP_SECONDS", 0)


@pytest.fixture
def post() -> PostOffice:
    return PostOffice()
