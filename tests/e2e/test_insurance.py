"""Insurance over HTTP: a coverage, what the insurer says of it, and a claim for a bill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from hms.fields import rfc3339
from tests.support.cash_desk import CashDesk
from tests.support.client import agreed, eventually, refused
from tests.support.hospital import INDIA

if TYPE_CHECKING:
    from tests.support.client import Client
    from tests.support.hospital import Hospital

TODAY, YEAR = datetime.now(INDIA).date(), timedelta(days=365)
UNKNOWN = "00000000-0000-4000-8000-000000000000"
# The simulated insurer behaves by the last two characters of the member number (functions/insurance/README.md).
APPROVES, IN_PART, DENIES, LATER, SILENT, UNKNOWN_THERE = "01", "02", "03", "04", "05", "06"


class Counter:
    """Reception's part of it: who is covered, and what is claimed."""

    def __init__(self, hospital: Hospital) -> None:
        self.hospital, self.desk = hospital, CashDesk(hospital)
        self.reception = hospital.reception

    def coverage(self, patient: dict[str, Any], ending: str = APPROVES, **given: Any) -> dict[str, Any]:
        """For a year around today, with a copayment of 20 %."""
        made: dict[str, Any] = agreed(self.reception.post("/v1/coverages", a_card(patient, ending) | given), 201)
        return made

    def asked(self, coverage: dict[str, Any], **question: Any) -> Any:
        path = f"/v1/coverages/{coverage['coverage_id']}/eligibility-checks"
        return self.reception.post(path, {"on": str(TODAY), "amount": "525.00"} | question)

    def claim(self, bill: dict[str, Any], coverage: dict[str, Any], by: Client | None = None) -> Any:
        body = {"bill_id": bill["bill_id"], "coverage_id": coverage["coverage_id"]}
        return (by or self.reception).post("/v1/claims", body)

    def decided(self, claim: dict[str, Any]) -> dict[str, Any]:
        """What the insurer has said, once the sweep has asked it; in an hour that has come."""
        path = f"/v1/claims/{claim['claim_id']}"
        later = datetime.now(UTC) + timedelta(hours=1)

        def asked() -> dict[str, Any]:
            self.hospital.ask("insurance", {"task": "sweep", "x-test-clock": rfc3339(later)})
            return dict(agreed(self.reception.get(path)))

        return eventually(asked, lambda one: one["status"] != "SUBMITTED", 120)


@pytest.fixture(scope="module")
def counter(hospital: Hospital) -> Counter:
    return Counter(hospital)


def a_card(patient: dict[str, Any], ending: str) -> dict[str, Any]:
    return {
        "patient_id": patient["patient_id"],
        "payer": {"code": "STAR", "name": "Star Health"},
        "member_number": f"SH-{ids.new()[-12:]}-{ending}",
        "plan": "Family Optima",
        "period_start": str(TODAY - YEAR),
        "period_end": str(TODAY + YEAR),
        "copay_percent": "20.00",
    }


def said(claim: dict[str, Any]) -> tuple[str, str, str]:
    return claim["status"], claim["approved_amount"], claim["patient_share"]


def test_a_bill_is_claimed_from_the_insurer_who_said_that_it_pays(counter: Counter, hospital: Hospital) -> None:
    patient = counter.desk.someone()
    herself = hospital.user("patient", patient_id=patient["patient_id"])
    coverage = counter.coverage(patient)
    check = agreed(counter.asked(coverage), 201)
    assert (check["eligible"], check["covered_percent"], check["covered_amount"]) == (True, "80.00", "420.00")
    bill = counter.desk.made(patient)

    claim = agreed(counter.claim(bill, coverage), 201)

    assert (claim["claimed_amount"], *said(claim)) == ("525.00", "APPROVED", "420.00", "105.00")
    assert agreed(herself.get(f"/v1/claims/{claim['claim_id']}")) == claim
    assert agreed(herself.get("/v1/claims"))["items"] == [claim]
    assert agreed(herself.get("/v1/coverages"))["items"] == [coverage]
    path = f"/v1/coverages/{coverage['coverage_id']}/eligibility-checks"
    assert agreed(herself.get(path))["items"] == [check]
    # What the insurer pays is not in the ledger yet: the bill still asks the patient for all of it.
    assert counter.desk.bill(bill) == bill
    refused(counter.claim(bill, coverage), 409, "ALREADY_CLAIMED")


def test_only_what_is_final_is_claimed_and_of_the_same_patient(counter: Counter) -> None:
    patient, other = counter.desk.someone(), counter.desk.someone()
    coverage = counter.coverage(patient)
    visit = counter.desk.visit(patient)
    bill = counter.desk.bill_of(visit)

    refused(counter.claim(bill, coverage), 409, "BILL_PROVISIONAL")
    refused(counter.claim(counter.desk.made(other), coverage), 422, "PATIENT_MISMATCH")
    refused(counter.claim({"bill_id": UNKNOWN}, coverage), 404, "BILL_NOT_FOUND")
    refused(counter.claim(bill, {"coverage_id": UNKNOWN}), 404, "COVERAGE_NOT_FOUND")
    counter.desk.ended(visit, "completed")
    final = counter.desk.bill_of(visit, provisional=False)

    assert agreed(counter.claim(final, coverage), 201)["status"] == "APPROVED"


