"""P1: no double booking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.proofs import Report
from tools.proofs.callers import ANSWER_SECONDS
from tools.proofs.load import result_on

if TYPE_CHECKING:
    from tools.system import System

NEEDS_SYSTEM = True
_TARGET = "0 overlaps per doctor and patient; one winner per contested slot; nobody hangs"


def prove(system: System, full: bool) -> Report:
    result = result_on(system, full=full)
    findings, contests = result.findings, result.contests
    undecided = sum(len(result.broken.get(kind, ())) for kind in ("slot", "patient", "visit"))
    unexpected = sum(result.unexpected.values())
    figure = (
        f"{len(findings.overlaps)} overlaps and {len(findings.disagreements)} differences between {findings.sheets:,}"
        f" sheets and {findings.visits:,} visits, {len(findings.lost)} changes lost, after {result.rounds:,} rounds"
        f" of {result.requests:,} requests; {undecided} of {contests:,} contests without exactly one winner;"
        f" {unexpected} unexpected answers, the slowest of all after {result.slowest:.1f} s"
    )
    sound = not (findings.overlaps or findings.disagreements or findings.lost or undecided or unexpected)
    return Report("P1", "no double booking", figure, _TARGET, sound and result.slowest < ANSWER_SECONDS)
