"""The vocabulary of claims."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

from hms.aggregate import Entity
from hms.events import Fact
from hms.money import Amount, Money


class ClaimStatus(StrEnum):
    """Decided once. `APPROVED` is all that the plan pays, `PARTIALLY_APPROVED` less."""

    SUBMITTED = "SUBMITTED"
    APPROVED = "APPROVED"
    PARTIALLY_APPROVED = "PARTIALLY_APPROVED"
    DENIED = "DENIED"
    CANCELLED = "CANCELLED"


# A bill has at most one of these.
LIVE = frozenset({ClaimStatus.SUBMITTED, ClaimStatus.APPROVED, ClaimStatus.PARTIALLY_APPROVED})


class Decision(BaseModel):
    """The insurer's word: its own number of the claim, and where it pays less than the plan does, why."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    reference: str | None = None
    code: str | None = None
    detail: str | None = None
    at: AwareDatetime


class Claim(Entity):
    """What is asked of an insurer for one bill. `claim_id` is the key by which the insurer knows it again.

    `claimed_amount` is the bill's total at `bill_version`. `approved_amount` is what the insurer says it pays, and
    `patient_share` the rest; both are empty until it has decided. Neither is in any ledger.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": 2,
                    "created_at": "2026-11-23T06:30:00Z",
                    "updated_at": "2026-11-23T06:30:00Z",
                    "claim_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5ea2",
                    "bill_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e70",
                    "bill_number": "B4839201735",
                    "bill_version": 2,
                    "coverage_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5ea0",
                    "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
                    "insurer": "simulator",
                    "status": "PARTIALLY_APPROVED",
                    "currency": "INR",
                    "claimed_amount": "525.00",
                    "approved_amount": "210.00",
                    "patient_share": "315.00",
                    "decision": {
                        "reference": "SIM-483920175",
                        "code": "PARTLY_COVERED",
                        "detail": "The plan covers a part of this.",
                        "at": "2026-11-23T06:30:00Z",
                    },
                    "cancellation_reason": None,
                }
            ]
        }
    )

    claim_id: str
    bill_id: str
    bill_number: str
    bill_version: int
    coverage_id: str
    patient_id: str
    insurer: str
    status: ClaimStatus = ClaimStatus.SUBMITTED
    currency: str
    claimed_amount: Amount
    approved_amount: Amount | None = None
    patient_share: Amount | None = None
    decision: Decision | None = None
    cancellation_reason: str | None = None


_EXAMPLE: dict[str, JsonValue] = {
    "claim_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5ea2",
    "version": 1,
    "bill_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e70",
    "coverage_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5ea0",
    "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
    "status": "SUBMITTED",
    "claimed": {"amount": "525.00", "currency": "INR"},
    "approved": None,
    "patient_share": None,
}


def _example(**more: JsonValue) -> ConfigDict:
    return ConfigDict(frozen=True, json_schema_extra={"examples": [_EXAMPLE | more]})


class ClaimFact(Fact):
    claim_id: str
    version: int
    bill_id: str
    coverage_id: str
    patient_id: str
    status: ClaimStatus
    claimed: Money
    approved: Money | None
    patient_share: Money | None

    @classmethod
    def of(cls, claim: Claim) -> Self:
        own = {name: getattr(claim, name) for name in ("claim_id", "version", "bill_id", "coverage_id", "patient_id")}
        amounts = {
            "claimed": claim.claimed_amount,
            "approved": claim.approved_amount,
            "patient_share": claim.patient_share,
        }
        money = {
            name: None if amount is None else Money.model_construct(amount=amount, currency=claim.currency)
            for name, amount in amounts.items()
        }
        return cls.model_validate(own | {"status": claim.status} | money)


class ClaimSubmitted(ClaimFact):
    """It is to be given to the insurer."""

    type: ClassVar[str] = "insurance.claim_submitted.v1"
    model_config = _example()


class ClaimDecided(ClaimFact):
    """The insurer has decided. No money has moved, and no ledger says so."""

    type: ClassVar[str] = "insurance.claim_decided.v1"
    model_config = _example(
        version=2,
        status="APPROVED",
        approved={"amount": "420.00", "currency": "INR"},
        patient_share={"amount": "105.00", "currency": "INR"},
    )


class ClaimCancelled(ClaimFact):
    """It was taken back before the insurer decided."""

    type: ClassVar[str] = "insurance.claim_cancelled.v1"
    model_config = _example(version=2, status="CANCELLED")


CLAIM_FACTS: tuple[type[Fact], ...] = (ClaimSubmitted, ClaimDecided, ClaimCancelled)
