"""What flows, timers and other domains may ask of messages."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from hms import clock, ids
from hms.auth import Principal
from hms.call import Call
from hms.store import DynamoTable
from hms.tasks import Tasks
from notifications import service
from notifications.owners import TasksOwners
from notifications.store import Notifications

if TYPE_CHECKING:
    from hms.rows import Item
    from hms.tasks import Payload

notifications = Notifications(DynamoTable())
office = service.Office(notifications, TasksOwners())
tasks = Tasks()
handler = tasks.handler
# Less than the function's timeout, so that a sweep ends by itself and the next one goes on.
_SWEEP_SECONDS = 40


@tasks.task("plan_reminders")
def plan_reminders(payload: Payload) -> Payload:
    """`{"appointment_id", "version", "time"}` → `ok`, or `superseded` where the visit has changed since.

    `time` is when that version was made, now where it is left out: reminders that came due since are not lost.
    """
    call = _call(payload)
    visit, version = payload["appointment_id"], payload["version"]
    made_at = datetime.fromisoformat(payload["time"]) if "time" in payload else call.now
    newest = service.plan_reminders("visit", visit, version, call, office, made_at=made_at)
    return {"outcome": "ok" if newest else "superseded"}


@tasks.task("sweep")
def sweep(payload: Payload) -> Payload:
    """Reminders that are due, and messages that waited for their time."""
    call = _call(payload)

    def fire(due: Item) -> None:
        service.fire(due, call, office)

    swept = notifications.timers.sweep(call.now, fire, _SWEEP_SECONDS)
    return {"outcome": "ok", **swept._asdict()}


def _call(payload: Payload) -> Call:
    return Call(Principal("notifications", ("service",)), clock.now(), payload.get("correlation_id") or ids.new())
