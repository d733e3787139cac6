"""Patients of an older system: registered by the same rules, under ids that come from their numbers there."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hms import ids
from hms.call import Outcome, decided
from hms.contact import Email, Phone
from hms.errors import Problem
from hms.fields import Command, Instant, Line
from patients import rules
from patients.details import ExternalIdentifier
from patients.model import BirthDate, PatientRegistered, RegisterPatient

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hms.call import Call
    from patients.model import Patient
    from patients.store import Patients

SYSTEM = "legacy"
SERVER_FAULT = 500


class LegacyPatient(Command):
    """`number` is the older system's id; `created_at` when it came to know them."""

    number: Line
    name: Line
    dob: BirthDate
    email: Email | None = None
    phone: Phone | None = None
    created_at: Instant | None = None


def bring_in_all(rows: Iterable[str], call: Call, patients: Patients) -> list[dict[str, Any]]:
    """What became of each row: its `outcome` is `new`, `there`, or `refused` with a `code`."""
    return [_answered(row, call, patients) for row in rows]


def _answered(row: str, call: Call, patients: Patients) -> dict[str, Any]:
    try:
        outcome = bring_in(LegacyPatient.model_validate_json(row), call, patients)
    except ValidationError:
        return {"outcome": "refused", "code": "INVALID"}
    except Problem as problem:
        if problem.status >= SERVER_FAULT:
            raise
        return {"outcome": "refused", "code": problem.code}
    return {"outcome": "there" if outcome.replayed else "new"}


def bring_in(legacy: LegacyPatient, call: Call, patients: Patients) -> Outcome[Patient]:
    """Replayed where this very row was brought in before.

    Raises what registration raises, and `IdempotencyKeyReused` where the number came with other data before.
    """
    digest = hashlib.sha256(legacy.model_dump_json().encode()).hexdigest()[:32]
    call = replace(call, token=ids.derived(SYSTEM, "patient", legacy.number), digest=digest)
    patient_id, command = ids.derived("patient", call.token), _registration(legacy)
    claims = rules.claims_of(command)

    def attempt() -> Outcome[Patient]:
        scene = patients.new(patient_id, claims)
        if earlier := patients.earlier(scene.stored, patient_id, call):
            return earlier
        registered = rules.registered(patient_id, command, scene.taken, call.now)
        after = registered.model_copy(update={"created_at": legacy.created_at or call.now})
        patients.save(None, after, PatientRegistered.of(after), call)
        return Outcome(after)

    return decided(attempt)


def find(numbers: Iterable[str], patients: Patients) -> dict[str, dict[str, str]]:
    """Patients by their numbers in the older system; unknown numbers are left out. One read."""
    claims = {rules.identifier_claim(SYSTEM, number): number for number in numbers}
    return {claims[claim]: {"patient_id": holder} for claim, holder in patients.holders(claims).items()}


def _registration(legacy: LegacyPatient) -> RegisterPatient:
    return RegisterPatient(
        name=legacy.name,
        dob=legacy.dob,
        email=legacy.email,
        phone=legacy.phone,
        external_identifiers=(ExternalIdentifier(system=SYSTEM, value=legacy.number),),
    )
