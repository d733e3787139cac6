"""The owners of people, asked when the copy here is missing or says no."""

from __future__ import annotations

from appointments.people import DoctorCopy, PatientCopy
from hms.tasks import Owner


class TasksOwners:
    def __init__(self) -> None:
        self._patients = Owner("PATIENTS_TASKS")
        self._doctors = Owner("DOCTORS_TASKS")

    def patient(self, patient_id: str) -> PatientCopy | None:
        answer = self._patients.ask("snapshot", patient_id=patient_id)
        return PatientCopy.model_validate(answer["snapshot"]) if answer["outcome"] == "ok" else None

    def doctor(self, doctor_id: str) -> DoctorCopy | None:
        answer = self._doctors.ask("snapshot", doctor_id=doctor_id)
        return DoctorCopy.model_validate(answer["snapshot"]) if answer["outcome"] == "ok" else None
