"""Whatever happens to timers and to the sweeps, in any order: each fires once, at its last time or soon after."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import time_machine
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hms.timers import MARGIN, Timers
from tests.support.memory import LaggingTable
from tests.unit.hms.test_timers import DAY, HOUR, MINUTE, NOON, WITHIN_SECONDS, Bells

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hms.rows import Item

LONGEST_LAG = MARGIN - HOUR
names = st.sampled_from([f"bell-{number}" for number in range(12)])
waits = st.one_of(
    st.timedeltas(timedelta(0), HOUR), st.timedeltas(timedelta(0), 2 * DAY), st.timedeltas(timedelta(0), 9 * DAY)
)


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.table = LaggingTable()
        self.bells = Bells(self.table)
        self.now = NOON
        self.latest = NOON
        self.caught_up = NOON
        self.due: dict[str, datetime] = {}
        self.wanted: list[str] = []
        self.sweep()

    @rule(name=names, wait=waits)
    def set_or_move(self, name: str, wait: timedelta) -> None:
        due = (self.now + wait).replace(microsecond=0)
        (self.bells.move if self.there(name) else self.bells.set)(name, due)
        self.due[name] = due

    @rule(name=names)
    def remove(self, name: str) -> None:
        if self.there(name):
            self.bells.remove(name)
        self.due.pop(name, None)

    @rule(name=names)
    def breaks(self, name: str) -> None:
        self.bells.broken.add(f"bell#{name}")

    @precondition(lambda self: self.bells.broken)
    @rule()
    def all_are_mended(self) -> None:
        self.bells.broken.clear()

    @rule(wait=waits)
    def time_passes(self, wait: timedelta) -> None:
        self.now = (self.now + wait).replace(microsecond=0)
        if self.now - self.caught_up > LONGEST_LAG:
            self.index_catches_up()

    @rule()
    def index_catches_up(self) -> None:
        self.table.catch_up()
        self.caught_up = self.now

    @rule()
    def sweep(self) -> None:
        self.swept_at(self.now)

    @rule(ahead=st.timedeltas(timedelta(0), 20 * DAY))
    def sweep_by_a_clock_that_is_ahead(self, ahead: timedelta) -> None:
        self.swept_at((self.now + ahead).replace(microsecond=0))

    @rule(name=names)
    def a_sweep_dies(self, name: str) -> None:
        def die(item: Item) -> None:
            self.ring(item, self.now)
            if item.pk == f"bell#{name}":
                raise SystemExit

        try:
            self.swept_at(self.now, die)
        except SystemExit:
            return

    @rule()
    def two_sweeps_overlap(self) -> None:
        def overtaken(item: Item) -> None:
            self.swept_at(self.now)
            self.ring(item, self.now)

        self.swept_at(self.now, overtaken)

    def swept_at(self, now: datetime, fire: Callable[[Item], None] | None = None) -> None:
        with time_machine.travel(self.now, tick=False):
            Timers(self.table).sweep(now, fire or (lambda item: self.ring(item, now)), WITHIN_SECONDS)

    def ring(self, item: Item, now: datetime) -> None:
        rung = len(self.bells.rung)
        self.bells.ring(item, now)
        for name in self.bells.rung[rung:]:
            assert self.due.pop(name) <= now, "too early, or one that nobody waits for"

    def there(self, name: str) -> bool:
        return any(key.pk == f"bell#{name}" and key.sk == "due" for key in self.table.items)

    @invariant()
    def what_is_set_is_there(self) -> None:
        assert {name for name in self.due if not self.there(name)} == set()

    def teardown(self) -> None:
        """However it went: once all is mended, whatever is due has fired within a few ordinary sweeps."""
        self.bells.broken.clear()
        self.now += MINUTE
        self.index_catches_up()
        for _ in range(3):
            self.sweep()
            self.index_catches_up()
            self.now += HOUR
        assert [due for due in self.due.values() if due <= self.now - 2 * HOUR] == []


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
