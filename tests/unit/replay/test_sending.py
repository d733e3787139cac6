"""Events go out whole or the operator is told; a letter is taken away only after its event went out."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tools import contracts
from tools.replay.letters import Letter, Queue
from tools.replay.place import Place, ReplayError
from tools.replay.redrive import redrive
from tools.replay.sending import to_queue, to_topic

EVENT = contracts.example_of("patients.registered.v1").model_dump_json()
QUEUE = Queue("ThingsDeadLetters", "http://dead", "http://alive", 1)


class Aws:
    """SNS, SQS and CloudFormation as far as sending needs them. `throttled` calls of the topic fail first."""

    def __init__(self) -> None:
        self.throttled = 0
        self.refused: set[str] = set()
        self.said: list[str] = []
        self.queue_is_full = False

    def publish_batch(self, TopicArn: str, PublishBatchRequestEntries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.throttled -= 1
        code = "Throttling" if self.throttled >= 0 else "InvalidParameter"
        failed = [one for one in PublishBatchRequestEntries if self.throttled >= 0 or one["Message"] in self.refused]
        self.said += ["published" for one in PublishBatchRequestEntries if one not in failed]
        return {"Failed": [{"Id": one["Id"], "Code": code} for one in failed]}

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        assert sum(len(entry["MessageBody"]) for entry in Entries) <= 262_144
        self.said += [] if self.queue_is_full else [f"sent to {QueueUrl}" for _ in Entries]
        return {"Failed": Entries} if self.queue_is_full else {}

    def delete_message(self, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803
        self.said.append(f"deleted from {QueueUrl}")

    def get_paginator(self, _operation: str) -> Aws:
        return self

    def paginate(self, StackName: str) -> list[dict[str, Any]]:  # noqa: N803
        topic = {"LogicalResourceId": "Events", "ResourceType": "AWS::SNS::Topic", "PhysicalResourceId": "arn:topic"}
        return [{"StackResourceSummaries": [topic]}]

    exceptions = type("Exceptions", (), {"ClientError": RuntimeError})


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    return Aws()


@pytest.fixture
def place(aws: Aws) -> Place:
    return Place("hms", lambda _service: aws)


def letter(text: str) -> Letter:
    return Letter("m", "r", text, datetime(2026, 11, 21, tzinfo=UTC), None, 1)


def test_a_topic_that_is_busy_is_asked_again(aws: Aws, place: Place) -> None:
    aws.throttled = 2

    assert to_topic(place)([EVENT] * 3) == 3
    assert aws.said == ["published"] * 3


def test_a_topic_that_stays_busy_is_told(aws: Aws, place: Place) -> None:
    aws.throttled = 100

    with pytest.raises(ReplayError, match="did not take 3 events"):
        to_topic(place)([EVENT] * 3)


def test_what_the_topic_refuses_is_not_counted(aws: Aws, place: Place) -> None:
    bad = json.dumps(json.loads(EVENT) | {"id": "bad"})
    aws.refused = {bad}

    assert to_topic(place)([EVENT, bad]) == 1


def test_a_queue_gets_ten_events_a_call_and_long_ones_alone(aws: Aws, place: Place) -> None:
    long = json.dumps(json.loads(EVENT) | {"padding": "x" * 100_000})

    assert to_queue(place, "http://alive")([EVENT] * 12 + [long] * 3) == 15
    assert aws.said == ["sent to http://alive"] * 15


def test_a_letter_is_taken_away_after_its_event_went_out(aws: Aws, place: Place) -> None:
    assert redrive(place, QUEUE, letter(EVENT)) == ""
    assert aws.said == ["sent to http://alive", "deleted from http://dead"]


def test_a_letter_whose_event_did_not_go_out_stays(aws: Aws, place: Place) -> None:
    aws.queue_is_full = True

    with pytest.raises(ReplayError):
        redrive(place, QUEUE, letter(EVENT))
    assert aws.said == []


def test_a_letter_that_names_no_event_stays(aws: Aws, place: Place) -> None:
    assert redrive(place, QUEUE, letter("?"))
    assert aws.said == []
