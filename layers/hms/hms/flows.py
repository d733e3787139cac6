"""Flows that events start: a message begins one execution of a state machine and is done when that has decided.

The function's settings are `STATE_MACHINE_ARN` and `INPUT_FIELDS`, the fields of the event's data that the execution
gets; beside them it gets `version`, `time` (when that version was made) and `correlation_id`. Ids only: histories of
executions hold nothing personal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from hms import ids, seam, telemetry
from hms.dead_letters import given_up
from hms.events import Event
from hms.executions import Undecided, execute
from hms.fields import rfc3339
from hms.settings import setting

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

# No state machine that an event starts works longer.
LONGEST_SECONDS = 60


def handler(batch: dict[str, Any], _context: object = None) -> dict[str, Any]:
    """An SQS batch in; out come the messages whose executions decided nothing."""
    seam.begin(batch)
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(batch, _run, processor))


def _run(record: SQSRecord) -> None:
    try:
        if not given_up(record):
            _decide(Event.model_validate_json(record.body))
    except Undecided:
        raise
    except Exception as error:
        telemetry.fault("flow undecided", error, message_id=record.message_id)
        raise


def _decide(event: Event) -> None:
    # Named after the event, so that its executions are found; each try is one of its own.
    name = f"{event.id}-{ids.new()[-12:]}"
    told = {"event_id": event.id, "subject": event.subject, "version": event.version}
    execute("STATE_MACHINE_ARN", name, _input(event), LONGEST_SECONDS, **told)


def _input(event: Event) -> dict[str, Any]:
    fields = {name: event.data[name] for name in setting("INPUT_FIELDS").split(",")}
    made = {"version": event.version, "time": rfc3339(event.time)}
    return {**fields, **made, "correlation_id": event.correlationid}
