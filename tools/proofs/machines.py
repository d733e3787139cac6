"""Copies of the deployed flows whose tasks can be told, for each of their tries, at which point to die."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.config import Config

from hms import ids
from tools.proofs.tills import physical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tools.system import System

type Input = Mapping[str, Any]

_SECONDS = 70
# As many tries as any task has.
_TRIES = 3
_TAIL_BYTES = 4096


class Point(NamedTuple):
    """A point in a task of a flow, or in a function that is invoked by itself."""

    task: str
    place: str

    def __str__(self) -> str:
        return f"{self.task} at {self.place}"


class OffThePath(Exception):
    """What the next state needs is not there."""


class Machine:
    """A copy of the flow with this name."""

    def __init__(self, system: System, flow: str) -> None:
        patient = Config(inject_host_prefix=False, read_timeout=_SECONDS, retries={"total_max_attempts": 1})
        self._states = system.client("stepfunctions", patient)
        self._lambda = system.client("lambda", patient)
        arn = physical(system, flow.title().replace("-", ""))
        found = self._states.describe_state_machine(stateMachineArn=arn)
        self._definition = json.loads(found["definition"])
        for name, state in self._tasks():
            # JSONPath counts a state's tries in its context.
            place = f"States.ArrayGetItem($.faults.{name}, $$.State.RetryCount)"
            state["Parameters"] = {**state["Parameters"], "x-test-fault.$": place}
        self._arn = self._states.create_state_machine(
            name=f"{flow}-{ids.new()}",
            definition=json.dumps(self._definition),
            roleArn=found["roleArn"],
            type="EXPRESS",
        )["stateMachineArn"]

    def close(self) -> None:
        self._states.delete_state_machine(stateMachineArn=self._arn)

    def runs(self, given: Input, faults: Mapping[str, Sequence[str]] | None = None) -> str:
        """What it came to. `faults` says for a task what its tries meet, one after the other."""
        calm = {name: [""] * _TRIES for name, _ in self._tasks()}
        told = {name: [*tries, *[""] * _TRIES][:_TRIES] for name, tries in (faults or {}).items()}
        asked = json.dumps({**given, "faults": calm | told})
        found = self._states.start_sync_execution(stateMachineArn=self._arn, name=ids.new(), input=asked)
        if found["status"] != "SUCCEEDED":
            return str(found.get("error") or found["status"])
        return str(json.loads(found["output"])["outcome"])

    def points(self, given: Input, path: Sequence[str]) -> list[Point]:
        """Every point of the tasks on a path of states, in order, as they are walked by hand.

        Raises `OffThePath` where a task's answer leads elsewhere, as on a machine that is too slow.
        """
        known: dict[str, Any] = {**given, "faults": {name: ["trace@*"] for name, _ in self._tasks()}}
        found: list[Point] = []
        for name in path:
            state = self._definition["States"][name]
            if state["Type"] == "Task":
                answer, places = self._traced(state, known)
                found += [Point(name, place) for place in places]
            else:
                answer = _at(known, state["InputPath"])
            known[state["ResultPath"].removeprefix("$.")] = answer
        return found

    def _tasks(self) -> list[tuple[str, dict[str, Any]]]:
        return [(name, state) for name, state in self._definition["States"].items() if state["Type"] == "Task"]

    def _traced(self, state: Mapping[str, Any], known: Input) -> tuple[Any, list[str]]:
        asked = {
            name.removesuffix(".$"): _at(known, value) if name.endswith(".$") else value
            for name, value in state["Parameters"].items()
            if not name.startswith("x-test")
        }
        return traced(self._lambda, state["Resource"], asked | {"x-test-fault": "trace@*"})


@contextmanager
def machines(system: System, *flows: str) -> Iterator[list[Machine]]:
    """For the length of a `with` block."""
    copies = [Machine(system, flow) for flow in flows]
    try:
        yield copies
    finally:
        for one in copies:
            one.close()


def traced(client: Any, function: str, payload: Input) -> tuple[Any, list[str]]:
    """What a function answers, and the points of its calls, which the payload asks it to trace."""
    invoked = client.invoke(FunctionName=function, Payload=json.dumps(payload).encode(), LogType="Tail")
    log = base64.b64decode(invoked["LogResult"])
    if len(log) >= _TAIL_BYTES:
        message = f"{function} says more than Lambda tells of it"
        raise RuntimeError(message)
    lines = log.decode().splitlines()
    marks = [json.loads(line) for line in lines if line.startswith('{"level": "TEST"')]
    return json.loads(invoked["Payload"].read()), [one["point"] for one in marks if "#" in one["point"]]


def _at(known: Input, path: str) -> Any:
    node: Any = known
    for name in path.removeprefix("$.").split("."):
        if name not in node:
            raise OffThePath(path)
        node = node[name]
    return node
