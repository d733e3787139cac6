"""Committed changes out to the world: the event rows of every table's stream, to one topic, in their order.

What fails for a while (throttling, the network) stops the batch at the first record that is not out, and the stream
comes again from there. What can never be published is put aside by its key, and its neighbours go on.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import batched
from typing import TYPE_CHECKING, Any

from hms import seam, telemetry
from hms.settings import setting
from hms.topic import Refused, Topic, Unsent

if TYPE_CHECKING:
    from collections.abc import Sequence

type Record = dict[str, Any]

_A_CALL = 10


class NotRelayed(Exception):
    """A batch of the stream has to come again."""


@cache
def _sns() -> Any:
    return _client("sns")


@cache
def _sqs() -> Any:
    return _client("sqs")


def _client(service: str) -> Any:
    from botocore.config import Config
    from botocore.session import get_session

    # At most 9 s a call: the ten calls of a batch of 100 end within the function's timeout.
    config = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
    return get_session().create_client(service, config=config)


def handler(batch: dict[str, Any], _context: object = None) -> dict[str, Any]:
    """A DynamoDB stream batch in; out comes the first record that is not published, from which the stream goes on.

    Raises `NotRelayed` instead where the stream takes no such answer (the setting `PARTIAL_BATCHES`).
    """
    seam.begin(batch)
    events = [record for record in batch["Records"] if _is_event(record)]
    for some in batched(events, _A_CALL, strict=False):
        if left := _relay(some):
            return _again_from(left)
    return {"batchItemFailures": []}


def _is_event(record: Record) -> bool:
    return record["eventName"] == "INSERT" and "event_id" in record["dynamodb"].get("NewImage", {})


def _relay(records: Sequence[Record]) -> Record | None:
    """The first of the records that is neither out nor put aside."""
    fates = Topic(_sns(), setting("TOPIC_ARN")).publish([_text(record, "body") for record in records])
    for record, fate in zip(records, fates, strict=True):
        row = _row(record)
        match fate:
            case None:
                telemetry.log("INFO", "published", **row)
            case Unsent():
                telemetry.log("ERROR", "not published", **row, error=str(fate))
                return record
            case Refused() if not _put_aside(record, fate):
                return record
    return None


def _put_aside(record: Record, reason: Refused) -> bool:
    """Into the dead letters goes where the event row is, not what is in it; says whether it is there."""
    from botocore.exceptions import BotoCoreError, ClientError

    row = _row(record)
    letter = {"table": record["eventSourceARN"].split("/")[1], **row, "error": str(reason)}
    try:
        _sqs().send_message(QueueUrl=setting("DEAD_LETTERS_URL"), MessageBody=json.dumps(letter))
    except (BotoCoreError, ClientError) as error:
        telemetry.fault("not put aside", error, **row)
        return False
    telemetry.log("ERROR", "cannot be published", **row, error=str(reason))
    return True


def _again_from(record: Record) -> dict[str, Any]:
    number = record["dynamodb"]["SequenceNumber"]
    if setting("PARTIAL_BATCHES") != "true":
        raise NotRelayed(number)
    return {"batchItemFailures": [{"itemIdentifier": number}]}


def _row(record: Record) -> dict[str, str | None]:
    """Where the event is kept and who it is; ids only."""
    return {name: _text(record, name) for name in ("event_id", "pk", "sk")}


def _text(record: Record, attribute: str) -> str | None:
    value: str | None = record["dynamodb"]["NewImage"].get(attribute, {}).get("S")
    return value
