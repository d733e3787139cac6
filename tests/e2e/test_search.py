"""People are found: misspelt, turned round, by number or by day; lists come in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from tests.support.client import agreed, eventually
from tests.support.hospital import slot

if TYPE_CHECKING:
    from tests.support.hospital import Hospital


@pytest.fixture(scope="module")
def patient(hospital: Hospital) -> dict[str, Any]:
    phone = f"+9197{int(ids.new()[-6:], 16):08d}"
    return hospital.patient(name="Venkataraman Subrahmanyam", phone=phone, dob="1947-08-15")


@pytest.mark.parametrize(
    "name", ["Venkataraman Subrahmanyam", "subrahmanyam venkataraman", "Venkatraman", "Subramanyam Venkataraman"]
)
def test_a_patient_is_found_by_a_name_as_people_write_it(
    hospital: Hospital, patient: dict[str, Any], name: str
) -> None:
    def ask() -> list[str]:
        found = agreed(hospital.reception.get("/v1/patients", query={"name": name, "limit": 100}))
        return [one["patient_id"] for one in found["items"]]

    assert patient["patient_id"] in eventually(ask, lambda found: patient["patient_id"] in found, 10)


@pytest.mark.parametrize("field", ["phone", "email", "mrn", "dob"])
def test_a_patient_is_found_by_what_they_know_of_themselves(
    hospital: Hospital, patient: dict[str, Any], field: str
) -> None:
    value = patient[field]

    def ask() -> list[str]:
        found = agreed(hospital.reception.get("/v1/patients", query={field: value, "limit": 100}))
        return [one["patient_id"] for one in found["items"]]

    assert patient["patient_id"] in eventually(ask, lambda found: patient["patient_id"] in found, 10)


def test_whoever_may_be_registered_already_is_shown(hospital: Hospital, patient: dict[str, Any]) -> None:
    twin = {"name": "Venkatraman Subrahmanyam", "dob": patient["dob"], "phone": patient["phone"]}

    made = agreed(hospital.reception.post("/v1/patients", twin), 201)

    assert patient["patient_id"] in [one["patient_id"] for one in made["possible_duplicates"]]


def test_doctors_are_listed_by_department_and_specialization(hospital: Hospital) -> None:
    department = f"Wing {ids.new()}"
    eye = hospital.doctor(department=department, specialization="Retina")
    hospital.doctor(department=department, specialization="Cornea")

    def ask(**query: str) -> list[str]:
        found = agreed(hospital.reception.get("/v1/doctors", query={"department": department, **query}))
        return [one["doctor_id"] for one in found["items"]]

    assert len(eventually(ask, lambda found: len(found) == 2, 10)) == 2
    assert ask(specialization="Retina") == [eye["doctor_id"]]


def test_a_department_opens_with_its_first_doctor(hospital: Hospital) -> None:
    department = f"Wing {ids.new()}"
    hospital.doctor(department=department)

    def ask() -> list[str]:
        return [one["name"] for one in listed(hospital, "/v1/departments", {})]

    assert department in eventually(ask, lambda names: department in names, 10)


def listed(hospital: Hospital, path: str, query: dict[str, Any], limit: int = 100) -> list[dict[str, Any]]:
    """Every item of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = agreed(hospital.admin.get(path, query=query | {"limit": limit} | ({"cursor": cursor} if cursor else {})))
        assert len(page["items"]) <= limit
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


def test_a_list_in_pages_holds_each_visit_once_in_order(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor()
    clocks = ["09:00", "10:30", "11:00", "15:30", "17:30"]
    for clock in clocks:
        agreed(hospital.book(patient, doctor, slot(clock)), 201)

    for limit in (1, 2, 5):
        found = listed(hospital, "/v1/appointments", {"patient_id": patient["patient_id"]}, limit)
        starts = [one["slot_start"] for one in found]
        assert starts == sorted(set(starts))
        assert len(starts) == len(clocks)


def test_a_day_shows_the_visits_of_every_doctor(hospital: Hospital) -> None:
    visits = {hospital.visit()["appointment_id"] for _ in range(2)}
    day = slot("10:00")["slot_start"][:10]

    def ask() -> set[str]:
        return visits - {one["appointment_id"] for one in listed(hospital, "/v1/appointments", {"day": day})}

    assert eventually(ask, lambda missing: not missing, 10) == set()
