"""Messages that are given up: a pointer to the event is kept, never the event itself, which may hold personal data."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hms import telemetry
from hms.events import Event
from hms.settings import setting

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

_OF_AN_EVENT = {"id", "type", "source", "subject", "version", "time", "correlationid"}


def given_up(record: SQSRecord) -> bool:
    """Whether a message came more often than `MOST_RECEIVES`. A pointer then lies in the queue `DEAD_LETTERS_URL`.

    Asked before the message is looked at, so that one which ends the process each time is given up too.
    """
    received = int(record.raw_event.get("attributes", {}).get("ApproximateReceiveCount", 1))
    if received == 1 or received <= int(setting("MOST_RECEIVES")):
        return False
    pointer = _pointer(record.body) | {"message_id": record.message_id, "received": received}
    _sqs().send_message(QueueUrl=setting("DEAD_LETTERS_URL"), MessageBody=json.dumps(pointer))
    telemetry.log("ERROR", "given up", **pointer)
    return True


def _pointer(body: str) -> dict[str, Any]:
    try:
        event = Event.model_validate_json(body)
    except ValidationError:
        return {"pointer": "unreadable", "sha256": sha256(body.encode(errors="replace")).hexdigest()}
    return {"pointer": "event", **event.model_dump(mode="json", include=_OF_AN_EVENT)}


@cache
def _sqs() -> Any:
    from botocore.config import Config
    from botocore.session import get_session

    config = Config(connect_timeout=1, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    return get_session().create_client("sqs", config=config)
