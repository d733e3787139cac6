"""Events on their way again: to the topic as the relay sends them, or to one queue."""

from __future__ import annotations

import json
import time
from itertools import batched
from typing import TYPE_CHECKING, Any

from hms.topic import Refused, Topic, Unsent
from tools.replay.place import ReplayError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tools.replay.place import Place

type Send = Callable[[Sequence[str]], int]

_TRIES = 5
_CALL = 10
_CALL_BYTES = 200_000


def to_topic(place: Place) -> Send:
    """Sends events to all who hear them; says how many went out.

    Raises ReplayError where the topic does not take them for a while.
    """
    topic = Topic(place.client("sns"), place.resource("Events"))

    def send(bodies: Sequence[str]) -> int:
        left, refused = list(bodies), 0
        for attempt in range(_TRIES):
            fates = topic.publish(left)
            refused += sum(isinstance(fate, Refused) for fate in fates)
            left = [body for body, fate in zip(left, fates, strict=True) if isinstance(fate, Unsent)]
            if not left:
                return len(bodies) - refused
            time.sleep(2**attempt / 10)
        raise ReplayError(f"the topic did not take {len(left)} events; run the command again, repeats are harmless")

    return send


def to_queue(place: Place, url: str) -> Send:
    """Sends events to one consumer alone."""
    sqs = place.client("sqs")

    def send(bodies: Sequence[str]) -> int:
        for some in _calls(bodies):
            entries = [_entry(number, body) for number, body in enumerate(some)]
            failed = sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")
            if failed:
                raise ReplayError(f"the queue did not take {len(failed)} events; run the command again")
        return len(bodies)

    return send


def _calls(bodies: Sequence[str]) -> list[tuple[str, ...]]:
    """Ten to a call; long ones, of which ten would be too much, alone."""
    long = [body for body in bodies if len(body.encode()) * _CALL > _CALL_BYTES]
    short = [body for body in bodies if len(body.encode()) * _CALL <= _CALL_BYTES]
    return [*batched(short, _CALL, strict=False), *((body,) for body in long)]


def _entry(number: int, body: str) -> dict[str, Any]:
    attribute = {"DataType": "String", "StringValue": json.loads(body)["type"]}
    return {"Id": str(number), "MessageBody": body, "MessageAttributes": {"type": attribute}}
