"""Committed changes out to the world: the event rows of every table's stream, to one topic."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecordEventName

from hms import telemetry
from hms.settings import setting

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord


@cache
def _sns() -> Any:
    from botocore.config import Config
    from botocore.session import get_session

    config = Config(connect_timeout=1, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    return get_session().create_client("sns", config=config)


def handler(batch: dict[str, Any], _context: object = None) -> dict[str, Any]:
    """A DynamoDB stream batch in; out come the sequence numbers that failed. Records stay in their order."""
    processor = BatchProcessor(EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(batch, _publish, processor))


def _publish(record: DynamoDBRecord) -> None:
    image = (record.dynamodb and record.dynamodb.new_image) or {}
    if record.event_name is not DynamoDBRecordEventName.INSERT or "event_id" not in image:
        return
    try:
        event_type = json.loads(image["body"])["type"]
        attributes = {"type": {"DataType": "String", "StringValue": event_type}}
        _sns().publish(TopicArn=setting("TOPIC_ARN"), Message=image["body"], MessageAttributes=attributes)
    except Exception as error:
        telemetry.fault("not published", error, event_id=image["event_id"])
        raise
    telemetry.log("INFO", "published", event_id=image["event_id"], event_type=event_type)
