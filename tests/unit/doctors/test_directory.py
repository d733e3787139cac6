"""Lists: order, filters, pages."""

from __future__ import annotations

import pytest

from doctors import directory, rules, service
from doctors.commands import DeactivateDoctor, DoctorFilter, UpdateDoctor
from doctors.store import Doctors
from hms.errors import Forbidden
from hms.pages import PageParams
from tests.support.doctors import NOW, Visits, a_call, a_principal, a_registration
from tests.support.memory import MemoryTable

NAMES = ["Dr. Anil Rao", "Dr. Bina Rao", "Dr. Chitra Das", "Dr. Dev Rao", "Dr. Esha Sen", "Dr. 𐒰 Osage"]


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


@pytest.fixture
def doctors(table: MemoryTable) -> Doctors:
    doctors = Doctors(table)
    for number, name in reversed([*enumerate(NAMES)]):
        registration = a_registration(
            name=name,
            email=f"d{number}@example.com",
            department=["Cardiology", "Neurology"][number % 2],
            specialization=["Surgeon", "Physician"][number // 3],
            external_identifiers=[{"system": "legacy", "value": str(number)}],
        )
        service.register_doctor(registration, a_call(), doctors)
    return doctors


def found(doctors: Doctors, **asked: object) -> list[int]:
    """The numbers of all doctors found, over all pages."""
    names: list[str] = []
    cursor = None
    for _ in range(20):
        page = directory.list_doctors(DoctorFilter.model_validate(asked | {"cursor": cursor}), a_call(), doctors)
        names += [one.name for one in page.items]
        if (cursor := page.next_cursor) is None:
            return [NAMES.index(name) for name in names]
    raise AssertionError(names)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 100])
def test_every_doctor_is_listed_once_by_name(doctors: Doctors, limit: int) -> None:
    assert found(doctors, limit=limit) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"department": "cardiology"}, [0, 2, 4]),
        ({"department": "Unheard of"}, []),
        ({"specialization": "SURGEON"}, [0, 1, 2]),
        ({"department": "Neurology", "specialization": "physician"}, [3, 5]),
        ({"name": "rao"}, [0, 1, 3]),
        ({"name": "Rao b"}, [1]),
        ({"name": "ao"}, []),
        ({"active": False}, [2]),
        ({"active": True, "department": "Cardiology"}, [0, 4]),
        ({"external_system": "legacy", "external_id": "4"}, [4]),
        ({"external_system": "other", "external_id": "4"}, []),
        ({"external_system": "legacy", "external_id": "4", "department": "Neurology"}, []),
    ],
)
def test_filters_hold_together_on_every_page(
    doctors: Doctors, asked: dict[str, object], numbers: list[int], limit: int
) -> None:
    page = directory.list_doctors(DoctorFilter(external_system="legacy", external_id="2"), a_call(), doctors)
    service.deactivate_doctor(page.items[0].doctor_id, DeactivateDoctor(), a_call(), doctors)

    assert found(doctors, limit=limit, **asked) == numbers


def test_a_list_is_one_read_and_says_as_of_when(table: MemoryTable, doctors: Doctors) -> None:
    table.reads = 0

    page = directory.list_doctors(DoctorFilter(department="Cardiology"), a_call(), doctors)

    assert (table.reads, page.as_of, page.next_cursor) == (1, NOW, None)


def test_a_doctor_who_moves_or_marries_is_found_where_they_are_now(doctors: Doctors) -> None:
    first = directory.list_doctors(DoctorFilter(limit=1), a_call(), doctors).items[0]
    change = UpdateDoctor(department="Neurology", name="Dr. Zoya Khan")
    service.update_doctor(first.doctor_id, change, a_call(), doctors, Visits())

    def names(department: str) -> list[str]:
        page = directory.list_doctors(DoctorFilter(department=department), a_call(), doctors)
        return [one.name for one in page.items]

    assert names("Cardiology") == [NAMES[2], NAMES[4]]
    assert names("Neurology") == [NAMES[1], NAMES[3], "Dr. Zoya Khan", NAMES[5]]


def test_identifiers_are_asked_for_whole() -> None:
    with pytest.raises(ValueError, match="go together"):
        DoctorFilter(external_id="4")


def test_departments_are_listed_page_by_page(doctors: Doctors) -> None:
    first = directory.list_departments(PageParams(limit=1), a_call(), doctors.departments)
    second = directory.list_departments(PageParams(limit=1, cursor=first.next_cursor), a_call(), doctors.departments)

    assert [one.name for one in (*first.items, *second.items)] == ["Cardiology", "Neurology"]
    assert second.next_cursor is None


def test_history_comes_in_pages_for_those_who_may_see_it(doctors: Doctors) -> None:
    doctor_id = directory.list_doctors(DoctorFilter(limit=1), a_call(), doctors).items[0].doctor_id
    service.deactivate_doctor(doctor_id, DeactivateDoctor(), a_call(), doctors)

    first = directory.get_history(doctor_id, PageParams(limit=1), a_call(), doctors)
    second = directory.get_history(doctor_id, PageParams(limit=1, cursor=first.next_cursor), a_call(), doctors)

    assert [one.version for one in (*first.items, *second.items)] == [1, 2]
    assert second.next_cursor is None
    with pytest.raises(Forbidden):
        directory.get_history(doctor_id, PageParams(), a_call(a_principal("doctor", doctor_id="another")), doctors)
    with pytest.raises(rules.DoctorNotFound):
        directory.get_history("unknown", PageParams(), a_call(), doctors)
