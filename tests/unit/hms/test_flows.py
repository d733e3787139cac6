"""A message starts an execution; it is done when that decided, and comes again when it did not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from hms import executions, flows
from hms.auth import ANONYMOUS
from hms.call import Call
from hms.events import Fact, told
from tests.support.machine import SUCCEEDED, Machine

FAILED = {"status": "FAILED", "error": "OwnerSilent", "cause": "Asha Verma is not there"}
TIMED_OUT = {"status": "TIMED_OUT"}


class ThingMade(Fact):
    type = "things.made.v1"
    thing_id: str
    owner_id: str
    name: str


EVENT = told(
    ThingMade(thing_id="t", owner_id="o", name="Asha Verma"),
    "t",
    3,
    Call(ANONYMOUS, datetime(2026, 11, 21, tzinfo=UTC), "c"),
)


def message(number: int = 1, body: str | None = None, received: int = 1) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": str(received)}
    return {"messageId": str(number), "body": body or EVENT.model_dump_json(), "attributes": attributes}


def failed(*numbers: int) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": str(number)} for number in numbers]}


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_MACHINE_ARN", "arn:aws:states:us-east-1:000000000000:stateMachine:hms-make")
    monkeypatch.setenv("INPUT_FIELDS", "thing_id,owner_id")
    monkeypatch.setenv("MOST_RECEIVES", "5")


def machine(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any] | Exception) -> Machine:
    made = Machine(*answers)
    monkeypatch.setattr(executions, "_states", lambda _: made)
    return made


def test_an_execution_gets_the_ids_it_needs_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = machine(monkeypatch, SUCCEEDED)

    assert flows.handler({"Records": [message()]}) == failed()
    assert asked.inputs == [
        {"thing_id": "t", "owner_id": "o", "version": 3, "time": "2026-11-21T00:00:00Z", "correlation_id": "c"}
    ]


def test_an_execution_is_named_after_its_event_and_each_try_is_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = machine(monkeypatch, SUCCEEDED)

    flows.handler({"Records": [message()]})
    flows.handler({"Records": [message()]})

    names = [one["name"] for one in asked.asked]
    assert len(set(names)) == 2
    assert all(name.startswith(EVENT.id) and len(name) <= 80 for name in names)


@pytest.mark.parametrize("answer", [FAILED, TIMED_OUT, ReadTimeoutError(endpoint_url="here")])
def test_what_was_not_decided_comes_again(answer: dict[str, Any] | Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, answer, SUCCEEDED)

    assert flows.handler({"Records": [message()]}) == failed(1)
    assert flows.handler({"Records": [message(received=2)]}) == failed()


def test_one_undecided_message_does_not_take_its_neighbours_along(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, SUCCEEDED, FAILED, SUCCEEDED)

    assert flows.handler({"Records": [message(1), message(2), message(3)]}) == failed(2)


@pytest.mark.parametrize("body", ["{}", "no json", EVENT.model_copy(update={"data": {}}).model_dump_json()])
def test_a_message_that_is_no_event_of_the_flow_starts_nothing(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = machine(monkeypatch, SUCCEEDED)

    assert flows.handler({"Records": [message(body=body)]}) == failed(1)
    assert asked.asked == []


def test_a_message_that_came_too_often_is_given_up_and_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []

    class Queue:
        def send_message(self, **asked: Any) -> None:
            sent.append(json.loads(asked["MessageBody"]))

    monkeypatch.setenv("DEAD_LETTERS_URL", "http://queue")
    monkeypatch.setattr("hms.dead_letters._sqs", Queue)
    asked = machine(monkeypatch, SUCCEEDED)

    assert flows.handler({"Records": [message(received=6)]}) == failed()
    assert asked.asked == []
    assert [(one["pointer"], one["subject"]) for one in sent] == [("event", "t")]


@pytest.mark.parametrize("answer", [FAILED, ReadTimeoutError(endpoint_url="here")])
def test_an_undecided_message_is_told_once_with_its_event_and_nobody_is_named(
    answer: dict[str, Any] | Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine(monkeypatch, answer)

    flows.handler({"Records": [message()]})

    [told] = lines(capsys)
    assert (told["message"], told["level"], told["flow"]) == ("flow undecided", "ERROR", "hms-make")
    assert (told["event_id"], told["subject"], told["version"], told["correlation_id"]) == (EVENT.id, "t", 3, "c")
    assert "Asha" not in json.dumps(told)


def test_a_fault_before_the_execution_is_told_once_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine(monkeypatch, SUCCEEDED)

    flows.handler({"Records": [message(body="{}")]})

    [told] = lines(capsys)
    assert (told["message"], told["message_id"]) == ("flow undecided", "1")
