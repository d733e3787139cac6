"""The demo hospital: all can log in, visits lie behind and ahead, bills are there; seeding again changes nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from hms.policy import ROLES
from tests.support.client import agreed, eventually
from tools.demo import DOCTORS, PATIENTS, SERVICES
from tools.seed import seed

if TYPE_CHECKING:
    from tests.support.client import Client
    from tests.support.hospital import Hospital

pytestmark = pytest.mark.any_engine


def logged_in(hospital: Hospital, login: dict[str, Any]) -> Client:
    credentials = {"email": login["email"], "password": login["password"]}
    tokens = agreed(hospital.anyone.post("/v1/auth/login", credentials))
    assert tokens["user"]["roles"] == login["roles"]
    return hospital.anyone.bearing(tokens["access_token"])


def seen(admin: Client) -> dict[str, Any]:
    """What the demo hospital holds, with the versions of everything."""
    doctors = agreed(admin.get("/v1/doctors", query={"limit": 100}))["items"]
    known = {(doctor.name, doctor.specialization) for doctor in DOCTORS}
    ours = {one["doctor_id"]: one["version"] for one in doctors if (one["name"], one["specialization"]) in known}
    visits = [
        (visit["appointment_id"], visit["status"])
        for doctor_id in ours
        for visit in agreed(admin.get("/v1/appointments", query={"doctor_id": doctor_id, "limit": 100}))["items"]
    ]
    patients = [
        one["patient_id"]
        for patient in PATIENTS
        for one in agreed(admin.get("/v1/patients", query={"name": patient.name, "limit": 100}))["items"]
        if one["name"] == patient.name and one["email"].endswith("@demo.example.com")
    ]
    return {"doctors": ours, "visits": sorted(visits), "patients": sorted(patients), **money(admin)}


def money(admin: Client) -> dict[str, Any]:
    """Of the patient who can log in, apart from the bills of visits, which come by themselves."""
    found = agreed(admin.get("/v1/patients", query={"name": PATIENTS[0].name, "limit": 100}))["items"]
    of_patient = next({"patient_id": one["patient_id"]} for one in found if one["email"].endswith("@demo.example.com"))
    bills = agreed(admin.get("/v1/bills", query=of_patient))["items"]
    coverages = agreed(admin.get("/v1/coverages", query=of_patient))["items"]
    services = {one["code"] for one in agreed(admin.get("/v1/charge-items", query={"limit": 100}))["items"]}
    return {
        "bills": sorted((one["status"], one["total_amount"]) for one in bills if one["appointment_id"] is None),
        "coverages": [one["member_number"] for one in coverages],
        "services": {one.code for one in SERVICES} & services,
    }


def is_paid(admin: Client) -> bool:
    """On a slow machine a payment may be decided later."""
    return any(status == "PAID" for status, _ in money(admin)["bills"])


def test_the_demo_hospital_is_made_once(hospital: Hospital) -> None:
    logins = seed(hospital.system)
    assert {role for login in logins for role in login["roles"]} == set(ROLES)
    assert all(len(login["password"]) >= 12 for login in logins)
    for login in logins[1:]:
        logged_in(hospital, login)
    admin = logged_in(hospital, logins[0])
    assert eventually(lambda: is_paid(admin), bool, 180)
    first = seen(admin)
    statuses = Counter(status for _, status in first["visits"])
    assert (len(first["doctors"]), len(set(first["patients"]))) == (8, 40)
    assert statuses["COMPLETED"] > statuses["CANCELLED"] >= statuses["NO_SHOW"] > 0
    assert statuses["SCHEDULED"] == 20
    # 900.00 and three times 18.50 with 12 %; 350.00 and 600.00.
    assert first["bills"] == [("OPEN", "997.50"), ("PAID", "1007.16")]
    assert (len(first["coverages"]), len(first["services"])) == (1, 6)

    assert seed(hospital.system) == logins
    assert seen(admin) == first
