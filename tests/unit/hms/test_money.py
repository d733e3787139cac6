"""Money on the wire and at rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from hms.money import AT_REST, Money, wire


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
