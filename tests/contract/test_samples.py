"""The samples for `sam local invoke`: one at least for every deployed function, and each function takes its own."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import Any

import pytest

from hms import executions, flows, relay
from tests.support.machine import SUCCEEDED, Machine
from tests.support.template import of_type
from tools import samples

FUNCTIONS = sorted(of_type("AWS::Lambda::Function"))
SAMPLES = samples.all_()


def _kebab(logical_id: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", logical_id).lower()


def _named(kind: str) -> list[str]:
    return [name for name in SAMPLES if re.fullmatch(rf"[a-z]+-{kind}", name)]


def test_the_committed_samples_are_the_generated_ones() -> None:
    committed = {path.name: path.read_text() for path in samples.FOLDER.glob("*.json")}

    assert committed == samples.files(), "run `make openapi`"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_deployed_function_has_a_sample(function: str) -> None:
    assert _kebab(function) in SAMPLES


@pytest.mark.parametrize("name", _named("api"))
def test_an_api_function_takes_its_sample(name: str) -> None:
    domain = name.removesuffix("-api")

    answer: dict[str, Any] = import_module(f"{domain}.api").handler(SAMPLES[name])

    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {"domain": domain, "status": "ok"}


@pytest.mark.parametrize("name", [*_named("tasks"), *_named("simulator")])
def test_a_function_that_answers_tasks_takes_its_sample(name: str) -> None:
    assert import_module(name.replace("-", ".")).handler(SAMPLES[name]) == {"outcome": "ok"}


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.endswith("-starter")])
def test_a_starter_takes_its_sample(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function = of_type("AWS::Lambda::Function")["".join(map(str.title, name.split("-")))]
    monkeypatch.setenv("INPUT_FIELDS", function["Environment"]["Variables"]["INPUT_FIELDS"])
    monkeypatch.setenv("STATE_MACHINE_ARN", "arn:aws:states:us-east-1:000000000000:stateMachine:flow")
    monkeypatch.setattr(executions, "_states", lambda _: Machine(SUCCEEDED))

    assert flows.handler(SAMPLES[name]) == {"batchItemFailures": []}


def test_the_relay_publishes_its_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[dict[str, Any]] = []

    class Sns:
        def publish_batch(self, TopicArn: str, PublishBatchRequestEntries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
            published.extend(PublishBatchRequestEntries)
            return {}

    monkeypatch.setenv("TOPIC_ARN", "arn:topic")
    monkeypatch.setattr(relay, "_sns", Sns)

    assert relay.handler(SAMPLES["relay"]) == {"batchItemFailures": []}
    assert [json.loads(message["Message"])["type"] for message in published] == [
        message["MessageAttributes"]["type"]["StringValue"] for message in published
    ]
    assert published
