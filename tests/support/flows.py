"""State machines on the emulator: one state by itself, and executions of a deployed machine or of a copy of it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from hms import ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.hospital import Hospital
    from tools.flows import State
    from tools.system import System

ROLE = "arn:aws:iam::000000000000:role/flow"
OK, SUPERSEDED = {"outcome": "ok"}, {"outcome": "superseded"}
FAULT = {"errorOutput": {"error": "TaskFailed", "cause": "ClientError"}}


def answers(answer: dict[str, Any]) -> dict[str, Any]:
    """What a task is told to answer."""
    return {"result": json.dumps(answer), "fieldValidationMode": "NONE"}


@contextmanager
def step_functions(system: System) -> Iterator[Any]:
    """Step Functions of the emulator, which is one host: no `sync-` before its name."""
    client = system.client("stepfunctions", Config(inject_host_prefix=False, read_timeout=70))
    yield client
    client.close()


def tried(
    states: Any, state: State, given: dict[str, Any], mock: dict[str, Any] | None, tries: int | None = None
) -> dict[str, Any]:
    """What TestState says of one state; the last try of its task, unless `tries` says which."""
    if "Resource" in state:
        # LocalStack mocks the integrations of services only; what is mocked answers as the function would.
        state = state | {"Resource": "arn:aws:states:::lambda:invoke"}
    before = state["Retry"][0]["MaxAttempts"] if tries is None and "Retry" in state else tries
    asked = {"mock": mock, "stateConfiguration": {"retrierRetryCount": before}} if mock else {}
    answer: dict[str, Any] = states.test_state(
        definition=json.dumps(state), roleArn=ROLE, input=json.dumps(given), inspectionLevel="DEBUG", **asked
    )
    return answer


def goes_on(states: Any, state: State, given: dict[str, Any], mock: dict[str, Any] | None) -> str:
    """The next state, or nothing where the machine ends; an end says what it should."""
    answer = tried(states, state, given, mock)
    if state["Type"] == "Fail":
        assert (answer["status"], answer["error"]) == ("FAILED", state["Error"])
    elif "Result" in state:
        assert json.loads(answer["output"]) == state["Result"]
    target: str = answer.get("nextState", "")
    return target


def sent(answer: dict[str, Any]) -> dict[str, Any]:
    """What a task was asked."""
    payload: dict[str, Any] = json.loads(answer["inspectionData"]["afterParameters"])
    return payload


def statuses(states: Any, state: State, given: dict[str, Any], error: str) -> list[str]:
    """How each try of a task ends that fails with this error and is not caught: RETRIABLE or FAILED."""
    mock = {"errorOutput": {"error": error, "cause": "any"}}
    uncaught = {name: value for name, value in state.items() if name != "Catch"}
    tries = range(state["Retry"][0]["MaxAttempts"] + 1)
    return [tried(states, uncaught, given, mock, number)["status"] for number in tries]


class DeployedMachine:
    """A deployed machine. `logical_id` is its name in the template."""

    def __init__(self, states: Any, hospital: Hospital, logical_id: str) -> None:
        self._states = states
        self.arn = hospital.resource(logical_id)

    def outcome(self, arn: str | None = None, **given: Any) -> str:
        """What an execution came to: its outcome, or the name of the error it ended with."""
        asked = {"correlation_id": ids.new(), **given}
        found = self._states.start_sync_execution(
            stateMachineArn=arn or self.arn, name=ids.new(), input=json.dumps(asked)
        )
        said: str = json.loads(found["output"])["outcome"] if found["status"] == "SUCCEEDED" else found["error"]
        return said

    def without(self, *domains: str) -> str:
        """A copy that asks functions which do not exist."""
        made: str = self._states.create_state_machine(
            name=f"copy-{ids.new()}", definition=self._definition(domains), roleArn=ROLE, type="EXPRESS"
        )["stateMachineArn"]
        return made

    def mend(self, arn: str) -> None:
        self._states.update_state_machine(stateMachineArn=arn, definition=self._definition(()))

    def _definition(self, missing: tuple[str, ...]) -> str:
        text: str = self._states.describe_state_machine(stateMachineArn=self.arn)["definition"]
        for domain in missing:
            text = text.replace(f"-{domain}-tasks:live", f"-{domain}-nobody:live")
        return text
