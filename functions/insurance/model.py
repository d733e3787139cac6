"""The vocabulary of coverages and of what insurers say about them."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from hms.aggregate import Entity
from hms.events import Fact
from hms.fields import Line
from hms.money import Amount, Money, Rate
from insurance.claim import CLAIM_FACTS

PayerCode = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$", examples=["STAR"]), AfterValidator(str.upper)
]
MemberNumber = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9/-]{2,39}$", examples=["SH-2291-00417"])]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["INR"])]


class Payer(BaseModel):
    """Who pays. The code is the payer's in the whole hospital, in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, str_strip_whitespace=True, defer_build=True)

    code: PayerCode
    name: Line = Field(examples=["Star Health"])


class CoverageStatus(StrEnum):
    ACTIVE = "ACTIVE"
    CANCELLED = "CANCELLED"


class Coverage(Entity):
    """That a payer pays for a patient, as the patient's card says. The period is in clinic days, both included.

    `copay_percent` is the patient's own share; `annual_limit` what the payer pays in a calendar year at most, where it
    is limited.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": 1,
                    "created_at": "2026-11-23T06:30:00Z",
                    "updated_at": "2026-11-23T06:30:00Z",
                    "coverage_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5ea0",
                    "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
                    "payer": {"code": "STAR", "name": "Star Health"},
                    "member_number": "SH-2291-00417",
                    "plan": "Family Optima",
                    "period_start": "2026-04-01",
                    "period_end": "2027-03-31",
                    "copay_percent": "20.00",
                    "annual_limit": "500000.00",
                    "currency": "INR",
                    "status": "ACTIVE",
                    "cancellation_reason": None,
                }
            ]
        }
    )

    coverage_id: str
    patient_id: str
    payer: Payer
    member_number: str
    plan: str
    period_start: date
    period_end: date
    copay_percent: Rate
    annual_limit: Amount | None = None
    currency: Currency = "INR"
    status: CoverageStatus = CoverageStatus.ACTIVE
    cancellation_reason: str | None = None


class EligibilityCheck(Entity):
    """What the insurer said about a coverage on a clinic day; never changed.

    `code` and `detail` are the insurer's reason. `covered_percent` is what it pays of a bill; `covered_amount` what it
    would pay of `amount`, where that was asked. `as_of` is the insurer's instant.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": 1,
                    "created_at": "2026-11-23T06:30:00Z",
                    "updated_at": "2026-11-23T06:30:00Z",
                    "check_id": "8f1e6d80-5f0a-8c39-9d54-3b1c2a4f5ea1",
                    "coverage_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5ea0",
                    "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
                    "on": "2026-11-23",
                    "amount": "525.00",
                    "currency": "INR",
                    "eligible": True,
                    "covered_percent": "80.00",
                    "covered_amount": "420.00",
                    "code": "COVERED",
                    "detail": "Covered.",
                    "insurer": "simulator",
                    "as_of": "2026-11-23T06:30:00Z",
                }
            ]
        }
    )

    check_id: str
    coverage_id: str
    patient_id: str
    on: date
    amount: Amount | None = None
    currency: Currency = "INR"
    eligible: bool
    covered_percent: Rate
    covered_amount: Amount | None = None
    code: str
    detail: str
    insurer: str
    as_of: AwareDatetime


_EXAMPLE: dict[str, JsonValue] = {
    "coverage_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5ea0",
    "version": 1,
    "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
    "status": "ACTIVE",
    "annual_limit": {"amount": "500000.00", "currency": "INR"},
}


def _example(base: dict[str, JsonValue], **more: JsonValue) -> ConfigDict:
    return ConfigDict(frozen=True, json_schema_extra={"examples": [base | more]})


class CoverageFact(Fact):
    """Neither payer nor number: what somebody is insured for is theirs."""

    coverage_id: str
    version: int
    patient_id: str
    status: CoverageStatus
    annual_limit: Money | None

    @classmethod
    def of(cls, coverage: Coverage) -> Self:
        own = {name: getattr(coverage, name) for name in CoverageFact.model_fields}
        return cls.model_validate(own | {"annual_limit": _money(coverage.annual_limit, coverage.currency)})


class CoverageAdded(CoverageFact):
    type: ClassVar[str] = "insurance.coverage_added.v1"
    model_config = _example(_EXAMPLE)


class CoverageCancelled(CoverageFact):
    type: ClassVar[str] = "insurance.coverage_cancelled.v1"
    model_config = _example(_EXAMPLE, version=2, status="CANCELLED")


class EligibilityChecked(Fact):
    """The insurer answered; `covered` is what it would pay of `amount`, where that was asked."""

    type: ClassVar[str] = "insurance.eligibility_checked.v1"
    model_config = _example(
        {
            "check_id": "8f1e6d80-5f0a-8c39-9d54-3b1c2a4f5ea1",
            "coverage_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5ea0",
            "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
            "eligible": True,
            "amount": {"amount": "525.00", "currency": "INR"},
            "covered": {"amount": "420.00", "currency": "INR"},
        }
    )
    check_id: str
    coverage_id: str
    patient_id: str
    eligible: bool
    amount: Money | None
    covered: Money | None

    @classmethod
    def of(cls, check: EligibilityCheck) -> Self:
        own = {name: getattr(check, name) for name in ("check_id", "coverage_id", "patient_id", "eligible")}
        amounts = {"amount": check.amount, "covered": check.covered_amount}
        return cls.model_validate(own | {name: _money(amount, check.currency) for name, amount in amounts.items()})


def _money(amount: int | None, currency: str) -> Money | None:
    return None if amount is None else Money.model_construct(amount=amount, currency=currency)


FACTS: tuple[type[Fact], ...] = (CoverageAdded, CoverageCancelled, EligibilityChecked, *CLAIM_FACTS)
