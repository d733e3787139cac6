"""P3: exactly-once charging."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from tools.progress import console, step
from tools.proofs import Report, contests, sources
from tools.proofs.breakdowns import Breakdowns
from tools.proofs.deaths import Deaths, counted
from tools.proofs.settling import Settling
from tools.proofs.tills import Till

if TYPE_CHECKING:
    from tools.proofs.contests import Contest
    from tools.system import System

NEEDS_SYSTEM = True
_TARGET = "one capture per intent, two keys never both capture one balance, the ledger is the processor's statement"
_CALLERS, _FEW_CALLERS = 50, 12


class Night(NamedTuple):
    """All that happened: who paid at the same moment, by which sources, and where functions died."""

    held: list[Contest]
    tried: list[sources.Tried]
    deaths: Deaths
    settling: Settling
    changed: list[str]


def prove(system: System, full: bool) -> Report:
    system.wait_until_ready()
    till, since = Till(system), time.time()
    night = _gone_through(till, full=full)
    accounts = till.accounts()
    findings = till.judged(accounts)
    wrong = [
        *(fault for one in night.held for fault in contests.judged(one, accounts)),
        *sources.judged(night.tried, accounts),
        *(fault for one in night.deaths.journeys for fault in one.wrong(accounts)),
        *night.settling.judged(accounts),
        *night.changed,
    ]
    for fault in [*findings.all, *wrong][:30]:
        console.print(f"  {fault}", style="red", markup=False)
    journeys = len(night.deaths.journeys) + night.settling.deaths
    slowest, late = max(one.slowest for one in night.held), sum(one.late for one in night.held)
    figure = (
        f"{findings} on {findings.bills} bills with {findings.captures} captures and {findings.refunds} refunds;"
        f" {len(wrong)} wrong answers or states; slowest answer of {len(night.held)} contests {slowest:.1f} s, {late}"
        f" payments called off there; {counted(system, since)} deaths in {journeys} journeys,"
        f" {night.settling.redelivered} messages came again"
    )
    return Report("P3", "exactly-once charging", figure, _TARGET, not (findings.all or wrong))


def _gone_through(till: Till, *, full: bool) -> Night:
    callers = _CALLERS if full else _FEW_CALLERS
    deaths, settling, breakdowns = Deaths(till, full=full), Settling(till, full=full), Breakdowns(till, full=full)
    with step(f"{callers} pay at the same moment"):
        held = contests.held(till, callers)
    for one in held:
        console.print(f"  {one}")
    with step("Late, silent and declined cards") as current:
        tried = sources.tried(till)
        current.outcome = f"{len(tried)} sources"
    with step("Deaths in payments and refunds") as current:
        deaths.all_happen()
        current.outcome = f"{len(deaths.journeys)} journeys"
    with step("Deaths while bills are settled") as current:
        settling.all_happen()
        current.outcome = f"{settling.deaths} journeys"
    with step("Deaths of processor and sweep") as current:
        breakdowns.all_happen()
        settling.comes_to_rest()
        current.outcome = f"{len(breakdowns.deaths)} journeys"
    with step("Callers and events come again") as current:
        deaths.callers_ask_again(breakdowns.deaths)
        changed = settling.events_come_again(till.accounts())
        current.outcome = f"{settling.redelivered} messages"
    return Night(held, tried, deaths, settling, changed)
