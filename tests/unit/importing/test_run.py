from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doctors.rules import department_id
from tests.support import legacy
from tests.support.legacy import Clinic, counts, reasons, shown
from tools.importing.entry import Outcome
from tools.importing.reading import read
from tools.importing.run import BILLS, DOCTORS, PATIENTS, PAYMENTS, TAKEN, VISITS, WAITING
from tools.importing.sending import ROWS_A_CALL
from tools.importing.stopped import ImportStopped

if TYPE_CHECKING:
    from pathlib import Path


NO_MONEY = {BILLS: (0, 0, 0), PAYMENTS: (0, 0, 0)}


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch) -> Clinic:
    return Clinic(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


def a_clinic_with_faults(folder: Path) -> Path:
    patients = [legacy.patient(number) for number in range(1, 60)]
    doctors = [legacy.doctor(1), legacy.doctor(2, department="Neurology"), legacy.doctor(3, email="no")]
    visits = [legacy.visit(number, patient_id=str(number)) for number in range(1, 56)]
    visits += [
        legacy.visit(56, slot_end="2025-01-14 09:30:00"),
        legacy.visit(57, department="Neurology"),
        legacy.visit(58, patient_id="60"),
        legacy.visit(59, doctor_id="3"),
    ]
    return legacy.write_all(folder, [*patients, legacy.patient(60, email="asha1@example.com")], doctors, visits)


def test_what_is_right_is_taken_and_what_is_wrong_is_quarantined(clinic: Clinic, folder: Path) -> None:
    report = clinic.take(a_clinic_with_faults(folder))
    assert counts(report) == {DOCTORS: (2, 0, 1), PATIENTS: (59, 0, 1), VISITS: (55, 0, 4), **NO_MONEY}
    assert reasons(report, VISITS)[55:] == [
        ["ENDS_BEFORE_START"],
        ["DEPARTMENT_MISMATCH"],
        ["UNKNOWN_REFERENCE"],
        ["UNKNOWN_REFERENCE"],
    ]


def test_importing_again_doubles_nothing(clinic: Clinic, folder: Path) -> None:
    clinic.take(a_clinic_with_faults(folder))
    tables = [clinic.patients.table, clinic.doctors.table, clinic.appointments.table]
    before = [dict(vars(table)["items"]) for table in tables]
    again = clinic.take(folder)
    assert counts(again) == {DOCTORS: (0, 2, 1), PATIENTS: (0, 59, 1), VISITS: (0, 55, 4), **NO_MONEY}
    assert [vars(table)["items"] for table in tables] == before


def test_an_import_that_broke_off_goes_on_where_it_was(
    clinic: Clinic, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_clinic_with_faults(folder)
    ask = type(clinic).__call__

    def breaking(self: Clinic, domain: str, task: str, **payload: Any) -> dict[str, Any]:
        if task == "record" and '"external_id":"1"' not in payload["appointments"][0]:
            raise ImportStopped
        return ask(self, domain, task, **payload)

    with monkeypatch.context() as broken:
        broken.setattr(Clinic, "__call__", breaking)
        with pytest.raises(ImportStopped):
            clinic.take(folder)
    report = clinic.take(folder)
    visits = (55 - ROWS_A_CALL, ROWS_A_CALL, 4)
    assert counts(report) == {DOCTORS: (0, 2, 1), PATIENTS: (0, 59, 1), VISITS: visits, **NO_MONEY}


def test_the_quarantine_keeps_each_row_as_it_was_behind_its_reasons(clinic: Clinic, folder: Path) -> None:
    (folder / PATIENTS).write_bytes(b'patient_id,name,email,phone,dob\n1,"Asha,,,1980-01-01\n2,\xff,,,\n3,,,12,soon\n')
    report = clinic.take(folder)
    assert report.quarantine[0].read_bytes() == (
        b"reasons,patient_id,name,email,phone,dob\n"
        b'MALFORMED_ROW,1,"Asha,,,1980-01-01\n'
        b"MALFORMED_ROW,2,\xff,,,\n"
        b"MISSING_FIELD;BAD_DATE;BAD_PHONE,3,,,12,soon\n"
    )


def test_a_corrected_quarantine_is_imported_like_any_folder(clinic: Clinic, folder: Path) -> None:
    clinic.take(a_clinic_with_faults(folder))
    quarantine = folder.parent / "quarantine"
    for path in quarantine.iterdir():
        text = path.read_text().replace("asha1@example.com", "asha60@example.com").replace(",no,", ",m3@example.com,")
        path.write_text(text)
    folder.parent.joinpath("second").mkdir()
    report = clinic.take(quarantine.rename(folder.parent / "second" / "corrected"))
    assert counts(report) == {DOCTORS: (1, 0, 0), PATIENTS: (1, 0, 0), VISITS: (2, 0, 2), **NO_MONEY}


def test_a_row_that_changed_since_it_was_taken_is_not_overlooked(clinic: Clinic, folder: Path) -> None:
    clinic.take(legacy.write_all(folder, [legacy.patient(1)], [legacy.doctor(1)], [legacy.visit(1)]))
    changed = (legacy.patient(1, name="Asha Rao"), legacy.doctor(1, phone=""), legacy.visit(1, status="NO_SHOW"))
    report = clinic.take(legacy.write_all(folder, *([row] for row in changed)))
    assert [reasons(report, name) for name in (DOCTORS, PATIENTS, VISITS)] == [[["CHANGED_SINCE_IMPORT"]]] * 3


def test_an_address_that_somebody_else_has_here_is_a_duplicate(clinic: Clinic, folder: Path) -> None:
    clinic.take(legacy.write_all(folder, [legacy.patient(1)]))
    report = clinic.take(legacy.write_all(folder, [legacy.patient(2, email="ASHA1@example.com")]))
    assert reasons(report, PATIENTS) == [["DUPLICATE_EMAIL"]]


def test_imported_people_keep_their_numbers_and_since_when_they_are_known(clinic: Clinic, folder: Path) -> None:
    clinic.take(legacy.write_all(folder, [legacy.patient(7)], [legacy.doctor(8)]))
    patient_id = clinic("patients", "find_legacy", numbers=["7", "9"])["found"]["7"]["patient_id"]
    patient = clinic.patients.load(patient_id)
    assert patient is not None
    assert [(one.system, one.value) for one in patient.state.external_identifiers] == [("legacy", "7")]
    assert patient.state.created_at.isoformat() == "2025-02-23T19:30:38+00:00"
    doctor = clinic.doctors.identified("legacy", "8")
    assert doctor is not None
    assert doctor.state.department == "Cardiology"


def test_the_departments_of_the_doctors_are_opened_first(clinic: Clinic, folder: Path) -> None:
    clinic.take(legacy.write_all(folder, doctors=[legacy.doctor(1), legacy.doctor(2, department="Neurology")]))
    assert clinic.calls[:2] == ["open_departments", "import_doctors"]
    assert clinic.doctors.departments.load(department_id("Neurology")) is not None


def test_an_imported_visit_is_history(clinic: Clinic, folder: Path) -> None:
    clinic.take(legacy.write_all(folder, [legacy.patient(1)], [legacy.doctor(1)], [legacy.visit(5)]))
    states = [item for key, item in vars(clinic.appointments.table)["items"].items() if key.sk == "state"]
    assert len(states) == 1
    visit = clinic.appointments.read(states[0])
    assert visit is not None
    assert (visit.state.historical, visit.state.external_id) == (True, "5")


def test_files_without_a_domain_wait_and_others_are_named(clinic: Clinic, folder: Path) -> None:
    legacy.write_all(folder, [legacy.patient(1)])
    (folder / WAITING[0]).write_text("prescription_id\n1\n2\n")
    (folder / "notes.txt").write_text("call Meera")
    (folder / DOCTORS).unlink()
    report = clinic.take(folder)
    assert (report.waiting, report.unknown, report.missing) == ({WAITING[0]: 2}, ["notes.txt"], [DOCTORS])
    assert WAITING[0] in shown(report)


def test_columns_that_nobody_reads_are_named(clinic: Clinic, folder: Path) -> None:
    (folder / PATIENTS).write_text("patient_id,name,dob,shoe_size\n1,Asha Verma,1980-01-01,38\n")
    assert clinic.take(folder).ignored_columns == {PATIENTS: ["shoe_size"]}


def test_the_table_counts_rows_by_their_first_reason_and_by_every_reason(clinic: Clinic, folder: Path) -> None:
    legacy.write_all(folder, [legacy.patient(1, dob="soon", phone="12"), legacy.patient(2, phone="12")])
    text = shown(clinic.take(folder))
    counted = {cells[2].strip(): cells[3:5] for line in text.splitlines() if len(cells := line.split("│")) == 6}
    assert [cell.strip() for cell in counted["BAD_DATE"]] == ["1", "1"]
    assert [cell.strip() for cell in counted["BAD_PHONE"]] == ["1", "2"]


def test_future_visits_are_pointed_out(clinic: Clinic, folder: Path) -> None:
    later = legacy.visit(1, slot_start="2199-01-14 10:00:00", slot_end="2199-01-14 10:30:00", status="BOOKED")
    report = clinic.take(legacy.write_all(folder, [legacy.patient(1)], [legacy.doctor(1)], [later]))
    assert "1 imported visits lie in the future" in shown(report)


_CELLS = st.one_of(
    st.sampled_from(
        (
            *("1", "2", "", "Asha", "a@example.com", "9227680402", "1980-01-01", "2025-01-14 10:00:00"),
            *("BOOKED", "PAID", "OPEN", "CASH", "500"),
        )
    ),
    st.text(max_size=8),
)
_LINES = st.one_of(
    st.lists(_CELLS, max_size=9).map(lambda cells: ",".join(cells).encode(errors="replace")), st.binary(max_size=20)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(files=st.fixed_dictionaries({name: st.lists(_LINES, max_size=12) for name in TAKEN}), with_header=st.booleans())
def test_whatever_is_in_the_files_no_row_is_lost(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    files: dict[str, list[bytes]],
    *,
    with_header: bool,
) -> None:
    folder = tmp_path_factory.mktemp("garbage") / "in"
    folder.mkdir()
    for name, lines in files.items():
        header = [",".join(legacy.COLUMNS[name]).encode()] if with_header else []
        (folder / name).write_bytes(b"\n".join([*header, *lines]))
    report = Clinic(monkeypatch).take(folder)
    for batch in report.batches:
        rows = read(folder / batch.sheet.name).rows
        assert len(rows) == len(batch.entries) == sum(batch.count(outcome) for outcome in Outcome)
    assert shown(report)
