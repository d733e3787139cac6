"""Every decision about coverages and claims, pure: facts come in, a new state or a refusal goes out."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

from hms.errors import Busy, Conflicting, InvalidTransition, NotFound, Refused
from hms.fields import day_of
from hms.money import AT_REST
from insurance.bills import VOID
from insurance.claim import Claim, ClaimStatus, Decision
from insurance.insurers import Demand, Membership
from insurance.model import Coverage, CoverageStatus, EligibilityCheck

if TYPE_CHECKING:
    from datetime import datetime

    from hms.errors import Problem
    from insurance.bills import BillTold
    from insurance.clinic import Clinic
    from insurance.commands import AddCoverage, CheckEligibility
    from insurance.insurers import Eligibility, Question, Verdict

_WHOLE_PERCENT = 10_000


class CoverageNotFound(NotFound):
    code, detail = "COVERAGE_NOT_FOUND", "There is no such coverage."


class ClaimNotFound(NotFound):
    code, detail = "CLAIM_NOT_FOUND", "There is no such claim."


class PatientNotFound(NotFound):
    code, detail = "PATIENT_NOT_FOUND", "There is no such patient."


class PatientInactive(Conflicting):
    code, detail = "PATIENT_INACTIVE", "The patient is deactivated."


class MemberNumberTaken(Conflicting):
    code, detail = "MEMBER_NUMBER_TAKEN", "Another active coverage of this payer has this member number."


class CoverageNotActive(Conflicting):
    code, detail = "COVERAGE_CANCELLED", "The coverage is cancelled."


class BillNotFound(NotFound):
    code, detail = "BILL_NOT_FOUND", "There is no such bill."


class PatientMismatch(Refused):
    code, detail = "PATIENT_MISMATCH", "Bill and coverage belong to different patients."


class BillVoid(Conflicting):
    code, detail = "BILL_VOID", "The bill is void."


class BillProvisional(Conflicting):
    code, detail = "BILL_PROVISIONAL", "The bill is not final yet."


class NothingToClaim(Conflicting):
    code, detail = "NOTHING_TO_CLAIM", "The bill comes to nothing."


class CurrencyMismatch(Refused):
    code, detail = "CURRENCY_MISMATCH", "Bill and coverage are in different currencies."


class AlreadyClaimed(Conflicting):
    code, detail = "ALREADY_CLAIMED", "The bill has a claim already that is neither denied nor cancelled."


class InsurerUnanswered(Busy):
    code, detail = "INSURER_UNANSWERED", "The insurer does not answer; send the request again."


COVERAGE_PROBLEMS = (PatientNotFound, PatientInactive, MemberNumberTaken)
CLAIM_PROBLEMS = (
    CoverageNotFound,
    CoverageNotActive,
    BillNotFound,
    PatientMismatch,
    BillVoid,
    BillProvisional,
    NothingToClaim,
    CurrencyMismatch,
    AlreadyClaimed,
)
_OF_PATIENTS: dict[str, type[Problem]] = {one.code: one for one in (PatientNotFound, PatientInactive)}


def refusal_of_patient(code: str) -> Problem:
    """What the owner of patients refuses, as a refusal of ours."""
    return _OF_PATIENTS.get(code, Conflicting)(code=code)


def added(coverage_id: str, command: AddCoverage, now: datetime) -> Coverage:
    fields = {name: getattr(command, name) for name in type(command).model_fields}
    born = {"coverage_id": coverage_id, "created_at": now, "updated_at": now}
    return Coverage.model_validate(fields | born, context=AT_REST)


def cancelled(coverage: Coverage, reason: str | None, now: datetime) -> Coverage:
    if coverage.status is CoverageStatus.CANCELLED:
        raise InvalidTransition("The coverage is cancelled already.")
    update = {"status": CoverageStatus.CANCELLED, "cancellation_reason": reason}
    return coverage.model_copy(update=update | {"version": coverage.version + 1, "updated_at": now})


def check_active(coverage: Coverage | None) -> Coverage:
    if coverage is None:
        raise CoverageNotFound
    if coverage.status is not CoverageStatus.ACTIVE:
        raise CoverageNotActive
    return coverage


def membership_of(coverage: Coverage) -> Membership:
    return Membership(
        coverage.payer.code,
        coverage.member_number,
        coverage.plan,
        coverage.period_start,
        coverage.period_end,
        coverage.copay_percent,
        coverage.annual_limit,
        coverage.currency,
    )


def is_meant(answer: Eligibility, question: Question) -> bool:
    """Whether an insurer's answer answers the question, and pays no more than there is."""
    amount, covered = question.amount, answer.covered_amount
    if not 0 <= answer.covered_percent <= _WHOLE_PERCENT:
        return False
    return covered is None if amount is None else covered is not None and 0 <= covered <= amount


