from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from hms.errors import Invalid
from hms.pages import sealed
from patients import search, service
from patients.model import DeactivatePatient
from patients.store import Patients
from tests.support.memory import MemoryTable
from tests.support.patients import NOW, a_call, a_principal, a_registration, an_update, asked, registered

if TYPE_CHECKING:
    from patients.model import PatientList


@pytest.fixture
def patients() -> Patients:
    return Patients(MemoryTable())


def listed(patients: Patients, **given: str) -> PatientList:
    return search.list_patients(asked(**given), patients, NOW)


def found(patients: Patients, **given: str) -> list[str]:
    return [one.name for one in listed(patients, **given).items]


def paged(patients: Patients, **given: str) -> list[str]:
    names, cursor = [], None
    while True:
        page = listed(patients, **given, **({"cursor": cursor} if cursor else {}))
        names += [one.name for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return names


@pytest.mark.parametrize("name", ["Vivaan Sharma", "Vivan Sarma", "Viwaan", "sharma VIVAAN", "Shrama Vivan", "vivaan"])
def test_misspelt_and_reordered_names_are_found(patients: Patients, name: str) -> None:
    registered(patients, name="Vivaan Sharma")
    registered(patients, name="Asha Verma")

    assert found(patients, name=name) == ["Vivaan Sharma"]


def test_one_wrong_word_does_not_hide_the_other(patients: Patients) -> None:
    for name in ("Anita Sharma", "Rohan Sharma", "Zoya Sharma"):
        registered(patients, name=name)

    assert found(patients, name="Rohab Sharma")[0] == "Rohan Sharma"


def test_whoever_has_all_the_words_comes_first_and_exact_before_alike(patients: Patients) -> None:
    for name in ("Rohan Gupta", "Rohaan Sarma", "Anita Sharma", "Rohan Sharma", "Asha Verma"):
        registered(patients, name=name)

    assert found(patients, name="Sharma Rohan") == ["Rohan Sharma", "Rohaan Sarma", "Anita Sharma", "Rohan Gupta"]


def test_a_full_name_is_found_among_many_who_share_one_word_of_it(patients: Patients) -> None:
    for number in range(230):
        registered(patients, name=f"Aab{number} Sharma")
        registered(patients, name=f"Rohan Aab{number}")
    registered(patients, name="Rohan Zutshi Sharma")

    assert found(patients, name="Sharma Rohan", limit="1") == ["Rohan Zutshi Sharma"]


def test_a_new_name_is_found_and_the_old_one_is_not(patients: Patients) -> None:
    asha = registered(patients, name="Asha Kumari Verma")
    service.update_patient(asha.patient_id, an_update(name="Asha Rao"), a_call(), patients)

    assert found(patients, name="Rao") == ["Asha Rao"]
    assert found(patients, name="Verma") == found(patients, name="Kumari") == []


def test_names_of_other_scripts_are_found(patients: Patients) -> None:
    registered(patients, name="विवान शर्मा")

    assert found(patients, name="शर्मा") == ["विवान शर्मा"]


@pytest.mark.parametrize("phone", ["+919227680402", "9227680402", "092276 80402"])
def test_a_phone_is_found_however_it_is_written(patients: Patients, phone: str) -> None:
    registered(patients, phone="9227680402")
    registered(patients, name="Rohan", phone="9227680403")

    assert found(patients, phone=phone) == ["Asha Verma"]


def test_email_number_and_identifier_lead_to_their_holder(patients: Patients) -> None:
    identifier = {"system": "legacy", "value": "17"}
    asha = registered(patients, email="asha@example.com", external_identifiers=[identifier])
    registered(patients, name="Rohan")

    assert found(patients, email="ASHA@example.com") == ["Asha Verma"]
    assert found(patients, mrn=asha.mrn) == ["Asha Verma"]
    assert found(patients, external_system="Legacy", external_id="17") == ["Asha Verma"]
    assert found(patients, external_system="legacy", external_id="18") == []


def test_a_mistyped_number_is_told_apart_from_one_that_nobody_has(patients: Patients) -> None:
    asha = registered(patients)
    wrong = str((int(asha.mrn[0]) + 1) % 10) + asha.mrn[1:]

    with pytest.raises(Invalid) as refused:
        listed(patients, mrn=wrong)

    assert [(one.field, one.code) for one in refused.value.errors] == [("mrn", "check_digit")]


def test_a_birth_date_follows_its_correction(patients: Patients) -> None:
    asha = registered(patients)
    service.update_patient(asha.patient_id, an_update(dob="1991-04-23"), a_call(), patients)

    assert found(patients, dob="1991-04-23") == ["Asha Verma"]
    assert found(patients, dob="1990-04-23") == []


def test_every_filter_that_is_given_must_hold(patients: Patients) -> None:
    for name, dob, phone in [
        ("Asha Verma", "1990-04-23", "9227680402"),
        ("Asha Rao", "1990-04-23", "9227680403"),
        ("Rohan Rao", "1990-04-23", "9227680403"),
        ("Asha Rao", "1991-04-23", "9227680403"),
    ]:
        registered(patients, name=name, dob=dob, phone=phone, email=f"{name[0]}{phone}{dob}@example.com")

    assert found(patients, name="asha", dob="1990-04-23", phone="9227680403") == ["Asha Rao"]
    assert found(patients, phone="9227680403", dob="1991-04-23") == ["Asha Rao"]
    assert found(patients, email="A92276804021990-04-23@example.com", name="Rohan") == []


def test_deactivated_patients_are_found_but_marked(patients: Patients) -> None:
    asha = registered(patients)
    registered(patients, name="Rohan Rao")
    service.deactivate_patient(asha.patient_id, DeactivatePatient(), a_call(), patients)

    assert [(one.name, one.active) for one in listed(patients).items] == [("Asha Verma", False), ("Rohan Rao", True)]
    assert [one.active for one in listed(patients, name="Asha").items] == [False]
    assert found(patients, active="true") == ["Rohan Rao"]
    assert found(patients, active="false") == found(patients, name="Asha", active="false") == ["Asha Verma"]


@pytest.mark.parametrize("limit", ["1", "3", "7", "100"])
@pytest.mark.parametrize("query", [{}, {"name": "Asha"}, {"dob": "1990-04-23"}, {"phone": "9227680402"}])
def test_pages_show_everybody_once(patients: Patients, query: dict[str, str], limit: str) -> None:
    everybody = [f"Asha {letter * 3}" for letter in "BCDFGHJKLM"]
    for name in everybody:
        registered(patients, name=name, phone="9227680402")

    assert sorted(paged(patients, **query, limit=limit)) == everybody


def test_the_whole_list_is_in_the_order_of_names(patients: Patients) -> None:
    for name in ("rohan", "Åsha", "Zoya", "Meena"):
        registered(patients, name=name)

    assert paged(patients, limit="2") == ["Åsha", "Meena", "rohan", "Zoya"]


def test_a_list_says_as_of_when(patients: Patients) -> None:
    assert listed(patients).as_of == NOW


@pytest.mark.parametrize("cursor", ["%%%", sealed("minus one"), sealed("99999999999999999999"), sealed("²")])
def test_a_cursor_of_something_else_is_refused(patients: Patients, cursor: str) -> None:
    with pytest.raises(Invalid):
        listed(patients, name="Asha", cursor=cursor)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dob": "19900423"},
        {"dob": "0"},
        {"dob": "1990-04-23T00:00:00"},
        {"dob": "1990-W17-1"},
        {"limit": "0"},
        {"limit": "101"},
        {"mrn": "12"},
        {"phone": "abc"},
        {"email": "asha"},
        {"external_id": "17"},
        {"external_system": "legacy"},
        {"age": "36"},
        {"name": ""},
    ],
)
def test_a_wrong_filter_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        asked(**wrong)


