"""Phones as people write them, and what is none."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from hms.contact import Phone

PHONE: TypeAdapter[str] = TypeAdapter(Phone)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("9227680402", "+919227680402"),
        ("092276 80402", "+919227680402"),
        ("+91 92276-80402", "+919227680402"),
        ("+1 212 555 0123", "+12125550123"),
    ],
)
def test_a_phone_is_kept_as_e164_and_ten_digits_are_indian(written: str, kept: str) -> None:
    assert PHONE.validate_python(written) == kept


@pytest.mark.parametrize("written", ["98765 4321", "+91 98765", "98765432101", "phone", "+999 12345"])
def test_a_digit_too_few_or_too_many_is_refused(written: str) -> None:
    with pytest.raises(ValidationError):
        PHONE.validate_python(written)
