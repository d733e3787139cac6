"""Bills and payments from their files into the ledger: once, whole, and with a reason for what is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from billing.ledger import sums_of
from billing.model import BillStatus
from hms import ids
from payments.legacy import payment_id_of
from payments.model import Status
from tests.support import legacy
from tests.support.legacy import Clinic, counts, reasons, shown
from tools.importing.run import BILLS, PAYMENTS, VISITS
from tools.importing.sending import ROWS_A_CALL
from tools.importing.stopped import ImportStopped

if TYPE_CHECKING:
    from pathlib import Path

    from billing.model import Bill, Posting
    from payments.model import Payment
    from tools.importing.run import Report

ROWS = 30


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch) -> Clinic:
    return Clinic(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


def people(folder: Path, **files: list[dict[str, str]]) -> Path:
    """Two patients with three visits, the last of which is wrong; and what else is said."""
    patients = [legacy.patient(number) for number in (1, 2)]
    visits = [
        legacy.visit(1),
        legacy.visit(2, patient_id="2", slot_start="2025-01-14 11:00:00", slot_end="2025-01-14 11:30:00"),
        legacy.visit(3, slot_end="2025-01-14 09:00:00"),
    ]
    return legacy.write_all(folder, patients, [legacy.doctor(1)], visits, **files)


def only(folder: Path, **files: list[dict[str, str]]) -> Path:
    """A folder with nothing but these files."""
    for path in folder.iterdir():
        path.unlink()
    for name, key in ((BILLS, "bills"), (PAYMENTS, "payments"), (VISITS, "visits")):
        if key in files:
            legacy.write(folder, name, files[key])
    return folder


def money(report: Report) -> dict[str, tuple[int, int, int]]:
    return {name: count for name, count in counts(report).items() if name in (BILLS, PAYMENTS)}


def the_bill(clinic: Clinic, visit: object = 1) -> Bill:
    stored = clinic.bills.load(ids.derived("bill", ids.derived("appointment", "legacy", str(visit))))
    assert stored
    return stored.state


def ledger(clinic: Clinic, visit: object = 1) -> list[Posting]:
    return clinic.bills.postings(the_bill(clinic, visit).bill_id).postings


def the_payment(clinic: Clinic, number: object) -> Payment | None:
    stored = clinic.payments.load(payment_id_of(str(number)))
    return stored.state if stored else None


def tables(clinic: Clinic) -> list[dict[Any, Any]]:
    return [dict(vars(store.table)["items"]) for store in (clinic.bills, clinic.payments)]


def many(folder: Path) -> Path:
    """A bill and two payments of it for every visit."""
    patients = [legacy.patient(number) for number in range(ROWS)]
    visits = [legacy.visit(number, patient_id=str(number)) for number in range(ROWS)]
    bills = [
        legacy.bill(number, patient_id=str(number), appointment_id=str(number), status="PAID") for number in range(ROWS)
    ]
    payments = [
        legacy.payment(f"{number}{part}", bill_id=str(number), amount="250") for number in range(ROWS) for part in "ab"
    ]
    return legacy.write_all(folder, patients, [legacy.doctor(1)], visits, bills=bills, payments=payments)


def test_a_bill_and_what_was_paid_are_in_the_ledger_and_among_the_payments(clinic: Clinic, folder: Path) -> None:
    bills = [legacy.bill(1, status="PAID")]
    report = clinic.take(people(folder, bills=bills, payments=[legacy.payment(1, method="card")]))

    assert money(report) == {BILLS: (1, 0, 0), PAYMENTS: (1, 0, 0)}
    bill, payment = the_bill(clinic), the_payment(clinic, 1)
    assert payment
    assert (bill.status, bill.external_id, bill.sums) == (BillStatus.PAID, "1", sums_of(ledger(clinic)))
    assert ledger(clinic)[1].entries[0].transaction_id == payment.payment_id
    assert (payment.bill_id, payment.bill_number) == (bill.bill_id, bill.bill_number)
    assert (payment.patient_id, payment.amount) == (bill.patient_id, bill.sums.paid)
    assert (payment.status, payment.historical, payment.reference) == (Status.COMPLETED, True, "R-1")


def test_a_bill_is_of_its_visit_here(clinic: Clinic, folder: Path) -> None:
    clinic.take(people(folder, bills=[legacy.bill(1)]))

    visit = clinic.appointments.load(the_bill(clinic).appointment_id or "")
    assert visit
    assert (visit.state.external_id, visit.state.patient_id) == ("1", the_bill(clinic).patient_id)


def test_a_bill_of_a_visit_that_was_not_taken_is_taken(clinic: Clinic, folder: Path) -> None:
    """And is that visit's bill when it is corrected."""
    report = clinic.take(people(folder, bills=[legacy.bill(1, appointment_id="3")]))
    assert money(report)[BILLS] == (1, 0, 0)

    corrected = legacy.visit(3, slot_start="2025-01-14 12:00:00", slot_end="2025-01-14 12:30:00")
    clinic.take(only(folder, visits=[corrected]))
    assert clinic.appointments.load(the_bill(clinic, 3).appointment_id or "")


