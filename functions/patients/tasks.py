"""What other domains may ask about patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms import clock, ids, telemetry
from hms.auth import Principal
from hms.call import Call
from hms.errors import Problem
from hms.store import DynamoTable
from hms.tasks import Tasks
from patients import rules
from patients.model import PatientFact
from patients.store import Patients

if TYPE_CHECKING:
    from hms.tasks import Payload

patients = Patients(DynamoTable())
tasks = Tasks()
handler = tasks.handler


@tasks.task("snapshot")
def snapshot(payload: Payload) -> Payload:
    """The patient as told in events, and the MRN, which those do not tell; from a consistent read."""
    stored = patients.load(payload["patient_id"])
    if stored is None:
        return {"outcome": "absent"}
    return {"outcome": "ok", "snapshot": PatientFact.of(stored.state).model_dump(mode="json"), "mrn": stored.state.mrn}


@tasks.task("verify")
def verify(payload: Payload) -> Payload:
    """`{"patient_id"}` → `ok`, or `refused` with a problem that names nobody, in words for patients."""
    stored = patients.load(payload["patient_id"])
    try:
        rules.check_may_come(stored.state if stored else None)
    except Problem as problem:
        return {"outcome": "refused", "problem": {"code": problem.code, "detail": problem.detail}}
    return {"outcome": "ok"}


@tasks.task("import_patients")
def import_patients(payload: Payload) -> Payload:
    """`{"rows": [LegacyPatient as JSON text…]}` → for each whether it is `new`, `there` or `refused` with a code."""
    from patients import legacy

    call = Call(Principal("import", ("service",)), clock.now(), payload.get("correlation_id") or ids.new())
    answers = legacy.bring_in_all(payload["rows"], call, patients)
    telemetry.log("INFO", "imported", rows=len(answers), new=sum(one["outcome"] == "new" for one in answers))
    return {"outcome": "ok", "rows": answers}


@tasks.task("find_legacy")
def find_legacy(payload: Payload) -> Payload:
    """`{"numbers": […]}` → those that are known, with `patient_id`."""
    from patients import legacy

    return {"outcome": "ok", "found": legacy.find(payload["numbers"], patients)}
