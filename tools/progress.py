"""One line for each step: what is done, then how it ended and after how long."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

console = Console(highlight=False)


class Step:
    def __init__(self) -> None:
        self.outcome = ""


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Shows a spinner while the step lasts and leaves its line; the step may set `outcome`."""
    started = time.monotonic()
    current = Step()
    try:
        with console.status(f"{title} …"):
            yield current
    except BaseException:
        console.print(f"[red]✗[/] {title} [dim]{time.monotonic() - started:.1f} s[/]")
        raise
    console.print(f"[green]✓[/] {title:<34} {current.outcome:<30} [dim]{time.monotonic() - started:5.1f} s[/]")
