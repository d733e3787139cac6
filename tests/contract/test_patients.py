"""What patients ask of their table, on DynamoDB's own terms: keys, key conditions, transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from patients import search, service
from patients.model import DeactivatePatient
from patients.rules import EmailTaken
from patients.store import Patients
from tests.support.patients import DOCTOR_ID, NOW, a_call, a_registration, an_update, asked, registered
from tests.support.tables import dynamo_table

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL = {
    "name": "Rohan Kumar Lal Das Sharma",
    "email": "rohan@example.com",
    "phone": "+919227680402",
    "external_identifiers": [{"system": "legacy", "value": "17"}, {"system": "abha", "value": "91-1"}],
}


class PatientsContract:
    def found(self, patients: Patients, **given: str) -> list[str]:
        return [one.name for one in search.list_patients(asked(**given), patients, NOW).items]

    def test_a_full_registration_is_found_by_everything_it_says(self, patients: Patients) -> None:
        rohan = registered(patients, **FULL)

        for question in (
            {"name": "Shrama Rohaan"},
            {"name": "lal"},
            {"phone": "9227680402"},
            {"email": "ROHAN@example.com"},
            {"mrn": rohan.mrn},
            {"dob": "1990-04-23"},
            {"external_system": "legacy", "external_id": "17"},
            {"active": "true"},
            {},
        ):
            assert self.found(patients, **question) == [rohan.name], question

    def test_everything_is_changed_at_once(self, patients: Patients) -> None:
        rohan = registered(patients, **FULL)
        everything = an_update(name="Asha", dob="1991-01-01", email="asha@example.com", phone="9227680403")

        service.update_patient(rohan.patient_id, everything, a_call(), patients)

        assert self.found(patients, name="Sharma") == self.found(patients, dob="1990-04-23") == []
        assert self.found(patients, name="Asha", dob="1991-01-01", phone="9227680403") == ["Asha"]
        registered(patients, name="Ravi", email="rohan@example.com")
        with pytest.raises(EmailTaken):
            registered(patients, name="Ravi", email="asha@example.com")

    def test_deactivated_patients_move_to_a_list_of_their_own(self, patients: Patients) -> None:
        asha, _ = registered(patients, name="Asha"), registered(patients, name="Ravi")

        service.deactivate_patient(asha.patient_id, DeactivatePatient(), a_call(), patients)

        assert self.found(patients, active="false") == ["Asha"]
        assert self.found(patients) == ["Asha", "Ravi"]

    def test_names_of_any_script_are_listed_in_order_page_by_page(self, patients: Patients) -> None:
        names = ["!!!", "Asha", "Ravi", "विवान शर्मा", "𐀀𐀁"]
        for name in names:
            registered(patients, name=name)
        seen, cursor = [], None
        for _ in names:
            page = search.list_patients(asked(limit="1", **({"cursor": cursor} if cursor else {})), patients, NOW)
            seen += [one.name for one in page.items]
            cursor = page.next_cursor

        assert (seen, cursor) == (names, None)
        assert [self.found(patients, name=name) for name in names] == [[name] for name in names]

    def test_a_retried_registration_is_one_patient(self, patients: Patients) -> None:
        call = a_call(token="retried")
        first = service.register_patient(a_registration(**FULL), call, patients)
        again = service.register_patient(a_registration(**FULL), call, patients)

        assert (again.replayed, again.state) == (True, first.state)

    def test_a_treatment_is_remembered_once(self, patients: Patients) -> None:
        asha = registered(patients)

        assert patients.treated_by(asha.patient_id, DOCTOR_ID)[1] is False
        patients.remember_treatment(asha.patient_id, DOCTOR_ID)
        patients.remember_treatment(asha.patient_id, DOCTOR_ID)
        assert patients.treated_by(asha.patient_id, DOCTOR_ID)[1] is True

    def test_the_longest_of_everything_fits(self, patients: Patients) -> None:
        name = " ".join(letter * 39 for letter in "𐀀ﷺ𐀂𐀃𐀄")
        identifiers = [{"system": "ΐ" * 200, "value": "𐀀" * 200}]

        registered(patients, name=name, external_identifiers=identifiers)

        assert self.found(patients, name=name) == [name]
        assert self.found(patients, external_system="ΐ" * 200, external_id="𐀀" * 200) == [name]


class TestMoto(PatientsContract):
    @pytest.fixture
    def patients(self) -> Iterator[Patients]:
        with dynamo_table() as table:
            yield Patients(table)
