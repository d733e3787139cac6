"""`hms bench`: S1, S2 and S3 of the promises."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

from rich.table import Table

from tools.bench.calls import counted
from tools.bench.token import signed
from tools.paths import BUILD, ROOT
from tools.progress import console
from tools.system import build

if TYPE_CHECKING:
    from pathlib import Path

_ROUNDS = 5
_SETTINGS = {
    "TABLE_NAME": "bench",
    "IDENTITY_TABLE": "bench",
    "STAGE": "bench",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "POWERTOOLS_TRACE_DISABLED": "true",
}


def bench() -> bool:
    """Prints the table; says whether every target is met."""
    build()
    rows = [*_cold(), *_warm(), *counted()]
    table = Table("", "what", "here", "usual stack", "ratio", "target", "")
    for name, what, ours, usual, ratio, target, met in rows:
        table.add_row(name, what, ours, usual, ratio, target, "[green]met[/]" if met else "[red]missed[/]")
    console.print(table)
    return all(met for *_, met in rows)


type Row = tuple[str, str, str, str, str, str, bool]


def _cold() -> list[Row]:
    ours, usual = _paired("cold")
    ratio = _ratio(ours, usual, "cpu")
    size = statistics.median(one["megabytes"] for one in ours)
    other = statistics.median(one["megabytes"] for one in usual)
    return [
        (
            "S1",
            "cold start: CPU through the first GET and POST",
            *_milliseconds(ours, usual, "cpu"),
            *_judged(ratio, 0.55),
        ),
        ("S1", "memory", f"{size:.1f} MB", f"{other:.1f} MB", f"{size / other:.2f}×", "≤ 55 MB", size <= 55),
    ]


def _warm() -> list[Row]:
    ours, usual = _paired("warm")
    handler = _ratio(ours, usual, "handler")
    # Read as a share of the usual handler: what is left beside the database is what a design can still lose.
    own = statistics.median(one["own"] / other["handler"] for one, other in zip(ours, usual, strict=True))
    return [
        ("S2", "warm booking: CPU in the handler", *_milliseconds(ours, usual, "handler"), *_judged(handler, 0.6)),
        ("S2", "of it, not the database; of the usual handler", *_milliseconds(ours, usual, "own"), *_judged(own, 0.1)),
    ]


def _judged(ratio: float, target: float) -> tuple[str, str, bool]:
    return f"{ratio:.2f}×", f"≤ {target}×", ratio <= target


def _milliseconds(ours: list[dict[str, float]], usual: list[dict[str, float]], figure: str) -> tuple[str, str]:
    here, there = (statistics.median(one[figure] for one in side) * 1000 for side in (ours, usual))
    return f"{here:.2f} ms", f"{there:.2f} ms"


def _ratio(ours: list[dict[str, float]], usual: list[dict[str, float]], figure: str) -> float:
    """The median of the pairs' ratios: the machine's speed may drift, a pair's two halves drift together."""
    return statistics.median(one[figure] / other[figure] for one, other in zip(ours, usual, strict=True))


def _paired(kind: str) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """Both stacks in turn, after a first pair that is not counted."""
    pairs = [(_figures("ours", kind), _figures("usual", kind)) for _ in range(_ROUNDS + 1)][1:]
    return [ours for ours, _ in pairs], [usual for _, usual in pairs]


def _figures(stack: str, kind: str) -> dict[str, float]:
    command = [_interpreter(), "-m", "tools.bench.worker", stack, kind, json.dumps(signed())]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, _paths(stack))), **_SETTINGS}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(result.stderr)
    figures: dict[str, float] = json.loads(result.stderr.splitlines()[-1])
    return figures


def _interpreter() -> str:
    """The interpreter below the environment: both stacks start from a bare one."""
    return getattr(sys, "_base_executable", sys.executable)


def _paths(stack: str) -> list[Path | str]:
    if stack == "usual":
        return [sysconfig.get_paths()["purelib"], ROOT]
    return [BUILD / "AppointmentsApi", BUILD / "Hms" / "python", BUILD / "Dependencies" / "python", ROOT]
