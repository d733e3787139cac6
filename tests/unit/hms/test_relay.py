"""Committed events go out once each, in their order, and failures are told by number."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hms import relay


class Topic:
    """Remembers what was published; refuses the events named `bad`."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def publish(self, **message: Any) -> None:
        if "bad" in message["Message"]:
            raise OSError(message["Message"])
        self.messages.append(message)


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    made = Topic()
    monkeypatch.setattr(relay, "_sns", lambda: made)
    monkeypatch.setenv("TOPIC_ARN", "arn:topic")
    return made


def record(number: str, name: str = "INSERT", **image: str) -> dict[str, Any]:
    new = {key: {"S": value} for key, value in image.items()}
    return {"eventName": name, "dynamodb": {"SequenceNumber": number, "NewImage": new}}


def event(number: str, kind: str, name: str = "INSERT") -> dict[str, Any]:
    return record(number, name, event_id=f"e{number}", body=json.dumps({"type": kind}))


def test_an_event_row_is_published_with_its_type_to_filter_by(topic: Topic) -> None:
    assert relay.handler({"Records": [event("1", "things.made.v1")]}) == {"batchItemFailures": []}

    assert topic.messages == [
        {
            "TopicArn": "arn:topic",
            "Message": '{"type": "things.made.v1"}',
            "MessageAttributes": {"type": {"DataType": "String", "StringValue": "things.made.v1"}},
        }
    ]


def test_other_rows_and_other_changes_are_not_published(topic: Topic) -> None:
    records = [
        record("1", pk="thing#1"),
        event("2", "things.made.v1", "MODIFY"),
        event("3", "things.made.v1", "REMOVE"),
    ]

    assert relay.handler({"Records": records}) == {"batchItemFailures": []}
    assert topic.messages == []


def test_an_event_that_could_not_be_published_comes_again(topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    records = [event("1", "things.made.v1"), event("2", "bad.made.v1"), record("3", event_id="e3")]

    answer = relay.handler({"Records": records})

    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "3"}]}
    assert len(topic.messages) == 1
    assert "bad" not in capsys.readouterr().out
