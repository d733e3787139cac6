"""Events that patients hear: who has been given a visit with whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from hms.inbox import Inbox
from hms.store import DynamoTable
from patients.store import Patients

if TYPE_CHECKING:
    from hms.events import Event

patients = Patients(DynamoTable())
inbox = Inbox("patients")
handler = inbox.handler


class Visit(BaseModel):
    patient_id: str
    doctor_id: str


@inbox.on("appointments.booked.v1", "appointments.rescheduled.v1", copies="treated_by#")
def remember_treatment(event: Event) -> None:
    """A doctor reaches those they have, or had, a visit with."""
    visit = Visit.model_validate(event.data)
    patients.remember_treatment(visit.patient_id, visit.doctor_id)
