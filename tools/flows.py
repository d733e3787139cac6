"""The state machines under `statemachines/`, as data, and `docs/flows.md`, which draws them."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tools.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

type State = dict[str, Any]

FOLDER = ROOT / "statemachines"
FILE = ROOT / "docs" / "flows.md"
# The events that start a flow, each by a message to the function `<flow>-starter`.
STARTED_BY = {
    "confirm-appointment": ("appointments.booked.v1", "appointments.rescheduled.v1"),
    "settle-appointment": (
        "appointments.completed.v1",
        "appointments.cancelled.v1",
        "appointments.no_show.v1",
        "appointments.reinstated.v1",
        "billing.settlement_retried.v1",
    ),
}
# Who else starts one, and waits for it.
ASKED_BY = {
    "settle-appointment": "`POST /v1/billing/exceptions/{exception_id}/retry`",
    "take-payment": "`POST /v1/payments`",
    "refund-payment": "`POST /v1/refunds` and by the task `refund_bill` of payments",
}

_HEAD = """# Flows

Written by `make docs` from `statemachines/*.asl.json`. A task names what it asks of which domain; where its tries are
used up, the flow goes on at "otherwise". Why flows look like this: [0019](adr/0019-a-flow-decides-or-comes-again.md).
"""
_COLUMNS = ("state", "does", "asks", "seconds a try", "tries", "otherwise")


class Step(NamedTuple):
    """A way from one state to the next, and when it is taken."""

    source: str
    target: str
    when: str = ""


@cache
def definitions() -> dict[str, Any]:
    """Each definition by its flow's name."""
    found = sorted(FOLDER.glob("*.asl.json"))
    return {path.name.removesuffix(".asl.json"): json.loads(path.read_text()) for path in found}


def machines(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The machine itself and those inside it: the branches of its parallel states."""
    yield definition
    for _, state in states(definition):
        yield from state.get("Branches", ())


def states(machine: dict[str, Any]) -> Iterator[tuple[str, State]]:
    """Every state, those of branches after the one that they are in."""
    for name, state in machine["States"].items():
        yield name, state
        for branch in state.get("Branches", ()):
            yield from states(branch)


def steps(name: str, state: State) -> Iterator[Step]:
    """Every way out of a state. Its target is empty where the machine ends."""
    if state.get("End") or state["Type"] in ("Succeed", "Fail"):
        yield Step(name, "")
    for choice in state.get("Choices", ()):
        yield Step(name, choice["Next"], _said(choice))
    if "Default" in state:
        yield Step(name, state["Default"], "otherwise")
    if "Next" in state:
        yield Step(name, state["Next"])
    for catcher in state.get("Catch", ()):
        yield Step(name, catcher["Next"], "no answer")


def write() -> None:
    FILE.write_text(render())


def render() -> str:
    return "\n".join([_HEAD, *("\n".join(_flow(name)) for name in definitions())])


def _flow(name: str) -> Iterator[str]:
    definition = definitions()[name]
    yield f"## {name}\n\n{definition['Comment']} It ends after {definition['TimeoutSeconds']} s at the latest.\n"
    yield from _started(name)
    yield "```mermaid\nstateDiagram-v2"
    yield from _drawn(definition, "  ")
    yield "```\n"
    yield _row(_COLUMNS)
    yield _row("---" for _ in _COLUMNS)
    yield from (_row(_cells(name, state)) for name, state in states(definition))
    yield ""


def _started(name: str) -> Iterator[str]:
    if name in STARTED_BY:
        yield "Started by " + _and([f"`{kind}`" for kind in STARTED_BY[name]]) + ".\n"
    if name in ASKED_BY:
        yield f"Asked for by {ASKED_BY[name]}.\n"


def _and(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]])


def _drawn(machine: dict[str, Any], indent: str) -> Iterator[str]:
    yield f"{indent}[*] --> {machine['StartAt']}"
    for name, state in machine["States"].items():
        yield from _inside(name, state, indent)
        for step in steps(name, state):
            label = f": {step.when}" if step.when else ""
            yield f"{indent}{name} --> {step.target or '[*]'}{label}"


def _inside(name: str, state: State, indent: str) -> Iterator[str]:
    if "Branches" not in state:
        return
    yield f"{indent}state {name} {{"
    for number, branch in enumerate(state["Branches"]):
        if number:
            yield f"{indent}  --"
        yield from _drawn(branch, indent + "  ")
    yield f"{indent}}}"


def _said(choice: dict[str, Any]) -> str:
    if "And" in choice:
        return " and ".join(_said(one) for one in choice["And"])
    subject = choice["Variable"].removeprefix("$.").removesuffix(".outcome").rpartition(".")[2]
    return f"{subject} {choice['StringEquals']}" if "StringEquals" in choice else _above(subject, choice)


def _above(subject: str, choice: dict[str, Any]) -> str:
    return f"{subject} above {choice['NumericGreaterThan']}"


def _cells(name: str, state: State) -> Iterator[str]:
    caught = [catcher["Next"] for catcher in state.get("Catch", ())]
    yield f"`{name}`"
    yield state.get("Comment") or state.get("Cause", "")
    yield _asked(state)
    yield str(state.get("TimeoutSeconds", ""))
    yield str(1 + sum(retrier["MaxAttempts"] for retrier in state["Retry"])) if "Retry" in state else ""
    yield ", ".join(f"`{target}`" for target in caught)


def _asked(state: State) -> str:
    """`appointments: confirm`, from `${AppointmentsTasks}` and the parameter `task`."""
    if state["Type"] != "Task":
        return ""
    domain = re.sub(r"^\$\{(\w+)Tasks\}$", r"\1", state["Resource"]).lower()
    return f"{domain}: `{state['Parameters']['task']}`"


def _row(cells: Iterator[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"