def test_the_calls_of_a_search_do_not_grow_with_the_patients(patients: Patients) -> None:
    table = patients.table
    assert isinstance(table, MemoryTable)
    calls = []
    for number in range(2):
        for other in range(number * 50, number * 50 + 50):
            registered(patients, name=f"Rohan Ab{other} Sharma")
        table.reads = 0
        found(patients, name="Rohan Sharma")
        calls.append(table.reads)

    assert calls == [6, 6]


@pytest.mark.parametrize(
    ("name", "dob", "phone", "reasons"),
    [
        ("Verma Aasha", "1990-04-23", None, ["name", "dob"]),
        ("Asha Verma", "1990-04-23", "9227680402", ["name", "dob", "phone"]),
        ("Asha Devi Verma", "1990-04-23", None, ["name", "dob"]),
        ("Rohan Verma", "1985-01-01", "9227680402", ["phone"]),
        ("Asha Verma", "1985-01-01", "9227680402", ["name", "phone"]),
    ],
)
def test_a_possible_duplicate_is_reported_with_its_reasons(
    patients: Patients, name: str, dob: str, phone: str | None, reasons: list[str]
) -> None:
    asha = registered(patients, phone="9227680402")

    [other] = registered(patients, name=name, dob=dob, phone=phone).possible_duplicates

    assert (other.patient_id, other.mrn, other.name, list(other.reasons)) == (
        asha.patient_id,
        asha.mrn,
        "Asha Verma",
        reasons,
    )


@pytest.mark.parametrize(
    ("name", "dob"), [("Asha Verma", "1990-04-24"), ("Usha Verma", "1990-04-23"), ("Asha", "1990-04-23")]
)
def test_somebody_else_is_not_reported(patients: Patients, name: str, dob: str) -> None:
    registered(patients, phone="9227680402")

    assert registered(patients, name=name, dob=dob).possible_duplicates == ()


def test_those_who_may_not_search_learn_of_nobody(patients: Patients) -> None:
    registered(patients)
    who = a_principal("patient")

    outcome = service.register_patient(a_registration(), a_call(who), patients)

    assert outcome.state.possible_duplicates == ()


def test_a_retry_does_not_report_those_who_came_later(patients: Patients) -> None:
    first = service.register_patient(a_registration(), a_call(token="retried"), patients)
    later = a_call(now=NOW + timedelta(minutes=1))
    service.register_patient(a_registration(), later, patients)

    again = service.register_patient(a_registration(), a_call(token="retried"), patients)

    assert again.state == first.state
