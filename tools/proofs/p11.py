"""P11: money to the cent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tools.progress import console
from tools.proofs import Report, cancellations
from tools.proofs.bill_lives import Tally, led_on_all_cores
from tools.proofs.tills import Till

if TYPE_CHECKING:
    from tools.proofs.accounts import Findings
    from tools.system import System

NEEDS_SYSTEM = True
_TARGET = "0 off, each bill rebuilt from its ledger; the cancellation table as in docs/rules.md, at the processor too"
_FULL, _SMALL = 100_000, 5_000


class Table(NamedTuple):
    """The cancellation table as it was worked through; `wrong` is what is not as it should be."""

    cases: int
    findings: Findings
    wrong: list[str]


def prove(system: System, full: bool) -> Report:
    tally = lives(_FULL if full else _SMALL)
    table = worked_through(system, full=full)
    off = len(tally.off) + len(table.wrong)
    figure = (
        f"{len(tally.off)} of {tally.lives:,} bills off, after {tally.steps:,} steps ({tally.refused:,} refused) and"
        f" {tally.entries:,} ledger entries; {len(table.wrong)} off in {table.cases} cases of the cancellation table"
        f" over HTTP, with {table.findings.captures} payments and {table.findings.refunds} refunds at the processor"
    )
    return Report("P11", "money to the cent", figure, _TARGET, not off)


def lives(wanted: int) -> Tally:
    """Random lives of bills, by billing and by the oracle."""
    tally = Tally()
    with console.status("") as status:
        for part in led_on_all_cores(wanted):
            tally = tally.with_(part)
            status.update(f"bill {tally.lives:,} of {wanted:,}, each rebuilt from its ledger")
    for one in tally.off[:3]:
        console.print(f"  [red]bill {one.number}[/]: {'; '.join(one.told)}")
        console.print("    " + "\n    ".join(one.wrong), markup=False)
    return tally


def worked_through(system: System, *, full: bool) -> Table:
    """The cancellation table on the deployed hospital, every ledger printed."""
    system.wait_until_ready()
    till, wanted = Till(system), cancellations.cases(full=full)
    with console.status(f"{len(wanted)} visits that end in every way"):
        worked = cancellations.worked_through(till, wanted)
        accounts = till.accounts()
    findings = till.judged(accounts)
    wrong = [*cancellations.judged(worked, accounts), *findings.all]
    console.print(cancellations.shown(worked, accounts))
    for fault in wrong[:20]:
        console.print(f"  {fault}", style="red", markup=False)
    return Table(len(worked), findings, wrong)
