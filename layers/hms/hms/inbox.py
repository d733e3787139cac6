"""Events of other domains, from a queue: each message on its own, failures reported one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hms import seam, telemetry
from hms.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable

type Consumer = Callable[[Event], None]


class Inbox:
    """Consumers by event type. A type nobody asked for is read and let go: filters may be wider than interests."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._consumers: dict[str, Consumer] = {}

    def on(self, *types: str) -> Callable[[Consumer], Consumer]:
        def declare(consumer: Consumer) -> Consumer:
            self._consumers.update(dict.fromkeys(types, consumer))
            return consumer

        return declare

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(self._consumers)

    def handler(self, batch: dict[str, Any], _context: object = None) -> dict[str, Any]:
        """An SQS batch in; out come the messages that failed, which alone will be delivered again."""
        seam.begin(batch)
        failed = [record["messageId"] for record in batch["Records"] if not self._consumed(record)]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    def _consumed(self, record: dict[str, Any]) -> bool:
        try:
            event = Event.model_validate_json(record["body"])
            consumer = self._consumers.get(event.type)
            if consumer:
                consumer(event)
        except Exception as error:  # noqa: BLE001  (one bad message must not take its neighbours along)
            telemetry.fault("not consumed", error, domain=self._domain, message_id=record["messageId"])
            return False
        telemetry.log("INFO", "consumed", domain=self._domain, event_type=event.type, event_id=event.id)
        return True
