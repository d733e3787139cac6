"""Nobody waits between attempts, and every test has a counter of its own, whose time is everybody's."""

from __future__ import annotations

import pytest

from insurance import tasks
from tests.support.insurance import Counter


@pytest.fixture(autouse=True)
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    counter = Counter()
    monkeypatch.setattr("hms.call._SLEEP_SECONDS", 0)
    monkeypatch.setattr("hms.clock.now", lambda: counter.now)
    monkeypatch.setattr("hms.clock.wall", lambda: counter.now)
    monkeypatch.setattr(tasks, "office", counter.office)
    return counter
