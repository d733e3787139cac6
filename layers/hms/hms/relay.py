"""Committed changes out to the world: the event rows of every table's stream, to one topic."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hms import telemetry
from hms.settings import setting


@cache
def _sns() -> Any:
    from botocore.config import Config
    from botocore.session import get_session

    config = Config(connect_timeout=1, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    return get_session().create_client("sns", config=config)


def handler(batch: dict[str, Any], _context: object = None) -> dict[str, Any]:
    """A DynamoDB stream batch in; out come the sequence numbers that failed. Records stay in their order."""
    failed = [record["dynamodb"]["SequenceNumber"] for record in batch["Records"] if not _published(record)]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def _published(record: dict[str, Any]) -> bool:
    image = record["dynamodb"].get("NewImage", {})
    if record["eventName"] != "INSERT" or "event_id" not in image:
        return True
    event_id = image["event_id"]["S"]
    try:
        body = image["body"]["S"]
        event_type = json.loads(body)["type"]
        attributes = {"type": {"DataType": "String", "StringValue": event_type}}
        _sns().publish(TopicArn=setting("TOPIC_ARN"), Message=body, MessageAttributes=attributes)
    except Exception as error:  # noqa: BLE001  (reported: the stream delivers it again)
        telemetry.fault("not published", error, event_id=event_id)
        return False
    telemetry.log("INFO", "published", event_id=event_id, event_type=event_type)
    return True
