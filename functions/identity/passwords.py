"""Passwords: which ones are good enough, how they are kept, and a comparison that costs the same for nobody."""

from __future__ import annotations

import unicodedata
from functools import cache, cached_property
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hms.errors import FieldError, Invalid

SHORTEST = 12
MOST_BYTES = 128
_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
# The hash of random bytes that were thrown away: an unknown e-mail is compared with it, so it takes as long.
_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$Q8rDVd0hdy8legdB/opLnA$Sg1vSec4Kn6CYcxmaxx/YK/6UIT0V/TjiS7IB1ODicA"


class Password:
    """A password in memory. It is hashed once, and compared once with each hash, however often that is asked."""

    def __init__(self, text: str) -> None:
        self._text = unicodedata.normalize("NFC", text)
        self._known: dict[str, bool] = {}

    @cached_property
    def hash(self) -> str:
        return _HASHER.hash(self._text)

    def fits(self, kept: str | None) -> bool:
        """Whether it is the password behind this hash; for None it never is, and takes as long to say."""
        known = kept or _NOBODYS
        if known not in self._known:
            self._known[known] = _verified(known, self._text)
        return kept is not None and self._known[known]

    def check(self, email: str, field: str = "password") -> None:
        """Length, and nothing that is tried first; no rules of composition (NIST SP 800-63B). Raises `Invalid`."""
        text, folded = self._text, self._text.casefold()
        if len(text) < SHORTEST:
            raise _invalid(field, "too_short", f"a password has at least {SHORTEST} characters")
        if len(text.encode()) > MOST_BYTES:
            raise _invalid(field, "too_long", f"a password has at most {MOST_BYTES} bytes")
        if folded in (email.casefold(), email.partition("@")[0].casefold()):
            raise _invalid(field, "is_email", "the e-mail address is not a password")
        if folded in _commonest() or len(set(text)) == 1:
            raise _invalid(field, "too_common", "this password is among the first that are tried")


@cache
def _commonest() -> frozenset[str]:
    # Of the commonest passwords those that are long enough to be taken otherwise.
    return frozenset(Path(__file__).with_name("commonest.txt").read_text().split())


def _verified(kept: str, password: str) -> bool:
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def _invalid(field: str, code: str, detail: str) -> Invalid:
    return Invalid(errors=(FieldError(field, code, detail),))
