"""How people are reached. Imports two heavy libraries: only for the domains that register people."""

from __future__ import annotations

from typing import Annotated

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field

_REGION = "IN"
# Every subscriber number of India has ten digits; the library also takes shorter ones for possible.
_HOME, _HOME_DIGITS = 91, 10
_LONGEST = 254


def _address(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        message = "this is not an e-mail address"
        raise ValueError(message) from error


def _e164(text: str) -> str:
    try:
        number = phonenumbers.parse(text, _REGION)
    except phonenumbers.NumberParseException as error:
        message = "this is not a phone number"
        raise ValueError(message) from error
    short = number.country_code == _HOME and len(str(number.national_number)) != _HOME_DIGITS
    if short or not phonenumbers.is_possible_number(number):
        message = "this is not a possible phone number"
        raise ValueError(message)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


Email = Annotated[str, AfterValidator(_address), Field(max_length=_LONGEST, examples=["asha@example.com"])]
Phone = Annotated[str, AfterValidator(_e164), Field(max_length=40, examples=["+919227680402"])]


def folded(email: str) -> str:
    """The form in which two spellings of one address are equal."""
    return email.casefold()
