"""What came too often is given up by a pointer, in which there is nothing personal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from hms import dead_letters, ids
from hms.auth import ANONYMOUS
from hms.call import Call
from hms.events import Event, Fact, told
from hms.inbox import Inbox


class PersonMet(Fact):
    type = "people.met.v1"
    name: str


class Queue:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.out_of_order = False

    def send_message(self, **message: Any) -> None:
        if self.out_of_order:
            raise OSError
        self.sent.append(message)


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> Queue:
    queue = Queue()
    monkeypatch.setattr(dead_letters, "_sqs", lambda: queue)
    monkeypatch.setenv("DEAD_LETTERS_URL", "https://failures")
    monkeypatch.setenv("MOST_RECEIVES", "5")
    return queue


@pytest.fixture
def box() -> tuple[Inbox, list[str]]:
    inbox, taken = Inbox("others"), list[str]()

    @inbox.on("people.met.v1")
    def remember(event: Event) -> None:
        taken.append(event.data["name"])

    return inbox, taken


EVENT = told(
    PersonMet(name="Asha Verma"), ids.derived("person"), 3, Call(ANONYMOUS, datetime(2026, 11, 21, tzinfo=UTC), "c")
)


def message(received: int, body: str | None = None) -> dict[str, Any]:
    text = EVENT.model_dump_json() if body is None else body
    return {"messageId": "m", "body": text, "attributes": {"ApproximateReceiveCount": str(received)}}


@pytest.mark.parametrize("received", [1, 2, 5])
def test_a_message_is_tried_so_many_times(failures: Queue, box: tuple[Inbox, list[str]], received: int) -> None:
    inbox, taken = box

    assert inbox.handler({"Records": [message(received)]}) == {"batchItemFailures": []}

    assert taken == ["Asha Verma"]
    assert failures.sent == []


def test_then_a_pointer_is_kept_and_it_is_not_tried_again(
    failures: Queue, box: tuple[Inbox, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    inbox, taken = box

    assert inbox.handler({"Records": [message(6)]}) == {"batchItemFailures": []}

    assert taken == []
    (sent,) = failures.sent
    assert sent["QueueUrl"] == "https://failures"
    assert json.loads(sent["MessageBody"]) == {
        "pointer": "event",
        "id": EVENT.id,
        "type": "people.met.v1",
        "source": "/hms/people",
        "subject": EVENT.subject,
        "version": 3,
        "time": "2026-11-21T00:00:00Z",
        "correlationid": "c",
        "message_id": "m",
        "received": 6,
    }
    assert "Asha" not in sent["MessageBody"] + capsys.readouterr().out


def test_what_cannot_be_read_is_kept_by_its_digest(failures: Queue, box: tuple[Inbox, list[str]]) -> None:
    box[0].handler({"Records": [message(6, "Asha Verma")]})

    pointer = json.loads(failures.sent[0]["MessageBody"])
    assert (pointer["pointer"], len(pointer["sha256"])) == ("unreadable", 64)
    assert "Asha" not in str(pointer)


def test_a_message_whose_pointer_could_not_be_kept_comes_again(failures: Queue, box: tuple[Inbox, list[str]]) -> None:
    failures.out_of_order = True

    assert box[0].handler({"Records": [message(6)]}) == {"batchItemFailures": [{"itemIdentifier": "m"}]}
