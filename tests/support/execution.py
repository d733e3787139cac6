"""State machines of `statemachines/`, run in the test's own process, task by task."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.trouble import Died

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from hms.tasks import Payload

MACHINES = Path(__file__).parents[2] / "statemachines"

type Flow = Generator[str, None, str]


def execution(name: str, data: dict[str, Any], ask: Callable[[str, Payload], Payload]) -> Flow:
    """A state machine of `statemachines/`, stopping before each of its tasks. A task is tried as often as it says."""
    definition = json.loads((MACHINES / f"{name}.asl.json").read_text())
    states, at, known = definition["States"], definition["StartAt"], json.loads(json.dumps(data))
    while True:
        state = states[at]
        if state["Type"] == "Task":
            yield at
            at = yield from _done(state, at, known, ask)
        elif state["Type"] == "Choice":
            at = next((one["Next"] for one in state["Choices"] if _holds(one, known)), state["Default"])
        else:
            result = _found(known, state["InputPath"]) if "InputPath" in state else state["Result"]
            if state.get("End"):
                return str(result["outcome"])
            known[state["ResultPath"].removeprefix("$.")] = result
            at = state["Next"]


def _done(
    state: Mapping[str, Any], name: str, known: dict[str, Any], ask: Callable[[str, Payload], Payload]
) -> Generator[str, None, str]:
    for tried in range(1 + state["Retry"][0]["MaxAttempts"]):
        if tried:
            yield name
        with suppress(Exception, Died):
            known[state["ResultPath"].removeprefix("$.")] = ask(state["Resource"], _filled(state["Parameters"], known))
            return str(state["Next"])
    return str(state["Catch"][0]["Next"])


def _filled(parameters: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removesuffix(".$"): _filled(value, known)
        if isinstance(value, dict)
        else _found(known, value)
        if name.endswith(".$")
        else value
        for name, value in parameters.items()
    }


def _found(known: Mapping[str, Any], path: str) -> Any:
    node: Any = known
    for name in path.removeprefix("$.").split("."):
        node = node[name]
    return node


def _holds(choice: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    return bool(_found(known, choice["Variable"]) == choice["StringEquals"])
