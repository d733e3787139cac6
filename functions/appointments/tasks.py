"""What other domains and the operator may ask of visits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from appointments import agenda, confirmation, proposals, service
from appointments.commands import RecordAppointment
from appointments.model import AppointmentFact
from appointments.people import DoctorCopy, PatientCopy
from appointments.store import Appointments
from hms import clock, ids, telemetry
from hms.auth import Principal
from hms.call import Call
from hms.errors import IdempotencyKeyReused
from hms.fields import rfc3339
from hms.policy import Policy
from hms.store import DynamoTable
from hms.tasks import Tasks
from hms.timers import Timers

if TYPE_CHECKING:
    from hms.rows import Item
    from hms.tasks import Payload

# The function may take 60 s: one that has begun ends in time.
_SWEEP_SECONDS = 40
appointments = Appointments(DynamoTable())
policy = Policy.load(Path(__file__).with_name("policy.json"))
tasks = Tasks()
handler = tasks.handler


@tasks.task("snapshot")
def snapshot(payload: Payload) -> Payload:
    """`{"appointment_id"}` → the visit as the events tell it, read consistently, or `absent`.

    With `created_at`, and `cancellation` (`requested_by`, `seconds_before_start`) where it is cancelled, else null.
    """
    stored = appointments.load(payload["appointment_id"])
    if stored is None:
        return {"outcome": "absent"}
    visit = stored.state
    cancellation = visit.cancellation and visit.cancellation.model_dump(exclude={"reason"}, mode="json")
    more = {"created_at": rfc3339(visit.created_at), "cancellation": cancellation}
    return {"outcome": "ok", "snapshot": AppointmentFact.of(visit).model_dump(mode="json") | more}


@tasks.task("confirm")
def confirm(payload: Payload) -> Payload:
    """`{"appointment_id", "version"}` → `ok`, or `superseded` where the visit has changed since."""
    visit, version = payload["appointment_id"], payload["version"]
    return {"outcome": confirmation.confirm(visit, version, _flows(payload), appointments)}


@tasks.task("cancel_for_clinic")
def cancel_for_clinic(payload: Payload) -> Payload:
    """`{"appointment_id", "version", "reason"}` → `ok` where the clinic cancelled it, or `superseded`."""
    visit, version, reason = payload["appointment_id"], payload["version"], payload["reason"]
    return {"outcome": confirmation.cancel_for_clinic(visit, version, reason, _flows(payload), appointments)}


@tasks.task("sweep")
def sweep(payload: Payload) -> Payload:
    """Proposes a no-show for every visit whose patient is not here when the grace is over."""
    call = Call(Principal("no-show-sweep", ("service",)), clock.now(), payload.get("correlation_id") or ids.new())

    def propose(item: Item) -> None:
        proposals.propose(item.pk.partition("#")[2], replace(call, token=ids.new()), appointments)

    swept = Timers(appointments.table).sweep(call.now, propose, _SWEEP_SECONDS)
    return {"outcome": "ok", **swept._asdict()}


@tasks.task("stranded")
def list_stranded(payload: Payload) -> Payload:
    """`{"snapshot": doctor}` → the visits it strands. The snapshot is kept: it is the owner's word."""
    doctor = DoctorCopy.model_validate(payload["snapshot"])
    appointments.doctors.keep(doctor)
    found = agenda.stranded(doctor, clock.now(), appointments)
    return {"outcome": "ok", "stranded": [visit.model_dump(mode="json") for visit in found]}


@tasks.task("keep_patient")
def keep_patient(payload: Payload) -> Payload:
    """`{"snapshot": patient}` → kept at once, ahead of the event."""
    appointments.patients.keep(PatientCopy.model_validate(payload["snapshot"]))
    return {"outcome": "ok"}


@tasks.task("has_future_visits")
def tell_future_visits(payload: Payload) -> Payload:
    has = agenda.has_future_visits(payload["doctor_id"], clock.now(), appointments)
    return {"outcome": "ok", "has_future_visits": has}


@tasks.task("treats")
def tell_treats(payload: Payload) -> Payload:
    treats = agenda.treats(payload["doctor_id"], payload["patient_id"], appointments)
    return {"outcome": "ok", "treats": treats}


@tasks.task("record")
def record_appointments(payload: Payload) -> Payload:
    """`{"appointments": [RecordAppointment as JSON text…]}` → for each whether it is `new`, `there` or `refused`."""
    call = Call(Principal("import", ("service",)), clock.now(), payload.get("correlation_id") or ids.new())
    commands = [RecordAppointment.model_validate_json(text) for text in payload["appointments"]]
    answers = [_recorded(command, call) for command in commands]
    telemetry.log("INFO", "recorded", rows=len(answers), new=sum(one["outcome"] == "new" for one in answers))
    return {"outcome": "ok", "recorded": answers}


def _flows(payload: Payload) -> Call:
    roles = ("service",)
    who = Principal("confirm-appointment", roles, scopes=policy.scopes(roles))
    return Call(who, clock.now(), payload["correlation_id"])


def _recorded(command: RecordAppointment, call: Call) -> Payload:
    try:
        outcome = service.record(command, call, appointments)
    except IdempotencyKeyReused as problem:
        return {"outcome": "refused", "code": problem.code}
    return {"outcome": "there" if outcome.replayed else "new", "appointment_id": outcome.state.appointment_id}
