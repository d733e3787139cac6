"""Doctors of an older system: registered by the same rules, under ids that come from their numbers there."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from doctors import rules, service
from doctors.commands import OpenDepartment, RegisterDoctor
from doctors.model import Doctor, DoctorRegistered
from hms import ids
from hms.call import Outcome, decided
from hms.contact import Email, Phone
from hms.errors import Busy, Invalid, Problem
from hms.fields import Command, ExternalIdentifier, Instant, Line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doctors.store import Doctors
    from hms.call import Call

SYSTEM = "legacy"


class LegacyDoctor(Command):
    """`number` is the older system's id; `created_at` when it came to know them. It knows no hours."""

    number: Line
    name: Line
    email: Email | None = None
    phone: Phone | None = None
    department: Line
    specialization: Line
    created_at: Instant | None = None


def open_all(names: Iterable[str], call: Call, doctors: Doctors) -> int:
    """Opens the departments that are not there yet; how many those were."""
    opened = 0
    for name in names:
        try:
            service.open_department(OpenDepartment(name=name), replace(call, token=ids.new()), doctors.departments)
        except rules.DepartmentExists:
            continue
        opened += 1
    return opened


def bring_in_all(rows: Iterable[str], call: Call, doctors: Doctors) -> list[dict[str, Any]]:
    """What became of each row: its `outcome` is `new`, `there`, or `refused` with a `code`."""
    return [_answered(row, call, doctors) for row in rows]


def _answered(row: str, call: Call, doctors: Doctors) -> dict[str, Any]:
    try:
        outcome = bring_in(LegacyDoctor.model_validate_json(row), call, doctors)
    except ValidationError:
        return {"outcome": "refused", "code": Invalid.code}
    except Busy:
        raise
    except Problem as problem:
        return {"outcome": "refused", "code": problem.code}
    return {"outcome": "there" if outcome.replayed else "new"}


def bring_in(legacy: LegacyDoctor, call: Call, doctors: Doctors) -> Outcome[Doctor]:
    """Replayed where this very row was brought in before.

    Raises what registration raises, and `IdempotencyKeyReused` where the number came with other data before.
    """
    digest = hashlib.sha256(legacy.model_dump_json().encode()).hexdigest()[:32]
    call = replace(call, token=ids.derived(SYSTEM, "doctor", legacy.number), digest=digest)
    doctor_id, command = ids.derived("doctor", call.token), _registration(legacy)

    def attempt() -> Outcome[Doctor]:
        known = doctors.known(doctor_id, command.email, command.department, command.external_identifiers)
        if earlier := doctors.earlier(known.doctor, doctor_id, call):
            return earlier
        service.check_claims(known, doctor_id)
        department, opens = service.department_for(known, command.department, call)
        registered = rules.registered(doctor_id, command, department, call.now)
        after = registered.model_copy(update={"created_at": legacy.created_at or call.now})
        doctors.save(None, after, DoctorRegistered.of(after), call, opens)
        return Outcome(after)

    return decided(attempt)


def find(numbers: Iterable[str], doctors: Doctors) -> dict[str, dict[str, str]]:
    """Doctors by their numbers in the older system; unknown numbers are left out."""
    found = {number: doctors.identified(SYSTEM, number) for number in numbers}
    return {
        number: {"doctor_id": stored.state.doctor_id, "department": stored.state.department}
        for number, stored in found.items()
        if stored
    }


def _registration(legacy: LegacyDoctor) -> RegisterDoctor:
    return RegisterDoctor(
        name=legacy.name,
        email=legacy.email,
        phone=legacy.phone,
        department=legacy.department,
        specialization=legacy.specialization,
        external_identifiers=(ExternalIdentifier(system=SYSTEM, value=legacy.number),),
    )
