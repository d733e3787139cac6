"""Patients found by what is known of them, and those a new one may be.

A question is answered from the index that leaves the fewest rows; the patients themselves are read consistently, and
whoever does not meet every filter any more is left out.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hms import numbers
from hms.errors import FieldError, Invalid
from hms.pages import opened, sealed
from patients import names, rules
from patients.model import PatientList, PatientSummary, PossibleDuplicate
from patients.results import Hit, Page

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from patients.model import Patient, PatientFilter, Reason, RegisterPatient
    from patients.rules import Claim
    from patients.store import Patients

_ROWS_A_WORD = 200
_ROWS_A_BIRTH_DATE = 1000
_ROWS_A_PHONE = 100
_MOST_RANKED = 200
_MOST_DUPLICATES = 10


def list_patients(asked: PatientFilter, patients: Patients, now: datetime) -> PatientList:
    """Raises `Invalid` for an MRN whose check digit is wrong."""
    if asked.mrn:
        numbers.check(asked.mrn, "mrn")
    if claim := _claim(asked):
        return _answer([one for one in _holder(claim, patients) if _meets(one, asked)], None, now)
    if asked.name:
        return _ranked(asked, asked.name, patients, now)
    page = _page(asked, patients)
    return _answer([one for one in page.patients if _meets(one, asked)], page.last, now)


def possible_duplicates(new: Patient, command: RegisterPatient, patients: Patients) -> tuple[PossibleDuplicate, ...]:
    """Those with a like name and the same birth date, or with the same phone, who were registered before."""
    born = patients.born_on(command.dob, _ROWS_A_BIRTH_DATE).found
    like = [hit.patient_id for hit in born if names.same_person_may_have(hit.name, command.name)]
    reached = patients.with_phone(command.phone, _MOST_DUPLICATES).patients if command.phone else ()
    known = dict.fromkeys([*like, *(one.patient_id for one in reached)])
    known.pop(new.patient_id, None)
    others = patients.many(list(known)[:_MOST_DUPLICATES])
    return tuple(_duplicate(one, command) for one in others if one.created_at <= new.created_at)


def _holder(claim: Claim, patients: Patients) -> list[Patient]:
    return patients.many(list(patients.holders([claim]).values()))


def _claim(asked: PatientFilter) -> Claim | None:
    if asked.mrn:
        return rules.mrn_claim(asked.mrn)
    if asked.email:
        return rules.email_claim(asked.email)
    return _identifier(asked)


def _identifier(asked: PatientFilter) -> Claim | None:
    if asked.external_system and asked.external_id:
        return rules.identifier_claim(asked.external_system, asked.external_id)
    return None


def _page(asked: PatientFilter, patients: Patients) -> Page:
    after = opened(asked.cursor)
    if asked.phone:
        return patients.with_phone(asked.phone, asked.limit, after)
    if asked.dob:
        hits = patients.born_on(asked.dob, asked.limit, after)
        return Page(tuple(patients.many([hit.patient_id for hit in hits.found])), hits.last)
    return patients.listed(asked.limit, after, active=asked.active)


def _ranked(asked: PatientFilter, name: str, patients: Patients, now: datetime) -> PatientList:
    hits = {hit.patient_id: hit for hit in _hits(asked, name, patients) if names.is_found(name, hit.name)}
    best = sorted(hits.values(), key=lambda hit: (names.rank(name, hit.name), names.folded(hit.name), hit.patient_id))
    found = patients.many([hit.patient_id for hit in best[:_MOST_RANKED]])
    kept = [one for one in found if _meets(one, asked)]
    start = _offset(asked.cursor)
    end = start + asked.limit
    return _answer(kept[start:end], str(end) if end < len(kept) else None, now)


def _hits(asked: PatientFilter, name: str, patients: Patients) -> Iterable[Hit]:
    if asked.dob:
        return patients.born_on(asked.dob, _ROWS_A_BIRTH_DATE).found
    if asked.phone:
        return [Hit(one.patient_id, one.name) for one in patients.with_phone(asked.phone, _ROWS_A_PHONE).patients]
    words = names.words(name)
    together = [hit for pair in _pairs(words) for hit in patients.with_both_words(pair, _ROWS_A_WORD)]
    return [*together, *(hit for word in words for hit in patients.with_word(word, _ROWS_A_WORD))]


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs in which a name's first word is found wherever it stands in the question."""
    heard = list(dict.fromkeys(map(names.sound, words)))
    ends = [(heard[0], heard[-1])] if len(heard) > 1 else []
    return list(dict.fromkeys([*pairwise(heard), *ends]))


def _offset(cursor: str | None) -> int:
    position = opened(cursor) or "0"
    if not position.isdecimal() or int(position) > _MOST_RANKED:
        raise Invalid(errors=(FieldError("cursor", "cursor", "this is not a cursor of this list"),))
    return int(position)


def _meets(patient: Patient, asked: PatientFilter) -> bool:
    identifier = _identifier(asked)
    return all(
        (
            asked.active is None or asked.active == patient.active,
            asked.name is None or names.is_found(asked.name, patient.name),
            asked.phone is None or asked.phone == patient.phone,
            asked.dob is None or asked.dob == patient.dob,
            asked.mrn is None or asked.mrn == patient.mrn,
            asked.email is None or rules.email_claim(asked.email) in rules.claims_of(patient),
            identifier is None or identifier in rules.claims_of(patient),
        )
    )


def _answer(found: Iterable[Patient], last: str | None, now: datetime) -> PatientList:
    items = [PatientSummary(**{name: getattr(one, name) for name in PatientSummary.model_fields}) for one in found]
    return PatientList(items=items, next_cursor=sealed(last), as_of=now)


def _duplicate(known: Patient, command: RegisterPatient) -> PossibleDuplicate:
    shared: dict[Reason, bool] = {
        "name": names.same_person_may_have(known.name, command.name),
        "dob": known.dob == command.dob,
        "phone": known.phone is not None and known.phone == command.phone,
    }
    reasons = tuple(reason for reason, holds in shared.items() if holds)
    return PossibleDuplicate(patient_id=known.patient_id, mrn=known.mrn, name=known.name, reasons=reasons)
