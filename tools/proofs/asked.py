"""What is asked of a bill in a proof, in minor units as the API takes it and in exact fractions as the oracle does."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from hms.money import wire
from tools.proofs import oracle
from tools.proofs.oracle import Line

if TYPE_CHECKING:
    from tools.proofs.oracle import Account


def rupees(minor: int) -> Fraction:
    return Fraction(minor, 100)


def minor_units(amount: Fraction) -> int:
    minor = amount * 100
    if minor.denominator != 1:
        message = f"{amount} is no whole number of minor units"
        raise ValueError(message)
    return minor.numerator


class Item(NamedTuple):
    """What is asked for by hand; without a rate (hundredths of a percent) it is the clinic's."""

    price: int
    quantity: int = 1
    rate: int | None = None

    @property
    def asked(self) -> dict[str, Any]:
        asked = {"description": "Dressing", "unit_price": wire(self.price), "quantity": self.quantity}
        return asked if self.rate is None else asked | {"tax_rate": wire(self.rate)}

    @property
    def line(self) -> Line:
        rate = oracle.TAX_PERCENT if self.rate is None else rupees(self.rate)
        return Line("CHARGE", rupees(self.price) * self.quantity, rate)


class Money(NamedTuple):
    """On its way, to the bill or back."""

    name: str
    amount: int
    back: bool = False


def answered(account: Account) -> dict[str, str]:
    """What the API says of a bill."""
    amounts = {
        "amount": account.charged - account.tax,
        "tax_amount": account.tax,
        "total_amount": account.charged,
        "written_off_amount": account.written_off,
        "paid_amount": account.paid,
        "refunded_amount": account.refunded,
        "outstanding_amount": account.outstanding,
    }
    return {"status": account.status} | {name: _written(amount) for name, amount in amounts.items()}


def _written(amount: Fraction) -> str:
    """With two decimals; nothing is rounded."""
    minor = minor_units(amount)
    return f"{'-' if minor < 0 else ''}{abs(minor) // 100}.{abs(minor) % 100:02}"
