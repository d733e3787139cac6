from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hms import ids, numbers

NUMBERS = st.from_regex(r"[0-9]{8}", fullmatch=True).map(numbers.checked)


@given(NUMBERS)
def test_a_number_as_given_out_is_right(number: str) -> None:
    assert numbers.is_right(number)


@given(NUMBERS, st.integers(0, 8), st.integers(1, 9))
def test_every_single_wrong_digit_is_noticed(number: str, place: int, shift: int) -> None:
    wrong = str((int(number[place]) + shift) % 10)

    assert not numbers.is_right(number[:place] + wrong + number[place + 1 :])


@given(NUMBERS, st.integers(0, 7))
def test_every_two_neighbours_swapped_are_noticed(number: str, place: int) -> None:
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]

    assert numbers.is_right(swapped) == (swapped == number)


def test_the_check_digit_is_damms() -> None:
    assert numbers.checked("572") == "5724"


def test_a_patient_always_gets_the_same_candidates_all_different_and_right() -> None:
    patient_id = ids.derived("patient")
    found = numbers.candidates(patient_id)

    assert found == numbers.candidates(patient_id)
    assert len(set(found)) == len(found) == 8
    assert all(len(number) == 9 and numbers.is_right(number) for number in found)
