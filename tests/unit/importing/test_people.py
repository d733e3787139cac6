from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import legacy
from tools.importing import people
from tools.importing.reading import read
from tools.importing.run import DOCTORS, PATIENTS

if TYPE_CHECKING:
    from pathlib import Path


def _reasons_of_patients(folder: Path, *rows: dict[str, str]) -> list[list[str]]:
    batch = people.patients(read(legacy.write(folder, PATIENTS, rows)))
    return [entry.ordered_reasons for entry in batch.entries]


def test_a_right_patient_is_read_as_the_domain_reads_one(tmp_path: Path) -> None:
    batch = people.patients(read(legacy.write(tmp_path, PATIENTS, [legacy.patient(7)])))
    said = batch.right[0].said
    assert said is not None
    assert (said.number, said.phone) == ("7", "+919227680402")
    assert said.created_at is not None
    assert said.created_at.isoformat() == "2025-02-23T19:30:38+00:00"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"patient_id": ""}, "MISSING_FIELD"),
        ({"name": ""}, "MISSING_FIELD"),
        ({"dob": ""}, "MISSING_FIELD"),
        ({"dob": "1980-02-30"}, "BAD_DATE"),
        ({"dob": "1899-12-31"}, "BAD_DATE"),
        ({"dob": "2999-01-01"}, "BAD_DATE"),
        ({"created_at": "yesterday"}, "BAD_DATE"),
        ({"created_at": "2025-02-30 10:00:00"}, "BAD_DATE"),
        ({"email": "asha at example"}, "BAD_EMAIL"),
        ({"phone": "12"}, "BAD_PHONE"),
        ({"name": "A" * 201}, "TOO_LONG"),
        ({"patient_id": "7" * 201}, "TOO_LONG"),
        ({"name": "Asha\x07"}, "BAD_TEXT"),
        ({"name": "Asha\u202everma"}, "BAD_TEXT"),
    ],
)
def test_a_wrong_patient_is_not_right_for_a_reason(tmp_path: Path, given: dict[str, str], reason: str) -> None:
    assert _reasons_of_patients(tmp_path, legacy.patient(1, **given)) == [[reason]]


def test_a_patient_born_in_1900_is_right(tmp_path: Path) -> None:
    assert _reasons_of_patients(tmp_path, legacy.patient(1, dob="1900-01-01")) == [[]]


def test_contact_data_may_be_missing(tmp_path: Path) -> None:
    assert _reasons_of_patients(tmp_path, legacy.patient(1, email="", phone="", created_at="")) == [[]]


def test_every_reason_of_a_row_is_told(tmp_path: Path) -> None:
    row = legacy.patient(1, email="nobody", phone="12", dob="soon")
    assert _reasons_of_patients(tmp_path, row) == [["BAD_DATE", "BAD_EMAIL", "BAD_PHONE"]]


def test_an_address_belongs_to_the_first_right_row_that_has_it(tmp_path: Path) -> None:
    rows = [
        legacy.patient(1, email="shared@example.com", dob="never"),
        legacy.patient(2, email="shared@example.com"),
        legacy.patient(3, email="SHARED@example.com"),
    ]
    assert _reasons_of_patients(tmp_path, *rows) == [["BAD_DATE"], [], ["DUPLICATE_EMAIL"]]


def test_an_id_belongs_to_the_first_row_that_has_it(tmp_path: Path) -> None:
    rows = [legacy.patient(1, dob="never"), legacy.patient(1, email="other@example.com")]
    assert _reasons_of_patients(tmp_path, *rows) == [["BAD_DATE"], ["DUPLICATE_ID"]]


def test_a_file_without_a_needed_column_has_no_right_rows(tmp_path: Path) -> None:
    (tmp_path / PATIENTS).write_text("patient_id,name\n1,Asha Verma\n")
    batch = people.patients(read(tmp_path / PATIENTS))
    assert [entry.ordered_reasons for entry in batch.entries] == [["MISSING_FIELD"]]


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        ({}, []),
        ({"department": ""}, ["MISSING_FIELD"]),
        ({"specialization": ""}, ["MISSING_FIELD"]),
        ({"phone": "9227680402x99"}, []),
        ({"email": "meera@"}, ["BAD_EMAIL"]),
    ],
)
def test_a_doctor_is_held_to_the_rules_of_registration(
    tmp_path: Path, given: dict[str, str], reasons: list[str]
) -> None:
    batch = people.doctors(read(legacy.write(tmp_path, DOCTORS, [legacy.doctor(1, **given)])))
    assert [entry.ordered_reasons for entry in batch.entries] == [reasons]
