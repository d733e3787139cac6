"""What one domain changes reaches the others: over stream, topic and queue, and within a bound."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.support.client import agreed, eventually, refused
from tests.support.hospital import HOURS, MONDAY, TUESDAY, slot

if TYPE_CHECKING:
    from tests.support.client import Answer
    from tests.support.hospital import Hospital


def copy_of(kind: str, person_id: str, hospital: Hospital) -> dict[str, Any]:
    """What the visits' domain knows of a patient or a doctor."""
    key = {"pk": {"S": f"{kind}#{person_id}"}, "sk": {"S": "profile"}}
    row = hospital.aws("dynamodb").get_item(TableName=hospital.resource("AppointmentsTable"), Key=key).get("Item")
    return dict(json.loads(row["body"]["S"])) if row else {}


def test_a_renamed_patient_is_known_to_visits(hospital: Hospital) -> None:
    patient = hospital.patient()
    path = f"/v1/patients/{patient['patient_id']}"
    for name in ("Uma Iyengar", "Uma Iyengar Rao"):
        changed = agreed(hospital.admin.patch(path, {"name": name}))

    kept = eventually(
        lambda: copy_of("patient", patient["patient_id"], hospital),
        lambda copy: copy.get("version") == changed["version"],
    )

    assert kept["name"] == "Uma Iyengar Rao"


def test_a_doctors_new_cap_holds_for_bookings(hospital: Hospital) -> None:
    doctor = hospital.doctor(max_daily_appointments=1)
    agreed(hospital.book(hospital.patient(), doctor, slot("10:00")), 201)
    patient = hospital.patient()
    refused(hospital.book(patient, doctor, slot("11:00")), 409, "DAY_FULL")

    agreed(hospital.admin.patch(f"/v1/doctors/{doctor['doctor_id']}", {"max_daily_appointments": 2}))

    answer = eventually(lambda: hospital.book(patient, doctor, slot("11:00")), lambda answer: answer.status_code == 201)
    agreed(answer, 201)


def test_a_deactivated_patient_is_soon_not_booked(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor(max_daily_appointments=200)
    agreed(hospital.book(patient, doctor, slot("10:00")), 201)
    agreed(hospital.admin.post(f"/v1/patients/{patient['patient_id']}/deactivate"))
    walk_in = {"kind": "WALK_IN", "reason": "Try"}
    tries = iter(range(288))

    def book() -> Answer:
        """Another slot each time: the ones that still come through are taken."""
        start = timedelta(minutes=5 * next(tries))
        clock = f"{start.seconds // 3600:02d}:{start.seconds // 60 % 60:02d}"
        return hospital.book(patient, doctor, slot(clock, TUESDAY, minutes=5), exemption=walk_in)

    refused(eventually(book, lambda answer: answer.status_code != 201), 409, "PATIENT_INACTIVE")


def test_new_hours_hold_at_once(hospital: Hospital) -> None:
    """Who publishes hours reads them in the next answer: the change is handed over, not only told."""
    doctor = hospital.doctor()
    for periods, first in ((HOURS[:1], "09:00"), ([HOURS[0] | {"start": "14:00"}], "14:00")):
        agreed(hospital.admin.put(f"/v1/doctors/{doctor['doctor_id']}/schedule", {"periods": periods}))
        assert hospital.free(doctor)[0] == first
    refused(hospital.book(hospital.patient(), doctor, slot("10:00")), 422, "DOCTOR_NOT_AVAILABLE")


def test_a_change_of_hours_lists_whom_it_strands_until_each_is_moved(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor()
    visit = agreed(hospital.book(patient, doctor, slot("10:00")), 201)
    path = f"/v1/doctors/{doctor['doctor_id']}"

    changed = agreed(hospital.admin.put(f"{path}/overrides/{MONDAY}", {"periods": []}))

    assert [one["appointment_id"] for one in changed["stranded"]] == [visit["appointment_id"]]
    listed = agreed(hospital.admin.get(f"{path}/stranded-appointments"))["items"]
    assert [one["appointment_id"] for one in listed] == [visit["appointment_id"]]
    move = f"/v1/appointments/{visit['appointment_id']}/reschedule"
    agreed(hospital.reception.post(move, slot("10:00", TUESDAY)))
    assert agreed(hospital.admin.get(f"{path}/stranded-appointments"))["items"] == []


def test_availability_and_lists_show_what_was_just_written(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor()
    herself = {"patient_id": patient["patient_id"]}
    for clock in ("09:00", "11:30", "16:00"):
        booked = agreed(hospital.book(patient, doctor, slot(clock)), 201)
        assert clock not in hospital.free(doctor)
        for owner in (herself, {"doctor_id": doctor["doctor_id"]}):
            items = agreed(hospital.admin.get("/v1/appointments", query=owner))["items"]
            assert booked["appointment_id"] in [one["appointment_id"] for one in items]
    path = f"/v1/appointments/{booked['appointment_id']}"
    agreed(hospital.reception.post(f"{path}/cancel"))
    assert "16:00" in hospital.free(doctor)
    cancelled = agreed(hospital.admin.get("/v1/appointments", query=herself | {"status": "CANCELLED"}))["items"]
    assert [one["appointment_id"] for one in cancelled] == [booked["appointment_id"]]
