"""The house rules that every state machine keeps, and that its template, its starter and its page know it."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from cfnlint.api import lint

from hms import executions
from tests.support.template import of_type, statements
from tools import contracts, flows
from tools.paths import DOMAINS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.flows import State

DEFINITIONS = flows.definitions()
MACHINES = of_type("AWS::StepFunctions::StateMachine")
_EVERY = [(flow, name, state) for flow, definition in DEFINITIONS.items() for name, state in flows.states(definition)]
STATES = [pytest.param(name, state, id=f"{flow}-{name}") for flow, name, state in _EVERY]
TASKS = [pytest.param(name, state, id=f"{flow}-{name}") for flow, name, state in _EVERY if state["Type"] == "Task"]
# Passing on every service: what Lambda says of itself, what ends a function, and a task's own fault.
TRANSIENT = {
    "TaskFailed",
    "States.Timeout",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Runtime.HandlerError",
}
LONGEST_SECONDS = 60
# API Gateway answers by itself then.
GATEWAY_SECONDS = 29
# Somebody waits for these over HTTP: what they do not know in time is pending, and a sweep decides it.
WAITED_FOR = sorted(set(DEFINITIONS) - set(flows.STARTED_BY))
# What is put into a task or carried on: ids and amounts, and answers that are data.
HARMLESS = re.compile(
    r"\$\.(\w+_id|version|time|department|amount|currency|method|settlement|problem(\.(code|detail))?|charge|answer"
    r"|verified\.\w+\.(outcome|problem)|bill\.(bill_id|settlement|credit|currency)|\w+\.(outcome|problem|gateway_id))"
)


def logical_id(flow: str) -> str:
    return "".join(word.capitalize() for word in flow.split("-"))


def paths_in(value: Any) -> Iterator[str]:
    """Every JSONPath that a state reads."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from () if name == "ResultPath" else paths_in(inner)
        case list():
            for inner in value:
                yield from paths_in(inner)
        case str() if value.startswith("$."):
            yield value


@pytest.mark.parametrize("flow", DEFINITIONS)
def test_a_flow_is_an_express_machine_that_is_traced_and_logs_no_data(flow: str) -> None:
    machine = MACHINES[logical_id(flow)]

    assert machine["StateMachineType"] == "EXPRESS"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ERROR"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_every_machine_of_the_template_has_its_definition_here() -> None:
    assert set(MACHINES) == set(map(logical_id, DEFINITIONS))


@pytest.mark.parametrize("flow", DEFINITIONS)
def test_a_flow_ends_in_time(flow: str) -> None:
    assert 0 < DEFINITIONS[flow]["TimeoutSeconds"] <= LONGEST_SECONDS


@pytest.mark.parametrize("flow", DEFINITIONS)
def test_cloudformations_own_linter_finds_nothing(flow: str) -> None:
    known = dict.fromkeys(_substituted(flow), "arn:aws:lambda:us-east-1:000000000000:function:hms:live")
    text = re.sub(r"\$\{(\w+)\}", lambda found: known[found[1]], json.dumps(DEFINITIONS[flow]))
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "RoleArn": "arn:aws:iam::000000000000:role/hms",
            "StateMachineType": "EXPRESS",
            "Definition": json.loads(text),
        },
    }

    assert lint(json.dumps({"Resources": {"Flow": machine}}), regions=["us-east-1"]) == []


def _substituted(flow: str) -> set[str]:
    return set(re.findall(r"\$\{(\w+)\}", json.dumps(DEFINITIONS[flow])))


@pytest.mark.parametrize("flow", DEFINITIONS)
def test_what_a_definition_leaves_open_is_filled_in_and_allowed(flow: str) -> None:
    machine = MACHINES[logical_id(flow)]
    given = machine["DefinitionSubstitutions"]
    allowed = [
        statement["Resource"]
        for role, statement in statements()
        if role == f"{logical_id(flow)}Role" and statement["Action"] == "lambda:InvokeFunction"
    ]

    assert set(given) == _substituted(flow)
    assert allowed == [sorted(given.values(), key=str)]


@pytest.mark.parametrize(("name", "state"), STATES)
def test_a_state_says_what_it_is_for_and_keeps_to_jsonpath(name: str, state: State) -> None:
    assert state.get("Comment") or state.get("Cause"), name
    assert state.get("QueryLanguage", "JSONPath") == "JSONPath"
    assert "{%" not in json.dumps(state)
    assert not {"Arguments", "Output", "Assign", "Condition"} & set(state)


@pytest.mark.parametrize(("name", "state"), TASKS)
def test_a_task_is_timed_tried_again_and_caught(name: str, state: State) -> None:
    (retrier,), (catcher,) = state["Retry"], state["Catch"]

    assert 0 < state["TimeoutSeconds"] < LONGEST_SECONDS
    assert set(retrier["ErrorEquals"]) | {"States.Timeout"} == TRANSIENT
    assert (retrier["BackoffRate"], retrier["JitterStrategy"]) == (2, "FULL")
    assert 0 < retrier["MaxAttempts"] <= 3
    assert catcher["ErrorEquals"] == ["States.ALL"]
    assert catcher["ResultPath"] == "$.fault"


@pytest.mark.parametrize("flow", flows.STARTED_BY)
def test_a_try_that_took_too_long_is_tried_again_where_nobody_waits(flow: str) -> None:
    tasks = [state for _, state in flows.states(DEFINITIONS[flow]) if state["Type"] == "Task"]

    assert all("States.Timeout" in state["Retry"][0]["ErrorEquals"] for state in tasks)


