"""Payments of an older system: history, recorded once, listed like any other, and nobody's to pay back."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from hms import ids
from hms.auth import Principal
from hms.call import Call
from hms.errors import IdempotencyKeyReused, InvalidTransition
from payments import legacy, rules
from payments.legacy import RecordPayment, payment_id_of
from payments.legacy_store import LegacyPayments
from payments.model import Method, Payment, PaymentView, Status
from tests.support.memory import MemoryTable

NOW = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)
CALL = Call(Principal("import", ("service",)), NOW, "correlation")
BILL, PATIENT = ids.derived("test", "bill"), ids.derived("test", "patient")


@pytest.fixture
def payments() -> LegacyPayments:
    return LegacyPayments(MemoryTable())


def a_payment(number: object = 7, **changes: Any) -> RecordPayment:
    asked = {
        "external_id": str(number),
        "bill_id": BILL,
        "bill_number": "B4839201735",
        "patient_id": PATIENT,
        "amount": "525.50",
        "method": "CARD",
        "reference": "HMS-17",
        "paid_at": "2025-03-31T20:00:00Z",
    }
    return RecordPayment.model_validate(asked | changes)


def the_payment(payments: LegacyPayments, number: object = 7) -> Payment:
    stored = payments.load(payment_id_of(str(number)))
    assert stored
    return stored.state


def test_a_payment_is_completed_history_with_its_number_there(payments: LegacyPayments) -> None:
    payment = legacy.record(a_payment(), CALL, payments).state

    assert (payment.status, payment.historical, payment.external_id) == (Status.COMPLETED, True, "7")
    assert (payment.amount, payment.currency, payment.method, payment.reference) == (
        52550,
        "INR",
        Method.CARD,
        "HMS-17",
    )
    assert payment.created_at == payment.decided_at == a_payment().paid_at
    assert (payment.updated_at, payment.received_by, payment.gateway) == (NOW, "import", "legacy")
    assert payment == the_payment(payments)


def test_it_is_listed_of_its_bill_its_patient_and_its_clinic_day(payments: LegacyPayments) -> None:
    """Eight in the evening in UTC is the next day in the clinic."""
    legacy.record(a_payment(1, paid_at="2025-03-30T20:00:00Z"), CALL, payments)
    legacy.record(a_payment(2), CALL, payments)

    newest_first = [the_payment(payments, 2), the_payment(payments, 1)]
    assert [one.payment for one in payments.of_bill(BILL).shown] == newest_first
    assert [one.payment for one in payments.of_patient(PATIENT).shown] == newest_first
    assert [one.payment for one in payments.of_day(date(2025, 4, 1)).shown] == newest_first[:1]
    assert payments.of_day(date(2026, 11, 28)).shown == []


def test_nothing_of_it_is_on_its_way(payments: LegacyPayments) -> None:
    legacy.record(a_payment(), CALL, payments)

    opened = payments.opened(payment_id_of("7"))
    assert opened
    assert opened.held is None
    assert not any(item.by_b for item in vars(payments.table)["items"].values())


def test_it_is_not_paid_back_here(payments: LegacyPayments) -> None:
    payment = legacy.record(a_payment(), CALL, payments).state

    with pytest.raises(InvalidTransition):
        rules.check_refundable(payment, 1, 0)
    assert PaymentView.of(payment, 0).historical


def test_recording_again_changes_nothing(payments: LegacyPayments) -> None:
    row = a_payment().model_dump_json()
    first = legacy.record_all([row], CALL, payments)
    before = dict(vars(payments.table)["items"])

    again = legacy.record_all([row], CALL, payments)

    assert [first[0]["outcome"], again[0]["outcome"]] == ["new", "there"]
    assert vars(payments.table)["items"] == before


def test_a_payment_is_one_read_and_one_transaction() -> None:
    table = MemoryTable()
    legacy.record(a_payment(), CALL, LegacyPayments(table))

    assert (table.reads, table.commits) == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "525.51"},
        {"bill_id": PATIENT},
        {"patient_id": BILL},
        {"method": "UPI"},
        {"reference": None},
        {"paid_at": "2025-03-31T20:00:01Z"},
    ],
)
def test_a_number_that_comes_with_other_data_changes_nothing(payments: LegacyPayments, changes: dict[str, Any]) -> None:
    legacy.record(a_payment(), CALL, payments)
    before = the_payment(payments)

    with pytest.raises(IdempotencyKeyReused):
        legacy.record(a_payment(**changes), CALL, payments)
    assert the_payment(payments) == before


def test_a_row_that_cannot_be_read_is_refused_alone(payments: LegacyPayments) -> None:
    legacy.record(a_payment(1), CALL, payments)
    rows = ["{}", a_payment(1, amount="1.00").model_dump_json(), a_payment(2).model_dump_json()]

    assert legacy.record_all(rows, CALL, payments) == [
        {"outcome": "refused", "code": "INVALID"},
        {"outcome": "refused", "code": "IDEMPOTENCY_KEY_REUSED"},
        {"outcome": "new", "payment_id": payment_id_of("2")},
    ]


@pytest.mark.parametrize("reference", ["4242424242424242", "card 4242-4242-4242-4242", "4242 4242 4242 4242"])
def test_a_card_number_is_no_reference(reference: str) -> None:
    with pytest.raises(ValidationError) as refused:
        a_payment(reference=reference)

    assert refused.value.errors()[0]["type"] == "card_number"


@pytest.mark.parametrize("amount", ["0.00", "-1.00", "1.001", "x"])
def test_what_is_no_amount_that_was_paid_is_refused(amount: str) -> None:
    with pytest.raises(ValidationError):
        a_payment(amount=amount)
