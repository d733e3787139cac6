"""Numbers that people read out: digits that nobody can guess, and a check digit (Damm 2004).

The check digit reveals every single wrong digit and every two neighbours swapped.
"""

from __future__ import annotations

import hashlib

from hms.errors import FieldError, Invalid

_CANDIDATES = 8
_QUASIGROUP = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)


def candidates(owner_id: str, digits: int = 8) -> tuple[str, ...]:
    """What something may be numbered, in this order: the first that is free. The check digit follows the `digits`."""
    return tuple(_candidate(f"{owner_id}/{attempt}", digits) for attempt in range(_CANDIDATES))


def is_right(number: str) -> bool:
    return _interim(number) == "0"


def check(number: str, field: str) -> None:
    """Raises `Invalid` where a digit of it is wrong."""
    if not is_right(number):
        raise Invalid(errors=(FieldError(field, "check_digit", "a digit of this number is wrong"),))


def checked(digits: str) -> str:
    """The digits with their check digit."""
    return digits + _interim(digits)


def _candidate(seed: str, digits: int) -> str:
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) % 10**digits
    return checked(f"{number:0{digits}}")


def _interim(digits: str) -> str:
    interim = "0"
    for digit in digits:
        interim = _QUASIGROUP[int(interim)][int(digit)]
    return interim
