"""Patients of an older system: registered by the same rules, under ids that come from their numbers there."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hms import ids
from hms.call import Outcome, decided
from hms.contact import Email, Phone
from hms.errors import Busy, Invalid, Problem
from hms.fields import Command, ExternalIdentifier, Instant, Line
from patients import rules
from patients.model import BirthDate, PatientRegistered, RegisterPatient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hms.call import Call
    from patients.model import Patient
    from patients.store import Patients, Scene

SYSTEM = "legacy"


class LegacyPatient(Command):
    """`number` is the older system's id; `created_at` when it came to know them."""

    number: Line
    name: Line
    dob: BirthDate
    email: Email | None = None
    phone: Phone | None = None
    created_at: Instant | None = None

    @property
    def token(self) -> str:
        return ids.derived(SYSTEM, "patient", self.number)

    @property
    def patient_id(self) -> str:
        return ids.derived("patient", self.token)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:32]


def bring_in_all(rows: Iterable[str], call: Call, patients: Patients) -> list[dict[str, Any]]:
    """What became of each row: its `outcome` is `new`, `there`, or `refused` with a `code`."""
    read = [_read(row) for row in rows]
    claims = {one.patient_id: rules.claims_of(_registration(one)) for one in read if one}
    scenes = patients.all_new(claims)
    return [_brought_in(one, call, patients, scenes) for one in read]


def _read(row: str) -> LegacyPatient | None:
    try:
        return LegacyPatient.model_validate_json(row)
    except ValidationError:
        return None


def _brought_in(
    legacy: LegacyPatient | None, call: Call, patients: Patients, scenes: Mapping[str, Scene]
) -> dict[str, Any]:
    if legacy is None:
        return {"outcome": "refused", "code": Invalid.code}
    try:
        outcome = bring_in(legacy, call, patients, scenes[legacy.patient_id])
    except Busy:
        raise
    except Problem as problem:
        return {"outcome": "refused", "code": problem.code}
    return {"outcome": "there" if outcome.replayed else "new"}


def bring_in(legacy: LegacyPatient, call: Call, patients: Patients, scene: Scene) -> Outcome[Patient]:
    """Replayed where this very row was brought in before. `scene` is what a first try rests on.

    Raises what registration raises, and `IdempotencyKeyReused` where the number came with other data before.
    """
    call = replace(call, token=legacy.token, digest=legacy.digest)
    patient_id, command = legacy.patient_id, _registration(legacy)
    at_first = iter([scene])

    def attempt() -> Outcome[Patient]:
        scene = next(at_first, None) or patients.new(patient_id, rules.claims_of(command))
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
