"""`hms prove`: runs the proofs one after the other and shows the figure of each."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import SIGTERM, default_int_handler, signal
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.table import Table

from tools import proofs
from tools.instance import start, stop
from tools.progress import console, step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tools.proofs import Report
    from tools.system import System

_NAME = re.compile(r"p(\d+)")


def names() -> list[str]:
    """Every promise that has a proof, in order: `P1`, `P2` …"""
    found = [name for _, name, _ in pkgutil.iter_modules(proofs.__path__) if _NAME.fullmatch(name)]
    return [name.upper() for name in sorted(found, key=lambda name: int(name[1:]))]


def prove(wanted: Sequence[str], *, full: bool) -> bool:
    """Runs the proofs of these promises; says whether every one was kept.

    Whoever ends it (SIGTERM) stops its instance too, as Ctrl-C does.
    """
    signal(SIGTERM, default_int_handler)
    modules = [importlib.import_module(f"tools.proofs.{name.lower()}") for name in wanted]
    with ExitStack() as stack:
        system: System | None = None
        if any(getattr(module, "NEEDS_SYSTEM", False) for module in modules):
            system = stack.enter_context(_system())
        reports = [_proved(module, system, full=full) for module in modules]
    _show(reports)
    return all(report.met for report in reports)


def _proved(module: Any, system: System | None, *, full: bool) -> Report:
    report: Report = module.prove(system if getattr(module, "NEEDS_SYSTEM", False) else None, full)
    return report


@contextmanager
def _system() -> Iterator[System]:
    """The hospital with the test-only layer: on an instance of its own or, with ENDPOINT_URL, on the emulator there."""
    with TemporaryDirectory(prefix="hms-proof-") as directory:
        home = Path(directory)
        try:
            with step("A hospital to prove on") as current:
                system = start(home, os.environ.get("ENDPOINT_URL") or None)
                current.outcome = system.endpoint_url
            yield system
        finally:
            stop(home)


def _show(reports: list[Report]) -> None:
    table = Table("", "promise", "figure", "target", "")
    for name, what, figure, target, met in reports:
        table.add_row(name, what, figure, target, "[green]kept[/]" if met else "[red]broken[/]")
    console.print(table)
