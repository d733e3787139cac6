"""What other domains may ask about doctors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctors import rules
from doctors.model import DoctorFact
from doctors.store import Doctors
from hms import clock, ids, telemetry
from hms.auth import Principal
from hms.call import Call
from hms.errors import Problem
from hms.store import DynamoTable
from hms.tasks import Tasks

if TYPE_CHECKING:
    from hms.tasks import Payload

doctors = Doctors(DynamoTable())
tasks = Tasks()
handler = tasks.handler


@tasks.task("snapshot")
def snapshot(payload: Payload) -> Payload:
    """`{"doctor_id"}` → the doctor as the events tell them, read consistently, or `absent`."""
    stored = doctors.load(payload["doctor_id"])
    if stored is None:
        return {"outcome": "absent"}
    return {"outcome": "ok", "snapshot": DoctorFact.of(stored.state).model_dump(mode="json")}


@tasks.task("verify")
def verify(payload: Payload) -> Payload:
    """`{"doctor_id", "department"}` → `ok`, or `refused` with a problem that names nobody, in words for patients."""
    stored = doctors.load(payload["doctor_id"])
    try:
        rules.check_sees(stored.state if stored else None, payload["department"])
    except Problem as problem:
        return {"outcome": "refused", "problem": {"code": problem.code, "detail": problem.detail}}
    return {"outcome": "ok"}


@tasks.task("open_departments")
def open_departments(payload: Payload) -> Payload:
    """`{"names": […]}` → how many were new."""
    from doctors import legacy

    return {"outcome": "ok", "opened": legacy.open_all(payload["names"], _imported(payload), doctors)}


@tasks.task("import_doctors")
def import_doctors(payload: Payload) -> Payload:
    """`{"rows": [LegacyDoctor as JSON text…]}` → for each whether it is `new`, `there` or `refused` with a code."""
    from doctors import legacy

    answers = legacy.bring_in_all(payload["rows"], _imported(payload), doctors)
    telemetry.log("INFO", "imported", rows=len(answers), new=sum(one["outcome"] == "new" for one in answers))
    return {"outcome": "ok", "rows": answers}


@tasks.task("find_legacy")
def find_legacy(payload: Payload) -> Payload:
    """`{"numbers": […]}` → those that are known, with `doctor_id` and department."""
    from doctors import legacy

    return {"outcome": "ok", "found": legacy.find(payload["numbers"], doctors)}


def _imported(payload: Payload) -> Call:
    return Call(Principal("import", ("service",)), clock.now(), payload.get("correlation_id") or ids.new())
