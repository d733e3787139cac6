"""P3: exactly-once charging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.progress import console
from tools.proofs import Report, contests, sources
from tools.proofs.breakdowns import Breakdowns
from tools.proofs.deaths import Deaths
from tools.proofs.settling import Settling
from tools.proofs.tills import Till

if TYPE_CHECKING:
    from tools.system import System

NEEDS_SYSTEM = True
_TARGET = "one capture per intent, two keys never both capture one balance, the ledger is the processor's statement"
_CALLERS, _FEW_CALLERS = 50, 12


def prove(system: System, full: bool) -> Report:
    system.wait_until_ready()
    till = Till(system)
    with console.status("") as status:
        status.update("many pay at the same moment")
        held = contests.held(till, _CALLERS if full else _FEW_CALLERS)
        status.update("sources that are late, silent, declined or told thrice")
        tried = sources.tried(till)
        deaths, settling, breakdowns = Deaths(till, full=full), Settling(till, full=full), Breakdowns(till, full=full)
        status.update("functions die while payments and refunds are on their way")
        deaths.all_happen()
        status.update("functions die while bills are settled")
        settling.all_happen()
        status.update("the processor and the sweep die")
        breakdowns.all_happen()
        settling.comes_to_rest()
        status.update("who asked asks again, and every event comes again three times")
        deaths.callers_ask_again(breakdowns.deaths)
        changed = settling.events_come_again(till.accounts())
    accounts = till.accounts()
    findings = till.judged(accounts)
    wrong = [
        *(fault for one in held for fault in contests.judged(one, accounts)),
        *sources.judged(tried, accounts),
        *(fault for one in deaths.journeys for fault in one.wrong(accounts)),
        *settling.judged(accounts),
        *changed,
    ]
    for one in held:
        console.print(f"  {one}")
    for fault in [*findings.all, *wrong][:30]:
        console.print(f"  {fault}", style="red", markup=False)
    died = len(deaths.journeys) + settling.deaths + breakdowns.swept
    late = sum(one.late for one in held)
    figure = (
        f"{findings} on {findings.bills} bills with {findings.captures} captures and {findings.refunds} refunds;"
        f" {len(wrong)} wrong answers; {max(one.slowest for one in held):.1f} s the slowest of {len(held)} contests"
        f" ({late} payments called off); {died} deaths, {settling.redelivered} messages came again"
    )
    return Report("P3", "exactly-once charging", figure, _TARGET, not (findings.all or wrong))
