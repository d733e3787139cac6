"""One process of one stack: `python -m tools.bench.worker ours|usual cold|warm TOKEN_AND_KEY`.

The figures are one JSON line at the end of stderr.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.bench import scene

if TYPE_CHECKING:
    from collections.abc import Callable

_WARM_UP, _COUNTED = 100, 400


class Context:
    """What the Lambda runtime tells a handler of itself."""

    function_name = "appointments"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:appointments"
    aws_request_id = "bench"


def cold(stack: str) -> dict[str, float]:
    """CPU from process start through the first GET and the first POST, and the largest resident size."""
    token, jwk = json.loads(sys.argv[3])
    handler = importlib.import_module(f"tools.bench.{stack}").prepare(jwk)
    _expect(handler(scene.get_event(token), Context()), 200)
    _expect(handler(scene.post_event(token), Context()), 201)
    return {
        "cpu": time.process_time(),
        "megabytes": _peak_megabytes(),
    }


def _peak_megabytes() -> float:
    """The largest resident size since this program began; what `getrusage` says includes the parent before `exec`."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def warm(stack: str) -> dict[str, float]:
    """CPU of a booking in a warm handler: all of it, and the part that is not the database's."""
    token, jwk = json.loads(sys.argv[3])
    handler = importlib.import_module(f"tools.bench.{stack}").prepare(jwk)
    database = _Meter()
    _watch(stack, database)
    for _ in range(_WARM_UP):
        _expect(handler(scene.post_event(token), Context()), 201)
    database.seconds, started = 0.0, time.process_time()
    for _ in range(_COUNTED):
        handler(scene.post_event(token), Context())
    total = time.process_time() - started
    return {"handler": total / _COUNTED, "own": (total - database.seconds) / _COUNTED}


class _Meter:
    """CPU spent inside the outermost watched call."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.depth = 0

    def watch(self, owner: Any, name: str) -> None:
        watched = getattr(owner, name)
        setattr(owner, name, self._timed(watched))

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.depth += 1
            started = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.depth -= 1
                if not self.depth:
                    self.seconds += time.process_time() - started

        return timed


def _watch(stack: str, meter: _Meter) -> None:
    if stack == "ours":
        from hms.store import DynamoTable

        for name in ("get_many", "commit", "get_foreign"):
            meter.watch(DynamoTable, name)
        return
    from pynamodb.transactions import TransactWrite

    from tools.bench import usual

    for model in (usual.AppointmentRow, usual.PatientRow, usual.DoctorRow, usual.SheetRow):
        meter.watch(model, "get")
    for name in ("save", "__exit__"):
        meter.watch(TransactWrite, name)


def _expect(answer: dict[str, Any], status: int) -> None:
    if answer["statusCode"] != status:
        raise SystemExit(f"{status} was expected, not {answer}")


if __name__ == "__main__":
    figures = {"cold": cold, "warm": warm}[sys.argv[2]](sys.argv[1])
    sys.stderr.write(json.dumps(figures) + "\n")
