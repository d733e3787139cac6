"""What is to be done at an instant: due rows, found by index `by_b` of their own table and swept every minute.

Any row may be due, one of its own or the state of an aggregate: it carries the place that `place` gives, and loses it
in the transaction that does what was due. The index is cut into UTC days of 16 shards. A bucket stays open until six
hours after its day, so that a row which the index shows late still fires; then it is closed, and if it was not empty,
it is looked at every hour until it is.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Self

from pydantic_core import from_json, to_json

from hms import clock, telemetry
from hms.rows import Contention, Insert, Item, Key, Query, Replace
from hms.shards import SHARDS, shard_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hms.rows import Table

MARGIN = timedelta(hours=6)
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
# Where nothing was ever swept: a sweep may have been broken from the first deployment on.
_FIRST_LOOK = timedelta(days=7)
_PAGE = 50
_PROGRESS = Key("timers", "progress")


def place(due: datetime, key: Key) -> Key:
    """The place in `by_b` of the row with this key, due at an instant (to the second).

    Closed days are not read again: where `due` may be long past, give the later of it and now.
    """
    return Key(Bucket(due.astimezone(UTC).date(), shard_of("#".join(key))).pk, f"{_written(due)}#{key.pk}#{key.sk}")


class Swept(NamedTuple):
    """How many were fired and how many failed; how late the latest was that was fired or has to wait."""

    fired: int
    failed: int
    behind_seconds: int


class Bucket(NamedTuple):
    day: date
    shard: int

    @property
    def pk(self) -> str:
        return f"due#{self.day}#{self.shard}"


class Timers:
    def __init__(self, table: Table) -> None:
        self._table = table

    def sweep(self, now: datetime, fire: Callable[[Item], None], seconds: float) -> Swept:
        """Fires what is due, in order within each shard, and stops when its seconds are used up.

        `fire` gets the row as the index shows it, maybe an older version. It reads again, does what is due only if it
        still is, and takes the row out or moves it, all in one transaction: two sweeps at once may both call it for one
        row. Where it raises, the row stays for the next sweep, and its key is logged: keys of due rows are ids only.
        """
        # A test moves `now`, never what is closed: no day is over before it is by the machine's own clock.
        reached = min(now, clock.wall())
        before = self._progress(reached)
        run = _Run(self._table, fire, now, time.monotonic() + seconds)
        read = run.through(before.buckets(reached, now))
        self._keep(before, before.after(read, reached))
        swept = Swept(run.fired, run.failed, run.behind)
        _tell(swept, run.queries)
        return swept

    def _progress(self, reached: datetime) -> _Progress:
        item = self._table.get(_PROGRESS)
        return _Progress.of(item) if item else _Progress.first(reached)

    def _keep(self, before: _Progress, after: _Progress) -> None:
        if after == before and before.version:
            return
        item = Item(*_PROGRESS, version=before.version + 1, body=after.text)
        try:
            self._table.commit([Replace(item) if before.version else Insert(item)])
        except Contention:
            return  # Another sweep was faster. What stays open for longer is only read once more.


@dataclass(frozen=True, slots=True)
class _Progress:
    """The first open day of each shard; and the earlier buckets that were not empty, with when each was looked at."""

    days: tuple[date, ...]
    held: Mapping[Bucket, datetime] = field(default_factory=dict)
    version: int = 0

    @classmethod
    def first(cls, reached: datetime) -> Self:
        return cls(((reached - _FIRST_LOOK).date(),) * SHARDS)

    @classmethod
    def of(cls, item: Item) -> Self:
        stored = from_json(item.body or "")
        held = {Bucket(date.fromisoformat(day), shard): _instant(at) for day, shard, at in stored["held"]}
        return cls(tuple(map(date.fromisoformat, stored["days"])), held, item.version)

    @property
    def text(self) -> str:
        held = [[*bucket, _written(at)] for bucket, at in sorted(self.held.items())]
        return to_json({"days": self.days, "held": held}).decode()

    def buckets(self, reached: datetime, now: datetime) -> Iterator[Bucket]:
        """Shard by shard in the order of days. Each minute begins with another shard, so that none waits for ever."""
        for turn in range(SHARDS):
            shard = (now.minute + turn) % SHARDS
            yield from (one for one, at in self.held.items() if one.shard == shard and reached - at >= _HOUR)
            first = self.days[shard]
            yield from (Bucket(first + days * _DAY, shard) for days in range((now.date() - first).days + 1))

    def after(self, read: Mapping[Bucket, int], reached: datetime) -> Self:
        """`read` says how many rows were met in each bucket that was read to its end."""
        past = (reached - MARGIN).date()
        days = tuple(self._first_open(shard, read, past) for shard in range(SHARDS))
        closed = [bucket for bucket in read if bucket.day < days[bucket.shard]]
        held = {bucket: at for bucket, at in self.held.items() if bucket not in closed}
        held |= {bucket: reached for bucket in closed if read[bucket]}
        return type(self)(days, held, self.version)

    def _first_open(self, shard: int, read: Mapping[Bucket, int], past: date) -> date:
        day = self.days[shard]
        while day < past and Bucket(day, shard) in read:
            day += _DAY
        return day


@dataclass(slots=True)
class _Run:
    table: Table
    fire: Callable[[Item], None]
    now: datetime
    deadline: float
    fired: int = 0
    failed: int = 0
    behind: int = 0
    queries: int = 0

    def through(self, buckets: Iterator[Bucket]) -> dict[Bucket, int]:
        """How many rows were met in each bucket that was read to its end."""
        read = {}
        for bucket in buckets:
            if self._is_over():
                break
            met = self._read(bucket)
            if met is not None:
                read[bucket] = met
        return read

    def _read(self, bucket: Bucket) -> int | None:
        met = 0
        try:
            for item in self._due(bucket):
                if self._is_over():
                    self._lags(item)
                    return None
                self._do(item)
                met += 1
        except Contention as error:
            telemetry.fault("due rows not read", error, bucket=bucket.pk)
            self.failed += 1
            return None
        return met

    def _due(self, bucket: Bucket) -> Iterator[Item]:
        after: str | None = None
        while True:
            self.queries += 1
            high = f"{_written(self.now)}#\uffff"
            found = self.table.query(Query(bucket.pk, "", high, index="by_b", limit=_PAGE, after=after))
            yield from found.items
            after = found.last
            if after is None:
                return

    def _do(self, item: Item) -> None:
        try:
            self.fire(item)
        except Exception as error:  # noqa: BLE001  (one that fails does not stop the others)
            telemetry.fault("timer failed", error, pk=item.pk, sk=item.sk)
            self.failed += 1
        else:
            self.fired += 1
            self._lags(item)

    def _lags(self, item: Item) -> None:
        assert item.by_b  # noqa: S101  (it was found there)
        due = _instant(item.by_b.sk.partition("#")[0])
        self.behind = max(self.behind, int((self.now - due).total_seconds()))

    def _is_over(self) -> bool:
        return time.monotonic() >= self.deadline


def _tell(swept: Swept, queries: int) -> None:
    """A quiet minute is a line and no metrics: each costs by the hour in which it is written."""
    if not any(swept):
        telemetry.log("INFO", "swept", queries=queries)
        return
    metrics: dict[str, tuple[float, str]] = {
        "timers_fired_total": (swept.fired, "Count"),
        "timers_failed_total": (swept.failed, "Count"),
        "timers_behind_seconds": (swept.behind_seconds, "Seconds"),
    }
    telemetry.measured(metrics, {"function": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "none")}, queries=queries)


def _written(instant: datetime) -> str:
    """Of one length, so that texts sort as instants do."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
