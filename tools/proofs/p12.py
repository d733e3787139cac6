"""P12: no personal data leaks, as far as logs, metrics, queues of failures, flows and refusals."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from tools.progress import console
from tools.proofs import Report, leaks
from tools.proofs.consumers import armed, consumers, redelivering, wait_until_quiet
from tools.proofs.journeys import walk
from tools.proofs.planted import Planted

if TYPE_CHECKING:
    from tools.proofs.journeys import Walk
    from tools.system import System

NEEDS_SYSTEM = True
_TARGET = (
    "0 hits in logs, metrics, dead letters, execution histories and refusals (audit entries: with the audit domain)"
)
_FULL, _SMALL = 5, 1
_QUIET_SECONDS = 300


def prove(system: System, full: bool) -> Report:
    planted = Planted()
    walks: list[Walk] = []
    system.wait_until_ready()
    with console.status("") as status, redelivering(system, 1):
        for number in range(_FULL if full else _SMALL):
            status.update(f"journeys with planted values: {len(planted.values):,} so far")
            walks.append(walk(system, planted, unlucky=False))
            walks.append(_among_failing_consumers(system, planted, number))
        status.update("the search for them")
        _settle(system)
        places = {
            "log lines": list(leaks.logs(system)),
            "metrics": list(leaks.metrics(system)),
            "dead letters": list(leaks.dead_letters(system)),
            "execution records": list(leaks.executions(system)),
            "refusals": [text for one in walks for _, status, text in one.answers if status >= 400],
        }
    return _report(planted, walks, places)


def _among_failing_consumers(system: System, planted: Planted, number: int) -> Walk:
    """The journeys again, with faults in every request, and nothing that they tell is ever consumed."""
    functions = sorted({consumer.function for consumer in consumers(system)})
    faults = ("lose@dynamodb.*", "throttle@*", "die@dynamodb.*:after")[number % 3]
    with armed(system, functions, f"{faults} trace@*", MOST_RECEIVES="1"):
        taken = walk(system, planted, unlucky=True)
        _settle(system)
    return taken


def _settle(system: System) -> None:
    if left := wait_until_quiet(system, _QUIET_SECONDS):
        message = f"still waiting to be consumed: {left}"
        raise RuntimeError(message)


def _report(planted: Planted, walks: list[Walk], places: dict[str, list[str]]) -> Report:
    hits = {place: planted.found_in(texts) for place, texts in places.items()}
    for place, found in hits.items():
        for what, number in found.items():
            console.print(f"  [red]{place}[/]: {what} in {number}")
    # Correlation ids are told on purpose: a search that misses them would miss anything.
    controls = Planted()
    for one in walks:
        controls.told("control", one.control)
    blind = [place for place in ("log lines", "dead letters", "refusals") if not controls.found_in(places[place])]
    whole = sum("data" in json.loads(text) for text in places["dead letters"] if text.startswith("{"))
    looked = ", ".join(f"{len(texts):,} {place}" for place, texts in places.items())
    kinds = Counter(planted.values.values())
    figure = (
        f"{sum(found.total() for found in hits.values())} hits of {len(planted.values):,} planted values ({len(kinds)}"
        f" kinds) in {looked}; {whole} dead letters are whole events, not pointers"
        + (f"; the search is blind in {', '.join(blind)}" if blind else "")
    )
    return Report("P12", "no personal data leaks", figure, _TARGET, not (any(hits.values()) or whole or blind))
