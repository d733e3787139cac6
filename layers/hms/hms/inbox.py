"""Events of other domains, from a queue: each message on its own, failures reported one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from pydantic_core import from_json

from hms import seam, telemetry
from hms.dead_letters import given_up
from hms.errors import Busy
from hms.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

type Consumer = Callable[[Event], None]


class Inbox:
    """Consumers by event type. A type nobody asked for is read and let go: filters may be wider than interests."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._consumers: dict[str, Consumer] = {}
        self._other: Callable[[str], None] | None = None
        self.copies: dict[str, tuple[str, ...]] = {}

    def on(self, *types: str, copies: str = "") -> Callable[[Consumer], Consumer]:
        """Declare who takes events of these types.

        `copies` is how the sort keys begin of the rows that hold nothing but what these events say. They may be lost:
        `hms rebuild` drops them and has the events told again.
        """
        if copies:
            self.copies[copies] = self.copies.get(copies, ()) + types

        def declare(consumer: Consumer) -> Consumer:
            self._consumers.update(dict.fromkeys(types, consumer))
            return consumer

        return declare

    def other(self, consumer: Callable[[str], None]) -> Callable[[str], None]:
        """Declare who takes messages that are no events of ours, as text: an AWS service's own."""
        self._other = consumer
        return consumer

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(self._consumers)

    def consumer(self, kind: str) -> Consumer:
        """Who takes events of this type. Raises KeyError where nobody does."""
        return self._consumers[kind]

    def handler(self, batch: dict[str, Any], _context: object = None) -> dict[str, Any]:
        """An SQS batch in; out come the messages that failed, which alone will be delivered again."""
        seam.begin(batch)
        processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        return dict(process_partial_response(batch, self._consume, processor))

    def _consume(self, record: SQSRecord) -> None:
        try:
            # Nobody could tell these again: they are never given up.
            if self._other and not _is_event(record.body):
                self._other(record.body)
                return
            if given_up(record):
                return
            event = Event.model_validate_json(record.body)
            consumer = self._consumers.get(event.type)
            if consumer:
                consumer(event)
        except Busy:
            telemetry.log("WARNING", "comes again", domain=self._domain, message_id=record.message_id)
            raise
        except Exception as error:
            telemetry.fault("not consumed", error, domain=self._domain, message_id=record.message_id)
            raise
        telemetry.log("INFO", "consumed", domain=self._domain, event_type=event.type, event_id=event.id)


def _is_event(body: str) -> bool:
    """Whether it was meant as one of ours."""
    try:
        return "specversion" in from_json(body)
    except (ValueError, TypeError):
        return False
