"""Paths and forms that clients of the older system keep using."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.support.client import agreed, refused
from tests.support.hospital import TUESDAY, instant, slot

if TYPE_CHECKING:
    from tests.support.hospital import Hospital

pytestmark = pytest.mark.any_engine


def test_a_visit_is_booked_with_the_older_body(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor()

    booked = agreed(hospital.book(patient, doctor, slot("10:00"), department="cardiology"), 201)

    assert booked["department"] == "Cardiology"
    assert booked["status"] == "SCHEDULED"


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_new_times_may_stand_in_the_query(hospital: Hospital, body: bytes) -> None:
    visit = hospital.visit()
    path = f"/v1/appointments/{visit['appointment_id']}/reschedule"
    query = {f"new_{name}": value for name, value in slot("11:00", TUESDAY).items()}
    assert all("+05:30" in value for value in query.values())

    moved = agreed(hospital.reception.send("POST", path, raw=body, query=query))

    assert datetime.fromisoformat(moved["slot_start"]) == instant("11:00", TUESDAY)


def test_a_plus_that_was_not_written_as_2b_is_refused(hospital: Hospital) -> None:
    visit = hospital.visit()
    times = "&".join(f"new_{name}={value}" for name, value in slot("11:00", TUESDAY).items())

    naive = hospital.reception.post(f"/v1/appointments/{visit['appointment_id']}/reschedule?{times}")

    refused(naive, 422, "INVALID")


def test_no_show_has_an_older_path(hospital: Hospital) -> None:
    visit = hospital.visit()
    path = f"/v1/appointments/{visit['appointment_id']}/noshow"

    missed = agreed(hospital.reception.at(instant("10:15")).post(path))

    assert missed["status"] == "NO_SHOW"


def test_a_doctor_completes_a_visit_that_is_scheduled(hospital: Hospital) -> None:
    visit = hospital.visit()
    doctor = hospital.user("doctor", doctor_id=visit["doctor_id"])

    completed = agreed(doctor.at(instant("10:20")).post(f"/v1/appointments/{visit['appointment_id']}/complete"))

    assert completed["status"] == "COMPLETED"


def test_health_is_where_it_was(hospital: Hospital) -> None:
    assert agreed(hospital.anyone.get("/health"))["status"] == "ok"
