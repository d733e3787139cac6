"""The thin thread: one patient, one doctor, one visit through every layer and back as an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.client import agreed, eventually
from tests.support.hospital import HOURS, TUESDAY, slot

if TYPE_CHECKING:
    from tests.support.hospital import Hospital


def test_a_patient_is_registered_booked_moved_and_cancelled(hospital: Hospital) -> None:
    patient = hospital.patient(name="Ravi Menon")
    doctor = hospital.doctor(hours=HOURS[:2])
    herself = hospital.user("patient", patient_id=patient["patient_id"])
    assert agreed(herself.get("/v1/me"))["patient_id"] == patient["patient_id"]
    assert "10:00" in hospital.free(doctor, by=herself)

    booked = agreed(hospital.book(patient, doctor, slot("10:00"), by=herself), 201)
    assert (booked["status"], booked["version"]) == ("SCHEDULED", 1)
    assert "10:00" not in hospital.free(doctor)

    path = f"/v1/appointments/{booked['appointment_id']}"
    moved = agreed(herself.post(f"{path}/reschedule", slot("11:30", TUESDAY)))
    assert (moved["status"], moved["reschedule_count"]) == ("SCHEDULED", 1)
    assert "10:00" in hospital.free(doctor)
    assert "11:30" not in hospital.free(doctor, TUESDAY)

    cancelled = agreed(herself.post(f"{path}/cancel", {"reason": "Feeling better"}))
    assert cancelled["status"] == "CANCELLED"
    assert "11:30" in hospital.free(doctor, TUESDAY)
    assert agreed(herself.get(path)) == cancelled


def test_a_visit_reaches_the_patients_domain_as_an_event(hospital: Hospital) -> None:
    visit = hospital.visit()
    table = hospital.resource("PatientsTable")
    key = {"pk": {"S": f"patient#{visit['patient_id']}"}, "sk": {"S": f"treated_by#{visit['doctor_id']}"}}

    kept = eventually(lambda: hospital.aws("dynamodb").get_item(TableName=table, Key=key), lambda row: "Item" in row)

    assert "Item" in kept
