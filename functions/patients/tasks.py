"""What other domains may ask about patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms.store import DynamoTable
from hms.tasks import Tasks
from patients.model import PatientFact
from patients.store import Patients

if TYPE_CHECKING:
    from hms.tasks import Payload

patients = Patients(DynamoTable())
tasks = Tasks()
handler = tasks.handler


@tasks.task("snapshot")
def snapshot(payload: Payload) -> Payload:
    """The patient as told in events, from a consistent read."""
    stored = patients.load(payload["patient_id"])
    if stored is None:
        return {"outcome": "absent"}
    return {"outcome": "ok", "snapshot": PatientFact.of(stored.state).model_dump(mode="json")}
