"""The edges of every rule about coverages and claims, on both sides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hms.errors import Conflicting, InvalidTransition, Problem
from insurance import rules
from insurance.claim import Claim, ClaimStatus
from insurance.clinic import clinic
from insurance.commands import AddCoverage
from insurance.insurers import Eligibility, Question, Verdict
from tests.support.insurance import DAY, NOW, OTHER_PATIENT, a_bill, a_card, a_membership

if TYPE_CHECKING:
    from insurance.insurers import Ruling
    from insurance.model import Coverage

APPROVED: Final = ClaimStatus.APPROVED
IN_PART: Final = ClaimStatus.PARTIALLY_APPROVED
DENIED: Final = ClaimStatus.DENIED


def added(**changes: Any) -> Coverage:
    return rules.added("coverage-1", AddCoverage.model_validate_json(json.dumps(a_card(**changes))), NOW)


def a_claim(claimed: int = 52500) -> Claim:
    bill = a_bill(total={"amount": f"{claimed // 100}.{claimed % 100:02}", "currency": "INR"})
    return rules.submitted("claim-1", bill, added(), "simulator", NOW)


def refusal(**changes: Any) -> str | None:
    try:
        rules.check_claimable(a_bill(**changes), added())
    except Problem as problem:
        return problem.code
    return None


@pytest.mark.parametrize(("end", "is_taken"), [("2026-04-01", True), ("2026-03-31", False)])
def test_a_period_of_one_day_is_a_period_and_one_that_ends_before_it_starts_is_not(end: str, is_taken: bool) -> None:
    if is_taken:
        assert added(period_end=end).period_end == added().period_start
    else:
        with pytest.raises(ValidationError):
            added(period_end=end)


@pytest.mark.parametrize("percent", ["0", "0.00", "100.00", "33.33"])
def test_a_copayment_is_from_nothing_to_the_whole(percent: str) -> None:
    assert added(copay_percent=percent).copay_percent == round(float(percent) * 100)


@pytest.mark.parametrize(
    "change",
    [
        {"copay_percent": "-0.01"},
        {"copay_percent": "100.01"},
        {"annual_limit": "0.00"},
        {"annual_limit": "-1.00"},
        {"member_number": "AB"},
        {"member_number": "A" * 41},
        {"member_number": "A B-1"},
        {"member_number": "-AB1"},
        {"payer": {"code": "", "name": "Star Health"}},
        {"payer": {"code": "A B", "name": "Star Health"}},
        {"payer": {"code": "STAR", "name": ""}},
        {"payer": {"code": "STAR"}},
        {"payer": "STAR"},
        {"period_start": "2026-4-1"},
        {"currency": "rupees"},
    ],
)
def test_a_card_that_cannot_be_is_not_taken(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        added(**change)


@pytest.mark.parametrize("number", ["AB1", "A" * 40, "SH-2291/004"])
def test_a_member_number_is_kept_as_it_is_printed(number: str) -> None:
    assert added(member_number=number).member_number == number


def test_the_code_of_a_payer_is_in_capitals() -> None:
    assert added(payer={"code": " star-1 ", "name": "Star Health"}).payer.code == "STAR-1"


def test_a_final_bill_of_the_patient_is_claimed() -> None:
    assert refusal() is None
    assert refusal(status="PAID") is None
    assert refusal(total={"amount": "0.01", "currency": "INR"}) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"patient_id": OTHER_PATIENT}, "PATIENT_MISMATCH"),
        ({"status": "VOID"}, "BILL_VOID"),
        ({"provisional": True}, "BILL_PROVISIONAL"),
        ({"total": {"amount": "0.00", "currency": "INR"}}, "NOTHING_TO_CLAIM"),
        ({"total": {"amount": "525.00", "currency": "USD"}}, "CURRENCY_MISMATCH"),
    ],
)
def test_any_other_bill_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refusal(**changes) == code


def test_the_first_of_several_refusals_is_said() -> None:
    wrong: dict[str, Any] = {
        "patient_id": OTHER_PATIENT,
        "status": "VOID",
        "provisional": True,
        "total": {"amount": "0.00", "currency": "USD"},
    }
    codes = []
    for field in list(wrong):
        codes.append(refusal(**wrong))
        del wrong[field]

    assert codes == ["PATIENT_MISMATCH", "BILL_VOID", "BILL_PROVISIONAL", "NOTHING_TO_CLAIM"]


def test_a_bill_that_nobody_knows_is_refused() -> None:
    with pytest.raises(rules.BillNotFound):
        rules.check_claimable(None, added())


@pytest.mark.parametrize(
    ("verdict", "is_sound"),
    [
        (Verdict(APPROVED, 100), True),
        (Verdict(APPROVED, 101), False),
        (Verdict(APPROVED, 1), True),
        (Verdict(APPROVED, 0), False),
        (Verdict(APPROVED, -1), False),
        (Verdict(IN_PART, 99), True),
        (Verdict(IN_PART, 101), False),
        (Verdict(IN_PART, 0), False),
        (Verdict(DENIED, 0), True),
        (Verdict(DENIED, 1), False),
        (Verdict("PENDING"), True),
        (Verdict("PENDING", 1), False),
        (Verdict("WITHDRAWN"), True),
        (Verdict("WITHDRAWN", 1), False),
    ],
)
def test_a_verdict_is_meant_where_its_amount_fits_what_it_says(verdict: Verdict, is_sound: bool) -> None:
    assert rules.is_sound(verdict, a_claim(100)) is is_sound


@pytest.mark.parametrize(
    ("amount", "percent", "covered", "is_meant"),
    [
        (100, 8000, 80, True),
        (100, 8000, 100, True),
        (100, 8000, 101, False),
        (100, 8000, 0, True),
        (100, 8000, -1, False),
        (100, 8000, None, False),
        (None, 8000, None, True),
        (None, 8000, 0, False),
        (None, 0, None, True),
        (None, -1, None, False),
        (None, 10_000, None, True),
        (None, 10_001, None, False),
    ],
)
def test_an_answer_about_eligibility_is_meant_where_it_answers_the_question(
    amount: int | None, percent: int, covered: int | None, is_meant: bool
) -> None:
    answer = Eligibility(True, percent, covered, "COVERED", "Covered.", NOW)

    assert rules.is_meant(answer, Question(a_membership(), DAY, amount)) is is_meant


@given(claimed=st.integers(1, 10**9), data=st.data())
def test_what_the_insurer_pays_and_the_patients_share_are_the_claim(claimed: int, data: st.DataObject) -> None:
    status: Ruling = data.draw(st.sampled_from([APPROVED, IN_PART, DENIED]))
    approved = 0 if status is DENIED else data.draw(st.integers(1, claimed))

    after = rules.settled(a_claim(claimed), Verdict(status, approved, "SIM-1"), None, NOW)

    assert after.status is status
    assert after.approved_amount is not None
    assert after.patient_share is not None
    assert after.approved_amount + after.patient_share == after.claimed_amount == claimed
    assert after.version == 2


def test_what_is_withdrawn_is_cancelled_without_any_amount() -> None:
    after = rules.settled(a_claim(), Verdict("WITHDRAWN"), "The wrong coverage", NOW)

    assert (after.status, after.cancellation_reason) == (ClaimStatus.CANCELLED, "The wrong coverage")
    assert (after.approved_amount, after.patient_share, after.decision) == (None, None, None)


@given(tried=st.integers(0, 100_000))
def test_the_wait_for_an_insurer_doubles_up_to_an_hour_and_half_of_it_is_chance(tried: int) -> None:
    longest = min(3600, 60 * 2 ** min(tried, 10))

    assert longest / 2 <= rules.wait(tried, clinic()).total_seconds() <= longest


def test_a_coverage_is_cancelled_once() -> None:
    after = rules.cancelled(added(), "Mistyped", NOW)

    assert (after.status, after.version, after.cancellation_reason) == ("CANCELLED", 2, "Mistyped")
    with pytest.raises(InvalidTransition):
        rules.cancelled(after, None, NOW)
    with pytest.raises(rules.CoverageNotActive):
        rules.check_active(after)


def test_a_refusal_of_patients_that_is_new_to_us_stays_a_refusal() -> None:
    known, other = rules.refusal_of_patient("PATIENT_NOT_FOUND"), rules.refusal_of_patient("PATIENT_MERGED")

    assert (type(known), known.status) == (rules.PatientNotFound, 404)
    assert (type(other), other.code, other.status) == (Conflicting, "PATIENT_MERGED", 409)
