"""The owners of visits and patients, asked for their word."""

from __future__ import annotations

from typing import NamedTuple

from billing.visits import Visit
from hms.tasks import Owner


class Patient(NamedTuple):
    """Whom a statement is for."""

    name: str
    mrn: str


class TasksOwners:
    """Raises `Busy` where an owner does not answer."""

    def __init__(self) -> None:
        self._appointments = Owner("APPOINTMENTS_TASKS")
        self._patients = Owner("PATIENTS_TASKS")

    def visit(self, appointment_id: str) -> Visit | None:
        answer = self._appointments.ask("snapshot", appointment_id=appointment_id)
        return Visit.model_validate(answer["snapshot"]) if answer["outcome"] == "ok" else None

    def knows(self, patient_id: str) -> bool:
        """Whether there is such a patient, active or not: who comes no more may still owe."""
        answer = self._patients.ask("verify", patient_id=patient_id)
        return answer["outcome"] == "ok" or bool(answer["problem"]["code"] != "PATIENT_NOT_FOUND")

    def patient(self, patient_id: str) -> Patient | None:
        """None where there is no such patient."""
        answer = self._patients.ask("snapshot", patient_id=patient_id)
        return Patient(answer["snapshot"]["name"], answer["mrn"]) if answer["outcome"] == "ok" else None
