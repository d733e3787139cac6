from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from hms import ids
from tests.support import legacy
from tests.support.client import agreed, eventually, refused
from tests.support.hospital import HOURS, slot
from tests.support.legacy import Silent
from tools.importing.entry import Outcome
from tools.importing.run import BILLS, DOCTORS, PATIENTS, PAYMENTS, VISITS, Import
from tools.importing.sending import Asker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.hospital import Hospital
    from tools.importing.run import Report


def _take(folder: Path, hospital: Hospital) -> Report:
    with closing(Asker(hospital.system)) as ask:
        return Import(folder, folder / "quarantine", ask, Silent()).run()


def _counts(report: Report) -> dict[str, list[int]]:
    return {batch.sheet.name: [batch.count(outcome) for outcome in Outcome] for batch in report.batches}


def _files(folder: Path, run: str) -> None:
    """Thirty patients, two doctors, thirty visits with a bill each, every third paid; one row of each file is wrong."""
    patients = [
        legacy.patient(f"{run}-{n}", email=f"{run}.{n}@example.com", name=f"Zarina Okonkwo{run}") for n in range(30)
    ]
    doctors = [legacy.doctor(f"{run}-{n}", email=f"dr.{run}.{n}@example.com") for n in range(2)]
    visits = [legacy.visit(f"{run}-{n}", patient_id=f"{run}-{n}", doctor_id=f"{run}-0") for n in range(30)]
    patients.append(patients[0] | {"patient_id": f"{run}-30"})
    doctors.append(doctors[0] | {"doctor_id": f"{run}-2", "email": "nowhere"})
    visits.append(visits[0] | {"appointment_id": f"{run}-30", "doctor_id": f"{run}-2"})
    bills, payments = _money(run)
    legacy.write_all(folder, patients, doctors, visits, bills=bills, payments=payments)


def _money(run: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    bills = [
        legacy.bill(f"{run}-{n}", patient_id=f"{run}-{n}", appointment_id=f"{run}-{n}", status=status)
        for n, status in enumerate(("PAID", "OPEN", "OPEN") * 10)
    ]
    payments = [legacy.payment(f"{run}-{n}", bill_id=f"{run}-{n}") for n in range(0, 30, 3)]
    bills.append(bills[0] | {"bill_id": f"{run}-30", "patient_id": f"{run}-1"})
    payments.append(payments[0] | {"payment_id": f"{run}-30"})
    return bills, payments


def _check_money(hospital: Hospital, patient: dict[str, Any]) -> None:
    bill = _found(hospital, "/v1/bills", patient_id=patient["patient_id"])[0]
    assert (bill["status"], bill["historical"], bill["paid_amount"]) == ("PAID", True, "500.00")
    payment = _found(hospital, "/v1/payments", bill_id=bill["bill_id"])[0]
    assert (payment["status"], payment["amount"]) == ("COMPLETED", "500.00")
    assert payment["bill_number"] == bill["bill_number"]
    refund = {"payment_id": payment["payment_id"], "amount": "1.00", "reason": "Just trying"}
    refused(hospital.admin.post("/v1/refunds", refund, key=ids.new()), 409, "INVALID_TRANSITION")


def _found(hospital: Hospital, path: str, **query: Any) -> list[dict[str, Any]]:
    def ask() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = agreed(hospital.admin.get(path, query=query))["items"]
        return items

    return eventually(ask, bool)


def test_an_import_can_be_repeated_and_imported_people_are_found_and_booked(hospital: Hospital, tmp_path: Path) -> None:
    run = ids.new()[-6:].translate(str.maketrans("0123456789", "ghijklmnop"))
    _files(tmp_path, run)
    people, money = {DOCTORS: [2, 0, 1], PATIENTS: [30, 0, 1]}, {BILLS: [30, 0, 1], PAYMENTS: [10, 0, 1]}
    assert _counts(_take(tmp_path, hospital)) == {**people, VISITS: [30, 0, 1], **money}
    people, money = {DOCTORS: [0, 2, 1], PATIENTS: [0, 30, 1]}, {BILLS: [0, 30, 1], PAYMENTS: [0, 10, 1]}
    assert _counts(_take(tmp_path, hospital)) == {**people, VISITS: [0, 30, 1], **money}

    assert _found(hospital, "/v1/patients", name=f"okonkwo{run} zarina")
    patient = _found(hospital, "/v1/patients", external_system="legacy", external_id=f"{run}-7")[0]
    assert patient["email"] == f"{run}.7@example.com"
    doctor = _found(hospital, "/v1/doctors", external_system="legacy", external_id=f"{run}-0")[0]
    past = _found(hospital, "/v1/appointments", patient_id=patient["patient_id"])
    assert [visit["status"] for visit in past] == ["COMPLETED"]
    _check_money(hospital, _found(hospital, "/v1/patients", external_system="legacy", external_id=f"{run}-6")[0])

    agreed(hospital.admin.put(f"/v1/doctors/{doctor['doctor_id']}/schedule", {"periods": HOURS}))
    booked = eventually(lambda: hospital.book(patient, doctor, slot("10:00")), lambda answer: answer.status_code == 201)
    agreed(booked, 201)
