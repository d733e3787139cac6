"""What may be asked of insurance."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from hms.fields import CalendarDate, Command, Id, Line
from hms.money import Amount, Rate
from insurance.model import Currency, MemberNumber, Payer

Positive = Annotated[Amount, Field(gt=0, examples=["500000.00"])]


class AddCoverage(Command):
    """What the patient's card says."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
                    "payer": {"code": "STAR", "name": "Star Health"},
                    "member_number": "SH-2291-00417",
                    "plan": "Family Optima",
                    "period_start": "2026-04-01",
                    "period_end": "2027-03-31",
                    "copay_percent": "20.00",
                    "annual_limit": "500000.00",
                }
            ]
        }
    )

    patient_id: Id
    payer: Payer
    member_number: MemberNumber
    plan: Line
    period_start: CalendarDate = Field(description="The first clinic day.")
    period_end: CalendarDate = Field(description="The last clinic day.")
    copay_percent: Rate = Field(description="The patient's own share, a percentage from 0.00 to 100.00.")
    annual_limit: Positive | None = Field(default=None, description="Unlimited where it is left out.")
    currency: Currency = "INR"

    @model_validator(mode="after")
    def ends_after_it_starts(self) -> Self:
        if self.period_end < self.period_start:
            message = "period_end is not before period_start"
            raise ValueError(message)
        return self


class CancelCoverage(Command):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The number was mistyped"}]})

    reason: Line | None = None


class CheckEligibility(Command):
    model_config = ConfigDict(json_schema_extra={"examples": [{"on": "2026-11-23", "amount": "525.00"}]})

    on: CalendarDate = Field(description="A clinic day.")
    amount: Positive | None = Field(default=None, description="What it is about to cost, to hear what is paid of it.")


class SubmitClaim(Command):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "bill_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e70",
                    "coverage_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5ea0",
                }
            ]
        }
    )

    bill_id: Id
    coverage_id: Id


class CancelClaim(Command):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The wrong coverage"}]})

    reason: Line | None = None
