"""What a visit's owner tells billing of it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

from billing.model import Outcome
from hms.money import MoneyTold


class CancellationTold(BaseModel):
    """Whose wish it was, and how long before the start; below zero, after it."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    requested_by: Literal["PATIENT", "DOCTOR", "CLINIC"]
    seconds_before_start: int


class Visit(BaseModel):
    """A visit as it is, on its owner's word. `created_at` is when it was booked."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    appointment_id: str
    version: int
    patient_id: str
    doctor_id: str
    department: str
    slot_start: AwareDatetime
    status: str
    consultation_fee: MoneyTold
    cancellation: CancellationTold | None = None
    created_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def says_whose_wish_it_was(self) -> Self:
        """Without it nobody knows whether there is a fee."""
        if self.outcome is Outcome.CANCELLED and self.cancellation is None:
            message = "a cancelled visit has a cancellation"
            raise ValueError(message)
        return self

    @property
    def outcome(self) -> Outcome | None:
        """What it came to; None while it is not over."""
        return Outcome(self.status) if self.status in set(Outcome) else None
