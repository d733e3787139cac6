"""The test-only layer: a clock that a request sets, and faults that a request or the function's environment arms.

A deployed function that has this layer obeys two headers (or fields beside the rest of a direct invocation):

- `X-Test-Clock: 2026-11-23T08:00:00Z` — `hms.clock.now()` says just this for the whole request;
- `X-Test-Fault: after-commit` — the process ends when it reaches the point of that name.

Consumers get no headers: for them the environment variable `HMS_FAULTS` says the same of every invocation.

Faults are separated by spaces, each `kind@point~probability`; without a kind it is `die`, without a probability it is
certain, and `*` stands for any part of a point's name. Points are those that the code names (`after-commit`) and two
for each call of AWS, by its number in the invocation: `dynamodb.TransactWriteItems#1:before` and `…:after`.

- `die`: the process ends.
- `lose`: nothing is heard of a call; `:before` it did not arrive, `:after` it was carried out.
- `throttle`: the service says that it is asked too often.
- `delay`: two seconds pass.
- `trace`: nothing. Each fault is logged where it strikes, so this one tells at which points others can be put.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLOCK, _FAULT, _FAULTS = "x-test-clock", "x-test-fault", "HMS_FAULTS"
_DELAY_SECONDS = 2
_armed: dict[str, str] = {}
_faults: list[Fault] = []
_calls: Counter[str] = Counter()


class Fault(NamedTuple):
    kind: str
    point: str
    probability: float

    @classmethod
    def told(cls, text: str) -> Fault:
        place, _, probability = text.partition("~")
        kind, _, point = place.rpartition("@")
        return cls(kind or "die", point, float(probability or 1))

    def strikes(self, point: str) -> bool:
        return fnmatchcase(point, self.point) and random.random() < self.probability  # noqa: S311  (luck, no secret)


def begin(event: Mapping[str, Any]) -> None:
    """A request starts: what it asks of the clock and of fate holds until the next one."""
    given = {str(name).lower(): value for name, value in {**event, **(event.get("headers") or {})}.items()}
    _armed.clear()
    _armed.update({name: str(given[name]) for name in (_CLOCK, _FAULT) if name in given})
    asked = f"{os.environ.get(_FAULTS, '')} {_armed.get(_FAULT, '')}"
    _faults[:] = [Fault.told(text) for text in asked.split()]
    _calls.clear()
    if _faults:
        _watch_calls()


def moved(instant: datetime) -> datetime:
    """What this request's clock says at an instant of the machine's."""
    said = _armed.get(_CLOCK)
    return datetime.fromisoformat(said) if said else instant


def reached(point: str) -> None:
    for fault in _faults:
        if fault.strikes(point):
            _strike(fault.kind, point)


def _strike(kind: str, point: str) -> None:
    from botocore.exceptions import ClientError, ReadTimeoutError

    print(json.dumps({"level": "TEST", "fault": kind, "point": point}), flush=True)
    match kind:
        case "die":
            os._exit(1)
        case "lose":
            raise ReadTimeoutError(endpoint_url=point)
        case "throttle":
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, point)
        case "delay":
            time.sleep(_DELAY_SECONDS)


@cache
def _watch_calls() -> None:
    """Every client of AWS, PynamoDB's too, calls through this one method."""
    from botocore.client import BaseClient

    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001  (the one place that all calls pass)

    def watched(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        name = f"{client.meta.service_model.service_name}.{operation}"
        _calls[name] += 1
        point = f"{name}#{_calls[name]}"
        reached(f"{point}:before")
        try:
            return call(client, operation, arguments)
        finally:
            reached(f"{point}:after")

    BaseClient._make_api_call = watched  # type: ignore[attr-defined]  # noqa: SLF001
