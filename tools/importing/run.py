"""An import from beginning to end. Every step can be repeated, so an import that broke off is simply run again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tools.importing import bills, payments, people, quarantine
from tools.importing.accounts import reconcile
from tools.importing.bills import LegacyBill
from tools.importing.money import Money
from tools.importing.payments import LegacyPayment
from tools.importing.reading import read
from tools.importing.sending import find, find_visits, send
from tools.importing.visits import Known, LegacyVisit, recording, refer, visits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pydantic import BaseModel

    from doctors.legacy import LegacyDoctor
    from tools.importing.entry import Batch, Entry
    from tools.importing.quarantine import AnyBatch
    from tools.importing.reading import Sheet
    from tools.importing.sending import Ask

DOCTORS, PATIENTS, VISITS = "hms_doctors.csv", "hms_patients.csv", "hms_appointments.csv"
BILLS, PAYMENTS = "hms_bills.csv", "hms_payments.csv"
TAKEN = (DOCTORS, PATIENTS, VISITS, BILLS, PAYMENTS)
# What waits for a domain that this hospital does not have yet.
WAITING = ("hms_prescriptions.csv",)


class Progress(Protocol):
    """Told how many rows of a file are to be sent, and each time some were."""

    def begin(self, name: str, total: int) -> None: ...
    def advance(self, rows: int) -> None: ...


@dataclass
class Report:
    """What became of every row of a folder. `waiting` counts the rows of files whose domain does not exist yet."""

    batches: list[AnyBatch] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    ignored_columns: dict[str, list[str]] = field(default_factory=dict)
    quarantine: list[Path] = field(default_factory=list)


@dataclass
class Import:
    """Takes in what is right of a folder and puts what is wrong into `quarantine_folder`."""

    folder: Path
    quarantine_folder: Path
    ask: Ask
    progress: Progress

    def run(self) -> Report:
        """Raises `ImportStopped` where the system does not answer."""
        report = self._surveyed()
        doctors = self._doctors(report)
        self._patients(report)
        visits = self._visits(report, doctors)
        self._money(report, visits)
        for batch in report.batches:
            check_complete(batch)
            if path := quarantine.write(batch, self.quarantine_folder):
                report.quarantine.append(path)
        return report

    def _surveyed(self) -> Report:
        names = sorted(path.name for path in self.folder.iterdir() if path.is_file())
        return Report(
            waiting={name: len(read(self.folder / name).rows) for name in WAITING if name in names},
            unknown=[name for name in names if name not in (*TAKEN, *WAITING)],
            missing=[name for name in TAKEN if name not in names],
        )

    def _doctors(self, report: Report) -> Batch[LegacyDoctor]:
        sheet = self._sheet(DOCTORS)
        batch = people.doctors(sheet)
        departments = sorted({entry.said.department for entry in batch.right if entry.said})
        if departments:
            self.ask("doctors", "open_departments", names=departments)
        self._send(batch, lambda entries: self.ask("doctors", "import_doctors", rows=_texts(entries))["rows"])
        _note(report, batch, ("doctor_id", *people.DOCTOR_COLUMNS))
        return batch

    def _patients(self, report: Report) -> None:
        batch = people.patients(self._sheet(PATIENTS))
        self._send(batch, lambda entries: self.ask("patients", "import_patients", rows=_texts(entries))["rows"])
        _note(report, batch, ("patient_id", *people.PATIENT_COLUMNS))

    def _visits(self, report: Report, doctors: Batch[LegacyDoctor]) -> Batch[LegacyVisit]:
        batch = visits(self._sheet(VISITS))
        known = self._known(batch, doctors)
        refer(batch, known)

        def record(entries: Sequence[Entry[LegacyVisit]]) -> list[dict[str, str]]:
            texts = [recording(entry, known).model_dump_json() for entry in entries]
            answers: list[dict[str, str]] = self.ask("appointments", "record", appointments=texts)["recorded"]
            return answers

        self._send(batch, record)
        _note(report, batch, tuple(LegacyVisit.model_fields))
        return batch

    def _money(self, report: Report, of_visits: Batch[LegacyVisit]) -> None:
        owed, paid = bills.bills(self._sheet(BILLS)), payments.payments(self._sheet(PAYMENTS))
        known = self._known_to_bills(owed, bills.patients_of_visits(of_visits))
        bills.refer(owed, known)
        reconcile(owed, paid)
        money = Money(paid, known, self.ask)
        self._send(owed, money.record_bills)
        self._send(paid, money.record_payments)
        _note(report, owed, tuple(LegacyBill.model_fields))
        _note(report, paid, tuple(LegacyPayment.model_fields))

    def _known_to_bills(self, batch: Batch[LegacyBill], of_file: Mapping[str, str]) -> bills.Known:
        """Of visits that are in no file here, the hospital is asked whose they are."""
        named = [entry.said for entry in batch.entries if entry.said]
        found = find("patients", (bill.patient_id for bill in named), self.ask)
        patients = {number: patient["patient_id"] for number, patient in found.items()}
        numbers = {patient_id: number for number, patient_id in patients.items()}
        here = find_visits((bill.appointment_id for bill in named if bill.appointment_id not in of_file), self.ask)
        of_hospital = {visit: numbers.get(patient_id, "") for visit, patient_id in here.items()}
        return bills.Known(patients, {**of_hospital, **of_file})

    def _known(self, batch: Batch[LegacyVisit], doctors: Batch[LegacyDoctor]) -> Known:
        named = [entry for entry in batch.entries if entry.said]
        patients = find("patients", (entry.value("patient_id") for entry in named), self.ask)
        found = find("doctors", (entry.value("doctor_id") for entry in named), self.ask)
        now = {number: doctor["department"] for number, doctor in found.items()}
        then = {entry.said.number: entry.said.department for entry in doctors.right if entry.said}
        return Known(
            {number: patient["patient_id"] for number, patient in patients.items()},
            {number: doctor["doctor_id"] for number, doctor in found.items()},
            now | then,
        )

    def _sheet(self, name: str) -> Sheet:
        return read(self.folder / name)

    def _send[M: BaseModel](self, batch: Batch[M], ask: Callable[[Sequence[Entry[M]]], list[dict[str, str]]]) -> None:
        entries = batch.right
        self.progress.begin(batch.sheet.name, len(entries))
        for answered in send(entries, ask):
            self.progress.advance(answered)


def check_complete(batch: AnyBatch) -> None:
    """Every row that was read was taken, is there already, or is in quarantine."""
    lost = [entry.row.line for entry in batch.entries if entry.outcome is None]
    if lost:
        message = f"{batch.sheet.name}: nothing is known of the rows in lines {lost[:20]}"
        raise AssertionError(message)


def _note(report: Report, batch: AnyBatch, columns: Sequence[str]) -> None:
    report.batches.append(batch)
    if others := [column for column in batch.sheet.columns if column not in columns]:
        report.ignored_columns[batch.sheet.name] = others


def _texts[M: BaseModel](entries: Sequence[Entry[M]]) -> list[str]:
    return [entry.said.model_dump_json() for entry in entries if entry.said]
