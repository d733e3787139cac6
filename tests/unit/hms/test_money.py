"""Money on the wire and at rest."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import TypeAdapter, ValidationError

from hms.money import AT_REST, Money, Rate, half_up, readable, tax_of, wire


@pytest.mark.parametrize(
    ("given_amount", "minor"), [("500.00", 50000), ("0.05", 5), ("7", 700), (7, 700), (12.5, 1250), ("1.500", 150)]
)
def test_an_exact_amount_is_taken(given_amount: Any, minor: int) -> None:
    assert Money.model_validate({"amount": given_amount}).amount == minor


@pytest.mark.parametrize(
    "amount",
    ["1.005", "-0.01", "1e3", "1_000", "", " ", "NaN", "Infinity", "1,00", "१", True, None, [], 0.1 + 0.2, 1e300],
)
def test_what_is_not_an_exact_amount_is_refused(amount: Any) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount": amount})


def test_an_amount_is_text_on_the_wire_and_a_whole_number_at_rest() -> None:
    fee = Money.model_validate({"amount": "500.00"})

    assert fee.model_dump_json() == '{"amount":"500.00","currency":"INR"}'
    assert fee.model_dump_json(context=AT_REST) == '{"amount":50000,"currency":"INR"}'


@given(some.integers(min_value=0, max_value=10**12))
def test_no_amount_is_lost_between_the_wire_and_the_rest(minor: int) -> None:
    fee = Money.model_validate({"amount": wire(minor)})

    assert fee.amount == minor
    assert Money.model_validate_json(fee.model_dump_json(context=AT_REST), context=AT_REST) == fee
    assert Money.model_validate_json(fee.model_dump_json()) == fee


@pytest.mark.parametrize(
    ("net", "rate", "tax"),
    [
        (50000, 500, 2500),
        (10, 500, 1),
        (9, 500, 0),
        (-10, 500, -1),
        (-9, 500, 0),
        (1, 10000, 1),
        (33333, 1800, 6000),
        (0, 500, 0),
    ],
)
def test_tax_is_rounded_half_up_and_taken_back_to_the_unit(net: int, rate: int, tax: int) -> None:
    assert tax_of(net, rate) == tax
    assert tax_of(-net, rate) == -tax


@given(some.integers(-(10**12), 10**12), some.integers(1, 10**4))
def test_half_up_is_the_nearest_whole_number(numerator: int, denominator: int) -> None:
    off = Fraction(numerator, denominator) - half_up(numerator, denominator)

    assert abs(off) < Fraction(1, 2) or (off == Fraction(-1, 2) if numerator > 0 else off == Fraction(1, 2))


def test_a_rate_has_two_decimals_and_is_at_most_the_whole() -> None:
    adapter = TypeAdapter(Rate)

    assert adapter.validate_python("5.00") == 500
    assert adapter.dump_python(1850, mode="json") == "18.50"
    for wrong in ("100.01", "-1", "5.005", "five"):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (0, "INR", "₹0.00"),
        (5, "INR", "₹0.05"),
        (99_999, "INR", "₹999.99"),
        (100_000, "INR", "₹1,000.00"),
        (9_999_999, "INR", "₹99,999.99"),
        (12_500_000, "INR", "₹1,25,000.00"),
        (10**12, "INR", "₹10,00,00,00,000.00"),
        (-26_250, "INR", "-₹262.50"),
        (12_500_000, "EUR", "EUR 125,000.00"),
        (-5, "USD", "-USD 0.05"),
    ],
)
def test_money_is_written_as_people_read_it(minor: int, currency: str, text: str) -> None:
    assert readable(minor, currency) == text
