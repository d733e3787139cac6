"""Decisions about patients (docs/rules.md "People"), pure: facts come in, a new state or a refusal goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hms import numbers
from hms.contact import folded
from hms.errors import Conflicting, FieldError, Forbidden, Invalid, InvalidTransition, NotFound
from hms.fields import day_of
from patients.model import Patient

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from patients.model import DeactivatePatient, RegisterPatient, SetIdentifiers, UpdatePatient

CLINIC_ZONE = "Asia/Kolkata"
OWN_FIELDS = frozenset({"email", "phone", "address", "emergency_contacts", "preferred_language"})


class PatientNotFound(NotFound):
    code, detail = "PATIENT_NOT_FOUND", "There is no such patient."


class PatientInactive(Conflicting):
    code, detail = "PATIENT_INACTIVE", "The patient's registration is not active."


class EmailTaken(Conflicting):
    code, detail = "EMAIL_TAKEN", "Another patient has this e-mail address."


class IdentifierTaken(Conflicting):
    code, detail = "IDENTIFIER_TAKEN", "Another patient has this identifier."


class MrnExhausted(Conflicting):
    code, detail = "MRN_EXHAUSTED", "No medical record number is free for this patient."


class Claim(NamedTuple):
    """Something that only one patient may have."""

    kind: str
    value: str


def email_claim(email: str) -> Claim:
    return Claim("email", folded(email))


def mrn_claim(number: str) -> Claim:
    return Claim("mrn", number)


def identifier_claim(system: str, value: str) -> Claim:
    return Claim("identifier", f"{system.casefold()}\x1f{value}")


def claims_of(one: Patient | RegisterPatient) -> frozenset[Claim]:
    """What a patient alone may have, besides the MRN."""
    identifiers = {identifier_claim(number.system, number.value) for number in one.external_identifiers}
    return frozenset(identifiers | {email_claim(one.email)} if one.email else identifiers)


def registered(patient_id: str, command: RegisterPatient, taken: Mapping[Claim, str], now: datetime) -> Patient:
    _check_birth(command.dob, now)
    free = [number for number in numbers.candidates(patient_id) if mrn_claim(number) not in taken]
    if not free:
        raise MrnExhausted
    fields = {name: getattr(command, name) for name in type(command).model_fields}
    patient = Patient(patient_id=patient_id, mrn=free[0], created_at=now, updated_at=now, **fields)
    check_free(patient, taken)
    return patient


def updated(patient: Patient, command: UpdatePatient, taken: Mapping[Claim, str], now: datetime) -> Patient:
    if command.dob is not None:
        _check_birth(command.dob, now)
    after = changed(patient, now, **{name: getattr(command, name) for name in command.model_fields_set})
    check_free(after, taken)
    return after


def identified(patient: Patient, command: SetIdentifiers, taken: Mapping[Claim, str], now: datetime) -> Patient:
    after = changed(patient, now, external_identifiers=command.external_identifiers)
    check_free(after, taken)
    return after


def deactivated(patient: Patient, command: DeactivatePatient, now: datetime) -> Patient:
    if not patient.active:
        raise InvalidTransition("The patient is inactive already.")
    return changed(patient, now, active=False, inactive_reason=command.reason)


def reactivated(patient: Patient, now: datetime) -> Patient:
    if patient.active:
        raise InvalidTransition("The patient is active already.")
    return changed(patient, now, active=True, inactive_reason=None)


def check_may_come(patient: Patient | None) -> None:
    """Whether visits of this patient are to take place."""
    if patient is None:
        raise PatientNotFound
    if not patient.active:
        raise PatientInactive


def changed(patient: Patient, now: datetime, **fields: Any) -> Patient:
    return patient.model_copy(update=fields | {"version": patient.version + 1, "updated_at": now})


def check_own_fields(command: UpdatePatient) -> None:
    """What identifies a person is changed by staff, who have seen a document."""
    if command.model_fields_set - OWN_FIELDS:
        raise Forbidden("Patients change their contact details; the rest is changed at the reception.")


def check_free(patient: Patient, taken: Mapping[Claim, str]) -> None:
    foreign = {claim for claim in claims_of(patient) if taken.get(claim, patient.patient_id) != patient.patient_id}
    if any(claim.kind == "email" for claim in foreign):
        raise EmailTaken
    if foreign:
        raise IdentifierTaken


def _check_birth(dob: date, now: datetime) -> None:
    if dob >= day_of(now, CLINIC_ZONE):
        raise Invalid(errors=(FieldError("dob", "not_in_the_past", "a birth date is in the past"),))
