from __future__ import annotations

import pytest

from hms.errors import Invalid
from identity.passwords import Password

EMAIL = "asha.menon.rao@example.com"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("elevenchars", "too_short"),
        ("é" * 64 + "a", "too_long"),
        ("Asha.Menon.Rao@example.com", "is_email"),
        ("ASHA.MENON.RAO", "is_email"),
        ("Password1234", "too_common"),
        ("zzzzzzzzzzzzz", "too_common"),
    ],
)
def test_a_bad_password_is_refused_without_being_shown(text: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        Password(text).check(EMAIL)

    assert [(one.field, one.code) for one in refused.value.errors] == [("password", code)]
    assert text not in repr(refused.value)


@pytest.mark.parametrize("text", ["twelve chars", "all lower case is fine", "é" * 63 + "ab", "पासवर्ड बहुत लंबा"])
def test_there_are_no_rules_of_composition(text: str) -> None:
    Password(text).check(EMAIL)


def test_a_password_fits_its_own_hash_and_no_other() -> None:
    password = Password("nine green bottles")

    assert password.hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert Password("nine green bottles").fits(password.hash)
    assert not Password("ten green bottles").fits(password.hash)


def test_no_password_fits_nobody() -> None:
    assert not Password("nine green bottles").fits(None)


def test_letters_typed_in_another_way_are_the_same_password() -> None:
    assert Password("cafe\u0301 au lait, please").fits(Password("café au lait, please").hash)


def test_a_damaged_hash_fits_nothing() -> None:
    assert not Password("nine green bottles").fits("$argon2id$damaged")
