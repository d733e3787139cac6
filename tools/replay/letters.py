"""Dead letters: what lies in each queue of failures, and how it is sent on its way again."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tools.replay.masked import masked, masked_event
from tools.replay.place import ReplayError
from tools.replay.shapes import Shape, Whole, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.replay.place import Place

RELAY = "RelayDeadLetters"
# How long a message that we hold stays out of others' sight; if this process dies it comes back by itself.
_HELD_SECONDS = 120
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of failures; `source` is the URL of the queue whose failures these are, None for the relay's."""

    name: str
    url: str
    source: str | None
    messages: int


@dataclass(frozen=True, slots=True)
class Letter:
    message_id: str
    receipt: str
    text: str
    sent_at: datetime
    first_received_at: datetime | None
    received: int

    @property
    def kind(self) -> str:
        return read(self.text)[0]

    @property
    def content(self) -> Shape | None:
        return read(self.text)[1]

    def shown(self) -> dict[str, Any]:
        """What an operator may see of it: of what holds ids only, the fields that are known."""
        return {
            "message_id": self.message_id,
            "kind": self.kind,
            "sent_at": self.sent_at.isoformat(),
            "first_received_at": self.first_received_at.isoformat() if self.first_received_at else None,
            "received": self.received,
            "content": self._told() or f"{len(self.text)} characters that are no JSON object",
        }

    def _told(self) -> dict[str, Any]:
        content = self.content
        if content is None:
            return masked(_object(self.text))
        if isinstance(content, Whole):
            return masked_event(_object(self.text))
        return content.model_dump(mode="json", by_alias=True, exclude_unset=True)


def queues(place: Place) -> list[Queue]:
    """Every queue of failures of the stack."""
    sqs = place.client("sqs")
    known = place.of_type("AWS::SQS::Queue")
    found = {
        name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for name, url in known.items()
    }
    sources = {_dead_letters_of(one): known[name] for name, one in found.items() if "RedrivePolicy" in one}
    return [
        Queue(name, known[name], sources.get(one["QueueArn"]), sum(int(one[count]) for count in _COUNTS))
        for name, one in found.items()
        if one["QueueArn"] in sources or name == RELAY
    ]


def queue_named(place: Place, name: str) -> Queue:
    """Raises ReplayError where there is none of that name."""
    found = {queue.name: queue for queue in queues(place)}
    if name not in found:
        raise ReplayError(f"there is no {name}; there are {', '.join(found)}")
    return found[name]


@contextmanager
def held(place: Place, queue: Queue) -> Iterator[Iterator[Letter]]:
    """All letters of a queue, one after the other. Those that are still there afterwards are visible again at once."""
    sqs, seen = place.client("sqs"), dict[str, Letter]()
    try:
        yield _received(sqs, queue, seen)
    finally:
        for letter in seen.values():
            _release(sqs, queue, letter)


def remove(place: Place, queue: Queue, letter: Letter) -> None:
    place.client("sqs").delete_message(QueueUrl=queue.url, ReceiptHandle=letter.receipt)


def _received(sqs: Any, queue: Queue, seen: dict[str, Letter]) -> Iterator[Letter]:
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue.url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=_HELD_SECONDS,
            WaitTimeSeconds=1,
            AttributeNames=["All"],
        )
        fresh = [one for one in map(_letter, answer.get("Messages", [])) if one.message_id not in seen]
        if not fresh:
            return
        seen |= {one.message_id: one for one in fresh}
        yield from fresh


def _release(sqs: Any, queue: Queue, letter: Letter) -> None:
    try:
        sqs.change_message_visibility(QueueUrl=queue.url, ReceiptHandle=letter.receipt, VisibilityTimeout=0)
    except sqs.exceptions.ClientError:
        return  # It is gone: it was sent on its way.


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _letter(message: dict[str, Any]) -> Letter:
    attributes = message.get("Attributes", {})
    return Letter(
        message["MessageId"],
        message["ReceiptHandle"],
        message["Body"],
        _instant(attributes["SentTimestamp"]),
        _instant(first) if (first := attributes.get("ApproximateFirstReceiveTimestamp")) else None,
        int(attributes.get("ApproximateReceiveCount", 1)),
    )


def _instant(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) // 1000, UTC)


def _dead_letters_of(attributes: dict[str, str]) -> str:
    arn: str = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"]
    return arn