def checked(
    check_id: str, coverage: Coverage, command: CheckEligibility, answer: Eligibility, *, insurer: str, now: datetime
) -> EligibilityCheck:
    asked = {"on": command.on, "amount": command.amount, "currency": coverage.currency, "insurer": insurer}
    whose = {"check_id": check_id, "coverage_id": coverage.coverage_id, "patient_id": coverage.patient_id}
    kept = whose | asked | answer._asdict() | {"created_at": now, "updated_at": now}
    return EligibilityCheck.model_validate(kept, context=AT_REST)


def check_claimable(bill: BillTold | None, coverage: Coverage) -> BillTold:
    """Raises the first refusal of `CLAIM_PROBLEMS` that the bill itself gives cause for."""
    if bill is None:
        raise BillNotFound
    if bill.patient_id != coverage.patient_id:
        raise PatientMismatch
    if bill.status == VOID:
        raise BillVoid
    if bill.provisional:
        raise BillProvisional
    if bill.total.amount == 0:
        raise NothingToClaim
    if bill.total.currency != coverage.currency:
        raise CurrencyMismatch
    return bill


def submitted(claim_id: str, bill: BillTold, coverage: Coverage, insurer: str, now: datetime) -> Claim:
    claimed = {
        "claim_id": claim_id,
        "bill_id": bill.bill_id,
        "bill_number": bill.bill_number,
        "bill_version": bill.version,
        "coverage_id": coverage.coverage_id,
        "patient_id": coverage.patient_id,
        "insurer": insurer,
        "currency": bill.total.currency,
        "claimed_amount": bill.total.amount,
        "created_at": now,
        "updated_at": now,
    }
    return Claim.model_validate(claimed, context=AT_REST)


def demand_of(claim: Claim, coverage: Coverage, clinic: Clinic) -> Demand:
    """The same claim always makes the same demand."""
    day = day_of(claim.created_at, clinic.timezone)
    return Demand(claim.claim_id, membership_of(coverage), claim.bill_number, day, claim.claimed_amount)


def is_sound(verdict: Verdict, claim: Claim) -> bool:
    """Whether a verdict can be meant: nobody pays more than was claimed, approves nothing, or denies an amount."""
    if verdict.status in (ClaimStatus.APPROVED, ClaimStatus.PARTIALLY_APPROVED):
        return 0 < verdict.approved <= claim.claimed_amount
    return verdict.approved == 0


def check_undecided(claim: Claim) -> None:
    if claim.status is not ClaimStatus.SUBMITTED:
        raise InvalidTransition(f"A claim that is {claim.status} is not cancelled.")


def settled(claim: Claim, verdict: Verdict, reason: str | None, now: datetime) -> Claim:
    """A submitted claim after a verdict that ends it; `reason` is why it was to be withdrawn, if it was."""
    if verdict.status == "WITHDRAWN":
        return _changed(claim, now, status=ClaimStatus.CANCELLED, cancellation_reason=reason)
    return _changed(
        claim,
        now,
        status=verdict.status,
        approved_amount=verdict.approved,
        patient_share=claim.claimed_amount - verdict.approved,
        decision=Decision(reference=verdict.reference, code=verdict.code, detail=verdict.detail, at=now),
    )


def wait(tried: int, clinic: Clinic) -> timedelta:
    """How long until an insurer is asked again: doubled each time up to a ceiling, and half of it is chance."""
    # Doubled often enough any wait is the longest; more would only make a huge number of it.
    longest = min(clinic.longest_wait_seconds, clinic.first_wait_seconds * 2 ** min(tried, 32))
    return timedelta(seconds=round(random.uniform(longest / 2, longest)))  # noqa: S311  (jitter, not a secret)


def _changed(claim: Claim, now: datetime, **update: object) -> Claim:
    return claim.model_copy(update={**update, "version": claim.version + 1, "updated_at": now})
