"""What may be asked of bills and of the work list."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from hms import fields
from hms.cards import NO_CARD_IN_IT
from hms.fields import Command, Day, Id
from hms.money import Amount, Rate

MOST_ITEMS = 50

Line = Annotated[fields.Line, NO_CARD_IN_IT]
Note = Annotated[fields.Note, NO_CARD_IN_IT]
Price = Annotated[Amount, Field(ge=0, examples=["750.00"])]
Some = Annotated[Amount, Field(gt=0, examples=["100.00"])]


class BillItem(Command):
    """What a line is made of: a `code` of the charge master, or a `description` with its net `unit_price`.

    The charge master says price and tax rate of its codes; else the rate is the clinic's where it is left out.
    """

    code: Line | None = None
    description: Line | None = None
    quantity: int = Field(default=1, ge=1, le=10_000)
    unit_price: Price | None = None
    tax_rate: Rate | None = None

    @model_validator(mode="after")
    def says_what_it_costs(self) -> Self:
        own = (self.description, self.unit_price, self.tax_rate)
        if self.code is not None and own != (None, None, None):
            message = "the charge master says description, unit_price and tax_rate of a code"
            raise ValueError(message)
        if self.code is None and None in own[:2]:
            message = "an item has a code, or a description and a unit_price"
            raise ValueError(message)
        return self


Items = Annotated[tuple[BillItem, ...], Field(strict=False, min_length=1, max_length=MOST_ITEMS)]
_ITEMS: list[JsonValue] = [
    {"code": "ECG"},
    {"description": "Bandage", "quantity": 2, "unit_price": "49.90", "tax_rate": "12.00"},
]


class CreateBill(Command):
    """A bill by hand. `department`, `doctor_id` and `plan` decide which price of a code holds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60", "items": _ITEMS, "due_date": "2026-12-23"}
            ]
        }
    )

    patient_id: Id
    items: Items
    currency: str = Field(default="INR", pattern="^[A-Z]{3}$")
    due_date: Day | None = Field(default=None, description="15 days from today where it is left out.")
    notes: Note | None = None
    department: Line | None = None
    doctor_id: Id | None = None
    plan: Line | None = None


class AdjustBill(Command):
    """Lines that are added."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": _ITEMS, "reason": "Dressing changed"}]})

    items: Items
    reason: Line


class DiscountBill(Command):
    """`amount` is net: the tax on it is taken off too, at the clinic's rate where none is given."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": "100.00", "reason": "Staff family"}]})

    amount: Some
    tax_rate: Rate | None = None
    reason: Line


class WriteOffBill(Command):
    """`amount` includes tax: what will not be asked for any more."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": "100.00", "reason": "Patient moved away"}]})

    amount: Some
    reason: Line


class VoidBill(Command):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Made for the wrong patient"}]})

    reason: Line


class ResolveException(Command):
    model_config = ConfigDict(json_schema_extra={"examples": [{"resolution": "Paid back in cash at the desk"}]})

    resolution: Line
