"""What can be done to patients, one function per command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms import ids
from hms.call import Outcome, decided
from hms.errors import Forbidden
from hms.history import History
from hms.pages import opened
from patients import rules, search
from patients.model import (
    PatientDeactivated,
    PatientReactivated,
    PatientRegistered,
    PatientUpdated,
    RegisteredPatient,
)
from patients.rules import PatientNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hms.aggregate import Stored
    from hms.auth import Principal
    from hms.call import Call
    from hms.pages import PageParams
    from patients.model import (
        DeactivatePatient,
        Patient,
        PatientFact,
        RegisterPatient,
        SetIdentifiers,
        UpdatePatient,
    )
    from patients.rules import Claim
    from patients.store import Patients

type Treats = Callable[[str, str], bool]
type _Decide = Callable[[Patient, Mapping[Claim, str]], Patient]


def register_patient(command: RegisterPatient, call: Call, patients: Patients) -> Outcome[RegisteredPatient]:
    """Possible duplicates are reported to those who may search patients, and never a reason to refuse.

    Raises `EmailTaken`, `IdentifierTaken`; `Invalid` for a birth date that is not in the past.
    """
    patient_id = ids.derived("patient", call.token)
    claims = rules.claims_of(command)

    def attempt() -> Outcome[RegisteredPatient]:
        scene = patients.new(patient_id, claims)
        if earlier := patients.earlier(scene.stored, patient_id, call):
            return Outcome(_with_duplicates(earlier.state, command, call, patients), replayed=True)
        after = rules.registered(patient_id, command, scene.taken, call.now)
        answer = _with_duplicates(after, command, call, patients)
        patients.save(None, after, PatientRegistered.of(after), call)
        return Outcome(answer)

    return decided(attempt)


def read_patient(patient_id: str, who: Principal, patients: Patients, treats: Treats) -> Patient:
    """Doctors reach those they have visits with: known from events, or else asked of the owner of visits."""
    if who.reaches("patients:read", patient_id=patient_id):
        return _existing(patients.load(patient_id)).state
    if who.doctor_id is None or "doctor" not in who.roles:
        raise Forbidden
    stored, known = patients.treated_by(patient_id, who.doctor_id)
    if not known:
        if not treats(who.doctor_id, patient_id):
            raise Forbidden
        patients.remember_treatment(patient_id, who.doctor_id)
    return _existing(stored).state


def update_patient(patient_id: str, command: UpdatePatient, call: Call, patients: Patients) -> Outcome[Patient]:
    """Raises `EmailTaken`; `Forbidden` where patients change more than how they are reached."""
    _require(call, "patients:update", patient_id)
    if call.who.scopes["patients:update"] == "own":
        rules.check_own_fields(command)

    def decide(patient: Patient, taken: Mapping[Claim, str]) -> Patient:
        return rules.updated(patient, command, taken, call.now)

    claims = [rules.email_claim(command.email)] if command.email else []
    return _changed(patient_id, call, patients, PatientUpdated, decide, claims=claims)


def set_identifiers(patient_id: str, command: SetIdentifiers, call: Call, patients: Patients) -> Outcome[Patient]:
    _require(call, "patients:identify", patient_id)

    def decide(patient: Patient, taken: Mapping[Claim, str]) -> Patient:
        return rules.identified(patient, command, taken, call.now)

    claims = [rules.identifier_claim(one.system, one.value) for one in command.external_identifiers]
    return _changed(patient_id, call, patients, PatientUpdated, decide, claims=claims)


def deactivate_patient(patient_id: str, command: DeactivatePatient, call: Call, patients: Patients) -> Outcome[Patient]:
    _require(call, "patients:deactivate", patient_id)

    def decide(patient: Patient, _: Mapping[Claim, str]) -> Patient:
        return rules.deactivated(patient, command, call.now)

    return _changed(patient_id, call, patients, PatientDeactivated, decide)


def reactivate_patient(patient_id: str, call: Call, patients: Patients) -> Outcome[Patient]:
    _require(call, "patients:deactivate", patient_id)

    def decide(patient: Patient, _: Mapping[Claim, str]) -> Patient:
        return rules.reactivated(patient, call.now)

    return _changed(patient_id, call, patients, PatientReactivated, decide)


def read_history(patient_id: str, page: PageParams, who: Principal, patients: Patients) -> History:
    """Who did what, oldest first."""
    if not who.reaches("patients:history", patient_id=patient_id):
        raise Forbidden
    found = patients.history(patient_id, page.limit, opened(page.cursor))
    if not found.items and page.cursor is None:
        raise PatientNotFound
    return History.of(found)


def _with_duplicates(patient: Patient, command: RegisterPatient, call: Call, patients: Patients) -> RegisteredPatient:
    others = search.possible_duplicates(patient, command, patients) if call.who.may("patients:search") else ()
    return RegisteredPatient(**dict(patient), possible_duplicates=others)


def _changed(
    patient_id: str,
    call: Call,
    patients: Patients,
    fact: type[PatientFact],
    decide: _Decide,
    *,
    claims: Iterable[Claim] = (),
) -> Outcome[Patient]:
    def attempt() -> Outcome[Patient]:
        scene = patients.scene(patient_id, claims)
        stored = _existing(scene.stored)
        if earlier := patients.earlier(stored, patient_id, call):
            return earlier
        call.expect(stored.state.version)
        after = decide(stored.state, scene.taken)
        patients.save(stored, after, fact.of(after), call)
        return Outcome(after)

    return decided(attempt)


def _require(call: Call, permission: str, patient_id: str) -> None:
    if not call.who.reaches(permission, patient_id=patient_id):
        raise Forbidden


def _existing(stored: Stored[Patient] | None) -> Stored[Patient]:
    if stored is None:
        raise PatientNotFound
    return stored
