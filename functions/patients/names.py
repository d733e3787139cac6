"""Names as people say and misspell them: words, how they sound, how near two of them are."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

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
        (r"^a[aeiouy]*", "a"),
        (r"^[ou][aeiouy]*", "u"),
        (r"^[eiy][aeiouy]*", "i"),
        (r"(?<!^)[aeiouy]", ""),
    )
)

EXACT, ALIKE, BEGINS, NEAR = 4, 3, 2, 1
_SHORTEST_PREFIX = 3
_SHORTEST_SLIP = 4


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


@lru_cache(maxsize=4096)
def sound(word: str) -> str:
    """What differently spelt words have in common: first sound and consonants."""
    if not _LATIN.fullmatch(word):
        return word
    for pattern, replacement in _SOUNDS:
        word = pattern.sub(replacement, word)
    return word


def sounds(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sound(word) for word in words(name)))


def rank(asked: str, name: str) -> tuple[int, int]:
    """How well a name answers what was asked, smaller is better: words not found in it, then how near the others are.

    The order of the words does not matter.
    """
    nearness = [max(_nearness(word, other) for other in words(name)) for word in words(asked)]
    return nearness.count(0), -sum(nearness)


def is_found(asked: str, name: str) -> bool:
    missing, _ = rank(asked, name)
    return missing < len(words(asked))


def same_person_may_have(one: str, other: str) -> bool:
    """Whether all that the shorter of two names says is heard in the longer one, in whatever order."""
    fewer, more = sorted((set(sounds(one)), set(sounds(other))), key=len)
    return fewer <= more and len(fewer) >= min(2, len(more))


def _nearness(word: str, other: str) -> int:
    if word == other:
        return EXACT
    if sound(word) == sound(other):
        return ALIKE
    if len(word) >= _SHORTEST_PREFIX and other.startswith(word):
        return BEGINS
    return NEAR if _one_slip_apart(word, other) else 0


def _one_slip_apart(word: str, other: str) -> bool:
    """One letter wrong, missing, too many, or two neighbours swapped; in short words that would be another name."""
    if min(len(word), len(other)) < _SHORTEST_SLIP or abs(len(word) - len(other)) > 1:
        return False
    start = next((place for place, (one, two) in enumerate(zip(word, other, strict=False)) if one != two), None)
    if start is None:
        return True
    left, right = word[start:], other[start:]
    swapped = left[1::-1] + left[2:] == right
    return swapped or left[1:] == right[1:] or left[1:] == right or left == right[1:]
