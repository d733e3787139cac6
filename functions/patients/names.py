"""Names as people say and misspell them: words, how they sound, how near two of them are."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

MOST_WORDS = 5
_LONGEST = 60
_APOSTROPHES = re.compile("['\u2019\u02bc`]")
_DIACRITIC = re.compile("[\u0300-\u036f]")
_LATIN = re.compile("[a-z]+")

# In this order. Indian names are written in many ways: aspiration, v/w/b, s/sh, z/j and vowel length vary freely.
_SOUNDS = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"^kn", "n"),
        (r"^wr", "r"),
        (r"ight", "it"),
        (r"(?<=[aeiou])w(?![aeiouh])", ""),
        (r"ph", "f"),
        (r"s+h+|sch", "s"),
        (r"t?c+h+", "C"),
        (r"ck", "k"),
        (r"c(?=[eiy])", "s"),
        (r"[cq]", "k"),
        (r"x", "ks"),
        (r"z", "j"),
        (r"[wb]", "v"),
        (r"(?<!^)(?<![aeiouy])h|(?<!^)h(?![aeiouy])", ""),
        (r"([^aeiouy])\1+", r"\1"),
        (r"^[aeiouy]+", lambda match: {"a": "a", "o": "u", "u": "u"}.get(match[0][-1 if match[0] == "oo" else 0], "i")),
        (r"(?<!^)[aeiouy]", ""),
    )
)

EXACT, ALIKE, BEGINS, NEAR = 4, 3, 2, 1


def folded(text: str) -> str:
    """Lower case, without diacritics on Latin letters, words apart by one space; other scripts stay as they are."""
    plain = _DIACRITIC.sub("", unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text)).casefold())
    composed = unicodedata.normalize("NFC", plain)
    spaced = (letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in composed)
    return " ".join("".join(spaced).split())


def words(name: str) -> tuple[str, ...]:
    """The words a name is found by, folded; never none."""
    found = dict.fromkeys(word[:_LONGEST] for word in folded(name).split())
    return tuple(found)[:MOST_WORDS] or ("?",)


@cache
def sound(word: str) -> str:
    """What differently spelt words have in common: first sound and consonants."""
    if not _LATIN.fullmatch(word):
        return word
    for pattern, replacement in _SOUNDS:
        word = pattern.sub(replacement, word)
    return word


def sounds(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sound(word) for word in words(name)))
