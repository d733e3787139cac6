"""Card numbers, known when seen, so that none is ever taken in."""

from __future__ import annotations

import re
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Banks name transfers by twelve digits, of which one in ten would pass; cards of twelve are not issued any more.
_SHORTEST, _LONGEST = 13, 19
_BETWEEN_LETTERS = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d+")
_AS_PRINTED = re.compile(r"\d+(?:[ -]\d+)*", re.ASCII)
# Visa, Mastercard, American Express, Diners, JCB, RuPay of 81 and 82; then Maestro, Discover and RuPay of 5 and 6.
_ISSUED = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3[0689]\d{12}(?:\d{2})?|35\d{14}|8[12]\d{14}"
    r"|(?:5[06-8]|6\d)\d{11,17}",
    re.ASCII,
)


def holds_card_number(text: str) -> bool:
    """Whether 13 to 19 digits of it pass Luhn's check, however they are grouped.

    Groups count as one number where no letter stands between them. A group that is longer than any card number is
    searched through; of a shorter one no part is taken, since one in ten numbers passes.
    """
    return any(_passes(digits) for part in _BETWEEN_LETTERS.split(text) for digits in _numbers(_DIGITS.findall(part)))


def mentions_card_number(text: str) -> bool:
    """Of prose, which is full of dates, amounts and phones: as cards are printed, with first digits of a scheme."""
    return any(
        _ISSUED.fullmatch(digits) and _passes(digits)
        for run in _AS_PRINTED.findall(text)
        for digits in _numbers(_DIGITS.findall(run))
    )


def _refusing(holds: Callable[[str], bool], longest: int) -> BeforeValidator:
    """What is refused is neither echoed nor logged. A text that is longer is refused for that, elsewhere."""

    def check(value: Any) -> Any:
        text = value.strip() if isinstance(value, str) else ""
        if len(text) <= longest and holds(text):
            raise PydanticCustomError("card_number", "this may be a card number, which is never taken in")
        return value

    return BeforeValidator(check)


# Of what is said of a payment, where a card number is what people would write; and of all other texts.
NOT_A_CARD, NO_CARD_IN_IT = _refusing(holds_card_number, 255), _refusing(mentions_card_number, 4000)


def _numbers(groups: Sequence[str]) -> Iterator[str]:
    for first, group in enumerate(groups):
        yield from takewhile(lambda digits: len(digits) <= _LONGEST, accumulate(groups[first : first + _LONGEST]))
        if len(group) > _LONGEST:
            yield from (group[at : at + size] for size in range(_SHORTEST, _LONGEST + 1) for at in range(len(group)))


def _passes(digits: str) -> bool:
    if not _SHORTEST <= len(digits) <= _LONGEST:
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0  # noqa: PLR2004  (9 is a sum of digits)
