"""The HTTP face of billing: statuses, headers, who may, amounts on the wire, and the PDF."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader

from billing import api, exception_api, office
from billing.charge_store import ChargeItems
from billing.owners import Patient
from hms import ids
from hms.auth import Principal
from hms.executions import Undecided
from hms.policy import ROLES, Policy
from tests.support.billing import DOCTOR, OTHER_PATIENT, PATIENT, VISIT, FakeOwners, Till, an_item
from tests.support.http import Answer, event, sent

if TYPE_CHECKING:
    from hms.api import Route

POLICY = Policy.load(Path(__file__).parents[3] / "functions" / "billing" / "policy.json")
BILLS, BILL = "/v1/bills", "/v1/bills/{bill_id}"
STATEMENT = "/v1/patients/{patient_id}/statement"
REPORTS = "/v1/billing/reports"
EXCEPTIONS = "/v1/billing/exceptions"
EXCEPTION = f"{EXCEPTIONS}/{{exception_id}}"
CHARGES, CHARGE = "/v1/charge-items", "/v1/charge-items/{charge_item_id}"
NOBODY = ids.derived("nobody")


@dataclass
class Owners(FakeOwners):
    def patient(self, patient_id: str) -> Patient | None:
        self._answer()
        return Patient("Asha Verma", "483920173") if patient_id in self.patients else None


class Gate:
    """Lets everybody in as `who`."""

    def __init__(self) -> None:
        self.enter("billing_clerk")

    def enter(self, *roles: str, patient_id: str | None = None) -> None:
        self.who = Principal(f"user-{roles[0]}", roles, patient_id=patient_id, scopes=POLICY.scopes(roles))

    def principal(self, _authorization: str | None, _policy: Policy) -> Principal:
        return self.who


class Flow:
    """Stands for the state machine: remembers its inputs, answers with `outcome`, or decides nothing."""

    def __init__(self) -> None:
        self.inputs: list[dict[str, Any]] = []
        self.outcome: str | None = "settled"

    def execute(
        self, machine: str, _name: str, payload: dict[str, Any], seconds: float, **_told: Any
    ) -> dict[str, Any]:
        assert (machine, seconds < 25) == ("SETTLE_APPOINTMENT_ARN", True)
        self.inputs.append(payload)
        if self.outcome is None:
            raise Undecided("States.Timeout")
        return {"outcome": self.outcome}


@pytest.fixture(autouse=True)
def gate(till: Till, monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    till.owners = Owners(till.owners.visits)
    monkeypatch.setattr(api.app, "_verifier", gate)
    monkeypatch.setattr(office, "bills", till.bills)
    monkeypatch.setattr(office, "charge_items", ChargeItems(till.table))
    monkeypatch.setattr(office, "owners", till.owners)
    monkeypatch.setattr("hms.clock.now", lambda: till.now)
    return gate


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch) -> Flow:
    flow = Flow()
    monkeypatch.setattr(exception_api, "execute", flow.execute)
    return flow


def posted(resource: str, body: Any, **details: Any) -> Answer:
    return sent(api.app, "POST", resource, body, **details)


def fetched(resource: str, **details: Any) -> Answer:
    return sent(api.app, "GET", resource, **details)


def billed(*items: dict[str, Any], **changes: Any) -> Answer:
    return posted(BILLS, {"patient_id": PATIENT, "items": items or (an_item(),)} | changes)


def done(bill_id: str, action: str, body: dict[str, Any], **details: Any) -> Answer:
    return posted(f"{BILL}/{action}", body, path={"bill_id": bill_id}, **details)


def a_flagged_exception(till: Till) -> str:
    till.open_bill()
    till.pay(52_500)
    till.told(till.owners.visits[VISIT].model_copy(update={"status": "NO_SHOW", "version": 2}))
    till.settle()
    return till.unsettle().exception_id or ""


def test_a_bill_by_hand_is_answered_with_amounts_as_text_and_its_version() -> None:
    made = billed(an_item(4_990, quantity=2, tax_rate="12.00"))

    assert (made.status, made.headers["ETag"]) == (201, '"1"')
    bill = made.json
    assert (bill["amount"], bill["tax_amount"], bill["total_amount"]) == ("99.80", "11.98", "111.78")
    assert (bill["outstanding_amount"], bill["status"], bill["currency"]) == ("111.78", "OPEN", "INR")
    assert bill["items"][0]["tax_rate"] == "12.00"
    assert (bill["issued_on"], bill["due_date"], bill["overdue"]) == ("2026-11-28", "2026-12-13", False)
    assert fetched(BILL, path={"bill_id": bill["bill_id"]}).json == bill


def test_the_charge_master_says_what_a_code_costs(gate: Gate) -> None:
    gate.enter("administrator")
    prices = [{"unit_price": "750.00"}, {"unit_price": "900.00", "doctor_id": DOCTOR}]
    item = {"code": "ECG", "name": "Electrocardiogram", "tax_rate": "12.00", "prices": prices}
    assert posted(CHARGES, item).status == 201
    gate.enter("billing_clerk")

    made = billed({"code": "ecg"}, {"code": "ECG", "quantity": 2}, doctor_id=DOCTOR)

    assert [(one["description"], one["unit_price"], one["tax_rate"]) for one in made.json["items"]] == [
        ("Electrocardiogram", "900.00", "12.00")
    ] * 2
    assert made.json["total_amount"] == "3024.00"


def test_a_code_that_is_unknown_or_out_of_use_makes_no_bill(gate: Gate) -> None:
    gate.enter("administrator")
    item = {"code": "ECG", "name": "Electrocardiogram", "tax_rate": "5.00", "prices": [{"unit_price": "750.00"}]}
    made = posted(CHARGES, item).json
    sent(api.app, "PATCH", CHARGE, {"active": False}, path={"charge_item_id": made["charge_item_id"]})

    for code in ("ECG", "MRI"):
        refused = billed(an_item(), {"code": code})
        assert (refused.status, refused.json["errors"][0]["field"]) == (422, "items.1.code")


def test_all_codes_of_a_bill_are_looked_up_in_one_read(till: Till) -> None:
    calls = till.calls_of(lambda: billed({"code": "A"}, {"code": "B"}, {"code": "C"}))

    assert calls == (2, 0)


def test_the_same_key_makes_one_bill() -> None:
    body = {"patient_id": PATIENT, "items": [an_item()]}

    first, again, other = (
        posted(BILLS, body | more, headers={"Idempotency-Key": "k"}) for more in ({}, {}, {"notes": "Other"})
    )

    assert (again.status, again.json, again.headers["Idempotency-Replayed"]) == (201, first.json, "true")
    assert (other.status, other.json["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"patient_id": NOBODY}, 404, "PATIENT_NOT_FOUND"),
        ({"items": []}, 422, "INVALID"),
        ({"currency": "rupees"}, 422, "INVALID"),
        ({"due_date": "2026-11-27"}, 422, "INVALID"),
        ({"card_number": "4111111111111111"}, 422, "INVALID"),
        ({"items": [{"description": "Dressing", "unit_price": "1.005"}]}, 422, "INVALID"),
    ],
)
def test_a_bill_that_cannot_be_is_refused(changes: dict[str, Any], status: int, code: str) -> None:
    refused = posted(BILLS, {"patient_id": PATIENT, "items": [an_item()]} | changes)

    assert (refused.status, refused.json["code"]) == (status, code)
    assert "4111" not in refused.text


def test_an_owner_of_patients_that_is_silent_is_asked_again_later(till: Till) -> None:
    till.owners.down = True

    refused = billed()

    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize(
    ("action", "body", "outstanding", "status"),
    [
        ("adjustments", {"items": [an_item(5_000)], "reason": "Forgotten"}, "157.50", 201),
        ("discounts", {"amount": "10.00", "reason": "Staff family"}, "94.50", 201),
        ("write-offs", {"amount": "5.00", "reason": "Moved away"}, "100.00", 201),
        ("void", {"reason": "Wrong patient"}, "0.00", 200),
    ],
)
def test_a_bill_is_changed_with_a_reason(action: str, body: dict[str, Any], outstanding: str, status: int) -> None:
    bill = billed().json["bill_id"]

    assert done(bill, action, {name: value for name, value in body.items() if name != "reason"}).status == 422
    changed = done(bill, action, body)

    assert (changed.status, changed.json["outstanding_amount"], changed.headers["ETag"]) == (status, outstanding, '"2"')


def test_who_has_seen_an_older_version_changes_nothing() -> None:
    bill = billed().json["bill_id"]
    body = {"amount": "5.00", "reason": "Moved away"}

    assert done(bill, "write-offs", body, headers={"If-Match": '"1"'}).status == 201
    assert done(bill, "write-offs", body, headers={"If-Match": '"1"'}).json["code"] == "STALE_VERSION"


def test_what_a_rule_refuses_has_its_code(till: Till) -> None:
    bill = billed().json["bill_id"]
    till.pay(10_500, bill_id=bill)

    assert done(bill, "void", {"reason": "Wrong patient"}).json["code"] == "BILL_HAS_PAYMENTS"
    assert done(bill, "write-offs", {"amount": "0.01", "reason": "x"}).json["code"] == "WRITE_OFF_EXCEEDS_OUTSTANDING"
    assert done(bill, "discounts", {"amount": "0.01", "reason": "x"}).json["code"] == "DISCOUNT_EXCEEDS_OUTSTANDING"
    assert done(NOBODY, "void", {"reason": "x"}).json["code"] == "BILL_NOT_FOUND"


def test_lists_have_items_a_cursor_and_the_time_they_are_as_of(till: Till) -> None:
    till.open_bill()
    billed()

    by_visit = fetched(BILLS, query={"appointment_id": VISIT}).json
    first = fetched(BILLS, query={"patient_id": PATIENT, "limit": "1"}).json
    rest = fetched(BILLS, query={"patient_id": PATIENT, "limit": "1", "cursor": first["next_cursor"]}).json

    assert [(one["appointment_id"], one["provisional"]) for one in by_visit["items"]] == [(VISIT, True)]
    assert by_visit["as_of"] == "2026-11-28T04:00:00Z"
    assert len({one["bill_id"] for one in first["items"] + rest["items"]}) == 2


def test_patients_see_their_own_bills_ledgers_and_statements_only(gate: Gate) -> None:
    mine, theirs = billed().json["bill_id"], billed(patient_id=OTHER_PATIENT).json["bill_id"]
    gate.enter("patient", patient_id=PATIENT)

    assert [one["bill_id"] for one in fetched(BILLS).json["items"]] == [mine]
    for resource in (BILL, f"{BILL}/ledger"):
        assert fetched(resource, path={"bill_id": mine}).status == 200
        assert fetched(resource, path={"bill_id": theirs}).status == 403
        assert fetched(resource, path={"bill_id": NOBODY}).status == 403
    for resource in (STATEMENT, f"{STATEMENT}.pdf"):
        asked = {"headers": {"Accept": "application/pdf"}}
        assert fetched(resource, path={"patient_id": PATIENT}, **asked).status == 200
        assert fetched(resource, path={"patient_id": OTHER_PATIENT}, **asked).status == 403


def test_a_ledger_tells_who_did_what() -> None:
    bill = billed().json["bill_id"]

    (posting,) = fetched(f"{BILL}/ledger", path={"bill_id": bill}).json["items"]

    assert (posting["version"], posting["by"], posting["currency"]) == (1, "user-billing_clerk", "INR")
    assert [(one["kind"], one["amount"], one["tax_amount"]) for one in posting["entries"]] == [
        ("CHARGE", "105.00", "5.00")
    ]


def test_a_statement_is_answered_for_some_days() -> None:
    billed()

    asked = {"from": "2026-11-01", "to": "2026-11-30"}
    told = fetched(STATEMENT, path={"patient_id": PATIENT}, query=asked).json

    assert (told["from"], told["to"]) == ("2026-11-01", "2026-11-30")
    assert told["accounts"][0]["closing_balance"] == "105.00"


def test_only_who_is_known_has_an_empty_statement(till: Till) -> None:
    known, unknown = (fetched(STATEMENT, path={"patient_id": one}) for one in (PATIENT, NOBODY))
    till.owners.down = True
    silent = fetched(STATEMENT, path={"patient_id": PATIENT})

    assert (known.status, known.json["accounts"]) == (200, [])
    assert (unknown.status, unknown.json["code"]) == (404, "PATIENT_NOT_FOUND")
    assert silent.status == 503


def test_who_saw_a_bill_sees_that_it_is_overdue_by_now(till: Till) -> None:
    bill = billed().json["bill_id"]
    had = fetched(BILL, path={"bill_id": bill})
    till.now += timedelta(days=30)

    now = fetched(BILL, path={"bill_id": bill}, headers={"If-None-Match": had.headers["ETag"]})

    assert (had.json["overdue"], now.status, now.json["overdue"]) == (False, 200, True)


def test_days_in_the_wrong_order_are_told_of_the_query() -> None:
    refused = fetched(BILLS, query={"from": "2026-11-02", "to": "2026-11-01"})

    assert (refused.status, [error["field"] for error in refused.json["errors"]]) == (422, ["query"])


def printed(patient_id: str = PATIENT) -> dict[str, Any]:
    asked = event("GET", f"{STATEMENT}.pdf", path={"patient_id": patient_id}, headers={"Accept": "application/pdf"})
    return api.app.handler(asked)


def test_a_statement_is_printed_with_the_name_that_the_patients_owner_tells() -> None:
    billed()

    answer = printed()

    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
    assert answer["headers"]["Content-Type"] == "application/pdf"
    assert answer["headers"]["Content-Disposition"] == 'inline; filename="statement-2026-11-28.pdf"'
    assert answer["headers"]["Cache-Control"] == "no-store"
    (page,) = PdfReader(io.BytesIO(base64.b64decode(answer["body"]))).pages
    assert "Asha Verma" in page.extract_text()
    assert "MRN 483920173" in page.extract_text()
    assert "₹105.00" in page.extract_text()


def test_nothing_is_printed_for_who_is_not_known_or_while_their_owner_is_silent(till: Till) -> None:
    unknown = printed(NOBODY)
    till.owners.down = True
    silent = printed()

    assert (unknown["statusCode"], silent["statusCode"]) == (404, 503)
    assert not unknown["isBase64Encoded"]
    assert unknown["headers"]["Content-Type"] == "application/problem+json"


def test_reports_are_answered(till: Till) -> None:
    billed()

    daily = fetched(f"{REPORTS}/daily").json
    monthly = fetched(f"{REPORTS}/monthly", query={"month": "2026-11"}).json
    aged = fetched(f"{REPORTS}/aged-receivables").json

    assert (daily["day"], daily["reconciles"], daily["accounts"][0]["totals"]["net"]) == ("2026-11-28", True, "105.00")
    assert (monthly["month"], monthly["accounts"][0]["totals"]["net"]) == ("2026-11", "105.00")
    assert (aged["day"], aged["items"][0]["outstanding_amount"]) == ("2026-11-28", "105.00")


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "26-01", "2026-11-28", "9999-01", "20٢٦-11"])
def test_what_is_no_month_is_refused(month: str) -> None:
    assert fetched(f"{REPORTS}/monthly", query={"month": month}).status == 422


def test_the_charge_master_over_http(gate: Gate) -> None:
    gate.enter("administrator")
    item = {"code": "ECG", "name": "Electrocardiogram", "tax_rate": "5.00"}
    made = posted(CHARGES, item)
    one = {"charge_item_id": made.json["charge_item_id"]}
    prices = {"prices": [{"unit_price": "750.00"}, {"unit_price": "0.00", "plan": "Staff"}]}

    assert (made.status, posted(CHARGES, item).json["code"]) == (201, "CODE_TAKEN")
    assert fetched(f"{CHARGE}/price", path=one).json["code"] == "PRICE_NOT_FOUND"
    assert sent(api.app, "PUT", f"{CHARGE}/prices", prices, path=one, headers={"If-Match": '"1"'}).status == 200
    assert sent(api.app, "PATCH", CHARGE, {"name": "ECG"}, path=one, headers={"If-Match": '"1"'}).status == 412
    assert fetched(f"{CHARGE}/price", path=one).json["unit_price"] == "750.00"
    free = fetched(f"{CHARGE}/price", path=one, query={"plan": "staff", "on": "2026-12-01"}).json
    assert (free["unit_price"], free["price"]["plan"], free["on"]) == ("0.00", "Staff", "2026-12-01")
    read = fetched(CHARGE, path=one)
    assert (read.headers["ETag"], read.json["prices"][0]["unit_price"]) == ('"2"', "750.00")
    assert [one["code"] for one in fetched(CHARGES, query={"active": "true"}).json["items"]] == ["ECG"]
    assert fetched(CHARGES, query={"active": "false"}).json["items"] == []


def test_the_work_list_tells_what_went_wrong_and_what_is_to_do(till: Till) -> None:
    exception_id = a_flagged_exception(till)

    (listed,) = fetched(EXCEPTIONS).json["items"]
    read = fetched(EXCEPTION, path={"exception_id": exception_id})

    assert read.json == listed
    assert (listed["kind"], listed["retryable"], listed["status"]) == ("SETTLEMENT_FAILED", True, "OPEN")
    assert listed["to_do"]
    assert fetched(EXCEPTIONS, query={"status": "RESOLVED"}).json["items"] == []
    assert fetched(EXCEPTION, path={"exception_id": NOBODY}).json["code"] == "EXCEPTION_NOT_FOUND"


def retried(exception_id: str, key: str | None = "k") -> Answer:
    headers = {"X-Correlation-ID": "abc"} | ({"Idempotency-Key": key} if key else {})
    return posted(f"{EXCEPTION}/retry", {}, path={"exception_id": exception_id}, headers=headers)


def test_a_retry_runs_the_flow_and_tells_what_came_of_it(till: Till, flow: Flow) -> None:
    exception_id = a_flagged_exception(till)

    answer = retried(exception_id)

    assert (answer.status, answer.json["outcome"], answer.json["exception"]["status"]) == (200, "settled", "RESOLVED")
    assert flow.inputs == [{"appointment_id": VISIT, "version": 2, "correlation_id": "abc"}]
    assert till.bill.flagged is None
    assert retried(exception_id, "another").json["code"] == "INVALID_TRANSITION"
    assert len(flow.inputs) == 1


def test_a_retry_that_is_not_decided_is_run_on_by_the_same_key(till: Till, flow: Flow) -> None:
    exception_id = a_flagged_exception(till)
    flow.outcome = None

    waiting = retried(exception_id)
    flow.outcome = "flagged"
    again = retried(exception_id)

    assert (waiting.status, waiting.json["code"], waiting.headers["Retry-After"]) == (503, "NOT_DECIDED_YET", "1")
    assert (again.status, again.json["outcome"], again.headers["Idempotency-Replayed"]) == (200, "flagged", "true")
    assert flow.inputs[0] == flow.inputs[1]


def test_a_retry_needs_a_key_so_that_it_can_be_run_on(till: Till, flow: Flow) -> None:
    assert retried(a_flagged_exception(till), None).json["code"] == "IDEMPOTENCY_KEY_REQUIRED"
    assert flow.inputs == []


def test_an_exception_is_resolved_in_words(till: Till) -> None:
    till.open_bill()
    till.pay(52_500)
    till.fail_refund(100)
    path = {"exception_id": till.exceptions()[0].exception_id}

    resolved = posted(f"{EXCEPTION}/resolve", {"resolution": "Paid back in cash"}, path=path)

    told = resolved.json
    assert (resolved.status, told["status"], told["resolution"]) == (200, "RESOLVED", "Paid back in cash")
    assert (told["resolved_by"], told["retryable"]) == ("user-billing_clerk", False)


def test_a_bill_that_is_not_settled_is_not_put_right_by_words(till: Till) -> None:
    path = {"exception_id": a_flagged_exception(till)}

    refused = posted(f"{EXCEPTION}/resolve", {"resolution": "Paid back in cash"}, path=path)

    assert (refused.status, refused.json["code"]) == (409, "INVALID_TRANSITION")


CARD = "4111 1111 1111 1111"


@pytest.mark.parametrize(
    ("resource", "body", "where"),
    [
        (BILLS, {"patient_id": PATIENT, "items": [an_item()], "notes": f"paid by {CARD}"}, "notes"),
        (BILLS, {"patient_id": PATIENT, "items": [an_item(description=CARD)]}, "items.0.description"),
        (f"{BILL}/adjustments", {"items": [an_item()], "reason": CARD}, "reason"),
        (f"{BILL}/write-offs", {"amount": "1.00", "reason": CARD}, "reason"),
        (f"{EXCEPTION}/resolve", {"resolution": f"back to {CARD}"}, "resolution"),
    ],
)
def test_no_card_number_gets_into_a_bill(till: Till, resource: str, body: dict[str, Any], where: str) -> None:
    answer = posted(resource, body, path={"bill_id": till.made(), "exception_id": NOBODY})

    assert answer.status == 422
    assert [(one["field"], one["code"]) for one in answer.json["errors"]] == [(where, "card_number")]
    assert "4111" not in str(answer)


OPEN_TO = {
    "create_bill": {"administrator", "billing_clerk"},
    "list_bills": {"administrator", "billing_clerk", "receptionist", "auditor", "patient", "guardian"},
    "get_bill": {"administrator", "billing_clerk", "receptionist", "auditor", "patient", "guardian"},
    "get_bill_ledger": {"administrator", "billing_clerk", "receptionist", "auditor", "patient", "guardian"},
    "adjust_bill": {"administrator", "billing_clerk"},
    "discount_bill": {"administrator", "billing_clerk"},
    "write_off_bill": {"administrator", "billing_clerk"},
    "void_bill": {"administrator", "billing_clerk"},
    "get_patient_statement": {"administrator", "billing_clerk", "receptionist", "auditor", "patient", "guardian"},
    "print_patient_statement": {"administrator", "billing_clerk", "receptionist", "auditor", "patient", "guardian"},
    "get_daily_report": {"administrator", "billing_clerk", "auditor"},
    "get_monthly_report": {"administrator", "billing_clerk", "auditor"},
    "get_aged_receivables": {"administrator", "billing_clerk", "auditor"},
    "list_billing_exceptions": {"administrator", "billing_clerk", "auditor"},
    "get_billing_exception": {"administrator", "billing_clerk", "auditor"},
    "retry_billing_exception": {"administrator", "billing_clerk"},
    "resolve_billing_exception": {"administrator", "billing_clerk"},
    "create_charge_item": {"administrator"},
    "update_charge_item": {"administrator"},
    "set_charge_item_prices": {"administrator"},
}
READ_BY_MANY = {"list_charge_items", "get_charge_item", "get_charge_item_price"}
ROUTES = [
    pytest.param(route, id=route.operation_id)
    for route in api.app.routes.values()
    if route.operation_id not in {"get_billing_health", *READ_BY_MANY}
]


@pytest.mark.parametrize("route", ROUTES)
def test_everybody_else_is_refused_before_anything_is_read(till: Till, gate: Gate, route: Route) -> None:
    entered = set()
    path = {name: NOBODY for name in ("bill_id", "patient_id", "exception_id", "charge_item_id") if name in route.path}
    for role in ROLES:
        gate.enter(role, patient_id=NOBODY)
        reads = till.table.reads
        refused = sent(api.app, route.method, route.path, {}, path=path, headers={"Idempotency-Key": "k"})
        if refused.status != 403 or till.table.reads > reads:
            entered.add(role)

    assert entered == OPEN_TO[route.operation_id]


def test_prices_are_read_by_who_orders_what_they_price_and_not_by_patients(gate: Gate) -> None:
    for role, status in (("doctor", 200), ("pharmacist", 200), ("patient", 403), ("guardian", 403)):
        gate.enter(role)
        assert fetched(CHARGES).status == status
