"""Consumers that die: at every call there is, one death for each, and what they leave behind when they try again."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from hms import ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from tools.system import System

type Payload = Mapping[str, Any]

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Function:
    """A deployed function that has the test-only layer, invoked as its trigger does."""

    def __init__(self, system: System, name: str) -> None:
        self._lambda = system.client("lambda")
        self._name = f"{system.stack}-{name}"

    def calls(self, payload: Payload) -> list[str]:
        """The points before and after each call of AWS that it makes while it handles this, in order."""
        invoked = self._invoke(payload, "trace@*")
        log = base64.b64decode(invoked["LogResult"]).decode().splitlines()
        lines = [json.loads(line) for line in log if line.startswith('{"level": "TEST"')]
        return [line["point"] for line in lines if "#" in line["point"]]

    def dies(self, payload: Payload, point: str) -> bool:
        """Whether it ended at that point."""
        return "FunctionError" in self._invoke(payload, f"die@{point}")

    def handles(self, payload: Payload, faults: str = "") -> bool:
        """Whether it is done with all of it."""
        invoked = self._invoke(payload, faults)
        answer = json.loads(invoked["Payload"].read())
        return "FunctionError" not in invoked and not answer.get("batchItemFailures")

    def _invoke(self, payload: Payload, faults: str) -> Any:
        body = json.dumps({**payload, "x-test-fault": faults}).encode()
        return self._lambda.invoke(FunctionName=self._name, Payload=body, LogType="Tail")


def renamed(payload: Payload, *, kept: Set[str] = frozenset()) -> tuple[dict[str, Any], set[str]]:
    """The same with fresh ids, and those: as if it were about somebody else. Some may be kept."""
    fresh = {one: one for one in kept}
    text = _ID.sub(lambda match: fresh.setdefault(match.group(), ids.new()), json.dumps(payload))
    return json.loads(text), set(fresh.values()) - kept


def alike(text: str) -> str:
    """With each id made the same, so that what two runs left can be compared."""
    return _ID.sub("<id>", text)
