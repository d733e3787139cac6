"""What an import says in the end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.table import Table

from hms import clock
from tools.importing.bills import LegacyBill, Stated
from tools.importing.entry import Outcome
from tools.importing.run import BILLS, DOCTORS, VISITS
from tools.importing.visits import LegacyVisit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from rich.console import Console

    from tools.importing.quarantine import AnyBatch
    from tools.importing.run import Report


def table(report: Report) -> Table:
    """For each file its rows by what became of them, the quarantined ones by reason."""
    shown = Table()
    shown.add_column("file", no_wrap=True)
    shown.add_column("outcome", no_wrap=True)
    shown.add_column("rows", justify="right", no_wrap=True)
    shown.add_column("with this\nreason at all", justify="right", no_wrap=True)
    for batch in report.batches:
        for line in _lines(batch):
            shown.add_row(*line)
        shown.add_section()
    for name, rows in report.waiting.items():
        shown.add_row(name, "waiting (no domain)", f"{rows:,}", "")
    return shown


def _lines(batch: AnyBatch) -> Iterator[tuple[str, str, str, str]]:
    yield batch.sheet.name, "read", f"{len(batch.entries):,}", ""
    for outcome in Outcome:
        yield "", str(outcome), f"{batch.count(outcome):,}", ""
    decisive = Counter(entry.ordered_reasons[0] for entry in batch.quarantined)
    all_reasons = Counter(reason for entry in batch.quarantined for reason in entry.reasons)
    for reason, rows in sorted(all_reasons.items(), key=lambda pair: (-decisive[pair[0]], -pair[1], pair[0])):
        yield "", f"  {reason}", f"{decisive[reason]:,}", f"{rows:,}"


def show(report: Report, console: Console) -> None:
    console.print(table(report))
    for line in _remarks(report):
        console.print(line, soft_wrap=True)


def _remarks(report: Report) -> Iterator[str]:
    for name in report.unknown:
        yield f"Not a file of the older system, left alone: {name}"
    for name in report.missing:
        yield f"Not in the folder: {name}"
    for name, columns in report.ignored_columns.items():
        yield f"Columns of {name} that nobody reads: {', '.join(columns)}"
    if future := _future_visits(report):
        yield f"{future:,} imported visits lie in the future: they are history too and block no slot; book them anew."
    if unpaid := _unpaid_bills(report):
        yield f"{unpaid:,} imported bills are not paid in full: history cannot be paid; bill anew what is still owed."
    if any(batch.sheet.name == DOCTORS and batch.count(Outcome.TAKEN) for batch in report.batches):
        yield "Imported doctors have no hours yet: PUT /v1/doctors/{doctor_id}/schedule makes them bookable."
    for path in report.quarantine:
        yield f"Quarantine: {path}"


def _future_visits(report: Report) -> int:
    said = _imported(report, VISITS)
    return sum(isinstance(visit, LegacyVisit) and visit.slot_start > clock.now() for visit in said)


def _unpaid_bills(report: Report) -> int:
    unpaid = (Stated.OPEN, Stated.PARTIALLY_PAID)
    return sum(isinstance(bill, LegacyBill) and bill.status in unpaid for bill in _imported(report, BILLS))


def _imported(report: Report, name: str) -> Iterator[BaseModel | None]:
    entries = (entry for batch in report.batches if batch.sheet.name == name for entry in batch.entries)
    return (entry.said for entry in entries if entry.outcome in (Outcome.TAKEN, Outcome.THERE))
