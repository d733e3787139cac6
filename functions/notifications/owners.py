"""The owners of people and subjects, asked where there is no copy or where it may be late."""

from __future__ import annotations

from functools import cache

from hms.tasks import Owner
from notifications.kinds import kinds
from notifications.people import DoctorCopy, PatientCopy
from notifications.store import Latest


class TasksOwners:
    def patient(self, patient_id: str) -> PatientCopy | None:
        answer = _owner("PATIENTS_TASKS").ask("snapshot", patient_id=patient_id)
        return PatientCopy.model_validate(answer["snapshot"]) if answer["outcome"] == "ok" else None

    def doctor(self, doctor_id: str) -> DoctorCopy | None:
        answer = _owner("DOCTORS_TASKS").ask("snapshot", doctor_id=doctor_id)
        return DoctorCopy.model_validate(answer["snapshot"]) if answer["outcome"] == "ok" else None

    def subject(self, name: str, subject_id: str) -> Latest | None:
        subject = kinds().subjects[name]
        answer = _owner(subject.owner).ask("snapshot", **{subject.id: subject_id})
        snapshot = answer.get("snapshot")
        return Latest(snapshot["version"], snapshot) if snapshot else None


@cache
def _owner(function: str) -> Owner:
    return Owner(function)
