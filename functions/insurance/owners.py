"""The owners of patients and of bills, asked for every decision: nothing of theirs is kept here."""

from __future__ import annotations

from hms.tasks import Owner
from insurance import rules
from insurance.bills import BillTold


class TasksOwners:
    def __init__(self) -> None:
        self._patients = Owner("PATIENTS_TASKS")
        self._bills = Owner("BILLING_TASKS")

    def check_patient(self, patient_id: str) -> None:
        answer = self._patients.ask("verify", patient_id=patient_id)
        if answer["outcome"] == "refused":
            raise rules.refusal_of_patient(answer["problem"]["code"])

    def bill(self, bill_id: str) -> BillTold | None:
        answer = self._bills.ask("snapshot", bill_id=bill_id)
        return BillTold.model_validate(answer["snapshot"]) if answer["outcome"] == "ok" else None
