"""Payments and refunds over HTTP: taken once, told, given back, and what a person has to put right."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from payments.signatures import signed
from tests.support.cash_desk import CASH, DECLINED, DRESSING, CashDesk, everything
from tests.support.client import agreed, eventually, refused
from tests.support.hospital import INDIA

if TYPE_CHECKING:
    from tests.support.client import Answer, Client
    from tests.support.hospital import Hospital

UNKNOWN = "00000000-0000-4000-8000-000000000000"
WEBHOOK = "/v1/payments/webhooks/simulator"
# The simulator behaves by what is charged (docs/how-to/payments.md).
NO_REFUND = {"method": "CARD", "source": "tok_refund_declined"}
UPI = {"method": "UPI", "source": "success@upi"}
EVERYTHING_UNPAID = [("CHARGE", "525.00")]


@pytest.fixture(scope="module")
def desk(hospital: Hospital) -> CashDesk:
    return CashDesk(hospital)


def of_patient(hospital: Hospital, patient: dict[str, Any]) -> Client:
    return hospital.user("patient", patient_id=patient["patient_id"])


def paid_of(bill: dict[str, Any]) -> tuple[str, str, str]:
    return bill["status"], bill["paid_amount"], bill["outstanding_amount"]


# ── a bill is paid ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bill_is_paid_in_parts_and_never_too_much(desk: CashDesk, hospital: Hospital) -> None:
    patient = desk.someone()
    herself, bill = of_patient(hospital, patient), desk.made(patient)

    cash = desk.paid(bill, "200.00", CASH, by=hospital.reception)
    assert paid_of(desk.bill(bill)) == ("PARTIALLY_PAID", "200.00", "325.00")
    refused(desk.pays(bill, "325.01", by=herself), 422, "OVERPAYMENT")
    card = desk.paid(bill, "324.99", by=herself)
    last = desk.paid(bill, "0.01", UPI, by=herself)

    assert paid_of(desk.bill(bill)) == ("PAID", "525.00", "0.00")
    refused(desk.pays(bill, "0.01", by=herself), 409, "BILL_ALREADY_PAID")
    payments = [("PAYMENT", "-200.00"), ("PAYMENT", "-324.99"), ("PAYMENT", "-0.01")]
    assert desk.ledger(bill, by=herself) == [*EVERYTHING_UNPAID, *payments]
    listed = agreed(herself.get("/v1/payments", query={"bill_id": bill["bill_id"]}))["items"]
    assert {one["payment_id"] for one in listed} == {one["payment_id"] for one in (last, card, cash)}
    assert {one["gateway"] for one in (card, last)} == {"simulator"}
    assert cash["gateway"] == "desk"


def test_a_receipt_arrives(desk: CashDesk) -> None:
    patient = desk.someone()
    bill = desk.made(patient)

    payment = desk.paid(bill, how=UPI)

    letter = desk.letter(patient, "We have received ₹525.00")
    for words in ("by UPI", bill["bill_number"], payment["payment_id"]):
        assert words in letter.text


def test_a_key_is_needed_and_pays_once(desk: CashDesk) -> None:
    bill, key = desk.made(desk.someone()), ids.new()
    body = {"bill_id": bill["bill_id"], "amount": "100.00", **CASH}

    first = desk.accepted(desk.clerk.post("/v1/payments", body, key=key))
    again = desk.clerk.post("/v1/payments", body, key=key)

    assert again.json()["payment_id"] == first["payment_id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    refused(desk.clerk.post("/v1/payments", body | {"amount": "101.00"}, key=key), 422, "IDEMPOTENCY_KEY_REUSED")
    refused(desk.clerk.post("/v1/payments", body), 400, "IDEMPOTENCY_KEY_REQUIRED")
    assert paid_of(desk.bill(bill, paid_amount="100.00"))[0] == "PARTIALLY_PAID"


def test_of_many_who_pay_one_bill_at_once_one_does(desk: CashDesk) -> None:
    bill = desk.made(desk.someone())
    desk.clerk.get("/v1/me")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: desk.pays(bill), range(4)))

    taken = [desk.payment(one.json()) for one in answers if one.is_success]
    settled = [_decided(desk, one) for one in taken]

    assert [one["status"] for one in settled].count("COMPLETED") == 1
    # Where an owner answers too late nothing has begun.
    refusals = {"PAYMENT_IN_PROGRESS", "BILL_ALREADY_PAID", "BUSY"}
    assert {one.json()["code"] for one in answers if one.is_error} <= refusals
    assert paid_of(desk.bill(bill)) == ("PAID", "525.00", "0.00")
    assert desk.ledger(bill) == [*EVERYTHING_UNPAID, ("PAYMENT", "-525.00")]


def _decided(desk: CashDesk, payment: dict[str, Any]) -> dict[str, Any]:
    return eventually(lambda: desk.payment(payment), lambda one: one["status"] != "PENDING", 240)


def test_a_card_that_is_declined_is_402_and_the_payer_is_told(desk: CashDesk) -> None:
    patient = desk.someone()
    bill, key = desk.made(patient), ids.new()

    problem = desk.declined(bill, key)

    assert problem["detail"] == "The card was declined."
    refused(desk.pays(bill, how=DECLINED, key=key), 402, "PAYMENT_DECLINED")
    (kept,) = agreed(desk.clerk.get("/v1/payments", query={"bill_id": bill["bill_id"]}))["items"]
    assert (kept["status"], kept["failure"]["code"]) == ("FAILED", "CARD_DECLINED")
    assert desk.letter(patient, "Your payment of ₹525.00 did not go through").address == patient["email"]
    assert desk.ledger(bill) == EVERYTHING_UNPAID
    desk.paid(bill)


def test_a_bill_that_is_void_takes_no_money(desk: CashDesk) -> None:
    bill = desk.made(desk.someone())
    agreed(desk.clerk.post(f"/v1/bills/{bill['bill_id']}/void", {"reason": "A mistake"}))

    refused(desk.pays(bill), 409, "BILL_VOID")
    refused(desk.pays({"bill_id": UNKNOWN}), 404, "BILL_NOT_FOUND")


@pytest.mark.parametrize(
    ("spoilt", "field"),
    [
        ({"amount": "0.00"}, "amount"),
        ({"amount": "-1.00"}, "amount"),
        ({"amount": "1.001"}, "amount"),
        ({"method": "CHEQUE"}, "method"),
        ({"source": None}, "source"),
        ({"source": "4111 1111 1111 1111"}, "source"),
        ({"source": "4111111111111111"}, "source"),
        ({"source": "name@bank"}, "source"),
        ({"method": "CASH"}, "source"),
        ({"reference": "card 4111-1111-1111-1111"}, "reference"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_card_numbers_above_all(
    desk: CashDesk, spoilt: dict[str, Any], field: str
) -> None:
    bill = desk.made(desk.someone())
    good = {"bill_id": bill["bill_id"], "amount": "1.00", "method": "CARD", "source": "tok_ok"}

    answer = desk.clerk.post("/v1/payments", good | spoilt, key=ids.new())

    assert field in [error["field"] for error in refused(answer, 422, "INVALID")["errors"]]
    assert "1111" not in answer.text
    assert agreed(desk.clerk.get("/v1/payments", query={"bill_id": bill["bill_id"]}))["items"] == []


def test_patients_pay_their_own_bills_by_card_and_upi_only(desk: CashDesk, hospital: Hospital) -> None:
    patient = desk.someone()
    herself, stranger, bill = of_patient(hospital, patient), hospital.role("patient"), desk.made(patient)

    for how in (CASH, {"method": "BANK_TRANSFER", "reference": "NEFT 1"}):
        refused(desk.pays(bill, how=how, by=herself), 403, "FORBIDDEN")
    for other in (bill, {"bill_id": UNKNOWN}):
        refused(desk.pays(other, by=stranger), 403, "FORBIDDEN")
    refused(desk.pays(bill, by=hospital.role("nurse")), 403, "FORBIDDEN")
    payment = desk.paid(bill, "1.00", by=herself)

    path = f"/v1/payments/{payment['payment_id']}"
    assert agreed(herself.get(path)) == payment
    for other in (path, f"/v1/payments/{UNKNOWN}"):
        refused(stranger.get(other), 403, "FORBIDDEN")
    assert agreed(stranger.get("/v1/payments", query={"bill_id": bill["bill_id"]}))["items"] == []
    refused(stranger.get("/v1/payments", query={"patient_id": patient["patient_id"]}), 403, "FORBIDDEN")
    refused(herself.post("/v1/refunds", {"payment_id": payment["payment_id"]}, key=ids.new()), 403, "FORBIDDEN")
    refused(herself.get("/v1/payments/reconciliation"), 403, "FORBIDDEN")
    refused(hospital.anyone.get(path), 401, "UNAUTHENTICATED")


# ── answers that do not come ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("source", ["tok_slow_success", "tok_async"])
def test_a_payment_that_is_answered_late_is_found_to_be_there(desk: CashDesk, source: str) -> None:
    bill, key = desk.made(desk.someone()), ids.new()
    how = {"method": "CARD", "source": source}

    pending = desk.accepted(desk.pays(bill, how=how, key=key))
    payment = desk.payment(pending, status="COMPLETED")

    assert paid_of(desk.bill(bill)) == ("PAID", "525.00", "0.00")
    assert desk.ledger(bill) == [*EVERYTHING_UNPAID, ("PAYMENT", "-525.00")]
    replayed = desk.pays(bill, how=how, key=key)
    assert (replayed.status_code, replayed.json()) == (201, payment)


def test_a_payment_that_nobody_answers_is_called_off_and_the_bill_is_free_again(desk: CashDesk) -> None:
    bill, key = desk.made(desk.someone()), ids.new()
    how = {"method": "CARD", "source": "tok_slow_nothing"}

    pending = agreed(desk.pays(bill, how=how, key=key), 202)
    assert pending["status"] == "PENDING"
    assert desk.bill(bill)["reserved_amount"] == "525.00"
    refused(desk.pays(bill, how=CASH), 409, "PAYMENT_IN_PROGRESS")
    refused(desk.clerk.post(f"/v1/bills/{bill['bill_id']}/void", {"reason": "No"}), 409, "BILL_HAS_PAYMENTS")

    failed = desk.payment(pending, status="FAILED")
    assert failed["failure"]["code"] == "EXPIRED"
    refused(desk.pays(bill, how=how, key=key), 402, "PAYMENT_DECLINED")
    assert desk.bill(bill)["reserved_amount"] == "0.00"
    desk.paid(bill, how=CASH)


# ── notices of the processor ─────────────────────────────────────────────────────────────────────────────────────────


def notified(hospital: Hospital, event: dict[str, Any], secret: str | None = None, **headers: str) -> Answer:
    """Signed with what the simulator signs with, unless `secret` says otherwise."""
    body = json.dumps(event).encode()
    signature = signed(body, secret or hospital.system.stack, datetime.now(UTC))
    return hospital.anyone.send("POST", WEBHOOK, raw=body, headers={"Simulator-Signature": signature} | headers)


def a_notice(payment: dict[str, Any]) -> dict[str, Any]:
    data = {"kind": "PAYMENT", "key": payment["payment_id"], "status": "CAPTURED", "amount": 1, "currency": "INR"}
    return {"id": f"evt_{ids.new()}", "type": "payment.captured", "data": data}


def test_a_notice_is_believed_only_where_it_is_signed(desk: CashDesk, hospital: Hospital) -> None:
    bill = desk.made(desk.someone())
    payment = desk.paid(bill)
    notice = a_notice(payment)
    old = signed(json.dumps(notice).encode(), hospital.system.stack, datetime.now(UTC) - timedelta(minutes=6))

    refused(notified(hospital, notice, secret="guessed"), 401, "UNAUTHENTICATED")
    refused(notified(hospital, notice, **{"Simulator-Signature": "t=1,v1=00"}), 401, "UNAUTHENTICATED")
    refused(notified(hospital, notice, **{"Simulator-Signature": old}), 401, "UNAUTHENTICATED")
    refused(hospital.anyone.post(WEBHOOK, notice), 401, "UNAUTHENTICATED")
    for other in ("stripe", "desk", "nobody"):
        refused(hospital.anyone.post(WEBHOOK.replace("simulator", other), notice), 404, "NOT_FOUND")


def test_a_notice_that_comes_twice_is_taken_once_and_says_nothing_that_is_not_so(
    desk: CashDesk, hospital: Hospital
) -> None:
    """It says that a declined payment was captured: the processor is asked, and knows better."""
    bill = desk.made(desk.someone())
    desk.declined(bill, ids.new())
    (payment,) = agreed(desk.clerk.get("/v1/payments", query={"bill_id": bill["bill_id"]}))["items"]
    notice = a_notice(payment)

    answers = [agreed(notified(hospital, notice)) for _ in range(3)]

    assert [one["repeated"] for one in answers] == [False, True, True]
    assert {one["event_id"] for one in answers} == {notice["id"]}
    assert desk.payment(payment) == payment
    assert desk.ledger(bill) == EVERYTHING_UNPAID


def test_what_the_processor_tells_three_times_is_one_payment(desk: CashDesk) -> None:
    bill = desk.made(desk.someone())
    payment = desk.paid(bill, how={"method": "CARD", "source": "tok_duplicate_webhooks"})

    assert desk.payment(payment)["version"] == 2
    assert desk.ledger(bill) == [*EVERYTHING_UNPAID, ("PAYMENT", "-525.00")]


# ── money that goes back ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_payment_is_refunded_in_parts_and_never_more_than_was_paid(desk: CashDesk) -> None:
    patient = desk.someone()
    bill = desk.made(patient)
    payment = desk.paid(bill)
    body = {"payment_id": payment["payment_id"], "amount": "425.01", "reason": "A mistake"}

    first = desk.refunded(payment, "100.00")
    refused(desk.clerk.post("/v1/refunds", body, key=ids.new()), 422, "REFUND_EXCEEDS_PAYMENT")
    refused(desk.clerk.post("/v1/refunds", body | {"payment_id": UNKNOWN}, key=ids.new()), 404, "PAYMENT_NOT_FOUND")
    refused(desk.clerk.post("/v1/refunds", body), 400, "IDEMPOTENCY_KEY_REQUIRED")
    second = desk.refunded(payment, "425.00")

    assert {one["refund_id"] for one in desk.refunds(payment)} == {second["refund_id"], first["refund_id"]}
    assert desk.payment(payment)["refunded_amount"] == "525.00"
    # Nothing was taken off the bill: it is still to be paid.
    assert paid_of(desk.bill(bill)) == ("OPEN", "525.00", "525.00")
    money = [("PAYMENT", "-525.00"), ("REFUND", "100.00"), ("REFUND", "425.00")]
    assert desk.ledger(bill) == [*EVERYTHING_UNPAID, *money]
    assert bill["bill_number"] in desk.letter(patient, "Your refund of ₹100.00").text


def test_a_visit_cancelled_at_the_last_moment_gives_back_what_is_above_the_fee(
    desk: CashDesk, hospital: Hospital
) -> None:
    """Exactly two hours before it."""
    patient = desk.someone()
    herself, visit = of_patient(hospital, patient), desk.visit(patient)
    bill = desk.bill_of(visit)
    payment = desk.paid(bill, by=herself)

    desk.ended(visit, "late")

    after = desk.bill(bill, status="PARTIALLY_REFUNDED")
    assert (after["total_amount"], after["refunded_amount"], after["outstanding_amount"]) == (
        "262.50",
        "262.50",
        "0.00",
    )
    assert [(line["kind"], line["amount"]) for line in after["items"]] == [("FEE", "250.00")]
    fee = [("REVERSAL", "-525.00"), ("FEE", "262.50"), ("REFUND", "262.50")]
    assert desk.ledger(bill) == [*EVERYTHING_UNPAID, ("PAYMENT", "-525.00"), *fee]
    (refund,) = desk.refunds(payment)
    assert (refund["amount"], refund["method"]) == ("262.50", "CARD")
    assert "to the card you paid with" in desk.letter(patient, "Your refund of ₹262.50").text
    statement = agreed(herself.get(f"/v1/patients/{patient['patient_id']}/statement"))
    assert [account["closing_balance"] for account in statement["accounts"]] == ["0.00"]


def test_a_visit_that_the_clinic_cancels_gives_everything_back_over_all_payments(desk: CashDesk) -> None:
    visit = desk.visit()
    bill = desk.bill_of(visit)
    payments = [desk.paid(bill, "200.00", CASH), desk.paid(bill, "325.00", UPI)]

    desk.ended(visit, "clinic")

    after = desk.bill(bill, status="REFUNDED")
    assert (after["total_amount"], after["refunded_amount"]) == ("0.00", "525.00")
    back = [(one["amount"], one["method"]) for payment in payments for one in desk.refunds(payment)]
    assert back == [("200.00", "CASH"), ("325.00", "UPI")]


# ── what a person has to put right ───────────────────────────────────────────────────────────────────────────────────


def test_a_refund_that_is_declined_puts_the_bill_back_until_a_person_has_seen_to_it(
    desk: CashDesk, hospital: Hospital
) -> None:
    """Half was paid with a card whose bank takes nothing back, and that half the settlement asks for first."""
    visit = desk.visit()
    bill = desk.bill_of(visit)
    good = desk.paid(bill, "262.50")
    # Which payment is the newest is told by the second.
    time.sleep(1)
    bad = desk.paid(bill, "262.50", NO_REFUND)

    desk.ended(visit, "late")

    found = desk.exception(bill, "SETTLEMENT_FAILED")
    before = desk.bill(bill, flagged=found["exception_id"])
    assert (before["status"], before["provisional"], before["total_amount"]) == ("PAID", True, "525.00")
    assert (found["code"], found["amount"], found["retryable"]) == ("REFUND_DECLINED", "262.50", True)
    assert found["appointment_id"] == visit["appointment_id"]
    assert "retry" in found["to_do"]
    assert [one["status"] for one in desk.refunds(bad)] == ["FAILED"]
    path = f"/v1/billing/exceptions/{found['exception_id']}"
    refused(hospital.reception.post(f"{path}/retry", key=ids.new()), 403, "FORBIDDEN")

    # The clerk gives it back to the other card, and has the visit settled again.
    desk.refunded(good, "262.50")
    assert desk.retried(found, "again")["outcome"] == "settled"
    assert agreed(desk.clerk.get(path))["status"] == "RESOLVED"
    after = desk.bill(bill)
    assert (after["status"], after["total_amount"], after["flagged"]) == ("PARTIALLY_REFUNDED", "262.50", None)
    refused(desk.clerk.post(f"{path}/retry", key=ids.new()), 409, "INVALID_TRANSITION")


def test_what_fails_again_is_listed_again_and_settled_by_cash(desk: CashDesk) -> None:
    visit = desk.visit()
    bill = desk.bill_of(visit)
    payment = desk.paid(bill, how=NO_REFUND)
    desk.ended(visit, "early")
    first = desk.exception(bill, "SETTLEMENT_FAILED")

    assert desk.retried(first, "again")["outcome"] == "flagged"
    second = desk.exception(bill, "SETTLEMENT_FAILED")
    assert second["exception_id"] != first["exception_id"]
    path = f"/v1/billing/exceptions/{second['exception_id']}"
    refused(desk.clerk.post(f"{path}/resolve", {"resolution": "Paid back in cash"}), 409, "INVALID_TRANSITION")
    desk.refunded(payment, "525.00", method="CASH")
    assert desk.retried(second, "once-more")["outcome"] == "settled"
    settled = desk.bill(bill)
    assert (settled["status"], settled["flagged"], settled["refunded_amount"]) == ("REFUNDED", None, "525.00")
    listed = everything(desk.clerk, "/v1/billing/exceptions", status="RESOLVED")
    assert {first["exception_id"], second["exception_id"]} <= {one["exception_id"] for one in listed}


def test_a_refund_by_hand_that_is_declined_is_told_and_listed(desk: CashDesk) -> None:
    bill = desk.made(desk.someone())
    payment = desk.paid(bill, how=NO_REFUND)
    body = {"payment_id": payment["payment_id"], "amount": "100.00", "reason": "A mistake"}
    key = ids.new()

    answer = eventually(
        lambda: desk.clerk.post("/v1/refunds", body, key=key), lambda answer: answer.status_code != 202, 180
    )

    assert refused(answer, 409, "REFUND_DECLINED")["detail"] == "The card's bank does not take money back."
    found = desk.exception(bill, "REFUND_FAILED")
    assert (found["amount"], found["retryable"]) == ("100.00", False)
    assert desk.payment(payment)["refunded_amount"] == "0.00"
    assert paid_of(desk.bill(bill)) == ("PAID", "525.00", "0.00")


# ── both sides ───────────────────────────────────────────────────────────────────────────────────────────────────────


def reconciled(who: Client, day: object) -> dict[str, Any]:
    return dict(agreed(who.get("/v1/payments/reconciliation", query={"day": day})))


def test_the_processors_statement_agrees_with_the_ledger(desk: CashDesk, hospital: Hospital) -> None:
    bill = desk.made(desk.someone(), DRESSING, DRESSING)
    moved = {
        desk.paid(bill, "500.00")["payment_id"],
        desk.paid(bill, "25.00", UPI)["payment_id"],
        desk.paid(bill, "525.00", CASH)["payment_id"],
    }
    day = datetime.now(INDIA).date()

    found = reconciled(hospital.role("auditor"), day)

    assert not [one for one in found["differences"] if one["key"] in moved]
    assert {one["movement"] for one in found["totals"]} >= {"PAYMENT"}
    assert "CASH" in [one["method"] for one in found["desk"] if one["movement"] == "PAYMENT"]


def test_money_that_only_the_processor_knows_of_is_found(desk: CashDesk, hospital: Hospital) -> None:
    """On a day that is no other test's."""
    key, moment = ids.new(), "2041-05-06T07:00:00Z"
    charge = {"key": key, "amount": 12345, "currency": "INR", "source": "tok_ok", "description": "?"}
    payload = json.dumps({"task": "charge", **charge, "x-test-clock": moment}).encode()
    name = hospital.resource("PaymentsSimulator")
    hospital.aws("lambda").invoke(FunctionName=name, Payload=payload)

    found = reconciled(desk.clerk, "2041-05-06")

    (difference,) = found["differences"]
    assert (found["agrees"], difference["kind"], difference["key"]) == (False, "MISSING_IN_LEDGER", key)
    assert (difference["gateway_amount"], difference["our_status"]) == ("123.45", None)
