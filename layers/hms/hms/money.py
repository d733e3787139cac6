"""Money: whole minor units and an ISO 4217 currency at rest, a decimal string on the wire.

`Rate` is a percentage in the same form: 500 at rest, `"5.00"` on the wire.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializationInfo,
    ValidationInfo,
    WithJsonSchema,
)

MINOR_DIGITS = 2
AT_REST = {"at_rest": True}
_LARGEST = 10**12
# Hundredths of a percent: a rate has the two decimals that an amount has.
_WHOLE = 10_000
_THOUSANDS = 3
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def _minor_units(value: Any, info: ValidationInfo) -> Any:
    if info.context == AT_REST:
        return value
    if isinstance(value, bool) or not _DECIMAL.fullmatch(str(value)):
        message = "an amount is a decimal string such as 500.00"
        raise ValueError(message)
    amount = Decimal(str(value)).scaleb(MINOR_DIGITS)
    if amount != amount.to_integral_value() or abs(amount) > _LARGEST:
        message = f"an amount has at most {MINOR_DIGITS} decimals and is not astronomical"
        raise ValueError(message)
    return int(amount)


def wire(minor: int) -> str:
    """50000 → `"500.00"`."""
    return f"{Decimal(minor).scaleb(-MINOR_DIGITS):.{MINOR_DIGITS}f}"


def readable(minor: int, currency: str) -> str:
    """₹1,00,000.00 as India groups its digits; other currencies as EUR 100,000.00; below zero with a minus in front."""
    sign, amount = "-" if minor < 0 else "", wire(abs(minor))
    return f"{sign}₹{_in_lakhs(amount)}" if currency == "INR" else f"{sign}{currency} {Decimal(amount):,}"


def _in_lakhs(amount: str) -> str:
    """The last three digits, then groups of two."""
    whole, _, minor = amount.partition(".")
    head, tail = whole[:-_THOUSANDS], whole[-_THOUSANDS:]
    groups = [head[max(end - 2, 0) : end] for end in range(len(head), 0, -2)]
    return ",".join([*reversed(groups), tail]) + f".{minor}"


def half_up(numerator: int, denominator: int) -> int:
    """The nearest whole number; a half goes away from zero, so that taking a sum back takes back its rounding too."""
    size = (2 * abs(numerator) + denominator) // (2 * denominator)
    return size if numerator >= 0 else -size


def tax_of(net: int, rate: int) -> int:
    """Tax on minor units at a rate in hundredths of a percent (500 is 5 %), half-up (docs/rules.md "Money")."""
    return half_up(net * rate, _WHOLE)


def _serialized(minor: int, info: SerializationInfo) -> int | str:
    return minor if info.context == AT_REST else wire(minor)


Amount = Annotated[
    int,
    BeforeValidator(_minor_units, json_schema_input_type=str | float),
    PlainSerializer(_serialized),
    WithJsonSchema(
        {"type": "string", "pattern": r"^-?\d+\.\d{2}$", "examples": ["500.00"]},
        mode="serialization",
    ),
]


def _percentage(rate: int) -> int:
    if not 0 <= rate <= _WHOLE:
        message = "a rate is a percentage from 0.00 to 100.00"
        raise ValueError(message)
    return rate


Rate = Annotated[
    Amount,
    AfterValidator(_percentage),
    Field(examples=["5.00"], description="A percentage from 0.00 to 100.00."),
]


class Money(BaseModel):
    """`{"amount": "500.00", "currency": "INR"}`; in Python `amount` counts minor units (50000)."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    amount: Amount = Field(ge=0, examples=["500.00"])
    currency: str = Field(default="INR", pattern="^[A-Z]{3}$")


class MoneyTold(Money):
    """Money in an event of another domain, which may say more about it than is known here."""

    model_config = ConfigDict(extra="ignore")
