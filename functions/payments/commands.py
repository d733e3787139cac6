"""What may be asked of payments and refunds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from hms.cards import NOT_A_CARD
from hms.fields import Command, Id, Line
from hms.money import Amount
from payments.model import Method

# A processor's token, or a UPI address such as name@bank.
Source = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{1,254}$"), NOT_A_CARD]
_Line = Annotated[Line, NOT_A_CARD]
Some = Annotated[Amount, Field(gt=0, examples=["525.00"])]


class PayBill(Command):
    """The whole of what is outstanding, or a part of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "bill_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e70",
                    "amount": "525.00",
                    "method": "CARD",
                    "source": "tok_visa",
                }
            ]
        }
    )

    bill_id: Id
    amount: Some
    currency: str = Field(default="INR", pattern="^[A-Z]{3}$")
    method: Annotated[Method, Field(strict=False)]
    source: Source | None = Field(
        default=None,
        description="Of CARD and UPI only: the processor's one-time token, or a UPI address. Never a card number.",
    )
    reference: _Line | None = Field(default=None, description="A receipt's or transfer's number. Never a card number.")


class RefundPayment(Command):
    """A payment back, or a part of it: the way that it came, or over the desk."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "payment_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e80",
                    "amount": "262.50",
                    "reason": "Charged for a service that was not given",
                }
            ]
        }
    )

    payment_id: Id
    amount: Some
    reason: _Line
    method: Literal["CASH", "BANK_TRANSFER"] | None = Field(
        default=None, description="Given back by hand where the way that it came does not take it."
    )
