"""Personal data where people other than its owner look."""

from __future__ import annotations

import pytest

from hms import masking


@pytest.mark.parametrize(
    ("address", "masked"), [("john.doe@example.com", "jo****@example.com"), ("j@x.org", "j****@x.org"), ("", "****@")]
)
def test_an_email_keeps_two_letters_and_its_domain(address: str, masked: str) -> None:
    assert masking.email(address) == masked


@pytest.mark.parametrize(("number", "masked"), [("1234567890", "******7890"), ("+919227680402", "*********0402")])
def test_a_phone_number_keeps_its_last_four_digits(number: str, masked: str) -> None:
    assert masking.phone(number) == masked


@pytest.mark.parametrize(("text", "masked"), [("Asha", "As***"), ("A", "A***"), ("", "***")])
def test_a_name_keeps_two_letters(text: str, masked: str) -> None:
    assert masking.name(text) == masked
