"""The load of P1 and P2: rounds of requests that start together, then the scan, then every place that is left."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from threading import Barrier
from typing import TYPE_CHECKING, NamedTuple

from tools.progress import console
from tools.proofs import rounds, scan
from tools.proofs.callers import ANSWER_SECONDS, Administrator, Ask, AtTheFunction, OverHttp
from tools.proofs.world import populated
from tools.system import System

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from tools.proofs.callers import Answer, Way
    from tools.proofs.rounds import Round
    from tools.proofs.scan import Findings
    from tools.proofs.world import Doctor, World

_EXPECTED = {
    (201, ""),
    (200, ""),
    (409, "SLOT_TAKEN"),
    (409, "PATIENT_DOUBLE_BOOKED"),
    (409, "DAY_FULL"),
    (409, "RESCHEDULE_LIMIT"),
    (409, "INVALID_TRANSITION"),
    (503, "BUSY"),
}


_STARTED_AT_ONCE = 5
_WARM_UP_SECONDS = 900


class Phase(NamedTuple):
    """So many rounds of so many callers, over HTTP or straight at the function."""

    way: str
    callers: int
    rounds: int


FULL = (Phase("HTTP", 12, 880), Phase("HTTP", 50, 100), Phase("function", 200, 20))
SMALL = (Phase("HTTP", 12, 48), Phase("HTTP", 25, 6), Phase("function", 32, 6))


@dataclass
class Result:
    """All that the proofs of the load are judged by."""

    rounds: int = 0
    contests: int = 0
    places_offered: int = 0
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    broken: dict[str, list[str]] = field(default_factory=dict)
    told: list[tuple[str, int]] = field(default_factory=list)
    slowest: float = 0
    findings: scan.Findings = field(default_factory=scan.Findings)

    @property
    def requests(self) -> int:
        return self.answers.total()

    @property
    def unexpected(self) -> dict[tuple[int, str], int]:
        """Answers that the API does not promise, silence among them."""
        return {answer: number for answer, number in self.answers.items() if answer not in _EXPECTED}

    def count(self, one: Round, answers: list[Answer]) -> None:
        self.rounds += 1
        self.contests += one.kind in ("slot", "patient")
        if fault := one.broken(answers):
            self.breaks(one.kind, fault)
        for answer in answers:
            self.heard(answer)

    def heard(self, answer: Answer) -> None:
        patient_busy = answer.status == 503 and not answer.retry_after
        self.answers[answer.status, "WITHOUT_RETRY_AFTER" if patient_busy else answer.code] += 1
        self.slowest = max(self.slowest, answer.seconds)
        if answer.done:
            self.told.append((answer.body["appointment_id"], answer.body["version"]))

    def breaks(self, kind: str, fault: str) -> None:
        self.broken.setdefault(kind, []).append(fault)

    def shown(self) -> str:
        """The answers by status and code, as one line."""
        counted = sorted(self.answers.items())
        return " · ".join(f"{status or 'none'} {code}".strip() + f": {number:,}" for (status, code), number in counted)


def result_on(system: System, *, full: bool) -> Result:
    """The load's result on this system: run once, however many promises rest on it."""
    return _run(system.endpoint_url, system.stage, system.stack, FULL if full else SMALL)


@cache
def _run(endpoint_url: str, stage: str, stack: str, phases: tuple[Phase, ...]) -> Result:
    system = System(endpoint_url, stage, stack)
    caller = Administrator(system)
    http = OverHttp(system, caller)
    ways: dict[str, Way] = {"HTTP": http, "function": AtTheFunction(system, caller)}
    world = populated(http, max(phase.callers for phase in phases) + 20)
    result = Result()
    for phase in phases:
        _play(phase, ways[phase.way], world, result)
    result.findings = _scanned(system, world, result)
    _fill(http, world, result, most=len(phases) * 4)
    result.findings = _scanned(system, world, result)
    _report(result)
    return result


def _play(phase: Phase, way: Way, world: World, result: Result) -> None:
    with ThreadPoolExecutor(phase.callers) as crew, console.status("") as status:
        _warm_up(crew, way, world, phase.callers)
        started, before = time.monotonic(), result.requests
        for number in range(phase.rounds):
            status.update(f"{phase.callers} callers, {phase.way}: round {number + 1} of {phase.rounds}")
            one = rounds.KINDS[number % len(rounds.KINDS)](world, phase.callers)
            answers = together(crew, way, one.asks)
            for answer in answers:
                world.hears(answer)
            result.count(one, answers)
    seconds, number = time.monotonic() - started, result.requests - before
    console.print(
        f"  {phase.callers} callers, {phase.way}: {phase.rounds} rounds, {number:,} requests, {seconds:.0f} s"
    )


def together(crew: ThreadPoolExecutor, way: Way, asks: list[Ask]) -> list[Answer]:
    """Sends all at the same moment."""
    start = Barrier(len(asks))

    def send(ask: Ask) -> Answer:
        start.wait(ANSWER_SECONDS)
        return way.send(ask)

    return list(crew.map(send, asks))


def _warm_up(crew: ThreadPoolExecutor, way: Way, world: World, callers: int) -> None:
    """Emulators start an interpreter for each concurrent call: all at once would be a test of the machine."""
    ask = Ask("GET", "/v1/doctors/{doctor_id}/availability", path={"doctor_id": next(iter(world.doctors))})
    ready, deadline = 0, time.monotonic() + _WARM_UP_SECONDS
    while ready < callers and time.monotonic() < deadline:
        size = min(ready + _STARTED_AT_ONCE, callers)
        done = sum(answer.done for answer in together(crew, way, [ask] * size))
        # Those that took too long were ended, and are to be started again.
        ready = size if done == size else done * 3 // 4


def _scanned(system: System, world: World, result: Result) -> Findings:
    caps = {doctor.doctor_id: doctor.cap for doctor in world.doctors.values()}
    return scan.judged(scan.rows(system), caps, result.told)


def _fill(way: Way, world: World, result: Result, most: int) -> None:
    """Now that nobody else asks: every place below the cap can be had, and none above it."""
    for doctor, day in _days_in_use(world, most):
        taken = len(world.on_day(doctor, day))
        for span in doctor.grid(day):
            patients = world.free_patients(span, 1)
            if not patients or not world.free(doctor.doctor_id, span):
                continue
            answer = way.send(rounds.booking(patients[0], doctor, span))
            world.hears(answer)
            result.heard(answer)
            result.places_offered += taken < doctor.cap
            expected = (201, "") if taken < doctor.cap else (409, "DAY_FULL")
            if (answer.status, answer.code) != expected:
                result.breaks("fill", f"{answer.status} {answer.code} with {taken} of {doctor.cap} places taken")
            if taken >= doctor.cap:
                break
            taken += answer.done


def _days_in_use(world: World, most: int) -> Iterable[tuple[Doctor, date]]:
    """Some days of every doctor, the busiest of all among them."""
    for doctor in world.doctors.values():
        days = Counter(
            doctor.day_of(visit.span.start) for visit in world.visits.values() if visit.doctor_id == doctor.doctor_id
        )
        for day, _ in days.most_common(most):
            yield doctor, day


def _report(result: Result) -> None:
    console.print(f"  {result.requests:,} requests: {result.shown()}")
    for kind, faults in result.broken.items():
        console.print(f"  [red]{kind}[/]: {len(faults)} × e.g. {faults[0]}")
    for fault in result.findings.all[:10]:
        console.print(f"  [red]{fault}[/]")
