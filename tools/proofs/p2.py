"""P2: the daily cap is exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.proofs import Report
from tools.proofs.load import result_on

if TYPE_CHECKING:
    from tools.system import System

NEEDS_SYSTEM = True
_TARGET = "never above; no free place refused once the load stops"


def prove(system: System, full: bool) -> Report:
    result = result_on(system, full=full)
    above = len(result.findings.above_cap)
    inexact, refused = (len(result.broken.get(kind, ())) for kind in ("cap", "fill"))
    figure = (
        f"{above} days above their cap, {inexact} contests for a day that were not filled exactly,"
        f" {refused} wrong answers to bookings of {result.places_offered:,} free places after the load"
    )
    return Report("P2", "the daily cap is exact", figure, _TARGET, not (above or inexact or refused))
