"""`hms import DIR`."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tools.importing import report as reports
from tools.importing.entry import Outcome
from tools.importing.run import Import
from tools.importing.sending import Asker
from tools.paths import LOCAL
from tools.progress import console

if TYPE_CHECKING:
    from pathlib import Path

    from rich.progress import TaskID

    from tools.importing.run import Report
    from tools.system import System


class Bars:
    """A bar for each file."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bar: TaskID | None = None

    def begin(self, name: str, total: int) -> None:
        self._bar = self._progress.add_task(name, total=total)

    def advance(self, rows: int) -> None:
        if self._bar is not None:
            self._progress.advance(self._bar, rows)


def run(folder: Path, system: System) -> Report:
    """Imports a folder, prints what became of it and keeps that under `.local/import/<time>`.

    Raises `ImportStopped` where the system does not answer.
    """
    place = LOCAL / "import" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    started = time.monotonic()
    with closing(Asker(system)) as ask, Progress(*columns, console=console) as progress:
        report = Import(folder, place / "quarantine", ask, Bars(progress)).run()
    seconds = time.monotonic() - started
    reports.show(report, console)
    _keep(report, place)
    rows = sum(batch.count(Outcome.TAKEN) + batch.count(Outcome.THERE) for batch in report.batches)
    console.print(f"{rows:,} rows are in, {rows / seconds:,.0f} a second; this report: {place / 'report.txt'}")
    return report


def _keep(report: Report, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    with (place / "report.txt").open("w") as file:
        reports.show(report, Console(file=file, width=120))