def test_what_contradicts_is_left_out(clinic: Clinic, folder: Path) -> None:
    bills = [
        legacy.bill(1, status="VOID"),
        legacy.bill(2, patient_id="2", appointment_id="1"),
        legacy.bill(3, patient_id="2", appointment_id="2", status="PAID"),
        legacy.bill(4),
    ]
    payments = [legacy.payment(1), legacy.payment(2, bill_id="2"), legacy.payment(3, bill_id="5")]
    report = clinic.take(people(folder, bills=bills, payments=payments))

    assert reasons(report, BILLS) == [
        [],
        ["BILL_OF_ANOTHER_PATIENT", "SECOND_BILL", "STATUS_CONTRADICTS_PAYMENTS"],
        ["STATUS_CONTRADICTS_PAYMENTS"],
        ["SECOND_BILL"],
    ]
    assert reasons(report, PAYMENTS) == [["PAYMENT_OF_VOID_BILL"], ["UNKNOWN_REFERENCE"], ["UNKNOWN_REFERENCE"]]
    assert the_bill(clinic).status is BillStatus.VOID


def test_importing_again_changes_nothing(clinic: Clinic, folder: Path) -> None:
    many(folder)
    assert money(clinic.take(folder)) == {BILLS: (ROWS, 0, 0), PAYMENTS: (2 * ROWS, 0, 0)}
    before = tables(clinic)

    assert money(clinic.take(folder)) == {BILLS: (0, ROWS, 0), PAYMENTS: (0, 2 * ROWS, 0)}
    assert tables(clinic) == before


