"""Due rows are swept: each fires when its time has come, whatever happens to the sweeps."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Barrier, Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from hms import timers
from hms.rows import Conflict, Contention, Insert, Item, Key, Remove, Replace
from hms.shards import SHARDS
from hms.timers import MARGIN, Swept, Timers, place
from tests.support.memory import LaggingTable, MemoryTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hms.rows import Change, Found, Query

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WITHIN_SECONDS = 60


class Bells:
    """Due rows of their own. Ringing one takes it out and leaves a trace, in one transaction."""

    def __init__(self, table: MemoryTable | None = None) -> None:
        self.table = table or MemoryTable()
        self.broken: set[str] = set()
        self.rung: list[str] = []
        # No version comes twice, though a row may be set again after it is gone.
        self._versions = count(1, step=1000)

    def set(self, name: str, due: datetime) -> None:
        key, version = Key(f"bell#{name}", "due"), next(self._versions)
        self.table.commit([Insert(Item(*key, version=version, body=due.isoformat(), by_b=place(due, key)))])

    def move(self, name: str, due: datetime) -> None:
        item = self.table.items[Key(f"bell#{name}", "due")]
        moved = Item(*item.key, version=item.version + 1, body=due.isoformat(), by_b=place(due, item.key))
        self.table.commit([Replace(moved)])

    def remove(self, name: str) -> None:
        self.table.commit([Remove(Key(f"bell#{name}", "due"))])

    def sweep(self, now: datetime, fire: Callable[[Item], None] | None = None) -> Swept:
        with time_machine.travel(now, tick=False):
            return self.sweep_by_a_moved_clock(now, fire)

    def sweep_by_a_moved_clock(self, now: datetime, fire: Callable[[Item], None] | None = None) -> Swept:
        return Timers(self.table).sweep(now, fire or (lambda item: self.ring(item, now)), WITHIN_SECONDS)

    def ring(self, item: Item, now: datetime) -> None:
        if item.pk in self.broken:
            raise LookupError(item.pk)
        there = self.table.get(item.key)
        if there is None or datetime.fromisoformat(there.body or "") > now:
            return
        trace = Insert(Item(item.pk, f"rung#{there.version}"))
        try:
            self.table.commit([Remove(item.key, there.version), trace])
        except Conflict:
            return
        self.rung.append(item.pk.removeprefix("bell#"))

    def queries(self, now: datetime) -> int:
        """How many queries a sweep makes: all reads but that of its own progress."""
        before = self.table.reads
        self.sweep(now)
        return self.table.reads - before - 1


def of_one_shard(wanted: int) -> list[str]:
    """Names whose rows share a shard."""
    by_shard: dict[str, list[str]] = {}
    for number in range(wanted * SHARDS * 4):
        name = f"n{number}"
        by_shard.setdefault(place(NOON, Key(f"bell#{name}", "due")).pk, []).append(name)
    return next(names[:wanted] for names in by_shard.values() if len(names) >= wanted)


def test_a_timer_fires_at_its_instant_and_not_a_second_before() -> None:
    bells = Bells()
    bells.set("tea", NOON)

    assert bells.sweep(NOON - timedelta(seconds=1)) == Swept(0, 0, 0)
    assert bells.sweep(NOON) == Swept(1, 0, 0)
    assert bells.sweep(NOON + MINUTE) == Swept(0, 0, 0)
    assert bells.rung == ["tea"]


def test_a_place_goes_by_utc_and_by_whole_seconds() -> None:
    key = Key("bell#1", "due")
    late = datetime(2026, 11, 21, 5, 29, 59, 999_999, tzinfo=ZoneInfo("Asia/Kolkata"))

    assert place(late, key).pk.startswith("due#2026-11-20#")
    assert place(late, key).sk == "2026-11-20T23:59:59Z#bell#1#due"


def test_rows_of_one_day_are_spread_over_sixteen_shards() -> None:
    spread = Counter(place(NOON, Key(f"bell#{number}", "due")).pk for number in range(1600))

    assert len(spread) == SHARDS == 16
    assert max(spread.values()) < 150


def test_a_shard_fires_in_the_order_of_time_across_its_days() -> None:
    bells, names = Bells(), of_one_shard(4)
    for name, due in zip(names, (NOON, NOON - 3 * DAY, NOON - HOUR, NOON - DAY), strict=True):
        bells.set(name, due)

    bells.sweep(NOON)

    assert bells.rung == [names[1], names[3], names[2], names[0]]


def test_more_than_a_page_of_one_shard_fires_in_one_sweep() -> None:
    bells, names = Bells(), of_one_shard(130)
    for name in names:
        bells.set(name, NOON)

    assert bells.sweep(NOON).fired == 130


def test_one_that_fails_is_told_by_its_key_and_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    bells, names = Bells(), of_one_shard(3)
    for name in names:
        bells.set(name, NOON)
    bells.broken = {f"bell#{names[0]}"}

    assert bells.sweep(NOON + MINUTE)[:2] == (2, 1)

    line = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (line["message"], line["error"], line["pk"]) == ("timer failed", "LookupError", f"bell#{names[0]}")
    bells.broken = set()
    assert bells.sweep(NOON + 2 * MINUTE) == Swept(1, 0, 120)


def test_metrics_are_written_where_something_was_due(capsys: pytest.CaptureFixture[str]) -> None:
    bells = Bells()
    bells.set("tea", NOON)
    bells.set("milk", NOON)
    bells.broken = {"bell#milk"}

    bells.sweep(NOON - MINUTE)
    assert "_aws" not in capsys.readouterr().out
    bells.sweep(NOON + MINUTE)

    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "HMS"
    told = {name: line[name] for name in ("timers_fired_total", "timers_failed_total", "timers_behind_seconds")}
    assert told == {"timers_fired_total": 1, "timers_failed_total": 1, "timers_behind_seconds": 60}


def test_a_sweep_stops_when_its_seconds_are_used_up_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    bells, clock = Bells(), SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(timers, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    for number in range(10):
        bells.set(str(number), NOON)

    def take_ten_seconds(item: Item) -> None:
        clock.seconds += 10
        bells.ring(item, NOON)

    assert bells.sweep(NOON, take_ten_seconds).fired == 6
    stopped = bells.sweep(NOON + 5 * MINUTE, take_ten_seconds)
    assert stopped == Swept(4, 0, 300)
    assert len(bells.rung) == 10


def test_a_sweep_that_stops_says_how_late_the_next_row_is(monkeypatch: pytest.MonkeyPatch) -> None:
    bells, clock = Bells(), SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(timers, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    for name in of_one_shard(2):
        bells.set(name, NOON)

    def take_too_long_and_fail(_item: Item) -> None:
        clock.seconds += WITHIN_SECONDS
        raise LookupError

    assert bells.sweep(NOON + HOUR, take_too_long_and_fail) == Swept(0, 1, 3600)


def test_an_outage_of_days_is_made_good() -> None:
    bells = Bells()
    bells.sweep(NOON)
    for hours in range(1, 121):
        bells.set(f"at-{hours}", NOON + hours * HOUR)

    assert bells.sweep(NOON + 5 * DAY) == Swept(120, 0, 119 * 3600)


def test_a_table_that_was_never_swept_is_looked_at_for_a_week_back() -> None:
    bells = Bells()
    bells.set("tea", NOON - 6 * DAY)

    assert bells.sweep(NOON).fired == 1


def test_a_quiet_sweep_reads_sixteen_buckets_and_twice_as_many_until_six_in_the_morning() -> None:
    bells = Bells()
    bells.sweep(NOON)
    midnight = NOON + 12 * HOUR

    assert bells.queries(NOON + MINUTE) == 16
    assert bells.queries(midnight + HOUR) == 32
    assert bells.queries(midnight + MARGIN - MINUTE) == 32
    bells.sweep(midnight + MARGIN)
    assert bells.queries(midnight + MARGIN + MINUTE) == 16


def test_a_row_that_keeps_failing_costs_one_query_an_hour_once_its_day_is_closed() -> None:
    bells = Bells()
    bells.set("broken", NOON)
    bells.broken = {"bell#broken"}
    bells.sweep(NOON)
    bells.sweep(NOON + DAY)
    bells.sweep(NOON + 10 * DAY)

    a_month_later = NOON + 30 * DAY
    bells.sweep(a_month_later)
    assert [bells.queries(a_month_later + minutes * MINUTE) for minutes in (1, 30, 59, 60, 61)] == [16, 16, 16, 17, 16]
    bells.broken = set()
    assert bells.sweep(a_month_later + 2 * HOUR).fired == 1
    bells.sweep(a_month_later + 3 * HOUR)
    assert bells.queries(a_month_later + 4 * HOUR) == 16


def test_a_row_that_the_index_shows_hours_late_still_fires() -> None:
    table = LaggingTable()
    bells = Bells(table)
    midnight = NOON + 12 * HOUR
    bells.sweep(midnight - 2 * MINUTE)
    bells.set("late", midnight - MINUTE)
    for minutes in range(0, 300, 10):
        bells.sweep(midnight + minutes * MINUTE)
    assert bells.rung == []

    table.catch_up()
    bells.sweep(midnight + 5 * HOUR)

    assert bells.rung == ["late"]


def test_a_row_that_the_index_still_shows_after_it_is_gone_does_nothing() -> None:
    table = LaggingTable()
    bells = Bells(table)
    bells.set("tea", NOON)
    table.catch_up()

    bells.sweep(NOON)
    bells.sweep(NOON + MINUTE)

    assert bells.rung == ["tea"]


def test_a_row_that_was_moved_fires_at_its_new_time_only() -> None:
    table = LaggingTable()
    bells = Bells(table)
    bells.set("tea", NOON)
    table.catch_up()
    bells.move("tea", NOON + 2 * DAY)

    bells.sweep(NOON)
    table.catch_up()
    bells.sweep(NOON + DAY)
    assert bells.rung == []
    bells.sweep(NOON + 2 * DAY)

    assert bells.rung == ["tea"]


def test_a_clock_that_jumps_ahead_and_comes_back_hides_nothing() -> None:
    bells = Bells()
    bells.sweep(NOON)
    bells.set("next week", NOON + 7 * DAY)
    with time_machine.travel(NOON, tick=False):
        assert bells.sweep_by_a_moved_clock(NOON + 30 * DAY).fired == 1
        assert bells.sweep_by_a_moved_clock(NOON - 30 * DAY) == Swept(0, 0, 0)
    bells.set("tomorrow", NOON + DAY)
    bells.set("soon", NOON + MINUTE)

    bells.sweep(NOON + MINUTE)
    assert bells.rung == ["next week", "soon"]
    bells.sweep(NOON + 3 * DAY)
    assert bells.rung == ["next week", "soon", "tomorrow"]


def test_what_a_moved_clock_could_not_do_is_tried_again_by_the_ordinary_one() -> None:
    bells = Bells()
    bells.set("broken", NOON - 2 * DAY)
    bells.broken = {"bell#broken"}
    with time_machine.travel(NOON, tick=False):
        bells.sweep_by_a_moved_clock(NOON + 30 * DAY)
    bells.broken = set()

    assert bells.sweep(NOON + HOUR).fired == 1


def test_two_sweeps_at_once_do_everything_once() -> None:
    bells, both = Bells(), Barrier(2)
    for number in range(40):
        bells.set(str(number), NOON)

    def sweep() -> None:
        with_other: set[str] = set()

        def together(item: Item) -> None:
            if not with_other:
                with_other.add(item.pk)
                both.wait(60)
            bells.ring(item, NOON)

        Timers(bells.table).sweep(NOON, together, WITHIN_SECONDS)

    with time_machine.travel(NOON, tick=False):
        threads = [Thread(target=sweep) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(bells.rung, key=int) == [str(number) for number in range(40)]


def test_a_sweep_within_a_sweep_leaves_nothing_out_and_is_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    bells = Bells()
    for number in range(20):
        bells.set(str(number), NOON - DAY)

    def overtaken(item: Item) -> None:
        bells.sweep(NOON + MINUTE)
        bells.ring(item, NOON)

    assert bells.sweep(NOON, overtaken).failed == 0
    assert len(bells.rung) == 20
    assert "ERROR" not in capsys.readouterr().out
    bells.set("after", NOON + HOUR)
    assert bells.sweep(NOON + HOUR).fired == 1


def test_a_crash_between_the_rows_loses_nothing() -> None:
    bells = Bells()
    for number in range(20):
        bells.set(str(number), NOON)

    def die_after_seven(item: Item) -> None:
        bells.ring(item, NOON)
        if len(bells.rung) == 7:
            raise SystemExit

    with pytest.raises(SystemExit):
        bells.sweep(NOON, die_after_seven)
    bells.sweep(NOON + MINUTE)

    assert sorted(bells.rung, key=int) == [str(number) for number in range(20)]


def test_a_lost_answer_leads_to_one_effect() -> None:
    bells = Bells()
    bells.set("tea", NOON)

    def lose_the_answer(item: Item) -> None:
        bells.ring(item, NOON)
        raise Contention

    assert bells.sweep(NOON, lose_the_answer).failed == 1
    assert bells.sweep(NOON + MINUTE) == Swept(0, 0, 0)
    assert bells.rung == ["tea"]


class Throttled(MemoryTable):
    """Refuses to read one bucket, or to write down how far a sweep has come."""

    def __init__(self) -> None:
        super().__init__()
        self.bucket = ""
        self.writes = True

    def query(self, query: Query) -> Found:
        if query.pk == self.bucket:
            raise Contention
        return super().query(query)

    def commit(self, changes: Sequence[Change]) -> None:
        if not self.writes:
            raise Contention
        super().commit(changes)


def test_a_bucket_that_cannot_be_read_stays_open_and_does_not_stop_the_others() -> None:
    table = Throttled()
    bells = Bells(table)
    unread = of_one_shard(3)
    others = sorted({f"n{number}" for number in range(20)} - set(unread))
    for name in (*unread, *others):
        bells.set(name, NOON)
    table.bucket = place(NOON, Key(f"bell#{unread[0]}", "due")).pk

    assert bells.sweep(NOON + 2 * DAY).failed == 1
    assert set(bells.rung) <= set(others)
    table.bucket = ""
    bells.sweep(NOON + 3 * DAY)

    assert sorted(bells.rung) == sorted([*unread, *others])


def test_progress_that_cannot_be_written_is_no_fault() -> None:
    table = Throttled()
    bells = Bells(table)
    table.writes = False

    assert bells.sweep(NOON) == Swept(0, 0, 0)
    table.writes = True
    bells.set("tea", NOON)
    assert bells.sweep(NOON + DAY).fired == 1


def test_each_minute_begins_with_another_shard() -> None:
    first: set[Any] = set()
    for minutes in range(60):
        bells, met = Bells(), list[str]()
        for number in range(200):
            bells.set(str(number), NOON)
        bells.sweep(NOON + minutes * MINUTE, lambda item, met=met: met.append(item.by_b.pk))  # type: ignore[misc]
        first.add(met[0])

    assert len(first) == SHARDS
