"""The test-only layer: a clock that a request sets, and faults that a request arms.

A deployed function that has this layer obeys two headers (or fields of a direct invocation):

- `X-Test-Clock: 2026-11-23T08:00:00Z` — `hms.clock.now()` says just this for the whole request;
- `X-Test-Fault: after-commit` — the process ends when it reaches the point of that name.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLOCK, _FAULT = "x-test-clock", "x-test-fault"
_armed: dict[str, str] = {}


def begin(event: Mapping[str, Any]) -> None:
    """A request starts: what it asks of the clock and of fate holds until the next one."""
    given = {str(name).lower(): str(value) for name, value in {**event, **(event.get("headers") or {})}.items()}
    _armed.clear()
    _armed.update({name: given[name] for name in (_CLOCK, _FAULT) if name in given})


def moved(instant: datetime) -> datetime:
    """What this request's clock says at an instant of the machine's."""
    said = _armed.get(_CLOCK)
    return datetime.fromisoformat(said) if said else instant


def reached(point: str) -> None:
    if _armed.get(_FAULT) == point:
        os._exit(1)
