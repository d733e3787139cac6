"""Flows that events start: a message begins one execution of a state machine and is done when that has decided.

The function's settings are `STATE_MACHINE_ARN` and `INPUT_FIELDS`, the fields of the event's data that the execution
gets; beside them it gets `version` and `correlation_id`. Ids only: histories of executions hold nothing personal.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from hms import ids, seam, telemetry
from hms.dead_letters import given_up
from hms.events import Event
from hms.settings import setting

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

# A state machine ends after 60 s at the latest: whoever waits longer always hears how.
_ANSWER_SECONDS = 65


class Undecided(Exception):
    """An execution that failed or timed out, by the name of its error. The message comes again."""


def handler(batch: dict[str, Any], _context: object = None) -> dict[str, Any]:
    """An SQS batch in; out come the messages whose executions decided nothing."""
    seam.begin(batch)
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(batch, _run, processor))


def _run(record: SQSRecord) -> None:
    try:
        if given_up(record):
            return
        event = Event.model_validate_json(record.body)
        answer = _executed(event)
    except Exception as error:
        telemetry.fault("flow undecided", error, message_id=record.message_id)
        raise
    _tell(event, answer)
    if answer["status"] != "SUCCEEDED":
        raise Undecided(answer["status"])


def _executed(event: Event) -> dict[str, Any]:
    answer: dict[str, Any] = _states().start_sync_execution(
        stateMachineArn=setting("STATE_MACHINE_ARN"),
        # Named after the event, so that its executions are found; each try is one of its own.
        name=f"{event.id}-{ids.new()[-12:]}",
        input=json.dumps(_input(event)),
    )
    return answer


def _input(event: Event) -> dict[str, Any]:
    fields = {name: event.data[name] for name in setting("INPUT_FIELDS").split(",")}
    return {**fields, "version": event.version, "correlation_id": event.correlationid}


def _tell(event: Event, answer: dict[str, Any]) -> None:
    """What an execution came to: its own outcome, or the name of the error that ended it."""
    decided = answer["status"] == "SUCCEEDED"
    outcome = json.loads(answer["output"])["outcome"] if decided else answer.get("error") or answer["status"]
    milliseconds = (answer["stopDate"] - answer["startDate"]).total_seconds() * 1000
    telemetry.measured(
        {"flows_total": (1, "Count"), "flow_duration_ms": (milliseconds, "Milliseconds")},
        {"flow": setting("STATE_MACHINE_ARN").rpartition(":")[2], "outcome": outcome},
        level="INFO" if decided else "ERROR",
        message="flow decided" if decided else "flow undecided",
        execution=answer["executionArn"],
        event_id=event.id,
        subject=event.subject,
        version=event.version,
        correlation_id=event.correlationid,
    )


@cache
def _states() -> Any:
    """One try only: a second would start a second execution while the first is still at work."""
    from botocore.config import Config
    from botocore.session import get_session

    config = Config(connect_timeout=1, read_timeout=_ANSWER_SECONDS, retries={"total_max_attempts": 1})
    return get_session().create_client("stepfunctions", config=config)
