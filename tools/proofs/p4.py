"""P4: no lost event, nothing done twice."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from statistics import quantiles
from typing import TYPE_CHECKING, NamedTuple

from notifications.clinic import clinic
from tools.progress import console
from tools.proofs import Report, effects
from tools.proofs.callers import Administrator, OverHttp
from tools.proofs.consumers import armed, consumers, redelivering, taken_from, wait_until_quiet
from tools.proofs.lives import Lives, Stubborn, book_all, live_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.proofs.effects import Change, Effects, Heard
    from tools.system import System

NEEDS_SYSTEM = True
_TARGET = "0 missing, 0 doubled effects (a provider without keys may double where its word is lost); lag p99 shown"
_CALLERS = 6
_QUIET_SECONDS = 3600
# A message that failed comes again: soon, but not while it is still being handled.
_AGAIN_SECONDS = 10
# Of those that handle an event about one in three fails, at any of its calls and in every way.
_TRACED = " ".join(f"trace@{provider}*:after" for provider in effects.AT_PROVIDERS)
_FAULTS = f"{_TRACED} throttle@*:before~0.12 lose@*:before~0.06 lose@*:after~0.06 die@*~0.003 delay@*:before~0.01"
_OF_CALLERS = "lose@*:after~0.1 throttle@*:before~0.05 die@after-commit~0.02"


class Size(NamedTuple):
    lives: int
    burst: int


FULL, SMALL = Size(lives=60, burst=1000), Size(lives=8, burst=24)


class Lag(NamedTuple):
    """Seconds from the answer to the caller until an event is handled."""

    p50: float
    p99: float
    longest: float

    def __str__(self) -> str:
        return f"p50 {self.p50:.1f} s, p99 {self.p99:.1f} s, longest {self.longest:.1f} s"


class Phase(NamedTuple):
    changes: int
    deliveries: int
    unlogged: int
    missing: list[str]
    found: Effects
    heard: Heard
    lag: Lag


def prove(system: System, full: bool) -> Report:
    size, started = FULL if full else SMALL, time.time()
    system.wait_until_ready()
    way = Stubborn(OverHttp(system, Administrator(system)))
    lives = Lives(way, patients=size.burst // 20)
    with console.status(f"a burst of {size.burst:,} bookings"), redelivering(system, _AGAIN_SECONDS):
        booked = book_all(lives, size.burst, _CALLERS)
        burst = _judged(system, way, lives, started)
    _tell(f"{booked:,} bookings in a burst", burst)
    with console.status(f"{size.lives:,} visits among failing consumers"), redelivering(system, _AGAIN_SECONDS):
        with armed(system, [*_functions(system), f"{system.stack}-relay"], _FAULTS, MOST_RECEIVES="1000"):
            way.faults = _OF_CALLERS
            live_all(lives, range(size.lives), _CALLERS)
            _settle(system)
        failing = _judged(system, way, lives, started)
    _tell(f"{size.lives:,} visits among failing consumers", failing)
    return _report(booked, size, burst, failing)


def _functions(system: System) -> list[str]:
    return sorted({consumer.function for consumer in consumers(system)})


def _settle(system: System) -> None:
    if left := wait_until_quiet(system, _QUIET_SECONDS):
        message = f"still waiting to be consumed: {left}"
        raise RuntimeError(message)


def _judged(system: System, way: Stubborn, lives: Lives, since: float) -> Phase:
    """All that has happened since the proof began, now that everything is still."""
    _settle(system)
    world, subscribers = effects.world_of(system, {subject for subject, _ in way.told}), effects.subscribers(system)
    heard = effects.heard_by(system, [*subscribers, f"{system.stack}-relay"], since)
    wanted = [(function, one) for function, kinds in subscribers.items() for one in world.changes if one.kind in kinds]
    # Logs tell when. That it was done is judged by what is there: an emulator under load loses lines.
    unlogged = sum(_at(heard, function, one) is None for function, one in wanted)
    given_up = [letter for consumer in consumers(system) for letter in taken_from(system, consumer.dead_letters_url)]
    missing = [f"given up: {letter}" for letter in given_up]
    lags = [
        max(0.0, heard.at[function, one.event_id] - way.told[one.subject, one.version])
        for function, one in wanted
        if (one.subject, one.version) in way.told and _at(heard, function, one)
    ]
    found = effects.judged(world, effects.outbox_of(system, lives.addresses), datetime.now(UTC))
    return Phase(len(world.changes), len(wanted), unlogged, [*missing, *found.missing], found, heard, _lag(lags))


def _at(heard: Heard, function: str, change: Change) -> float | None:
    return heard.at.get((function, change.event_id))


def _lag(seconds: Sequence[float]) -> Lag:
    cuts = quantiles(seconds, n=100, method="inclusive")
    return Lag(cuts[49], cuts[98], max(seconds))


def _tell(what: str, phase: Phase) -> None:
    console.print(f"  {what}: {phase.changes:,} changes, {phase.deliveries:,} deliveries, {phase.lag}")
    console.print(f"  messages: {_shown(phase.found.told)}; {phase.unlogged} deliveries are in no log")
    found = phase.found
    for fault in [*_missing(phase), *found.doubled, *found.again][:10]:
        console.print(f"  [red]{fault}[/]")


def _shown(counted: Mapping[str, int]) -> str:
    return " · ".join(f"{name} {number:,}" for name, number in sorted(counted.items())) or "none"


def _report(booked: int, size: Size, burst: Phase, failing: Phase) -> Report:
    # Heard is all since the beginning: the burst, in which nothing was made to fail, is no part of the share.
    handled = failing.heard.done.total() - burst.heard.done.total()
    failed = failing.heard.failed.total() - burst.heard.failed.total()
    struck, points = failing.heard.faults.total(), len({point for _, point in failing.heard.faults})
    missing, doubled = len(_missing(failing)), _doubled(failing)
    figure = (
        f"{missing} missing and {doubled} doubled among {failing.deliveries:,} deliveries of"
        f" {failing.changes:,} changes, while {struck:,} faults struck at {points} points and {failed:,} of"
        f" {handled + failed:,} tries failed; {_excused(failing)} doubled by a provider that had taken a"
        f" message and not been recorded ({failing.heard.unrecorded} senders failed there),"
        f" {len(failing.found.unanswered)} given up without its answer; lag {failing.lag}. Burst of {booked:,}:"
        f" {len(_missing(burst))} missing, {_doubled(burst)} doubled, lag {burst.lag}"
    )
    done = [booked == size.burst, *(not (_missing(phase) or _doubled(phase)) for phase in (burst, failing))]
    return Report("P4", "no lost event", figure, _TARGET, all(done))


def _missing(phase: Phase) -> list[str]:
    """A message is given up as unanswered when so many of its answers were lost, and for nothing else."""
    lost = sum(count for (kind, point), count in phase.heard.faults.items() if _is_unheard(kind, point))
    return [*phase.missing, *phase.found.unanswered[lost // (clinic().unheard_retries + 1) :]]


def _is_unheard(kind: str, point: str) -> bool:
    return kind == "lose" and point.startswith(effects.AT_PROVIDERS)


def _doubled(phase: Phase) -> int:
    return len(phase.found.doubled) + len(phase.found.again) - _excused(phase)


def _excused(phase: Phase) -> int:
    """A provider knows no key: what it has taken and nobody has recorded is sent again. No message is made again."""
    return min(len(phase.found.again), phase.heard.unrecorded)
