from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patients import names

if TYPE_CHECKING:
    from random import Random

NAMES = st.text(min_size=1, max_size=200)
LATIN = st.from_regex(r"[a-z]{1,12}", fullmatch=True)


@pytest.mark.parametrize(
    "spellings",
    [
        "Vivaan Vivan Viwaan Vivvan Bivan",
        "Sharma Sarma Sharmma Shrama",
        "Lakshmi Laxmi Lakshmy",
        "Mohammed Muhammad Mohamad",
        "Chaudhari Choudhury Chowdhury Chaudhry",
        "Geeta Gita Geetha Githa",
        "Deepthi Dipti",
        "Aarav Arav",
        "Gowda Gouda Gauda",
        "Bhaskar Vaskar Bhasker",
        "Khan Kan",
        "Isha Eesha Esha",
        "Udham Oodham",
        "Catherine Katherine Kathryn",
        "Philip Phillip Filip",
        "Wright Right",
        "Knight Nite",
        "John Jon",
        "Zaheer Jahir",
        "José Jose",
        "D'Souza DSouza D’Souza",
    ],
)
def test_spellings_of_one_name_sound_alike(spellings: str) -> None:
    heard = {names.sounds(spelling) for spelling in spellings.split()}

    assert len(heard) == 1, heard


@pytest.mark.parametrize(("one", "other"), [("Rohan", "Mohan"), ("Asha", "Usha"), ("Amit", "Sumit"), ("Ram", "Ravi")])
def test_different_names_sound_different(one: str, other: str) -> None:
    assert names.sounds(one) != names.sounds(other)


@given(LATIN, st.integers(0, 11))
def test_a_letter_written_twice_is_not_heard(word: str, place: int) -> None:
    place = place % len(word)
    part_of_two = word[place + 1 : place + 2] == "h"  # ph, th, kh: doubling the first letter parts them
    if word[place] in "bcdfgjklmnprtvz" and "c" not in word and not part_of_two:
        assert names.sound(word[: place + 1] + word[place:]) == names.sound(word)


@given(LATIN)
def test_a_word_that_has_letters_has_a_sound(word: str) -> None:
    assert names.sound(word)


@given(NAMES)
def test_any_text_gives_one_to_five_different_words_that_fit_an_index(text: str) -> None:
    found = names.words(text)

    assert 1 <= len(found) <= names.MOST_WORDS
    assert len(set(found)) == len(found)
    assert all(0 < len(word) <= 60 and "#" not in word for word in found)


@given(NAMES)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert names.folded(names.folded(text)) == names.folded(text)


@given(st.lists(LATIN, min_size=1, max_size=5, unique=True), st.randoms())
def test_the_order_of_the_words_does_not_matter(words: list[str], shuffling: Random) -> None:
    shuffled = words.copy()
    shuffling.shuffle(shuffled)

    assert names.rank(" ".join(shuffled), " ".join(words)) == (0, -names.EXACT * len(words))


@pytest.mark.parametrize("name", ["विवान शर्मा", "محمد علي", "ਹਰਪ੍ਰੀਤ ਸਿੰਘ"])
def test_other_scripts_stay_as_they_are(name: str) -> None:
    assert names.sounds(name) == tuple(names.folded(name).split())
    assert names.rank(name, name)[0] == 0


def test_the_nearer_name_comes_first() -> None:
    known = ["Sharma Anita", "Roham Sharma", "Rohaan Sarma", "Rohan Kumar Sharma", "Rohan Sharma", "Asha Verma"]

    ranked = sorted(known, key=lambda name: (names.rank("sharma rohan", name), len(name)))

    assert ranked == [
        "Rohan Sharma",
        "Rohan Kumar Sharma",
        "Rohaan Sarma",
        "Roham Sharma",
        "Sharma Anita",
        "Asha Verma",
    ]
    assert not names.is_found("sharma rohan", "Asha Verma")


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ("Rohan Sharma", "Sarma Rohaan", True),
        ("Rohan Sharma", "Rohan Kumar Sharma", True),
        ("Rohan", "Rohaan", True),
        ("Rohan", "Rohan Sharma", False),
        ("Rohan Sharma", "Mohan Sharma", False),
    ],
)
def test_names_that_may_be_one_persons(one: str, other: str, *, may: bool) -> None:
    assert names.same_person_may_have(one, other) is may
    assert names.same_person_may_have(other, one) is may
