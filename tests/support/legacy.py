"""Files as an older system leaves them, with the faults that such files have, and the domains to import them into."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

from appointments import tasks as appointments_tasks
from appointments.store import Appointments
from doctors import tasks as doctors_tasks
from doctors.store import Doctors
from patients import tasks as patients_tasks
from patients.store import Patients
from tests.support.memory import MemoryTable
from tools.importing.run import DOCTORS, PATIENTS, VISITS, Import, Report

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
) -> Path:
    for name, rows in ((PATIENTS, patients), (DOCTORS, doctors), (VISITS, visits)):
        write(folder, name, rows)
    return folder


class Silent:
    def begin(self, name: str, total: int) -> None:
        pass

    def advance(self, rows: int) -> None:
        pass


class Clinic:
    """The tasks of three domains on tables in memory; `calls` are the tasks they were asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patients = Patients(MemoryTable())
        self.doctors = Doctors(MemoryTable())
        self.appointments = Appointments(MemoryTable())
        self.calls: list[str] = []
        for module, store in (
            (patients_tasks, "patients"),
            (doctors_tasks, "doctors"),
            (appointments_tasks, "appointments"),
        ):
            monkeypatch.setattr(module, store, getattr(self, store))

    def __call__(self, domain: str, task: str, **payload: Any) -> dict[str, Any]:
        self.calls.append(task)
        modules = {"patients": patients_tasks, "doctors": doctors_tasks, "appointments": appointments_tasks}
        event = json.loads(json.dumps({"task": task, **payload}))
        answer: dict[str, Any] = json.loads(json.dumps(modules[domain].handler(event)))
        return answer

    def take(self, folder: Path) -> Report:
        """Imports a folder; the quarantine is `folder/../quarantine`."""
        return Import(folder, folder.parent / "quarantine", self, Silent()).run()
