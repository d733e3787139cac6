"""The HTTP face of payments and refunds: statuses, problems, headers, and who may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from hms.policy import ROLES
from payments import api
from payments.gateways import Verdict
from payments.model import Status
from tests.support.http import Answer, sent
from tests.support.payments import (
    AUDITOR,
    BILL,
    CARD_DECLINED,
    CLERK,
    DECLINED,
    OTHER_BILL,
    PATIENT,
    POLICY,
    RECEPTIONIST,
    SECOND,
    SLOW,
    THE_PATIENT,
    Bank,
    a_principal,
)

if TYPE_CHECKING:
    from hms.auth import Principal
    from hms.policy import Policy
    from tests.support.payments import Counter

PAYMENTS, PAYMENT = "/v1/payments", "/v1/payments/{payment_id}"
REFUNDS, REFUND = "/v1/refunds", "/v1/refunds/{refund_id}"
RECONCILIATION = "/v1/payments/reconciliation"
BODY = {"bill_id": BILL, "amount": "525.00", "method": "CARD", "source": "tok_visa"}
PAN = "4111 1111 1111 1111"


class Gate:
    """Lets everybody in as `who`."""

    def __init__(self) -> None:
        self.who = CLERK

    def principal(self, _authorization: str | None, _policy: Policy) -> Principal:
        return self.who


@pytest.fixture(autouse=True)
def gate(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr(api.app, "_verifier", gate)
    monkeypatch.setattr(api, "office", counter.office)
    monkeypatch.setattr(api, "billing", counter.owner)
    monkeypatch.setattr(api, "by_name", lambda _name: counter.bank)
    return gate


def pay(key: str | None = "one", **changes: Any) -> Answer:
    headers = {"Idempotency-Key": key} if key else {}
    return sent(api.app, "POST", PAYMENTS, BODY | changes, headers=headers)


def refund(payment_id: str, amount: str = "525.00", key: str | None = "one") -> Answer:
    body = {"payment_id": payment_id, "amount": amount, "reason": "Not given"}
    return sent(api.app, "POST", REFUNDS, body, headers={"Idempotency-Key": key} if key else {})


def get(resource: str, **details: Any) -> Answer:
    return sent(api.app, "GET", resource, **details)


def codes(answer: Answer) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status, answer.json["code"]


def test_a_payment_is_201_and_the_payment() -> None:
    answer = pay()

    assert (answer.status, answer.headers["ETag"]) == (201, '"2"')
    told = {"amount": "525.00", "refunded_amount": "0.00", "currency": "INR", "status": "COMPLETED", "method": "CARD"}
    assert told.items() <= answer.json.items()
    assert not {"source", "pending", "opener"} & set(answer.json)


def test_a_replay_is_the_same_answer_and_says_so() -> None:
    first, again = pay(), pay()

    assert (first.status, first.json) == (again.status, again.json)
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert codes(pay(amount="1.00")) == (422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("amount", ["525", 525, 525.0, "525.0"])
def test_an_amount_may_be_written_in_several_ways(amount: Any) -> None:
    assert pay(amount=amount).json["amount"] == "525.00"


def test_a_key_is_required(counter: Counter) -> None:
    assert codes(pay(None)) == (400, "IDEMPOTENCY_KEY_REQUIRED")
    assert codes(refund(ids.new(), key=None)) == (400, "IDEMPOTENCY_KEY_REQUIRED")
    assert counter.table.commits == 0


def test_what_nobody_knows_yet_is_202_and_later_the_answer(counter: Counter) -> None:
    first = pay(source=SLOW)
    counter.bank.later(first.json["payment_id"], captured=True)
    counter.now += 30 * SECOND
    later = pay(source=SLOW)

    assert (first.status, first.json["status"], first.json["gateway_id"]) == (202, "PENDING", None)
    assert (later.status, later.json["status"]) == (201, "COMPLETED")
    assert later.headers["Idempotency-Replayed"] == "true"


def test_a_decline_is_402_each_time_with_the_reason() -> None:
    for _ in range(2):
        answer = pay(source=DECLINED)
        assert codes(answer) == (402, "PAYMENT_DECLINED")
        assert answer.json["detail"] == "The card was declined."


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"amount": "525.01"}, 422, "OVERPAYMENT"),
        ({"amount": "0.00"}, 422, "INVALID"),
        ({"amount": "-1.00"}, 422, "INVALID"),
        ({"amount": "1.001"}, 422, "INVALID"),
        ({"method": "CHEQUE"}, 422, "INVALID"),
        ({"currency": "EUR"}, 422, "CURRENCY_MISMATCH"),
        ({"currency": "rupees"}, 422, "INVALID"),
        ({"bill_id": OTHER_BILL}, 404, "BILL_NOT_FOUND"),
        ({"bill_id": "17"}, 422, "INVALID"),
        ({"source": None}, 422, "INVALID"),
        ({"method": "CASH"}, 422, "INVALID"),
        ({"card_number": "1"}, 422, "INVALID"),
    ],
)
def test_a_body_that_is_not_right_pays_nothing(
    counter: Counter, changes: dict[str, Any], status: int, code: str
) -> None:
    assert codes(pay(**changes)) == (status, code)
    assert (counter.table.commits, counter.bank.moved) == (0, [])


@pytest.mark.parametrize("field", ["source", "reference"])
def test_a_card_number_is_neither_taken_nor_told_nor_logged(
    counter: Counter, capsys: pytest.CaptureFixture[str], field: str
) -> None:
    answer = pay(**{field: PAN})

    assert codes(answer) == (422, "INVALID")
    assert [(error["field"], error["code"]) for error in answer.json["errors"]] == [(field, "card_number")]
    printed = capsys.readouterr()
    assert not any("4111" in text for text in (answer.text, printed.out, printed.err, repr(counter.table.items)))


def test_who_saw_a_payment_sees_what_was_paid_back_since(counter: Counter) -> None:
    payment_id = pay().json["payment_id"]
    counter.refund(payment_id, "25.00")

    answer = get(PAYMENT, path={"payment_id": payment_id}, headers={"If-None-Match": '"2"'})

    assert (answer.status, answer.json["refunded_amount"]) == (200, "25.00")


def test_a_payment_is_read_with_its_version() -> None:
    paid = pay().json

    answer = get(PAYMENT, path={"payment_id": paid["payment_id"]})

    assert (answer.status, answer.headers["ETag"], answer.json) == (200, '"2"', paid)
    assert codes(get(PAYMENT, path={"payment_id": ids.new()})) == (404, "PAYMENT_NOT_FOUND")


def test_payments_are_listed_with_a_cursor(counter: Counter) -> None:
    made: list[Any] = []
    for number in range(3):
        counter.now += SECOND
        made.insert(0, pay(str(number), amount="1.00").json)
    first = get(PAYMENTS, query={"bill_id": BILL, "limit": "2"})
    rest = get(PAYMENTS, query={"bill_id": BILL, "cursor": first.json["next_cursor"]})

    assert [*first.json["items"], *rest.json["items"]] == made
    assert (rest.json["next_cursor"], first.json["as_of"]) == (None, "2026-11-23T04:30:03Z")
    assert codes(get(PAYMENTS, query={"bill_id": BILL, "patient_id": PATIENT})) == (422, "INVALID")
    assert codes(get(PAYMENTS, query={"cursor": "%"})) == (422, "INVALID")


def test_a_refund_is_201_the_refund_and_read_again() -> None:
    paid = pay().json["payment_id"]
    made = refund(paid, "25.00")
    again = refund(paid, "25.00")

    assert (made.status, made.json["status"], made.json["amount"]) == (201, "COMPLETED", "25.00")
    assert (again.json, again.headers["Idempotency-Replayed"]) == (made.json, "true")
    assert get(REFUND, path={"refund_id": made.json["refund_id"]}).json == made.json
    assert get(REFUNDS, query={"payment_id": paid}).json["items"] == [made.json]
    assert get(PAYMENT, path={"payment_id": paid}).json["refunded_amount"] == "25.00"
    assert codes(get(REFUND, path={"refund_id": ids.new()})) == (404, "REFUND_NOT_FOUND")
    assert codes(get(REFUNDS)) == (422, "INVALID")


def test_refunds_that_are_not_to_be_made_say_why(counter: Counter) -> None:
    paid = pay().json["payment_id"]
    counter.bank.refunds_say = Verdict("DECLINED", None, *CARD_DECLINED)

    assert codes(refund(ids.new())) == (404, "PAYMENT_NOT_FOUND")
    assert codes(refund(paid, "525.01")) == (422, "REFUND_EXCEEDS_PAYMENT")
    assert codes(refund(paid, "1.00")) == (409, "REFUND_DECLINED")
    counter.bank.refunds_say = Verdict("PENDING")
    assert refund(paid, "1.00", "two").status == 202


def test_a_day_is_reconciled(counter: Counter) -> None:
    paid = pay().json["payment_id"]
    refund(paid, "25.00")
    counter.bank.moved.append(("unknown", 100))

    answer = get(RECONCILIATION, query={"day": "2026-11-23"})

    assert (answer.status, answer.json["agrees"]) == (200, False)
    (difference,) = answer.json["differences"]
    assert (difference["kind"], difference["key"], difference["our_status"]) == ("MISSING_IN_LEDGER", "unknown", None)
    assert get(RECONCILIATION, query={"day": "2026-11-22"}).json["agrees"] is True
    assert get(RECONCILIATION).json["day"] == "2026-11-23"


def test_what_is_missing_on_one_side_is_told_with_our_own_status(counter: Counter) -> None:
    pending = pay(source=SLOW).json["payment_id"]
    counter.bank.later(pending, captured=True)

    (difference,) = get(RECONCILIATION).json["differences"]

    assert (difference["key"], difference["our_status"]) == (pending, Status.PENDING)


def test_what_a_former_processor_took_is_held_against_its_own_statement(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay(amount="25.00")
    pay("two", amount="30.00")
    former, now = counter.bank, Bank(counter.trouble, "the next bank")
    former.moved.pop()
    monkeypatch.setattr(counter, "bank", now)
    monkeypatch.setattr(api, "by_name", lambda name: {one.name: one for one in (former, now)}[name])

    (difference,) = get(RECONCILIATION).json["differences"]

    assert (difference["kind"], difference["ledger_amount"]) == ("MISSING_AT_GATEWAY", "30.00")
    former.silent = True
    assert len(get(RECONCILIATION).json["differences"]) == 2


def test_without_the_processors_statement_there_is_no_reconciliation(counter: Counter) -> None:
    counter.bank.silent = True

    assert codes(get(RECONCILIATION)) == (503, "BUSY")


ALLOWED = {
    ("POST", PAYMENTS): {"administrator", "billing_clerk", "receptionist", "patient", "guardian"},
    ("GET", PAYMENTS): {"administrator", "billing_clerk", "receptionist", "auditor", "patient", "guardian"},
    ("POST", REFUNDS): {"administrator", "billing_clerk"},
    ("GET", RECONCILIATION): {"administrator", "billing_clerk", "auditor"},
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_the_policy_says(gate: Gate, role: str) -> None:
    gate.who = a_principal(role, patient_id=PATIENT if role in ("patient", "guardian") else None)
    answers = {
        ("POST", PAYMENTS): pay(),
        ("GET", PAYMENTS): get(PAYMENTS),
        ("POST", REFUNDS): refund(ids.new()),
        ("GET", RECONCILIATION): get(RECONCILIATION),
    }

    assert {route for route, answer in answers.items() if answer.status != 403} == {
        route for route, roles in ALLOWED.items() if role in roles
    }


@pytest.mark.parametrize("who", [AUDITOR, THE_PATIENT, RECEPTIONIST])
def test_only_the_desk_takes_money_in(gate: Gate, who: Principal) -> None:
    gate.who = who
    expected = 201 if POLICY.scopes(who.roles).get("payments:receive") else 403

    assert pay(method="BANK_TRANSFER", source=None).status == expected