def test_an_insurer_pays_a_part_or_nothing_and_then_another_may_be_asked(counter: Counter) -> None:
    patient = counter.desk.someone()
    bill = counter.desk.made(patient)

    denied = agreed(counter.claim(bill, counter.coverage(patient, DENIES)), 201)
    in_part = agreed(counter.claim(bill, counter.coverage(patient, IN_PART)), 201)

    assert (said(denied), denied["decision"]["code"]) == (("DENIED", "0.00", "525.00"), "NOT_COVERED")
    assert (said(in_part), in_part["decision"]["code"]) == (
        ("PARTIALLY_APPROVED", "210.00", "315.00"),
        "PARTLY_COVERED",
    )
    listed = agreed(counter.reception.get("/v1/claims", query={"bill_id": bill["bill_id"]}))["items"]
    # Newest first, by the second.
    assert sorted(one["claim_id"] for one in listed) == sorted(one["claim_id"] for one in (in_part, denied))


def test_an_insurer_who_takes_its_time_is_asked_until_it_has_decided_or_the_claim_is_taken_back(
    counter: Counter,
) -> None:
    """One story, because the clock that is moved is everybody's."""
    patient = counter.desk.someone()
    bill = counter.desk.made(patient)
    claim = agreed(counter.claim(bill, counter.coverage(patient, LATER)), 201)
    path = f"/v1/claims/{claim['claim_id']}/cancel"
    cancelled = agreed(counter.reception.post(path, {"reason": "The wrong coverage"}))
    assert (claim["status"], cancelled["status"]) == ("SUBMITTED", "CANCELLED")
    assert cancelled["cancellation_reason"] == "The wrong coverage"

    claims = [
        agreed(counter.claim(bill, counter.coverage(patient, LATER)), 201),
        agreed(counter.claim(counter.desk.made(patient), counter.coverage(patient, SILENT)), 201),
    ]

    assert {one["status"] for one in claims} == {"SUBMITTED"}
    for one in claims:
        assert said(counter.decided(one)) == ("APPROVED", "420.00", "105.00")
        path = f"/v1/claims/{one['claim_id']}/cancel"
        refused(counter.reception.post(path, {"reason": "Too late"}), 409, "INVALID_TRANSITION")


def test_what_an_insurer_does_not_answer_is_not_guessed(counter: Counter) -> None:
    patient = counter.desk.someone()

    refused(counter.asked(counter.coverage(patient, SILENT)), 503, "INSURER_UNANSWERED")
    unknown = agreed(counter.asked(counter.coverage(patient, UNKNOWN_THERE)), 201)
    too_late = agreed(counter.asked(counter.coverage(patient), on=str(TODAY + YEAR + timedelta(days=1))), 201)
    last_day = agreed(counter.asked(counter.coverage(patient), on=str(TODAY + YEAR)), 201)

    assert [(one["eligible"], one["code"]) for one in (unknown, too_late, last_day)] == [
        (False, "UNKNOWN_MEMBER"),
        (False, "NOT_IN_FORCE"),
        (True, "COVERED"),
    ]


def test_what_is_used_up_is_not_paid_again(counter: Counter) -> None:
    patient = counter.desk.someone()
    coverage = counter.coverage(patient, annual_limit="500.00")

    claims = [agreed(counter.claim(counter.desk.made(patient), coverage), 201) for _ in range(3)]

    assert [one["approved_amount"] for one in claims] == ["420.00", "80.00", "0.00"]
    assert [one["status"] for one in claims] == ["APPROVED", "PARTIALLY_APPROVED", "DENIED"]


def test_a_member_number_is_one_coverages_until_that_is_cancelled(counter: Counter) -> None:
    patient = counter.desk.someone()
    coverage = counter.coverage(patient)
    again = a_card(counter.desk.someone(), APPROVES) | {"member_number": coverage["member_number"].lower()}

    refused(counter.reception.post("/v1/coverages", again), 409, "MEMBER_NUMBER_TAKEN")
    path = f"/v1/coverages/{coverage['coverage_id']}/cancel"
    assert agreed(counter.reception.post(path, {"reason": "The number was mistyped"}))["status"] == "CANCELLED"
    refused(counter.reception.post(path), 409, "INVALID_TRANSITION")
    refused(counter.asked(coverage), 409, "COVERAGE_CANCELLED")
    refused(counter.claim(counter.desk.made(patient), coverage), 409, "COVERAGE_CANCELLED")
    agreed(counter.reception.post("/v1/coverages", again), 201)


def test_other_peoples_insurance_is_not_shown(counter: Counter, hospital: Hospital) -> None:
    patient, stranger = counter.desk.someone(), hospital.role("patient")
    coverage = counter.coverage(patient)
    claim = agreed(counter.claim(counter.desk.made(patient), coverage), 201)

    for path in (
        f"/v1/coverages/{coverage['coverage_id']}",
        f"/v1/claims/{claim['claim_id']}",
        f"/v1/claims/{UNKNOWN}",
    ):
        refused(stranger.get(path), 403, "FORBIDDEN")
    for path in ("/v1/coverages", "/v1/claims"):
        refused(stranger.get(path, query={"patient_id": patient["patient_id"]}), 403, "FORBIDDEN")
    assert agreed(stranger.get("/v1/claims", query={"bill_id": claim["bill_id"]}))["items"] == []
    refused(stranger.post("/v1/coverages", a_card(patient, APPROVES)), 403, "FORBIDDEN")
    refused(counter.claim({"bill_id": claim["bill_id"]}, coverage, by=stranger), 403, "FORBIDDEN")
    refused(hospital.role("nurse").get("/v1/coverages", query={"patient_id": patient["patient_id"]}), 403, "FORBIDDEN")
    refused(counter.reception.get(f"/v1/claims/{UNKNOWN}"), 404, "CLAIM_NOT_FOUND")
    assert agreed(hospital.role("auditor").get(f"/v1/claims/{claim['claim_id']}")) == claim
