"""Personal data made for a proof: no two alike, found nowhere else, recognised in whatever form they are written."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter, defaultdict
from datetime import date, timedelta
from string import ascii_lowercase
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

_LETTERS = 12
_DEVANAGARI = "कखगघचछजझटठडढतथदधनपफबभमयरलवशषसह"
_DAYS = 20_000
_EARLIEST = date(1905, 1, 1)


class Planted:
    """`values` says of each planted value what it is: a name, a phone …"""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._luck = random.Random()  # noqa: S311  (not a secret: never guessed, only found)

    def word(self, what: str, letters: str = ascii_lowercase) -> str:
        return self.told(what, "".join(self._luck.choices(letters, k=_LETTERS)).title())

    def name(self) -> str:
        return f"{self.word('name')} {self.word('name')}"

    def hindi_name(self) -> str:
        return f"{self.word('name', _DEVANAGARI)} {self.word('name', _DEVANAGARI)}"

    def email(self) -> str:
        return f"{self.word('e-mail').lower()}@example.com"

    def phone(self) -> str:
        return "+91" + self.told("phone", f"9752{self._luck.randrange(10**6):06d}")

    def birth_date(self) -> str:
        return self.told("birth date", str(_EARLIEST + timedelta(days=self._luck.randrange(_DAYS))))

    def sentence(self, what: str) -> str:
        return f"so says {self.word(what)} of the {self.word(what)}"

    def told(self, what: str, value: str) -> str:
        """A value that was made elsewhere, or here just now."""
        self.values[value] = what
        return value

    def found_in(self, texts: Iterable[str]) -> Counter[str]:
        """How many of the texts hold a planted value, by what it is."""
        forms = {form: what for value, what in self.values.items() for form in _forms(value)}
        length = min(map(len, forms), default=0)
        # Thousands of forms in megabytes: only what begins like one of them is looked at more closely.
        beginning = defaultdict(list)
        for form in forms:
            beginning[form[:length]].append(form)
        found: Counter[str] = Counter()
        for text in texts:
            written = f"{text} {text.lower()}"
            likely = {written[at : at + length] for at in range(len(written) - length + 1)} & beginning.keys()
            found.update({forms[form] for start in likely for form in beginning[start] if form in written})
        return found


def _forms(value: str) -> set[str]:
    """As it is, in lower case, escaped in JSON and in a URL, and within base64 at each of its three offsets."""
    plain = {value, value.lower()}
    encoded = {_encoded(text, at) for text in plain for at in range(3)}
    return plain | encoded | {json.dumps(value)[1:-1].lower(), quote(value).lower()}


def _encoded(value: str, offset: int) -> str:
    """The letters of base64 that do not depend on what stands before and after."""
    text = base64.b64encode(b"\0" * offset + value.encode()).decode().rstrip("=")
    return text[(0, 2, 3)[offset] : -1]