def test_a_batch_of_bills_is_one_call_with_what_was_paid_on_them(clinic: Clinic, folder: Path) -> None:
    clinic.take(many(folder))

    assert clinic.calls.count("record_bills") == -(-ROWS // ROWS_A_CALL)
    assert clinic.calls.count("record_payments") == -(-2 * ROWS // ROWS_A_CALL)


@pytest.mark.parametrize("after", range(5))
def test_an_import_that_broke_off_anywhere_goes_on_where_it_was(
    clinic: Clinic, folder: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Between the ledger and the payments too."""
    many(folder)
    ask, told = type(clinic).__call__, list[str]()

    def breaking(self: Clinic, domain: str, task: str, **payload: Any) -> dict[str, Any]:
        if task in ("record_bills", "record_payments"):
            told.append(task)
            if len(told) > after:
                raise ImportStopped
        return ask(self, domain, task, **payload)

    with monkeypatch.context() as broken:
        broken.setattr(Clinic, "__call__", breaking)
        with pytest.raises(ImportStopped):
            clinic.take(folder)
    report = clinic.take(folder)

    bills, payments = money(report)[BILLS], money(report)[PAYMENTS]
    assert (sum(bills), bills[2], sum(payments), payments[2]) == (ROWS, 0, 2 * ROWS, 0)
    for number in range(ROWS):
        assert the_bill(clinic, number).status is BillStatus.PAID
        assert [len(posting.entries) for posting in ledger(clinic, number)] == [1, 1, 1]
        assert all(the_payment(clinic, f"{number}{part}") for part in "ab")


def test_a_payment_of_a_bill_that_is_here_needs_no_row_of_it(clinic: Clinic, folder: Path) -> None:
    void = legacy.bill(2, patient_id="2", appointment_id="2", status="VOID")
    clinic.take(people(folder, bills=[legacy.bill(1), void]))
    payments = [
        legacy.payment(1, amount="200"),
        legacy.payment(2, amount="300.01"),
        legacy.payment(3, bill_id="2"),
        legacy.payment(4, bill_id="7"),
        legacy.payment(5, amount="300"),
    ]
    report = clinic.take(only(folder, payments=payments))

    assert reasons(report, PAYMENTS) == [[], ["OVERPAYMENT"], ["PAYMENT_OF_VOID_BILL"], ["UNKNOWN_REFERENCE"], []]
    assert the_bill(clinic).status is BillStatus.PAID
    assert [the_payment(clinic, number) is not None for number in range(1, 6)] == [True, False, False, False, True]


def test_a_bill_of_a_visit_that_is_here_needs_no_row_of_it(clinic: Clinic, folder: Path) -> None:
    clinic.take(people(folder))
    bills = [
        legacy.bill(1),
        legacy.bill(2, patient_id="1", appointment_id="2"),
        legacy.bill(3, patient_id="2", appointment_id="2"),
        legacy.bill(4, appointment_id="3"),
    ]
    report = clinic.take(only(folder, bills=bills))

    assert reasons(report, BILLS) == [[], ["BILL_OF_ANOTHER_PATIENT"], [], ["UNKNOWN_REFERENCE"]]


def test_a_visit_that_is_here_of_a_patient_nobody_names_is_somebody_elses(clinic: Clinic, folder: Path) -> None:
    clinic.take(people(folder))
    report = clinic.take(only(folder, bills=[legacy.bill(1, appointment_id="2")]))

    assert reasons(report, BILLS) == [["BILL_OF_ANOTHER_PATIENT"]]


def test_a_visit_that_has_a_bill_here_gets_no_second(clinic: Clinic, folder: Path) -> None:
    clinic.take(people(folder, bills=[legacy.bill(1)]))
    report = clinic.take(only(folder, bills=[legacy.bill(2, status="PAID")], payments=[legacy.payment(1, bill_id="2")]))

    assert reasons(report, BILLS) == [["SECOND_BILL"]]
    assert reasons(report, PAYMENTS) == [["UNKNOWN_REFERENCE"]]


def test_what_changed_since_it_was_taken_is_not_overlooked(clinic: Clinic, folder: Path) -> None:
    bills = [legacy.bill(1), legacy.bill(2, patient_id="2", appointment_id="2")]
    payments = [legacy.payment(1, amount="100"), legacy.payment(2, amount="100"), legacy.payment(3, amount="100")]
    clinic.take(people(folder, bills=bills, payments=payments))
    before = tables(clinic)

    changed = [bills[0] | {"amount": "600"}, bills[1]]
    moved = [
        payments[0] | {"amount": "101"},
        payments[1] | {"bill_id": "2"},
        payments[2] | {"reference": "other"},
    ]
    report = clinic.take(people(folder, bills=changed, payments=moved))

    assert reasons(report, BILLS) == [["CHANGED_SINCE_IMPORT"], []]
    assert reasons(report, PAYMENTS) == [["CHANGED_SINCE_IMPORT"]] * 3
    assert tables(clinic) == before


def test_a_bill_that_was_paid_since_it_was_taken_is_paid_here(clinic: Clinic, folder: Path) -> None:
    clinic.take(people(folder, bills=[legacy.bill(1)]))
    report = clinic.take(people(folder, bills=[legacy.bill(1, status="PAID")], payments=[legacy.payment(1)]))

    assert money(report) == {BILLS: (0, 1, 0), PAYMENTS: (1, 0, 0)}
    assert the_bill(clinic).status is BillStatus.PAID


def test_a_corrected_quarantine_is_imported_with_what_was_left_out_for_its_sake(clinic: Clinic, folder: Path) -> None:
    bills = [legacy.bill(1, status="PAID", amount="5OO")]
    clinic.take(people(folder, bills=bills, payments=[legacy.payment(1)]))
    quarantine = folder.parent / "quarantine"
    (quarantine / VISITS).unlink()
    path = quarantine / BILLS
    path.write_text(path.read_text().replace("5OO", "500"))
    folder.parent.joinpath("second").mkdir()

    report = clinic.take(quarantine.rename(folder.parent / "second" / "corrected"))

    assert money(report) == {BILLS: (1, 0, 0), PAYMENTS: (1, 0, 0)}
    assert the_bill(clinic).status is BillStatus.PAID


def test_card_numbers_stay_where_they_were(clinic: Clinic, folder: Path) -> None:
    number = "4242424242424242"
    paid = [legacy.payment(1, amount="100", reference=f"card {number}")]
    report = clinic.take(people(folder, bills=[legacy.bill(1)], payments=paid))

    assert reasons(report, PAYMENTS) == [["CARD_NUMBER"]]
    assert number not in str(tables(clinic))


def test_bills_that_are_not_paid_are_pointed_out(clinic: Clinic, folder: Path) -> None:
    bills = [legacy.bill(1), legacy.bill(2, patient_id="2", appointment_id="2", status="VOID")]

    assert "1 imported bills are not paid in full" in shown(clinic.take(people(folder, bills=bills)))
