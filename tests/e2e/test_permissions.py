"""Who may do what: every role against a sample of operations, and the reach of patients and doctors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from hms.policy import ROLES
from tests.support.client import agreed, refused
from tests.support.hospital import HOURS, MONDAY, PASSWORD, TUESDAY, slot

if TYPE_CHECKING:
    from tests.support.hospital import Hospital

pytestmark = pytest.mark.any_engine

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ADMINISTRATION = {"administrator"}
DESK = {"administrator", "receptionist"}
FRONT = DESK | {"nurse", "emergency_clinician"}
CLINICAL_SUPPORT = {"lab_technician", "radiologist", "pharmacist"}
READS_VISITS = FRONT | CLINICAL_SUPPORT | {"billing_clerk", "auditor"}
READS_PATIENTS = READS_VISITS | {"blood_bank_officer", "service"}
# An operation on something that does not exist: 404 for those who may, 403 for all others.
ON_NOBODY: list[tuple[str, str, dict[str, Any], set[str]]] = [
    ("GET", "/v1/patients/{}", {}, READS_PATIENTS),
    ("PATCH", "/v1/patients/{}", {"phone": "+919752166954"}, FRONT),
    ("POST", "/v1/patients/{}/deactivate", {}, DESK),
    ("GET", "/v1/patients/{}/history", {}, DESK | {"auditor"}),
    ("GET", "/v1/doctors/{}", {}, set(ROLES)),
    ("PATCH", "/v1/doctors/{}", {"phone": "+919752166954"}, ADMINISTRATION),
    ("POST", "/v1/doctors/{}/deactivate", {}, ADMINISTRATION),
    ("PUT", "/v1/doctors/{}/schedule", {"periods": HOURS}, DESK),
    ("PUT", f"/v1/doctors/{{}}/overrides/{MONDAY}", {"periods": []}, DESK),
    ("POST", "/v1/doctors/{}/leave", {"from": str(MONDAY), "to": str(MONDAY)}, DESK),
    ("GET", "/v1/doctors/{}/history", {}, ADMINISTRATION | {"auditor"}),
    ("GET", "/v1/doctors/{}/availability", {}, set(ROLES)),
    ("GET", "/v1/appointments/{}", {}, READS_VISITS),
    ("POST", "/v1/appointments/{}/reschedule", slot("10:00"), FRONT),
    ("POST", "/v1/appointments/{}/cancel", {}, FRONT),
    ("POST", "/v1/appointments/{}/check-in", {}, FRONT),
    ("POST", "/v1/appointments/{}/start", {}, FRONT - {"receptionist"}),
    ("POST", "/v1/appointments/{}/complete", {}, {"administrator", "emergency_clinician"}),
    ("POST", "/v1/appointments/{}/no-show", {}, DESK | {"nurse"}),
    ("POST", "/v1/appointments/{}/notes", {"text": "Seen"}, FRONT),
    ("GET", "/v1/users/{}", {}, ADMINISTRATION | {"auditor"}),
    ("PATCH", "/v1/users/{}", {"name": "Nobody"}, ADMINISTRATION),
    ("POST", "/v1/users/{}/deactivate", {}, ADMINISTRATION),
]
BOOKING = {"patient_id": UNKNOWN, "doctor_id": UNKNOWN, **slot("10:00")}
# An operation with a body that is not right: 422 for those who may, 403 for all others.
WITH_NOTHING = [
    ("/v1/patients", FRONT | {"service"}),
    ("/v1/doctors", ADMINISTRATION),
    ("/v1/departments", ADMINISTRATION),
    ("/v1/users", ADMINISTRATION),
]
LISTS = [
    ("/v1/patients", READS_PATIENTS),
    ("/v1/doctors", set(ROLES)),
    ("/v1/departments", set(ROLES)),
    ("/v1/appointments", READS_VISITS | {"patient", "doctor"}),
    ("/v1/users", ADMINISTRATION | {"auditor"}),
    ("/v1/me", set(ROLES)),
]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_just_what_is_its_own(hospital: Hospital, role: str) -> None:
    """To records that are not their own."""
    who = hospital.role(role)
    expected, answered = {}, {}
    for method, path, body, allowed in ON_NOBODY:
        answer = who.send(method, path.format(UNKNOWN), None if method == "GET" else body)
        expected[method, path] = 404 if role in allowed else 403
        answered[method, path] = answer.status_code
    for path, allowed in WITH_NOTHING:
        expected["POST", path], answered["POST", path] = 422 if role in allowed else 403, who.post(path).status_code
    for path, allowed in LISTS:
        expected["GET", path], answered["GET", path] = 200 if role in allowed else 403, who.get(path).status_code
    booking = who.post("/v1/appointments", BOOKING)
    expected["POST", "/v1/appointments"], answered["POST", "/v1/appointments"] = (
        404 if role in FRONT else 403,
        booking.status_code,
    )

    assert answered == expected


def test_staff_do_what_they_may(hospital: Hospital) -> None:
    nurse, doctor = hospital.role("nurse"), hospital.doctor()
    patient = agreed(nurse.post("/v1/patients", {"name": "Omana Kutty", "dob": "1961-02-03"}), 201)
    visit = agreed(hospital.book(patient, doctor, slot("10:00"), nurse), 201)
    path = f"/v1/appointments/{visit['appointment_id']}"

    assert agreed(hospital.role("auditor").get(path))["patient_id"] == patient["patient_id"]
    agreed(nurse.post(f"{path}/check-in"))
    agreed(nurse.post(f"{path}/start"))


def test_a_patient_reaches_only_themselves(hospital: Hospital) -> None:
    visit, others = hospital.visit(), hospital.visit()
    herself = hospital.user("patient", patient_id=visit["patient_id"])
    mine, theirs = visit["patient_id"], others["patient_id"]

    assert agreed(herself.get(f"/v1/patients/{mine}"))["patient_id"] == mine
    assert agreed(herself.get(f"/v1/appointments/{visit['appointment_id']}"))["patient_id"] == mine
    listed = agreed(herself.get("/v1/appointments"))["items"]
    assert [one["appointment_id"] for one in listed] == [visit["appointment_id"]]
    for other in (theirs, UNKNOWN):
        for answer in (
            herself.get(f"/v1/patients/{other}"),
            herself.get(f"/v1/patients/{other}/history"),
            herself.patch(f"/v1/patients/{other}", {"phone": "+919752166954"}),
            herself.get("/v1/appointments", query={"patient_id": other}),
            hospital.book({"patient_id": other}, {"doctor_id": visit["doctor_id"]}, slot("11:00"), herself),
        ):
            refused(answer, 403, "FORBIDDEN")
    for other in (others["appointment_id"], UNKNOWN):
        path = f"/v1/appointments/{other}"
        refused(herself.get(path), 403, "FORBIDDEN")
        refused(herself.post(f"{path}/cancel"), 403, "FORBIDDEN")
        refused(herself.post(f"{path}/reschedule", slot("11:00", TUESDAY)), 403, "FORBIDDEN")
    refused(herself.get("/v1/appointments", query={"doctor_id": visit["doctor_id"]}), 403, "FORBIDDEN")
    assert agreed(hospital.admin.get(f"/v1/appointments/{others['appointment_id']}")) == others


def test_a_patient_changes_how_they_are_reached_and_not_who_they_are(hospital: Hospital) -> None:
    patient = hospital.patient()
    herself = hospital.user("patient", patient_id=patient["patient_id"])
    path = f"/v1/patients/{patient['patient_id']}"

    assert agreed(herself.patch(path, {"phone": "9227680402"}))["phone"] == "+919227680402"
    refused(herself.patch(path, {"name": "Somebody Else"}), 403, "FORBIDDEN")
    refused(herself.patch(path, {"dob": "1980-01-01"}), 403, "FORBIDDEN")


def test_a_doctor_reaches_their_own_hours_and_patients(hospital: Hospital) -> None:
    visit, others = hospital.visit(), hospital.visit()
    mine, theirs = visit["doctor_id"], others["doctor_id"]
    doctor = hospital.user("doctor", doctor_id=mine)

    agreed(doctor.put(f"/v1/doctors/{mine}/schedule", {"periods": HOURS[:3]}))
    refused(doctor.put(f"/v1/doctors/{theirs}/schedule", {"periods": []}), 403, "FORBIDDEN")
    refused(doctor.put(f"/v1/doctors/{theirs}/overrides/{MONDAY}", {"periods": []}), 403, "FORBIDDEN")
    assert agreed(doctor.get(f"/v1/patients/{visit['patient_id']}"))["patient_id"] == visit["patient_id"]
    for other in (others["patient_id"], UNKNOWN):
        refused(doctor.get(f"/v1/patients/{other}"), 403, "FORBIDDEN")
    refused(doctor.get(f"/v1/appointments/{others['appointment_id']}"), 403, "FORBIDDEN")
    refused(doctor.post(f"/v1/appointments/{others['appointment_id']}/check-in"), 403, "FORBIDDEN")
    listed = agreed(doctor.get("/v1/appointments"))["items"]
    assert [one["appointment_id"] for one in listed] == [visit["appointment_id"]]
    refused(doctor.get("/v1/appointments", query={"doctor_id": theirs}), 403, "FORBIDDEN")
    refused(hospital.book(hospital.patient(), {"doctor_id": theirs}, slot("11:00"), doctor), 403, "FORBIDDEN")
    agreed(hospital.book(hospital.patient(), {"doctor_id": mine}, slot("11:00"), doctor), 201)


def test_contact_data_of_doctors_is_for_staff(hospital: Hospital) -> None:
    email = f"vivek-{ids.new()}@example.com"
    doctor = hospital.doctor(email=email)
    path = f"/v1/doctors/{doctor['doctor_id']}"

    assert agreed(hospital.reception.get(path))["email"] == email
    assert agreed(hospital.role("patient").get(path))["email"] is None


def test_whoever_is_not_signed_in_sees_only_what_is_public(hospital: Hospital) -> None:
    for method, path, body, _ in ON_NOBODY:
        answer = hospital.anyone.send(method, path.format(UNKNOWN), None if method == "GET" else body)
        refused(answer, 401, "UNAUTHENTICATED")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    for path, _ in LISTS:
        refused(hospital.anyone.get(path), 401, "UNAUTHENTICATED")
    for path in ("/health", "/healthz", "/ready", "/docs", "/openapi.json", "/asyncapi.json", "/.well-known/jwks.json"):
        assert hospital.anyone.get(path).status_code == 200
    for domain in ("appointments", "doctors", "identity", "patients", "system"):
        assert agreed(hospital.anyone.get(f"/v1/{domain}/health"))["domain"] == domain


def test_an_administrator_ends_what_somebody_may_do(hospital: Hospital) -> None:
    nurse = hospital.user("nurse")
    agreed(nurse.get("/v1/doctors"))
    agreed(hospital.admin.post(f"/v1/users/{nurse.user['user_id']}/deactivate"))

    credentials = {"email": nurse.user["email"], "password": PASSWORD}
    refused(hospital.anyone.post("/v1/auth/login", credentials), 403, "ACCOUNT_INACTIVE")
