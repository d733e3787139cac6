"""Bills of an older system: history in the ledger, recorded once, and nobody's to change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from billing import legacy, rules
from billing.commands import VoidBill
from billing.ledger import sums_of
from billing.legacy import RecordBill, RecordPaid, SecondBill
from billing.model import Allocation, AllocationState, Bill, BillStatus, BillView, EntryKind, Method, Posting
from billing.rules import BillNotFound, BillTooLarge, BillVoid, Overpayment
from billing.store import Bills
from hms import ids
from hms.auth import Principal
from hms.call import Call
from hms.errors import IdempotencyKeyReused, InvalidTransition
from tests.support.memory import MemoryTable

NOW = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)
CALL = Call(Principal("import", ("service",)), NOW, "correlation")
PATIENT, VISIT, OTHER_VISIT = (ids.derived("test", name) for name in ("patient", "visit", "other visit"))


@pytest.fixture
def bills() -> Bills:
    return Bills(MemoryTable())


def a_bill(number: object = 7, **changes: Any) -> RecordBill:
    asked = {
        "external_id": str(number),
        "patient_id": PATIENT,
        "appointment_id": VISIT,
        "amount": "500.00",
        "created_at": "2025-02-28T20:00:00Z",
    }
    return RecordBill.model_validate(asked | changes)


def paid(number: int = 1, bill: object = 7, **changes: Any) -> RecordPaid:
    asked = {
        "transaction_id": ids.derived("payment", number),
        "bill": str(bill),
        "amount": "500.00",
        "method": "UPI",
        "paid_at": "2025-03-31T20:00:00Z",
    }
    return RecordPaid.model_validate(asked | changes)


def record_all(bills: Bills, *commands: RecordBill | RecordPaid) -> dict[str, list[dict[str, Any]]]:
    rows = [one.model_dump_json() for one in commands if isinstance(one, RecordBill)]
    payments = [one.model_dump_json() for one in commands if isinstance(one, RecordPaid)]
    return legacy.record_all(rows, payments, CALL, bills)


def the_bill(bills: Bills, visit: str = VISIT) -> Bill:
    stored = bills.load(ids.derived("bill", visit))
    assert stored
    return stored.state


def ledger(bills: Bills) -> list[Posting]:
    return bills.postings(the_bill(bills).bill_id).postings


def kinds(bills: Bills) -> list[tuple[EntryKind, int]]:
    return [(entry.kind, entry.amount) for posting in ledger(bills) for entry in posting.entries]


def test_a_bill_is_history_with_its_number_there_and_one_of_ours(bills: Bills) -> None:
    bill = legacy.record(a_bill(), CALL, bills).state

    assert (bill.historical, bill.external_id, bill.patient_id, bill.appointment_id) == (True, "7", PATIENT, VISIT)
    assert bill.bill_number.startswith("B")
    assert [(line.description, line.amount, line.tax_amount) for line in bill.items] == [("Imported bill", 50000, 0)]
    assert (bill.status, bill.provisional, bill.currency) == (BillStatus.OPEN, False, "INR")
    assert bill == the_bill(bills)


def test_the_ledger_tells_when_it_happened(bills: Bills) -> None:
    """Eight in the evening in UTC is the next day, and the next month, in the clinic."""
    record_all(bills, a_bill(), paid())

    bill, (charge, payment) = the_bill(bills), ledger(bills)
    assert (bill.issued_on, bill.due_date) == (date(2025, 3, 1), date(2025, 3, 16))
    assert (charge.at, payment.at) == (a_bill().created_at, paid().paid_at)
    assert [posting.historical for posting in (charge, payment)] == [True, True]
    assert bills.postings_in("2025-03") == [charge]
    assert bills.postings_in("2025-04") == [payment]


def test_a_bill_is_listed_of_its_patient_and_its_month_and_never_owed(bills: Bills) -> None:
    bill = legacy.record(a_bill(), CALL, bills).state

    assert bills.of_patient(PATIENT).bills == [bill]
    assert bills.issued_in("2025-03").bills == [bill]
    assert bills.owed().bills == []
    assert BillView.of(bill, date(2026, 11, 28)).overdue is False


@pytest.mark.parametrize(
    ("amounts", "status"),
    [
        ((), BillStatus.OPEN),
        (("0.01",), BillStatus.PARTIALLY_PAID),
        (("499.99",), BillStatus.PARTIALLY_PAID),
        (("500.00",), BillStatus.PAID),
        (("200.00", "300.00"), BillStatus.PAID),
    ],
)
def test_what_a_bill_is_comes_of_what_was_paid(bills: Bills, amounts: tuple[str, ...], status: BillStatus) -> None:
    record_all(bills, a_bill(), *(paid(number, amount=amount) for number, amount in enumerate(amounts)))

    assert the_bill(bills).status is status
    assert the_bill(bills).sums == sums_of(ledger(bills))


def test_a_void_bill_is_charged_and_taken_back(bills: Bills) -> None:
    record_all(bills, a_bill(void=True))

    assert kinds(bills) == [(EntryKind.CHARGE, 50000), (EntryKind.VOID, -50000)]
    assert (the_bill(bills).status, the_bill(bills).items) == (BillStatus.VOID, ())


def test_a_payment_keeps_its_id_and_method(bills: Bills) -> None:
    record_all(bills, a_bill(), paid(method="BANK_TRANSFER"))

    entry = ledger(bills)[1].entries[0]
    assert (entry.kind, entry.amount, entry.method) == (EntryKind.PAYMENT, -50000, Method.BANK_TRANSFER)
    assert entry.transaction_id == paid().transaction_id


def test_each_row_is_answered(bills: Bills) -> None:
    answers = record_all(bills, a_bill(), paid(1, amount="300.00"), paid(2, amount="200.01"), paid(3, bill=8))

    bill = the_bill(bills)
    known = {"bill_id": bill.bill_id, "bill_number": bill.bill_number, "patient_id": PATIENT}
    assert answers == {
        "recorded": [{"outcome": "new", **known}],
        "paid": [
            {"outcome": "new", **known},
            {"outcome": "refused", "code": "OVERPAYMENT"},
            {"outcome": "refused", "code": "BILL_NOT_FOUND"},
        ],
    }


def test_a_row_that_cannot_be_read_is_refused_alone(bills: Bills) -> None:
    answers = legacy.record_all(["{}", a_bill().model_dump_json()], ["[]"], CALL, bills)

    assert [one["outcome"] for one in answers["recorded"]] == ["refused", "new"]
    assert answers["paid"] == [{"outcome": "refused", "code": "INVALID"}]


def test_recording_again_changes_nothing(bills: Bills) -> None:
    record_all(bills, a_bill(), paid())
    before = dict(vars(bills.table)["items"])

    answers = record_all(bills, a_bill(), paid())

    assert [one["outcome"] for one in (*answers["recorded"], *answers["paid"])] == ["there", "there"]
    assert {one["bill_number"] for one in (*answers["recorded"], *answers["paid"])} == {the_bill(bills).bill_number}
    assert vars(bills.table)["items"] == before


def test_a_payment_that_is_found_later_is_added(bills: Bills) -> None:
    record_all(bills, a_bill(), paid(1, amount="300.00"))
    record_all(bills, paid(2, amount="200.00", paid_at="2025-03-02T10:00:00Z"))

    assert the_bill(bills).status is BillStatus.PAID
    assert record_all(bills, a_bill())["recorded"][0]["outcome"] == "there"


def test_a_bill_remembers_who_made_it_however_much_was_paid_on_it(bills: Bills) -> None:
    record_all(bills, a_bill(), *(paid(number, amount="1.00") for number in range(20)))

    answers = record_all(bills, a_bill(), *(paid(number, amount="1.00") for number in range(20)))

    assert {one["outcome"] for one in (*answers["recorded"], *answers["paid"])} == {"there"}
    assert the_bill(bills).sums.paid == 2000


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "500.01"},
        {"void": True},
        {"created_at": "2025-02-28T20:00:01Z"},
        {"patient_id": OTHER_VISIT},
        {"appointment_id": OTHER_VISIT},
    ],
)
def test_a_number_that_comes_with_other_data_changes_nothing(bills: Bills, changes: dict[str, Any]) -> None:
    legacy.record(a_bill(), CALL, bills)
    before = dict(vars(bills.table)["items"])

    with pytest.raises(IdempotencyKeyReused):
        legacy.record(a_bill(**changes), CALL, bills)
    assert vars(bills.table)["items"] == before


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "499.99"},
        {"method": "CASH"},
        {"paid_at": "2025-03-31T20:00:01Z"},
        {"bill": "8"},
        {"bill": "9"},
    ],
)
def test_a_payment_that_comes_with_other_data_is_in_no_second_ledger(bills: Bills, changes: dict[str, Any]) -> None:
    record_all(bills, a_bill(), a_bill(8, appointment_id=OTHER_VISIT), paid())

    with pytest.raises(IdempotencyKeyReused):
        legacy.pay(paid(**changes), CALL, bills)
    assert the_bill(bills).sums.paid == 50000
    assert the_bill(bills, OTHER_VISIT).sums.paid == 0


def test_a_visit_has_one_bill(bills: Bills) -> None:
    legacy.record(a_bill(), CALL, bills)

    with pytest.raises(SecondBill):
        legacy.record(a_bill(8), CALL, bills)
    assert the_bill(bills).external_id == "7"


def test_nothing_was_paid_on_what_is_void_or_not_there_or_paid(bills: Bills) -> None:
    record_all(bills, a_bill(void=True), a_bill(8, appointment_id=OTHER_VISIT), paid(1, bill=8))

    for bill, refusal in ((7, BillVoid), (8, Overpayment), (9, BillNotFound)):
        with pytest.raises(refusal):
            legacy.pay(paid(2, bill=bill, amount="0.01"), CALL, bills)


def test_nobody_pays_refunds_or_voids_it_here(bills: Bills) -> None:
    record_all(bills, a_bill(), paid(amount="100.00"))
    bill = the_bill(bills)

    for kind in (EntryKind.PAYMENT, EntryKind.REFUND):
        allocation = Allocation(
            transaction_id="t", kind=kind, amount=100, method=Method.CARD, state=AllocationState.RESERVED
        )
        with pytest.raises(InvalidTransition):
            rules.check_reserve(bill, allocation, "INR")
    with pytest.raises(InvalidTransition):
        rules.voided(bill, VoidBill(reason="Wrong").reason, NOW)


@pytest.mark.parametrize("amount", ["0.00", "-1.00", "1.001", "x", ""])
def test_what_is_no_amount_that_was_owed_or_paid_is_refused(amount: str) -> None:
    for model in (a_bill, paid):
        with pytest.raises(ValidationError):
            model(amount=amount)


def test_an_amount_has_an_end(bills: Bills) -> None:
    legacy.record(a_bill(amount="100000000.00"), CALL, bills)
    with pytest.raises(BillTooLarge):
        legacy.record(a_bill(8, appointment_id=OTHER_VISIT, amount="100000000.01"), CALL, bills)


@given(
    amounts=some.lists(some.integers(1, 30000), max_size=5),
    asked=some.lists(some.integers(0, 5), max_size=12),
)
def test_whatever_is_repeated_and_breaks_off_the_ledger_explains_the_bill(amounts: list[int], asked: list[int]) -> None:
    """Payments come again and again in any order; each that fits is in once, and nothing is paid twice."""
    bills = Bills(MemoryTable())
    record_all(bills, a_bill())
    payments = [paid(number, amount=f"{amount / 100:.2f}") for number, amount in enumerate(amounts)]
    outcomes: dict[int, set[str]] = {}
    for number in (one for one in asked if one < len(payments)):
        answer = record_all(bills, payments[number])["paid"][0]
        outcomes.setdefault(number, set()).add(answer["outcome"])

    bill = the_bill(bills)
    taken = [number for number, told in outcomes.items() if "new" in told]
    assert bill.sums == sums_of(ledger(bills))
    assert bill.sums.paid == sum(payments[number].amount for number in taken) <= 50000
    assert all("refused" not in outcomes[number] for number in taken)


def test_what_is_recorded_does_not_depend_on_when_it_is(bills: Bills) -> None:
    later = replace(CALL, now=datetime(2027, 1, 1, tzinfo=UTC))
    legacy.record(a_bill(), later, bills)

    assert legacy.record(a_bill(), CALL, bills).replayed
    assert the_bill(bills).created_at == a_bill().created_at
