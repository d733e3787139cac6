"""Nobody waits between attempts, and every test has a till of its own."""

from __future__ import annotations

import pytest

from tests.support.billing import Till


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hms.call._SLEEP_SECONDS", 0)


@pytest.fixture
def till() -> Till:
    return Till()
