"""Patients and callers for the tests of the patients domain."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hms import ids
from hms.auth import Principal
from hms.call import Call
from hms.policy import Policy
from patients import service
from patients.model import Patient, PatientFilter, RegisteredPatient, RegisterPatient, UpdatePatient

if TYPE_CHECKING:
    from patients.store import Patients

POLICY = Policy.load(Path(__file__).parents[2] / "functions" / "patients" / "policy.json")
NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
DOCTOR_ID = ids.derived("doctor", "one")


def a_principal(*roles: str, doctor_id: str | None = None, patient_id: str | None = None) -> Principal:
    return Principal("user-1", roles, doctor_id=doctor_id, patient_id=patient_id, scopes=POLICY.scopes(roles))


RECEPTIONIST = a_principal("receptionist")
DOCTOR = a_principal("doctor", doctor_id=DOCTOR_ID)


def a_call(
    who: Principal = RECEPTIONIST,
    *,
    now: datetime = NOW,
    token: str | None = None,
    digest: str = "",
    if_match: int | None = None,
) -> Call:
    return Call(who, now, "correlation-1", token=token or ids.new(), digest=digest, if_match=if_match)


def a_registration(**given: Any) -> RegisterPatient:
    return RegisterPatient.model_validate_json(json.dumps({"name": "Asha Verma", "dob": "1990-04-23"} | given))


def an_update(**given: Any) -> UpdatePatient:
    return UpdatePatient.model_validate_json(json.dumps(given))


def asked(**given: str) -> PatientFilter:
    return PatientFilter.model_validate(given)


def registered(patients: Patients, **given: Any) -> RegisteredPatient:
    return service.register_patient(a_registration(**given), a_call(), patients).state


def a_patient(**given: Any) -> Patient:
    facts: dict[str, Any] = {
        "patient_id": ids.derived("patient", "one"),
        "mrn": "000000000",
        "created_at": NOW,
        "updated_at": NOW,
        "name": "Asha Verma",
        "dob": "1990-04-23",
    }
    return Patient.model_validate(facts | given)
