"""The loop in which commands are decided: again while others are faster, but not for ever."""

from __future__ import annotations

import pytest

from hms import call
from hms.call import decided
from hms.errors import Busy
from hms.rows import Contention


class Clock:
    """Time that passes only when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(call, "time", clock)
    return clock


class Attempt:
    """Loses its first races; each try takes a while."""

    def __init__(self, clock: Clock, losses: int, seconds: float = 0.02) -> None:
        self.clock, self.losses, self.seconds, self.tries = clock, losses, seconds, 0

    def __call__(self) -> str:
        self.clock.sleep(self.seconds)
        self.tries += 1
        if self.tries <= self.losses:
            raise Contention
        return "decided"


def test_a_lost_race_is_run_again(clock: Clock) -> None:
    assert decided(Attempt(clock, losses=5)) == "decided"


def test_who_keeps_losing_is_told_to_come_again(clock: Clock) -> None:
    attempt = Attempt(clock, losses=1000)

    with pytest.raises(Busy):
        decided(attempt)
    assert attempt.tries == 14
    assert clock.now < 6


def test_the_answer_comes_before_the_functions_time_is_up_however_slow_the_table_is(clock: Clock) -> None:
    attempt = Attempt(clock, losses=1000, seconds=3)

    with pytest.raises(Busy):
        decided(attempt)
    assert attempt.tries > 1
    assert clock.now < 12


def test_a_refusal_is_not_tried_again(clock: Clock) -> None:
    tries = 0

    def attempt() -> None:
        nonlocal tries
        tries += 1
        raise KeyError("refused")

    with pytest.raises(KeyError):
        decided(attempt)
    assert (tries, clock.now) == (1, 0)
