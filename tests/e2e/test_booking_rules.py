"""Every rule of booking, on both sides of its edge, in the order in which they answer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from tests.support.client import agreed, refused
from tests.support.hospital import HOURS, MONDAY, TUESDAY, WEDNESDAY, instant, slot

if TYPE_CHECKING:
    from tests.support.hospital import Hospital

pytestmark = pytest.mark.any_engine

SUNDAY = MONDAY + timedelta(days=6)
LONG_HOURS = [{"weekday": "MONDAY", "start": "07:00", "end": "20:00", "slot_duration": 30}]
SPLIT = [
    {"weekday": "MONDAY", "start": "09:00", "end": "12:00", "slot_duration": 30},
    {"weekday": "MONDAY", "start": "14:00", "end": "17:00", "slot_duration": 30},
]
WALK_IN = {"kind": "WALK_IN", "reason": "Came without an appointment"}
EMERGENCY = {"kind": "EMERGENCY", "reason": "Chest pain"}


@pytest.fixture(scope="module")
def patient(hospital: Hospital) -> dict[str, Any]:
    """Somebody who is refused: they never have a visit."""
    return hospital.patient()


@pytest.fixture(scope="module")
def doctor(hospital: Hospital) -> dict[str, Any]:
    return hospital.doctor()


def test_an_unknown_patient_is_not_booked(hospital: Hospital, doctor: dict[str, Any]) -> None:
    refused(hospital.book({"patient_id": ids.new()}, doctor, slot("10:00")), 404, "PATIENT_NOT_FOUND")


def test_an_inactive_patient_is_booked_again_once_active(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor()
    agreed(hospital.book(patient, doctor, slot("10:00")), 201)
    path = f"/v1/patients/{patient['patient_id']}"
    agreed(hospital.admin.post(f"{path}/deactivate", {"reason": "Moved away"}))
    newcomer = hospital.patient()
    agreed(hospital.admin.post(f"/v1/patients/{newcomer['patient_id']}/deactivate"))

    refused(hospital.book(newcomer, doctor, slot("11:00")), 409, "PATIENT_INACTIVE")
    agreed(hospital.admin.post(f"/v1/patients/{newcomer['patient_id']}/reactivate"))
    agreed(hospital.book(newcomer, doctor, slot("11:00")), 201)


def test_an_unknown_doctor_is_not_booked(hospital: Hospital, patient: dict[str, Any]) -> None:
    refused(hospital.book(patient, {"doctor_id": ids.new()}, slot("10:00")), 404, "DOCTOR_NOT_FOUND")


def test_an_inactive_doctor_is_booked_again_once_active(hospital: Hospital, patient: dict[str, Any]) -> None:
    doctor = hospital.doctor()
    path = f"/v1/doctors/{doctor['doctor_id']}"
    agreed(hospital.admin.post(f"{path}/deactivate", {"reason": "Sabbatical"}))

    refused(hospital.book(patient, doctor, slot("10:00")), 409, "DOCTOR_INACTIVE")
    agreed(hospital.admin.post(f"{path}/reactivate"))
    agreed(hospital.book(hospital.patient(), doctor, slot("10:00")), 201)


def test_a_doctor_of_another_department_is_not_booked(
    hospital: Hospital, patient: dict[str, Any], doctor: dict[str, Any]
) -> None:
    refused(hospital.book(patient, doctor, slot("10:00"), department="Dermatology"), 422, "DEPARTMENT_MISMATCH")


def test_the_whole_slot_is_inside_the_clinics_hours(hospital: Hospital, patient: dict[str, Any]) -> None:
    doctor = hospital.doctor(hours=LONG_HOURS)

    for clock in ("08:30", "18:00", "07:00"):
        refused(hospital.book(patient, doctor, slot(clock)), 422, "OUTSIDE_CLINIC_HOURS")
    for clock in ("09:00", "17:30"):
        agreed(hospital.book(hospital.patient(), doctor, slot(clock)), 201)


def test_the_whole_slot_is_inside_the_doctors_hours(hospital: Hospital, patient: dict[str, Any]) -> None:
    doctor = hospital.doctor(hours=SPLIT)

    for clock in ("12:00", "13:30", "17:00"):
        refused(hospital.book(patient, doctor, slot(clock)), 422, "DOCTOR_NOT_AVAILABLE")
    refused(hospital.book(patient, doctor, slot("10:00", TUESDAY)), 422, "DOCTOR_NOT_AVAILABLE")
    for clock in ("11:30", "14:00"):
        agreed(hospital.book(hospital.patient(), doctor, slot(clock)), 201)


def test_an_override_replaces_the_weekly_hours(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor()
    agreed(hospital.book(patient, doctor, slot("16:00", WEDNESDAY)), 201)
    path = f"/v1/doctors/{doctor['doctor_id']}/overrides"
    agreed(hospital.admin.put(f"{path}/{SUNDAY}", {"periods": [{"start": "10:00", "end": "11:00"}]}))
    agreed(hospital.admin.put(f"{path}/{TUESDAY}", {"periods": []}))
    assert hospital.free(doctor, TUESDAY) == []
    assert hospital.free(doctor, SUNDAY) == ["10:00", "10:30"]

    refused(hospital.book(patient, doctor, slot("10:00", TUESDAY)), 422, "DOCTOR_NOT_AVAILABLE")
    agreed(hospital.book(patient, doctor, slot("10:30", SUNDAY)), 201)
    agreed(hospital.admin.delete(f"{path}/{TUESDAY}"))
    agreed(hospital.book(patient, doctor, slot("10:00", TUESDAY)), 201)


def test_nobody_is_booked_while_the_doctor_is_on_leave(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor()
    visit = agreed(hospital.book(patient, doctor, slot("10:00", TUESDAY)), 201)
    path = f"/v1/doctors/{doctor['doctor_id']}/leave"
    granted = agreed(hospital.admin.post(path, {"from": str(TUESDAY), "to": str(WEDNESDAY), "reason": "Wedding"}), 201)
    assert [one["appointment_id"] for one in granted["stranded"]] == [visit["appointment_id"]]

    for day in (TUESDAY, WEDNESDAY):
        refused(hospital.book(patient, doctor, slot("11:00", day)), 422, "DOCTOR_NOT_AVAILABLE")
    agreed(hospital.book(patient, doctor, slot("11:00", MONDAY)), 201)
    leave_id = granted["leave"][0]["leave_id"]
    assert agreed(hospital.admin.delete(f"{path}/{leave_id}"))["stranded"] == []
    agreed(hospital.book(patient, doctor, slot("11:00", WEDNESDAY)), 201)


@pytest.mark.parametrize(("clock", "minutes"), [("10:15", 30), ("10:00", 60), ("10:00", 25), ("10:05", 20)])
def test_a_slot_is_one_of_the_doctors_grid(
    hospital: Hospital, patient: dict[str, Any], doctor: dict[str, Any], clock: str, minutes: int
) -> None:
    refused(hospital.book(patient, doctor, slot(clock, minutes=minutes)), 422, "SLOT_NOT_ON_GRID")


def test_two_hours_ahead_is_soon_enough_and_a_second_less_is_not(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor()
    just_in_time = instant("08:00")
    late = hospital.reception.at(just_in_time + timedelta(seconds=1))

    refused(hospital.book(patient, doctor, slot("10:00"), late), 422, "LEAD_TIME")
    agreed(hospital.book(patient, doctor, slot("10:00"), hospital.reception.at(just_in_time)), 201)


def test_a_doctor_cannot_be_booked_twice(hospital: Hospital, patient: dict[str, Any]) -> None:
    doctor = hospital.doctor()
    agreed(hospital.book(hospital.patient(), doctor, slot("10:00")), 201)

    refused(hospital.book(patient, doctor, slot("10:00")), 409, "SLOT_TAKEN")
    for clock, minutes in (("10:25", 10), ("09:50", 15), ("10:10", 5), ("09:30", 60)):
        urgent = hospital.book(patient, doctor, slot(clock, minutes=minutes), exemption=EMERGENCY)
        refused(urgent, 409, "SLOT_TAKEN")
    agreed(hospital.book(hospital.patient(), doctor, slot("10:30")), 201)


def test_a_patient_cannot_be_in_two_places(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor()
    other = hospital.doctor(hours=[{"weekday": "MONDAY", "start": "09:45", "end": "12:00", "slot_duration": 45}])
    agreed(hospital.book(patient, doctor, slot("10:00")), 201)

    refused(hospital.book(patient, other, slot("09:45", minutes=45)), 409, "PATIENT_DOUBLE_BOOKED")
    agreed(hospital.book(patient, other, slot("10:30", minutes=45)), 201)


def test_the_daily_cap_is_exact(hospital: Hospital) -> None:
    patients = [hospital.patient() for _ in range(3)]
    doctor = hospital.doctor(max_daily_appointments=2)
    first = agreed(hospital.book(patients[0], doctor, slot("09:00")), 201)
    second = agreed(hospital.book(patients[1], doctor, slot("09:30")), 201)

    refused(hospital.book(patients[2], doctor, slot("10:00")), 409, "DAY_FULL")
    assert hospital.free(doctor) == []
    agreed(hospital.reception.post(f"/v1/appointments/{first['appointment_id']}/cancel"))
    third = agreed(hospital.book(patients[2], doctor, slot("10:00")), 201)
    moved = f"/v1/appointments/{second['appointment_id']}/reschedule"
    agreed(hospital.reception.post(moved, slot("09:00", TUESDAY)))
    agreed(hospital.book(patients[0], doctor, slot("11:00")), 201)
    back = f"/v1/appointments/{third['appointment_id']}/reschedule"
    agreed(hospital.reception.post(back, slot("12:00")))
    refused(hospital.reception.post(moved, slot("13:00")), 409, "DAY_FULL")


def test_a_walk_in_skips_lead_hours_grid_and_cap(hospital: Hospital) -> None:
    doctor = hospital.doctor(hours=SPLIT, max_daily_appointments=1)
    now = hospital.reception.at(instant("12:01"))
    agreed(hospital.book(hospital.patient(), doctor, slot("15:00"), now), 201)

    off_grid = slot("12:05", minutes=20)
    visit = agreed(hospital.book(hospital.patient(), doctor, off_grid, now, exemption=WALK_IN), 201)
    assert visit["exemption"] == WALK_IN
    late = slot("19:00", minutes=10)
    agreed(hospital.book(hospital.patient(), doctor, late, now, exemption=EMERGENCY), 201)


def test_an_exemption_needs_permission_and_a_reason(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor()
    herself = hospital.user("patient", patient_id=patient["patient_id"])
    now, wanted = hospital.reception.at(instant("10:00")), slot("10:00")

    refused(hospital.book(patient, doctor, wanted, herself, exemption=WALK_IN), 403, "FORBIDDEN")
    nothing_said = hospital.book(patient, doctor, wanted, now, exemption={"kind": "WALK_IN"})
    assert [error["field"] for error in refused(nothing_said, 422, "INVALID")["errors"]] == ["exemption.reason"]
    off_five = slot("10:02", minutes=10)
    refused(hospital.book(patient, doctor, off_five, now, exemption=WALK_IN), 422, "SLOT_NOT_ON_GRID")
    over = slot("09:55", minutes=10)
    refused(hospital.book(patient, doctor, over, now, exemption=WALK_IN), 422, "LEAD_TIME")
    agreed(hospital.book(patient, doctor, wanted, now, exemption=WALK_IN), 201)


def test_the_first_rule_that_is_broken_answers(hospital: Hospital) -> None:
    """One wish that breaks every rule, mended one rule at a time."""
    patient, rival = hospital.patient(), hospital.patient()
    hours = [{"weekday": "MONDAY", "start": "09:00", "end": "18:00", "slot_duration": 60}]
    doctor, other = hospital.doctor(hours=hours, max_daily_appointments=1), hospital.doctor(hours=hours)
    hospital.confirmed(agreed(hospital.book(rival, doctor, slot("10:00", minutes=60)), 201))
    agreed(hospital.book(patient, other, slot("12:00", minutes=60)), 201)
    ours, theirs = f"/v1/patients/{patient['patient_id']}", f"/v1/doctors/{doctor['doctor_id']}"
    late = hospital.reception.at(instant("09:30"))

    def answered(wanted: dict[str, str], status: int, code: str, **given: str) -> None:
        refused(hospital.book(patient, doctor, wanted, late, **given), status, code)

    agreed(hospital.admin.post(f"{theirs}/deactivate"))
    stranger = hospital.patient()
    agreed(hospital.admin.post(f"/v1/patients/{stranger['patient_id']}/deactivate"))
    night = slot("20:10")
    unknown = {"patient_id": ids.new()}
    refused(hospital.book(unknown, doctor, night, late, department="Dermatology"), 404, "PATIENT_NOT_FOUND")
    refused(hospital.book(stranger, doctor, night, late, department="Dermatology"), 409, "PATIENT_INACTIVE")
    assert agreed(hospital.admin.get(ours))["active"]
    refused(hospital.book(hospital.patient(), doctor, night, late, department="Dermatology"), 409, "DOCTOR_INACTIVE")
    agreed(hospital.admin.post(f"{theirs}/reactivate"))
    answered(night, 422, "DEPARTMENT_MISMATCH", department="Dermatology")
    answered(night, 422, "OUTSIDE_CLINIC_HOURS")
    answered(slot("10:10", TUESDAY), 422, "DOCTOR_NOT_AVAILABLE")
    answered(slot("10:10"), 422, "SLOT_NOT_ON_GRID")
    answered(slot("10:00", minutes=60), 422, "LEAD_TIME")
    early = hospital.reception.at(instant("08:00"))
    refused(hospital.book(patient, doctor, slot("10:00", minutes=60), early), 409, "SLOT_TAKEN")
    refused(hospital.book(patient, doctor, slot("12:00", minutes=60), early), 409, "PATIENT_DOUBLE_BOOKED")
    refused(hospital.book(patient, doctor, slot("14:00", minutes=60), early), 409, "DAY_FULL")


def test_a_refused_booking_leaves_nothing_behind(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor(hours=HOURS[:1])
    before = hospital.free(doctor)

    refused(hospital.book(patient, doctor, slot("10:10")), 422, "SLOT_NOT_ON_GRID")
    refused(hospital.book(patient, doctor, slot("10:00"), department="Dermatology"), 422, "DEPARTMENT_MISMATCH")

    assert hospital.free(doctor) == before
    mine = {"patient_id": patient["patient_id"]}
    assert agreed(hospital.reception.get("/v1/appointments", query=mine))["items"] == []
