from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hms import clock, ids
from hms.fields import rfc3339
from tests.support import legacy
from tools.importing.bills import Known, bills, patients_of_visits, recording, refer
from tools.importing.reading import read
from tools.importing.run import BILLS, VISITS
from tools.importing.visits import visits

if TYPE_CHECKING:
    from pathlib import Path

    from tools.importing.bills import LegacyBill
    from tools.importing.entry import Batch

PATIENT, OTHER = ids.new(), ids.new()
KNOWN = Known({"1": PATIENT, "2": OTHER}, {"1": "1", "2": "2", "9": "7"})


def _batch(folder: Path, *rows: dict[str, str]) -> Batch[LegacyBill]:
    batch = bills(read(legacy.write(folder, BILLS, rows)))
    refer(batch, KNOWN)
    return batch


def _reasons(folder: Path, **given: str) -> list[str]:
    return _batch(folder, legacy.bill(1, **given)).entries[0].ordered_reasons


def test_a_right_bill_is_told_as_billing_records_one(tmp_path: Path) -> None:
    command = recording(_batch(tmp_path, legacy.bill(1, amount="500.5")).right[0], KNOWN)

    assert (command.external_id, command.patient_id, command.amount, command.void) == ("1", PATIENT, 50050, False)
    assert command.created_at.isoformat() == "2025-01-14T05:10:00+00:00"
    assert command.appointment_id == ids.derived("appointment", "legacy", "1")


def test_a_void_bill_is_recorded_as_void(tmp_path: Path) -> None:
    assert recording(_batch(tmp_path, legacy.bill(1, status="Void")).right[0], KNOWN).void


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        ({"bill_id": ""}, ["MISSING_FIELD"]),
        ({"patient_id": ""}, ["MISSING_FIELD"]),
        ({"appointment_id": ""}, ["MISSING_FIELD"]),
        ({"amount": ""}, ["MISSING_FIELD"]),
        ({"amount": "0"}, ["BAD_AMOUNT"]),
        ({"amount": "0.00"}, ["BAD_AMOUNT"]),
        ({"amount": "0.01"}, []),
        ({"amount": "-500"}, ["BAD_AMOUNT"]),
        ({"amount": "500.005"}, ["BAD_AMOUNT"]),
        ({"amount": "1,500"}, ["BAD_AMOUNT"]),
        ({"amount": "5e2"}, ["BAD_AMOUNT"]),
        ({"amount": "nan"}, ["BAD_AMOUNT"]),
        ({"amount": "9" * 30}, ["BAD_AMOUNT"]),
        ({"status": "SETTLED"}, ["BAD_STATUS"]),
        ({"status": ""}, ["MISSING_FIELD"]),
        ({"status": "paid"}, []),
        ({"status": "Partially paid"}, []),
        ({"status": "partially-paid"}, []),
        ({"created_at": "2025-02-30 10:00:00"}, ["BAD_DATE"]),
        ({"created_at": "2025-02-28"}, ["BAD_DATE"]),
        ({"bill_id": "7" * 201}, ["TOO_LONG"]),
        ({"patient_id": "3"}, ["BILL_OF_ANOTHER_PATIENT", "UNKNOWN_REFERENCE"]),
        ({"patient_id": "2"}, ["BILL_OF_ANOTHER_PATIENT"]),
        ({"appointment_id": "2"}, ["BILL_OF_ANOTHER_PATIENT"]),
        ({"appointment_id": "3"}, ["UNKNOWN_REFERENCE"]),
        ({"patient_id": "7", "appointment_id": "9"}, ["UNKNOWN_REFERENCE"]),
        ({"patient_id": "2", "amount": "-1"}, ["BILL_OF_ANOTHER_PATIENT", "BAD_AMOUNT"]),
    ],
)
def test_a_bill_names_a_patient_a_visit_of_theirs_and_an_amount(
    tmp_path: Path, given: dict[str, str], reasons: list[str]
) -> None:
    assert _reasons(tmp_path, **given) == reasons


def test_nothing_was_owed_in_the_future(tmp_path: Path) -> None:
    past, future = clock.now() - timedelta(minutes=1), clock.now() + timedelta(minutes=1)

    assert _reasons(tmp_path, created_at=rfc3339(past)) == []
    assert _reasons(tmp_path, created_at=rfc3339(future)) == ["BAD_DATE"]


def test_a_number_belongs_to_the_first_row_that_has_it(tmp_path: Path) -> None:
    batch = _batch(tmp_path, legacy.bill(1, amount="x"), legacy.bill(1))

    assert [entry.ordered_reasons for entry in batch.entries] == [["BAD_AMOUNT"], ["DUPLICATE_ID"]]


def test_a_visit_is_its_patients_also_where_it_is_not_taken(tmp_path: Path) -> None:
    rows = [
        legacy.visit(1, patient_id="5", slot_end="2025-01-14 09:00:00"),
        legacy.visit(1, patient_id="6"),
        legacy.visit(2, patient_id=""),
        legacy.visit(3, patient_id="7"),
    ]
    batch = visits(read(legacy.write(tmp_path, VISITS, rows)))

    assert patients_of_visits(batch) == {"1": "5", "3": "7"}
