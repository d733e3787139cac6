"""What a function tells its operators: JSON lines with ids and counts, metrics in CloudWatch's embedded format."""

from __future__ import annotations

import sys
import time
from typing import Any

from pydantic_core import to_json

_NAMESPACE = "HMS"


def log(level: str, message: str, **fields: Any) -> None:
    """One line. `fields` are ids, codes and counts, never personal data."""
    line = {"level": level, "message": message, **fields}
    _write(line)


def fault(message: str, error: BaseException, **fields: Any) -> None:
    """An unexpected exception: its class and where it happened; its text may hold personal data and stays out."""
    import traceback

    frames = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    log("ERROR", message, error=type(error).__name__, frames=frames[-8:], **fields)


def measured(metrics: dict[str, tuple[float, str]], dimensions: dict[str, str], **fields: Any) -> None:
    """One line, a log entry that carries metrics: name → (value, CloudWatch unit), under one set of dimensions."""
    definitions = [{"Name": name, "Unit": unit} for name, (_, unit) in metrics.items()]
    directive = {"Namespace": _NAMESPACE, "Dimensions": [list(dimensions)], "Metrics": definitions}
    line = {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        **dimensions,
        **{name: value for name, (value, _) in metrics.items()},
        **fields,
    }
    _write(line)


def _write(line: dict[str, Any]) -> None:
    sys.stdout.write(to_json(line, fallback=str).decode() + "\n")
    sys.stdout.flush()
