"""Files as an older system leaves them, with the faults that such files have, and the domains to import them into."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from rich.console import Console

from appointments import tasks as appointments_tasks
from appointments.store import Appointments
from billing import tasks as billing_tasks
from billing.store import Bills
from doctors import tasks as doctors_tasks
from doctors.store import Doctors
from patients import tasks as patients_tasks
from patients.store import Patients
from payments import tasks as payments_tasks
from payments.store import Payments
from tests.support.memory import MemoryTable
from tools.importing import report as reports
from tools.importing.entry import Outcome
from tools.importing.run import BILLS, DOCTORS, PATIENTS, PAYMENTS, VISITS, Import, Report

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

COLUMNS = {
    PATIENTS: ("patient_id", "name", "email", "phone", "dob", "created_at"),
    DOCTORS: ("doctor_id", "name", "email", "phone", "department", "specialization", "created_at"),
    VISITS: (
        "appointment_id",
        "patient_id",
        "doctor_id",
        "department",
        "slot_start",
        "slot_end",
        "status",
        "created_at",
    ),
    BILLS: ("bill_id", "patient_id", "appointment_id", "amount", "status", "created_at"),
    PAYMENTS: ("payment_id", "bill_id", "amount", "method", "reference", "paid_at"),
}


def patient(number: object, **given: str) -> dict[str, str]:
    fields = {"name": "Asha Verma", "email": f"asha{number}@example.com", "phone": "9227680402", "dob": "1980-01-01"}
    return {"patient_id": str(number), "created_at": "2025-02-24 01:00:38"} | fields | given


def doctor(number: object, **given: str) -> dict[str, str]:
    fields = {"name": "Dr. Meera Iyer", "email": f"meera{number}@example.com", "phone": "9752166954"}
    work = {"department": "Cardiology", "specialization": "Cardiologist", "created_at": "2024-11-02 03:11:45"}
    return {"doctor_id": str(number)} | fields | work | given


def visit(number: object, **given: str) -> dict[str, str]:
    people = {"patient_id": "1", "doctor_id": "1", "department": "Cardiology"}
    slot = {"slot_start": "2025-01-14 10:00:00", "slot_end": "2025-01-14 10:30:00"}
    return (
        {"appointment_id": str(number), "status": "COMPLETED", "created_at": "2025-01-02 09:00:00"}
        | people
        | slot
        | given
    )


def bill(number: object, **given: str) -> dict[str, str]:
    """Of the first patient's first visit; nothing was paid."""
    owed = {"patient_id": "1", "appointment_id": "1", "amount": "500", "status": "OPEN"}
    return {"bill_id": str(number), "created_at": "2025-01-14 10:40:00"} | owed | given


def payment(number: object, **given: str) -> dict[str, str]:
    """All of the first bill."""
    paid = {"bill_id": "1", "amount": "500", "method": "CASH", "reference": f"R-{number}"}
    return {"payment_id": str(number), "paid_at": "2025-01-14 10:45:00"} | paid | given


def write(folder: Path, name: str, rows: Iterable[dict[str, str]]) -> Path:
    path = folder / name
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS[name], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_all(
    folder: Path,
    patients: Iterable[dict[str, str]] = (),
    doctors: Iterable[dict[str, str]] = (),
    visits: Iterable[dict[str, str]] = (),
    *,
    bills: Iterable[dict[str, str]] = (),
    payments: Iterable[dict[str, str]] = (),
) -> Path:
    files = ((PATIENTS, patients), (DOCTORS, doctors), (VISITS, visits), (BILLS, bills), (PAYMENTS, payments))
    for name, rows in files:
        write(folder, name, rows)
    return folder


def counts(report: Report) -> dict[str, tuple[int, int, int]]:
    """Taken, already there, quarantined."""
    return {
        batch.sheet.name: (
            batch.count(Outcome.TAKEN),
            batch.count(Outcome.THERE),
            batch.count(Outcome.QUARANTINED),
        )
        for batch in report.batches
    }


def shown(report: Report) -> str:
    text = io.StringIO()
    reports.show(report, Console(file=text, width=120))
    return text.getvalue()


def reasons(report: Report, name: str) -> list[list[str]]:
    batch = next(batch for batch in report.batches if batch.sheet.name == name)
    return [entry.ordered_reasons for entry in batch.entries]


class Silent:
    def begin(self, name: str, total: int) -> None:
        pass

    def advance(self, rows: int) -> None:
        pass


class Clinic:
    """The tasks of five domains on tables in memory; `calls` are the tasks they were asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patients = Patients(MemoryTable())
        self.doctors = Doctors(MemoryTable())
        self.appointments = Appointments(MemoryTable())
        self.bills = Bills(MemoryTable())
        self.payments = Payments(MemoryTable())
        office = payments_tasks.office._replace(payments=self.payments)
        monkeypatch.setattr(payments_tasks, "office", office)
        self.calls: list[str] = []
        for module, store in (
            (patients_tasks, "patients"),
            (doctors_tasks, "doctors"),
            (appointments_tasks, "appointments"),
            (billing_tasks, "bills"),
        ):
            monkeypatch.setattr(module, store, getattr(self, store))

    def __call__(self, domain: str, task: str, **payload: Any) -> dict[str, Any]:
        self.calls.append(task)
        modules = {
            "patients": patients_tasks,
            "doctors": doctors_tasks,
            "appointments": appointments_tasks,
            "billing": billing_tasks,
            "payments": payments_tasks,
        }
        event = json.loads(json.dumps({"task": task, **payload}))
        answer: dict[str, Any] = json.loads(json.dumps(modules[domain].handler(event)))
        return answer

    def take(self, folder: Path) -> Report:
        """Imports a folder; the quarantine is `folder/../quarantine`."""
        return Import(folder, folder.parent / "quarantine", self, Silent()).run()
