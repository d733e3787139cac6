"""What other domains may ask about doctors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctors.model import DoctorFact
from doctors.store import Doctors
from hms.store import DynamoTable
from hms.tasks import Tasks

if TYPE_CHECKING:
    from hms.tasks import Payload

doctors = Doctors(DynamoTable())
tasks = Tasks()
handler = tasks.handler


@tasks.task("snapshot")
def snapshot(payload: Payload) -> Payload:
    """`{"doctor_id"}` → the doctor as the events tell them, read consistently, or `absent`."""
    stored = doctors.load(payload["doctor_id"])
    if stored is None:
        return {"outcome": "absent"}
    return {"outcome": "ok", "snapshot": DoctorFact.of(stored.state).model_dump(mode="json")}