@pytest.mark.parametrize("flow", WAITED_FOR)
def test_what_somebody_waits_for_is_decided_in_time_or_pending(flow: str) -> None:
    """A try that fails is repeated once, one that is late is not: who is late now is late again."""
    states = DEFINITIONS[flow]["States"]
    tasks = [state for state in states.values() if state["Type"] == "Task"]

    assert _longest(DEFINITIONS[flow]["StartAt"], states) <= DEFINITIONS[flow]["TimeoutSeconds"] <= 20
    assert all(state["Retry"][0]["MaxAttempts"] == 1 for state in tasks)
    assert not any("States.Timeout" in state["Retry"][0]["ErrorEquals"] for state in tasks)
    assert {state["Catch"][0]["Next"] for state in tasks} == {"Pending"}
    assert "Fail" not in {state["Type"] for state in states.values()}


def _longest(name: str, states: dict[str, State]) -> int:
    """The seconds until the end, each task answering at its last moment after one try that failed at once."""
    state = states[name]
    own = state["TimeoutSeconds"] + state["Retry"][0]["IntervalSeconds"] if state["Type"] == "Task" else 0
    ahead = [step.target for step in flows.steps(name, state) if step.target]
    return own + max((_longest(target, states) for target in ahead), default=0)


def test_who_waits_for_a_flow_waits_longer_than_it_works() -> None:
    functions = of_type("AWS::Lambda::Function")
    refunding = dict(flows.states(DEFINITIONS["settle-appointment"]))["RefundBill"]["TimeoutSeconds"]

    for flow in WAITED_FOR:
        seconds = DEFINITIONS[flow]["TimeoutSeconds"] + executions._MARGIN_SECONDS
        assert seconds < functions["PaymentsApi"]["Timeout"] < GATEWAY_SECONDS
        assert seconds < refunding < functions["PaymentsTasks"]["Timeout"]


@pytest.mark.parametrize(("name", "state"), TASKS)
def test_a_task_asks_what_its_domain_answers(name: str, state: State) -> None:
    found = re.fullmatch(r"\$\{(\w+)Tasks\}", state["Resource"])
    assert found
    domain = found[1].lower()

    assert domain in DOMAINS
    assert state["Parameters"]["task"] in import_module(f"{domain}.tasks").tasks._tasks
    assert state["Parameters"]["correlation_id.$"] == "$.correlation_id"


@pytest.mark.parametrize(("name", "state"), STATES)
def test_only_ids_and_answers_pass_through(name: str, state: State) -> None:
    for path in paths_in(state):
        assert HARMLESS.fullmatch(path), f"{name}: {path}"


@pytest.mark.parametrize("flow", DEFINITIONS)
def test_every_state_is_reached_and_every_path_ends(flow: str) -> None:
    for machine in flows.machines(DEFINITIONS[flow]):
        ways = {name: {step.target for step in flows.steps(name, state)} for name, state in machine["States"].items()}

        assert _from({machine["StartAt"]}, ways.__getitem__) - {""} == set(ways)
        assert all("" in _from({name}, ways.__getitem__) for name in ways)


def _from(start: set[str], ways: Callable[[str], set[str]]) -> set[str]:
    reached, ahead = set(start), set(start)
    while ahead:
        ahead = set().union(*(ways(name) for name in ahead - {""})) - reached
        reached |= ahead
    return reached


@pytest.mark.parametrize("flow", DEFINITIONS)
def test_a_choice_has_an_otherwise_and_a_machine_never_turns_back(flow: str) -> None:
    for machine in flows.machines(DEFINITIONS[flow]):
        order = list(machine["States"])
        for name, state in machine["States"].items():
            assert state["Type"] != "Choice" or "Default" in state
            for step in flows.steps(name, state):
                assert not step.target or order.index(step.target) > order.index(name)


@pytest.mark.parametrize("flow", DEFINITIONS)
def test_an_execution_that_succeeds_says_what_it_came_to(flow: str) -> None:
    ends = [state for state in DEFINITIONS[flow]["States"].values() if state.get("End")]

    assert ends
    assert all(set(state["Result"]) == {"outcome"} for state in ends)


@pytest.mark.parametrize("flow", flows.STARTED_BY)
def test_the_starter_hears_just_these_events_and_passes_on_ids_that_each_has(flow: str) -> None:
    name, kinds = logical_id(flow), flows.STARTED_BY[flow]
    filtered = of_type("AWS::SNS::Subscription")[f"{name}Subscription"]["FilterPolicy"]
    fields = of_type("AWS::Lambda::Function")[f"{name}Starter"]["Environment"]["Variables"]["INPUT_FIELDS"].split(",")

    assert filtered == {"type": list(kinds)}
    for kind in kinds:
        contract = json.loads((contracts.FOLDER / f"{kind}.json").read_text())
        assert set(fields) <= set(contract["properties"]["data"]["required"])
    assert all(field.endswith("_id") or field == "department" for field in fields)


@pytest.mark.parametrize("flow", flows.STARTED_BY)
def test_the_starter_waits_longer_than_the_machine_works_and_takes_one_event_at_a_time(flow: str) -> None:
    name = logical_id(flow)
    function = of_type("AWS::Lambda::Function")[f"{name}Starter"]
    (batch,) = [
        mapping["BatchSize"]
        for mapping in of_type("AWS::Lambda::EventSourceMapping").values()
        if mapping["FunctionName"] == {"Ref": f"{name}Starter"}
    ]

    starter = import_module("hms.flows")
    assert DEFINITIONS[flow]["TimeoutSeconds"] == starter.LONGEST_SECONDS
    assert function["Timeout"] > starter.LONGEST_SECONDS + executions._MARGIN_SECONDS
    assert batch == 1


def test_the_page_of_flows_is_the_generated_one() -> None:
    assert flows.FILE.read_text() == flows.render(), "run `make docs`"
