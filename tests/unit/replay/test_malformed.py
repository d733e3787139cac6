"""Anybody may have written a dead letter: one that cannot be read stops none behind it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from tools import contracts
from tools.replay import place as places
from tools.replay.command import app
from tools.replay.place import Place

EVENT = contracts.example_of("patients.registered.v1").model_dump(mode="json")
POINTER = {
    "pointer": "event",
    "id": "e",
    "type": "patients.registered.v1",
    "source": "/hms/patients",
    "subject": "1",
    "version": 1,
}
ROW = {"table": "hms-Patients", "pk": "patient#1", "sk": "event#00000001", "error": "TypeError"}
STRETCH = {
    "streamArn": "arn:aws:dynamodb:r:1:table/hms-Patients/stream/x",
    "approximateArrivalOfFirstRecord": "2026-11-21T06:00:00Z",
    "approximateArrivalOfLastRecord": "2026-11-21T06:00:01Z",
}
MALFORMED: dict[str, Any] = {
    "a pointer to nothing": {"pointer": "event"},
    "a pointer to nobody's event": POINTER | {"source": "/hms/nobody"},
    "a pointer with a version in text": POINTER | {"version": "1"},
    "a pointer with no version there is": POINTER | {"version": 10**30},
    "a pointer with a subject that is a list": POINTER | {"subject": ["1"]},
    "a pointer with half a letter": POINTER | {"subject": "\ud800"},
    "a row with a key that is a number": ROW | {"pk": 7},
    "a row with an empty key": ROW | {"sk": ""},
    "a row with a key that is too long": ROW | {"pk": "x" * 3000},
    "a row of nobody's table": ROW | {"table": "elsewhere"},
    "a position that is a number": {"DDBStreamBatchInfo": 5},
    "a position without a time": {"DDBStreamBatchInfo": {"streamArn": STRETCH["streamArn"]}},
    "a position without a zone": {
        "DDBStreamBatchInfo": STRETCH | {"approximateArrivalOfFirstRecord": "2026-11-21T06:00:00"}
    },
    "a position at the end of time": {
        "DDBStreamBatchInfo": STRETCH | {"approximateArrivalOfLastRecord": "9999-12-31T23:59:59Z"}
    },
    "a position that runs backwards": {
        "DDBStreamBatchInfo": STRETCH | {"approximateArrivalOfLastRecord": "2026-11-21T05:00:00Z"}
    },
    "a position of no table": {"DDBStreamBatchInfo": STRETCH | {"streamArn": "arn"}},
    "an event with a type that is a number": EVENT | {"type": 7},
    "an event with a type that no queue takes": EVENT | {"type": "a\x00b"},
    "an event without an id": {name: value for name, value in EVENT.items() if name != "id"},
}
NESTED = "[" * 100_000


class Aws:
    """A stack whose dead letters are `letters`; `sent` counts the events that went out."""

    RESOURCES = (
        ("Events", "AWS::SNS::Topic", "arn:topic"),
        ("PatientsTable", "AWS::DynamoDB::Table", "hms-Patients"),
        ("PatientsQueue", "AWS::SQS::Queue", "alive"),
        ("PatientsDeadLetters", "AWS::SQS::Queue", "dead"),
        ("RelayDeadLetters", "AWS::SQS::Queue", "relay"),
    )
    exceptions = type("Exceptions", (), {"ClientError": RuntimeError})

    def __init__(self) -> None:
        self.letters: dict[str, str] = {}
        self.sent = 0

    def get_paginator(self, _operation: str) -> Aws:
        return self

    def paginate(self, StackName: str) -> list[dict[str, Any]]:  # noqa: N803
        keys = ("LogicalResourceId", "ResourceType", "PhysicalResourceId")
        return [{"StackResourceSummaries": [dict(zip(keys, one, strict=True)) for one in self.RESOURCES]}]

    def get_queue_attributes(self, QueueUrl: str, **_more: Any) -> dict[str, Any]:  # noqa: N803
        counts = {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}
        policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": "dead"})} if QueueUrl == "alive" else {}
        return {"Attributes": {"QueueArn": QueueUrl, **counts, **policy}}

    def receive_message(self, **_more: Any) -> dict[str, Any]:
        told = {"SentTimestamp": "1795240000000"}
        return {
            "Messages": [
                {"MessageId": name, "ReceiptHandle": name, "Body": body, "Attributes": told}
                for name, body in self.letters.items()
            ]
        }

    def send_message_batch(self, Entries: list[dict[str, Any]], **_more: Any) -> dict[str, Any]:  # noqa: N803
        self.sent += len(Entries)
        return {}

    def publish_batch(self, PublishBatchRequestEntries: list[dict[str, Any]], **_more: Any) -> dict[str, Any]:  # noqa: N803
        self.sent += len(PublishBatchRequestEntries)
        return {}

    def delete_message(self, ReceiptHandle: str, **_more: Any) -> None:  # noqa: N803
        del self.letters[ReceiptHandle]

    def change_message_visibility(self, **_more: Any) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    aws = Aws()
    monkeypatch.setattr(places, "place", lambda _stack, _url: Place("hms", lambda _service: aws))
    return aws


@pytest.mark.parametrize("queue", ["PatientsDeadLetters", "RelayDeadLetters"])
@pytest.mark.parametrize("body", [*map(json.dumps, MALFORMED.values()), NESTED], ids=[*MALFORMED, "nested"])
def test_a_letter_that_cannot_be_read_stays_and_the_next_goes(aws: Aws, queue: str, body: str) -> None:
    aws.letters = {"bad": body, "good": json.dumps(EVENT)}

    result = CliRunner().invoke(app, ["redrive", queue])

    assert "bad stays: " in result.output, result.exception
    assert result.output.splitlines()[-1] == "1 done, 1 left"
    assert (list(aws.letters), aws.sent, result.exit_code) == (["bad"], 1, 1)


@pytest.mark.parametrize("body", [*map(json.dumps, MALFORMED.values()), NESTED], ids=[*MALFORMED, "nested"])
def test_a_letter_that_cannot_be_read_is_shown(aws: Aws, body: str) -> None:
    aws.letters = {"bad": body}

    result = CliRunner().invoke(app, ["show", "PatientsDeadLetters"])

    assert json.loads(result.output)["message_id"] == "bad"


HIDDEN = ["\x1b", "\x9b", "\u202e", "\u200b", "\u2028", "\u2029", "\ue000", "\U000e0041", "\ud800"]


@pytest.mark.parametrize("hidden", HIDDEN, ids=[f"U+{ord(letter):04X}" for letter in HIDDEN])
def test_nothing_that_moves_a_terminal_is_printed(aws: Aws, hidden: str) -> None:
    body = json.dumps({"name": f"{hidden}x", f"{hidden}y": 1})
    aws.letters = {"bad": body}

    output = CliRunner().invoke(app, ["show", "PatientsDeadLetters"]).output

    assert hidden not in output
    assert json.loads(output)["content"] == {"name": f"{hidden}x***", f"{hidden}y***": 1}


def test_what_cannot_be_sent_is_told_without_controls(aws: Aws) -> None:
    aws.letters = {"bad\x9b": "{}"}

    assert "bad\\u009b stays" in CliRunner().invoke(app, ["redrive", "PatientsDeadLetters"]).output
