"""The HTTP face of insurance: statuses, amounts as decimals, problems, who may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hms.policy import ROLES
from hms.tasks import Owner
from insurance import api
from insurance.owners import TasksOwners
from insurance.rules import PatientInactive
from tests.support.http import Answer, sent
from tests.support.insurance import (
    ANOTHER_PATIENT,
    APPROVES,
    CLERK,
    LATER,
    MINUTE,
    PATIENT,
    THE_PATIENT,
    TOO_LATE,
    a_bill,
    a_card,
    a_principal,
)

if TYPE_CHECKING:
    from hms.auth import Principal
    from hms.policy import Policy
    from tests.support.insurance import Counter

COVERAGES, COVERAGE = "/v1/coverages", "/v1/coverages/{coverage_id}"
CHECKS = COVERAGE + "/eligibility-checks"
CLAIMS, CLAIM = "/v1/claims", "/v1/claims/{claim_id}"
UNKNOWN = "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60"


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
    return gate


def posted(resource: str, body: Any, **details: Any) -> Answer:
    return sent(api.app, "POST", resource, body, **details)


def fetched(resource: str, **details: Any) -> Answer:
    return sent(api.app, "GET", resource, **details)


def added(number: str = APPROVES, **changes: Any) -> dict[str, str]:
    """The path of a new coverage."""
    answer = posted(COVERAGES, a_card(number, **changes))
    assert answer.status == 201, answer.text
    return {"coverage_id": answer.json["coverage_id"]}


def claimed(counter: Counter, number: str = APPROVES, bill: int = 1, **details: Any) -> Answer:
    return posted(CLAIMS, {"bill_id": counter.bill(bill), **added(number)}, **details)


def of(answer: Answer) -> dict[str, str]:
    return {"claim_id": answer.json["claim_id"]}


def codes(answer: Answer) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status, answer.json["code"]


def test_a_coverage_is_recorded_and_read_back() -> None:
    answer = posted(COVERAGES, a_card(annual_limit="500000.00"))

    assert (answer.status, answer.headers["ETag"]) == (201, '"1"')
    assert {name: answer.json[name] for name in a_card()} == a_card()
    assert (answer.json["annual_limit"], answer.json["currency"]) == ("500000.00", "INR")
    assert answer.json["status"] == "ACTIVE"
    assert fetched(COVERAGE, path={"coverage_id": answer.json["coverage_id"]}).json == answer.json


@pytest.mark.parametrize(
    "change",
    [
        {"copay_percent": "100.01"},
        {"copay_percent": "1.005"},
        {"copay_percent": None},
        {"annual_limit": "0.00"},
        {"member_number": "4 111"},
        {"payer": {"code": "STAR", "name": "Star Health", "phone": "1"}},
        {"period_end": "2026-03-31"},
        {"period_start": 20260401},
        {"patient_id": "17"},
        {"plan": ""},
        {"colour": "red"},
    ],
)
def test_a_wrong_card_names_its_fields_and_writes_nothing(counter: Counter, change: dict[str, Any]) -> None:
    answer = posted(COVERAGES, a_card(**change))

    assert codes(answer) == (422, "INVALID")
    assert answer.json["errors"]
    assert counter.table.items == {}


def test_a_member_number_that_is_taken_is_a_conflict_that_tells_nothing(counter: Counter) -> None:
    added("SECRET-1")

    answer = posted(COVERAGES, a_card("secret-1"))

    assert codes(answer) == (409, "MEMBER_NUMBER_TAKEN")
    assert "SECRET" not in answer.text.upper()


def test_a_coverage_is_cancelled_at_the_version_that_was_seen() -> None:
    path = added()

    stale = posted(COVERAGE + "/cancel", {}, path=path, headers={"If-Match": '"2"'})
    done = posted(COVERAGE + "/cancel", {"reason": "Mistyped"}, path=path, headers={"If-Match": '"1"'})

    assert codes(stale) == (412, "STALE_VERSION")
    assert (done.status, done.json["status"], done.json["cancellation_reason"]) == (200, "CANCELLED", "Mistyped")
    assert codes(posted(COVERAGE + "/cancel", {}, path=path)) == (409, "INVALID_TRANSITION")


def test_what_the_insurer_says_is_answered_and_listed() -> None:
    path = added()

    answer = posted(CHECKS, {"on": "2026-11-23", "amount": "525.00"}, path=path)

    assert answer.status == 201
    told = {name: answer.json[name] for name in ("eligible", "covered_percent", "covered_amount", "code", "as_of")}
    assert told == {
        "eligible": True,
        "covered_percent": "80.00",
        "covered_amount": "420.00",
        "code": "COVERED",
        "as_of": "2026-11-23T06:30:00Z",
    }
    assert fetched(CHECKS, path=path).json == {"items": [answer.json], "next_cursor": None}


@pytest.mark.parametrize("body", [{}, {"on": "23.11.2026"}, {"on": "2026-11-23", "amount": "0.00"}])
def test_a_question_that_cannot_be_asked_is_refused(counter: Counter, body: dict[str, Any]) -> None:
    assert codes(posted(CHECKS, body, path=added())) == (422, "INVALID")
    assert counter.insurer.asked == []


def test_an_insurer_that_does_not_answer_is_503_and_to_be_asked_again() -> None:
    answer = posted(CHECKS, {"on": "2026-11-23"}, path=added(TOO_LATE))

    assert codes(answer) == (503, "INSURER_UNANSWERED")
    assert answer.headers["Retry-After"] == "1"


def test_a_claim_that_is_decided_at_once_is_answered_with_its_decision(counter: Counter) -> None:
    answer = claimed(counter)

    assert (answer.status, answer.headers["ETag"]) == (201, '"2"')
    amounts = {name: answer.json[name] for name in ("claimed_amount", "approved_amount", "patient_share")}
    assert amounts == {"claimed_amount": "525.00", "approved_amount": "420.00", "patient_share": "105.00"}
    assert (answer.json["status"], answer.json["insurer"]) == ("APPROVED", "simulator")
    assert fetched(CLAIM, path=of(answer)).json == answer.json


def test_a_claim_that_is_decided_later_is_submitted_and_read_when_it_is(counter: Counter) -> None:
    answer = claimed(counter, LATER)
    assert (answer.status, answer.json["status"]) == (201, "SUBMITTED")
    assert (answer.json["approved_amount"], answer.json["patient_share"], answer.json["decision"]) == (None, None, None)

    for _ in range(4):
        counter.sweep(MINUTE)

    assert fetched(CLAIM, path=of(answer)).json["status"] == "APPROVED"


def test_the_same_key_replays_the_first_answer(counter: Counter) -> None:
    body = {"bill_id": counter.bill(), **added()}
    key = {"Idempotency-Key": "one"}
    first, again = posted(CLAIMS, body, headers=key), posted(CLAIMS, body, headers=key)
    other = posted(CLAIMS, body | {"bill_id": counter.bill(2)}, headers=key)

    assert (again.status, again.json) == (first.status, first.json)
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert codes(other) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert codes(posted(CLAIMS, body)) == (409, "ALREADY_CLAIMED")


def test_a_claim_is_cancelled_before_a_decision_and_not_after(counter: Counter) -> None:
    waiting, decided = claimed(counter, LATER), claimed(counter, bill=2)

    cancelled = posted(CLAIM + "/cancel", {"reason": "The wrong coverage"}, path=of(waiting))

    assert (cancelled.status, cancelled.json["status"]) == (200, "CANCELLED")
    assert codes(posted(CLAIM + "/cancel", {}, path=of(decided))) == (409, "INVALID_TRANSITION")


def test_claims_are_listed_in_pages(counter: Counter) -> None:
    for bill, number in enumerate(("AB-1", "AB-2", "AB-3")):
        claimed(counter, number, bill)
        counter.now += MINUTE

    first = fetched(CLAIMS, query={"patient_id": PATIENT, "limit": "2"}).json
    rest = fetched(CLAIMS, query={"patient_id": PATIENT, "limit": "2", "cursor": first["next_cursor"]}).json

    assert [one["bill_number"] for one in first["items"] + rest["items"]] == ["B2", "B1", "B0"]
    assert rest["next_cursor"] is None
    assert len(fetched(CLAIMS, query={"bill_id": a_bill(1).bill_id}).json["items"]) == 1


def test_lists_want_to_know_whose(gate: Gate) -> None:
    assert codes(fetched(CLAIMS)) == (422, "INVALID")
    assert codes(fetched(COVERAGES)) == (422, "INVALID")
    assert codes(fetched(COVERAGES, query={"patient_id": PATIENT, "cursor": "!"})) == (422, "INVALID")


def test_patients_read_their_own_and_change_nothing(counter: Counter, gate: Gate) -> None:
    claim = claimed(counter, LATER)
    coverage = {"coverage_id": claim.json["coverage_id"]}

    gate.who = THE_PATIENT
    assert fetched(CLAIM, path=of(claim)).status == 200
    assert len(fetched(CLAIMS).json["items"]) == len(fetched(COVERAGES).json["items"]) == 1
    assert fetched(CHECKS, path=coverage).status == 200
    assert posted(CLAIM + "/cancel", {}, path=of(claim)).status == 403
    assert posted(COVERAGES, a_card("AB-1")).status == 403
    gate.who = ANOTHER_PATIENT
    assert {fetched(CLAIM, path=of(claim)).status, fetched(COVERAGE, path=coverage).status} == {403}
    assert fetched(CLAIMS).json["items"] == fetched(COVERAGES).json["items"] == []


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_as_far_as_the_policy_says(counter: Counter, gate: Gate, role: str) -> None:
    claim = claimed(counter)
    coverage = {"coverage_id": claim.json["coverage_id"]}
    gate.who = a_principal(role)

    readers = ("receptionist", "billing_clerk", "auditor", "administrator")
    expected = 200 if role in readers else 403
    assert fetched(CLAIM, path=of(claim)).status == expected
    assert fetched(COVERAGE, path=coverage).status == expected
    assert fetched(CLAIMS, query={"patient_id": PATIENT}).status == expected


@pytest.mark.parametrize(
    ("resource", "name"), [(COVERAGE, "coverage_id"), (CLAIM, "claim_id"), (CHECKS, "coverage_id")]
)
def test_what_is_not_there_is_404(resource: str, name: str) -> None:
    assert codes(fetched(resource, path={name: UNKNOWN}))[0] == 404
    assert codes(fetched(resource, path={name: "17"}))[0] == 404


class Neighbours:
    """Other domains, as their tasks answer."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask(self, task: str, **payload: Any) -> Any:
        self.asked.append((task, payload))
        return self.answers[task]


def neighbours(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> Neighbours:
    found = Neighbours(answers)
    monkeypatch.setattr(Owner, "ask", found.ask)
    return found


def test_the_owners_are_asked_by_their_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    bill = a_bill()
    snapshot = bill.model_dump(mode="json") | {"payable": 52500, "outstanding_minor": 52500, "due_date": "2026-12-23"}
    found = neighbours(monkeypatch, verify={"outcome": "ok"}, snapshot={"outcome": "ok", "snapshot": snapshot})

    TasksOwners().check_patient(PATIENT)

    assert TasksOwners().bill(bill.bill_id) == bill
    assert bill.total.amount == 52500
    assert found.asked == [("verify", {"patient_id": PATIENT}), ("snapshot", {"bill_id": bill.bill_id})]


def test_what_an_owner_refuses_or_does_not_know_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = {"code": "PATIENT_INACTIVE", "detail": "The patient's registration is not active."}
    neighbours(monkeypatch, verify={"outcome": "refused", "problem": problem}, snapshot={"outcome": "absent"})

    with pytest.raises(PatientInactive):
        TasksOwners().check_patient(PATIENT)
    assert TasksOwners().bill(UNKNOWN) is None
