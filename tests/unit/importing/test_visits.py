from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hms import ids
from tests.support import legacy
from tools.importing.reading import read
from tools.importing.run import VISITS
from tools.importing.visits import Known, recording, refer, visits

if TYPE_CHECKING:
    from pathlib import Path

    from tools.importing.entry import Batch
    from tools.importing.visits import LegacyVisit

PATIENT, DOCTOR = ids.new(), ids.new()
KNOWN = Known({"1": PATIENT}, {"1": DOCTOR}, {"1": "Cardiology"})


def _batch(folder: Path, *rows: dict[str, str], known: Known = KNOWN) -> Batch[LegacyVisit]:
    batch = visits(read(legacy.write(folder, VISITS, rows)))
    refer(batch, known)
    return batch


def _reasons(folder: Path, **given: str) -> list[str]:
    return _batch(folder, legacy.visit(1, **given)).entries[0].ordered_reasons


def test_a_time_without_an_offset_is_one_of_the_clinics_zone(tmp_path: Path) -> None:
    command = recording(_batch(tmp_path, legacy.visit(1)).right[0], KNOWN)
    assert command.slot_start.isoformat() == "2025-01-14T04:30:00+00:00"
    assert (command.patient_id, command.doctor_id, command.external_id) == (PATIENT, DOCTOR, "1")


def test_a_time_with_an_offset_is_taken_at_its_word(tmp_path: Path) -> None:
    row = legacy.visit(1, slot_start="2025-01-14T10:00:00+05:30", slot_end="2025-01-14T05:00:00Z")
    command = recording(_batch(tmp_path, row).right[0], KNOWN)
    assert (command.slot_end - command.slot_start).total_seconds() == 1800


@pytest.mark.parametrize(
    ("start", "end", "reasons"),
    [
        ("2025-01-14 09:00:00", "2025-01-14 18:00:00", []),
        ("2025-01-14 08:59:59", "2025-01-14 09:30:00", ["OUTSIDE_CLINIC_HOURS"]),
        ("2025-01-14 17:30:00", "2025-01-14 18:00:01", ["OUTSIDE_CLINIC_HOURS"]),
        ("2025-01-14 10:00:00", "2025-01-15 10:30:00", ["OUTSIDE_CLINIC_HOURS"]),
        ("2025-01-14 10:00:00", "2025-01-14 10:00:00", ["ENDS_BEFORE_START"]),
        ("2025-01-14 10:00:01", "2025-01-14 10:00:00", ["ENDS_BEFORE_START"]),
        ("2025-01-14 10:00:00", "2025-01-13 10:30:00", ["ENDS_BEFORE_START", "OUTSIDE_CLINIC_HOURS"]),
    ],
)
def test_the_whole_slot_lies_within_one_clinic_day(tmp_path: Path, start: str, end: str, reasons: list[str]) -> None:
    assert _reasons(tmp_path, slot_start=start, slot_end=end) == reasons


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"slot_start": "2025-13-01 10:00:00"}, "BAD_DATE"),
        ({"slot_start": "2025-01-14"}, "BAD_DATE"),
        ({"slot_end": "0001-01-01 00:00:00"}, "BAD_DATE"),
        ({"created_at": ""}, "MISSING_FIELD"),
        ({"status": "PERHAPS"}, "BAD_STATUS"),
        ({"status": ""}, "MISSING_FIELD"),
        ({"patient_id": "2"}, "UNKNOWN_REFERENCE"),
        ({"doctor_id": "2"}, "UNKNOWN_REFERENCE"),
        ({"department": "Neurology"}, "DEPARTMENT_MISMATCH"),
        ({"department": "D" * 201}, "TOO_LONG"),
    ],
)
def test_a_wrong_visit_is_not_right_for_a_reason(tmp_path: Path, given: dict[str, str], reason: str) -> None:
    assert reason in _reasons(tmp_path, **given)


def test_departments_are_compared_as_the_clinic_compares_them(tmp_path: Path) -> None:
    assert _reasons(tmp_path, department=" cardiology ") == []


def test_the_first_reason_decides(tmp_path: Path) -> None:
    given = {"slot_start": "2025-01-14 19:00:00", "slot_end": "2025-01-14 18:30:00"}
    assert _reasons(tmp_path, patient_id="9", department="Neurology", **given) == [
        "ENDS_BEFORE_START",
        "OUTSIDE_CLINIC_HOURS",
        "DEPARTMENT_MISMATCH",
        "UNKNOWN_REFERENCE",
    ]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("SCHEDULED", "SCHEDULED"),
        ("BOOKED", "SCHEDULED"),
        ("completed", "COMPLETED"),
        ("CANCELED", "CANCELLED"),
        ("No-Show", "NO_SHOW"),
        ("no show", "NO_SHOW"),
        ("NOSHOW", "NO_SHOW"),
        ("CHECKED_IN", "CHECKED_IN"),
        ("In Progress", "IN_CONSULTATION"),
    ],
)
def test_the_words_of_older_systems_mean_ours(tmp_path: Path, word: str, status: str) -> None:
    said = _batch(tmp_path, legacy.visit(1, status=word)).right[0].said
    assert said is not None
    assert said.status == status


def test_a_visit_is_read_once(tmp_path: Path) -> None:
    batch = _batch(tmp_path, legacy.visit(1), legacy.visit(1))
    assert [entry.ordered_reasons for entry in batch.entries] == [[], ["DUPLICATE_ID"]]
