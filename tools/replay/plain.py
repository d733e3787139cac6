"""Text as a terminal may show it: what others wrote neither moves the cursor nor turns the line around."""

from __future__ import annotations

import json
import unicodedata

# Controls, formats (among them those of direction), halves of letters, private letters, ends of lines and paragraphs.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def plain(text: str) -> str:
    r"""One line; what is not to be seen as JSON writes it: `\u202e`."""
    return "".join(_escaped(letter) if unicodedata.category(letter) in _HIDDEN else letter for letter in text)


def _escaped(letter: str) -> str:
    escaped = json.dumps(letter)[1:-1]
    return escaped if escaped != letter else f"\\u{ord(letter):04x}"
