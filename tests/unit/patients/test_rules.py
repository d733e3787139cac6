from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from hms import numbers
from hms.errors import Forbidden, Invalid, InvalidTransition
from patients import rules
from patients.model import DeactivatePatient
from tests.support.patients import NOW, a_patient, a_registration, an_update

PATIENT_ID = "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60"
# 00:10 on the 22nd in the clinic, still the 21st in UTC.
PAST_MIDNIGHT = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)


@pytest.mark.parametrize(("dob", "now"), [("1900-01-01", NOW), ("2026-11-20", NOW), ("2026-11-21", PAST_MIDNIGHT)])
def test_a_birth_date_is_in_the_past_on_the_clinics_calendar(dob: str, now: datetime) -> None:
    assert rules.registered(PATIENT_ID, a_registration(dob=dob), {}, now).dob.isoformat() == dob


@pytest.mark.parametrize("dob", ["2026-11-21", "2026-11-22", "2150-01-01"])
def test_a_birth_date_that_is_not_in_the_past_is_refused(dob: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.registered(PATIENT_ID, a_registration(dob=dob), {}, NOW)

    assert refused.value.errors[0].field == "dob"


def test_a_birth_date_that_is_not_in_the_past_is_refused_on_change_too() -> None:
    with pytest.raises(Invalid):
        rules.updated(a_patient(), an_update(dob="2026-11-21"), {}, NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dob": "1899-12-31"},
        {"dob": "1990-02-30"},
        {"dob": "1990-04-23T00:00:00Z"},
        {"dob": 19900423},
        {"name": "  "},
        {"name": "Asha\u0000"},
        {"name": "A" * 201},
        {"sex": "F"},
        {"email": "asha"},
        {"phone": "12"},
        {"address": {"line": "12 Residency Road"}},
        {"address": {"line": "12 Residency Road", "city": "Bengaluru", "country": "India"}},
        {"emergency_contacts": [{"name": "Rohan", "relationship": "husband"}]},
        {"emergency_contacts": [{"name": "R", "relationship": "brother", "phone": "9227680402"}] * 6},
        {"insurance": [{"payer": "Star Health", "member_id": "1", "colour": "red"}]},
        {"preferred_language": "Hindi"},
        {"external_identifiers": [{"system": "a", "value": str(number)} for number in range(3)]},
        {"mrn": "572400000"},
        {"active": False},
    ],
)
def test_a_registration_with_a_wrong_field_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_registration(**wrong)


@pytest.mark.parametrize(("tag", "canonical"), [("hi", "hi"), ("EN-in", "en-IN"), ("pa-guru-in", "pa-Guru-IN")])
def test_a_language_is_kept_in_its_canonical_form(tag: str, canonical: str) -> None:
    assert a_registration(preferred_language=tag).preferred_language == canonical


def test_a_ten_digit_phone_is_indian() -> None:
    assert a_registration(phone="92276 80402").phone == "+919227680402"


def test_the_first_free_number_is_given_out() -> None:
    first, second, *_ = numbers.candidates(PATIENT_ID)

    free = rules.registered(PATIENT_ID, a_registration(), {}, NOW)
    taken = rules.registered(PATIENT_ID, a_registration(), {rules.mrn_claim(first): "somebody"}, NOW)

    assert (free.mrn, taken.mrn) == (first, second)


def test_nobody_is_registered_when_every_candidate_is_taken() -> None:
    taken = {rules.mrn_claim(number): "somebody" for number in numbers.candidates(PATIENT_ID)}

    with pytest.raises(rules.MrnExhausted):
        rules.registered(PATIENT_ID, a_registration(), taken, NOW)


def test_a_change_touches_only_what_it_names() -> None:
    before = a_patient(email="asha@example.com", phone="+919227680402")

    after = rules.updated(before, an_update(phone=None), {}, NOW)

    assert (after.phone, after.email, after.version) == (None, "asha@example.com", 2)


@pytest.mark.parametrize("name", ["name", "dob", "sex", "emergency_contacts", "insurance"])
def test_what_everybody_has_cannot_be_cleared(name: str) -> None:
    with pytest.raises(ValidationError):
        an_update(**{name: None})


@pytest.mark.parametrize("change", [{"name": "Asha Rao"}, {"dob": "1991-01-01"}, {"sex": "male"}, {"insurance": []}])
def test_patients_do_not_change_who_they_are(change: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        rules.check_own_fields(an_update(phone="9227680402", **change))


def test_patients_change_how_they_are_reached() -> None:
    rules.check_own_fields(
        an_update(phone=None, email=None, address=None, emergency_contacts=[], preferred_language="hi")
    )


def test_activity_goes_there_and_back_but_not_twice() -> None:
    command = DeactivatePatient(reason="Registered twice")
    inactive = rules.deactivated(a_patient(), command, NOW)
    active = rules.reactivated(inactive, NOW)

    assert (inactive.active, inactive.inactive_reason) == (False, "Registered twice")
    assert (active.active, active.inactive_reason, active.version) == (True, None, 3)
    with pytest.raises(InvalidTransition):
        rules.deactivated(inactive, command, NOW)
    with pytest.raises(InvalidTransition):
        rules.reactivated(active, NOW)
