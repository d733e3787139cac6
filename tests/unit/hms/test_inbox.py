"""Messages are taken one by one, and only those that failed come again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from hms.auth import ANONYMOUS
from hms.call import Call
from hms.events import Event, Fact, told
from hms.inbox import Inbox


class ThingMade(Fact):
    type = "things.made.v1"
    name: str


class ThingLost(Fact):
    type = "things.lost.v1"


def message(message_id: str, fact: Fact) -> dict[str, Any]:
    event = told(fact, "t", 1, Call(ANONYMOUS, datetime(2026, 11, 21, tzinfo=UTC), "c"))
    return {"messageId": message_id, "body": event.model_dump_json()}


def inbox(taken: list[str]) -> Inbox:
    box = Inbox("others")

    @box.on("things.made.v1")
    def remember(event: Event) -> None:
        if event.data["name"] == "bad":
            raise ValueError(event.data["name"])
        taken.append(event.data["name"])

    return box


def test_a_consumer_gets_the_events_it_asked_for() -> None:
    taken: list[str] = []
    box = inbox(taken)

    answer = box.handler({"Records": [message("1", ThingMade(name="a")), message("2", ThingLost())]})

    assert answer == {"batchItemFailures": []}
    assert taken == ["a"]
    assert box.types == ("things.made.v1",)


def test_one_bad_message_does_not_take_its_neighbours_along(capsys: pytest.CaptureFixture[str]) -> None:
    taken: list[str] = []
    records = [
        message("1", ThingMade(name="a")),
        message("2", ThingMade(name="bad")),
        message("3", ThingMade(name="c")),
    ]

    answer = inbox(taken).handler({"Records": records})

    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert taken == ["a", "c"]
    faults = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if line["level"] == "ERROR"]
    assert [(line["message_id"], line["error"]) for line in faults] == [("2", "ValueError")]
    assert "bad" not in json.dumps(faults)


@pytest.mark.parametrize("body", ["", "{}", "null", "[]", '{"type": 1}', "\ud800"])
def test_what_is_no_event_fails_alone(body: str) -> None:
    taken: list[str] = []

    answer = inbox(taken).handler({"Records": [{"messageId": "1", "body": body}, message("2", ThingMade(name="a"))]})

    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert taken == ["a"]
