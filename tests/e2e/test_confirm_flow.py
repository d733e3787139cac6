"""confirm-appointment as deployed: state by state, path by path, and from a booking to the word of the owners."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from tests.support.client import agreed, eventually
from tests.support.flows import (
    FAULT,
    OK,
    SUPERSEDED,
    DeployedMachine,
    answers,
    goes_on,
    sent,
    statuses,
    step_functions,
    tried,
)
from tests.support.hospital import TUESDAY, slot
from tools import contracts, flows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.hospital import Hospital
    from tools.system import System

DEFINITION = flows.definitions()["confirm-appointment"]
STATES = dict(flows.states(DEFINITION))
INPUT = {"appointment_id": "a", "version": 1, "patient_id": "p", "doctor_id": "d", "department": "Cardiology"}
INPUT |= {"time": "2026-11-21T04:30:00Z", "correlation_id": "c"}
UNKNOWN = {"outcome": "unknown"}
PROBLEM = {"code": "DOCTOR_INACTIVE", "detail": "The doctor is no longer available."}
REFUSED = {"outcome": "refused", "problem": PROBLEM}


def _verified(patient: dict[str, Any], doctor: dict[str, Any]) -> dict[str, Any]:
    return {"verified": {"patient": patient, "doctor": doctor}}


# A state, what else it gets, what its task answers, and where it goes on; nowhere where the machine ends.
WAYS = [
    ("VerifyPatient", {}, answers(OK), ""),
    ("VerifyPatient", {}, FAULT, "PatientUnknown"),
    ("PatientUnknown", {}, None, ""),
    ("VerifyDoctor", {}, answers(REFUSED), ""),
    ("VerifyDoctor", {}, FAULT, "DoctorUnknown"),
    ("DoctorUnknown", {}, None, ""),
    ("JudgePeople", _verified(OK, OK), None, "OpenBill"),
    ("JudgePeople", _verified(REFUSED, OK), None, "PatientRefused"),
    ("JudgePeople", _verified(REFUSED, REFUSED), None, "PatientRefused"),
    ("JudgePeople", _verified(REFUSED, UNKNOWN), None, "PatientRefused"),
    ("JudgePeople", _verified(OK, REFUSED), None, "DoctorRefused"),
    ("JudgePeople", _verified(UNKNOWN, REFUSED), None, "DoctorRefused"),
    ("JudgePeople", _verified(OK, UNKNOWN), None, "OwnerSilent"),
    ("JudgePeople", _verified(UNKNOWN, OK), None, "OwnerSilent"),
    ("PatientRefused", _verified(REFUSED, OK), None, "CancelForClinic"),
    ("DoctorRefused", _verified(OK, REFUSED), None, "CancelForClinic"),
    ("CancelForClinic", {"problem": PROBLEM}, answers(OK), "JudgeCancellation"),
    ("CancelForClinic", {"problem": PROBLEM}, FAULT, "NotCancelled"),
    ("JudgeCancellation", {"cancellation": OK}, None, "Cancelled"),
    ("JudgeCancellation", {"cancellation": SUPERSEDED}, None, "Superseded"),
    ("OpenBill", {}, answers(OK), "PlanReminders"),
    ("OpenBill", {}, answers(SUPERSEDED), "PlanReminders"),
    ("OpenBill", {}, FAULT, "NotConfirmed"),
    ("PlanReminders", {}, answers(OK), "Confirm"),
    ("PlanReminders", {}, answers(SUPERSEDED), "Confirm"),
    ("PlanReminders", {}, FAULT, "NotConfirmed"),
    ("Confirm", {}, answers(OK), "JudgeConfirmation"),
    ("Confirm", {}, FAULT, "NotConfirmed"),
    ("JudgeConfirmation", {"confirmation": OK}, None, "Confirmed"),
    ("JudgeConfirmation", {"confirmation": SUPERSEDED}, None, "Superseded"),
    ("Confirmed", {}, None, ""),
    ("Cancelled", {}, None, ""),
    ("Superseded", {}, None, ""),
    ("OwnerSilent", {}, None, ""),
    ("NotCancelled", {}, None, ""),
    ("NotConfirmed", {}, None, ""),
]
TASKS = sorted(name for name, state in STATES.items() if state["Type"] == "Task")


@pytest.fixture(scope="module")
def states(system: System) -> Iterator[Any]:
    with step_functions(system) as client:
        yield client


def test_every_way_out_of_every_state_is_tried() -> None:
    """A parallel state has one way, which every execution takes."""
    all_ = {
        (name, step.target)
        for name, state in STATES.items()
        for step in flows.steps(name, state)
        if state["Type"] != "Parallel"
    }

    assert {(name, target) for name, _, _, target in WAYS} == all_


@pytest.mark.parametrize(("name", "more", "mock", "target"), WAYS)
def test_a_state_goes_on_where_it_should(
    name: str, more: dict[str, Any], mock: dict[str, Any] | None, target: str, states: Any
) -> None:
    assert goes_on(states, STATES[name], INPUT | more, mock) == target


@pytest.mark.parametrize("name", TASKS)
def test_a_task_sends_ids_and_carries_on_what_it_got(name: str, states: Any) -> None:
    answer = tried(states, STATES[name], INPUT | {"problem": PROBLEM}, answers(OK))

    assert sent(answer)["correlation_id"] == "c"
    assert set(sent(answer)) <= {"task", "reason", *INPUT}
    assert OK in (json.loads(answer["output"]), *json.loads(answer["output"]).values())


@pytest.mark.parametrize("error", ["TaskFailed", "Runtime.HandlerError", "Lambda.TooManyRequestsException"])
@pytest.mark.parametrize("name", TASKS)
def test_a_passing_fault_is_tried_again_and_others_are_not(name: str, error: str, states: Any) -> None:
    given = INPUT | {"problem": PROBLEM}

    assert statuses(states, STATES[name], given, error) == ["RETRIABLE", "RETRIABLE", "FAILED"]
    assert statuses(states, STATES[name], given, "Lambda.ResourceNotFoundException")[0] == "FAILED"


def test_a_refusals_words_are_the_reason(states: Any) -> None:
    chosen = json.loads(tried(states, STATES["DoctorRefused"], INPUT | _verified(OK, REFUSED), None)["output"])
    answer = tried(states, STATES["CancelForClinic"], chosen, answers(OK))

    assert sent(answer)["reason"] == PROBLEM["detail"]


class Flow(DeployedMachine):
    """Executions for visits."""

    def __init__(self, states: Any, hospital: Hospital) -> None:
        super().__init__(states, hospital, "ConfirmAppointment")
        self.hospital = hospital

    def visit(self) -> dict[str, Any]:
        """A visit that is not decided yet: what the flow has remembered of it is gone."""
        visit = self.hospital.confirmed(self.hospital.visit())
        key = {"pk": {"S": f"appointment#{visit['appointment_id']}"}, "sk": {"S": "confirmed"}}
        self.hospital.aws("dynamodb").delete_item(TableName=self.hospital.resource("AppointmentsTable"), Key=key)
        return visit

    def status(self, visit: dict[str, Any]) -> str:
        found = agreed(self.hospital.admin.get(f"/v1/appointments/{visit['appointment_id']}"))
        status: str = found["status"]
        return status


@pytest.fixture(scope="module")
def flow(states: Any, hospital: Hospital) -> Flow:
    return Flow(states, hospital)


def of(visit: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {
        "time": visit["updated_at"],
        **{name: visit[name] for name in ("appointment_id", "version", "patient_id", "doctor_id", "department")},
        **other,
    }


NOBODY = ids.new()


@pytest.mark.parametrize(
    ("given", "outcome", "status"),
    [
        ({}, "confirmed", "SCHEDULED"),
        ({"patient_id": NOBODY}, "cancelled", "CANCELLED"),
        ({"doctor_id": NOBODY}, "cancelled", "CANCELLED"),
        ({"department": "Neurology"}, "cancelled", "CANCELLED"),
        ({"patient_id": NOBODY, "doctor_id": NOBODY}, "cancelled", "CANCELLED"),
        ({"version": 7, "patient_id": NOBODY}, "superseded", "SCHEDULED"),
        ({"version": 7}, "superseded", "SCHEDULED"),
    ],
)
def test_an_execution_takes_each_path(given: dict[str, Any], outcome: str, status: str, flow: Flow) -> None:
    visit = flow.visit()

    assert flow.outcome(**of(visit, **given)) == outcome
    assert flow.outcome(**of(visit, **given)) == outcome
    assert flow.status(visit) == status


@pytest.mark.parametrize(
    ("missing", "given", "outcome"),
    [
        ("doctors", {}, "OwnerSilent"),
        ("patients", {}, "OwnerSilent"),
        ("billing", {}, "NotConfirmed"),
        ("notifications", {}, "NotConfirmed"),
        ("appointments", {}, "NotConfirmed"),
        ("appointments", {"doctor_id": NOBODY}, "NotCancelled"),
    ],
)
def test_a_domain_that_fails_leaves_the_visit_undecided_until_it_recovers(
    missing: str, given: dict[str, Any], outcome: str, flow: Flow
) -> None:
    visit, machine = flow.visit(), flow.without(missing)

    assert flow.outcome(machine, **of(visit, **given)) == outcome
    assert flow.status(visit) == "SCHEDULED"
    flow.mend(machine)
    assert flow.outcome(machine, **of(visit, **given)) == ("cancelled" if given else "confirmed")


@pytest.mark.parametrize(("missing", "given"), [("doctors", "patient_id"), ("patients", "doctor_id")])
def test_one_owners_refusal_decides_while_the_other_is_silent(missing: str, given: str, flow: Flow) -> None:
    visit = flow.visit()

    assert flow.outcome(flow.without(missing), **of(visit, **{given: NOBODY})) == "cancelled"


def mislead(kind: str, person: dict[str, Any], hospital: Hospital, **belief: Any) -> None:
    """Makes the visits' domain believe something of a person that their owner does not say."""
    key = {"pk": {"S": f"{kind}#{person[f'{kind}_id']}"}, "sk": {"S": "profile"}}
    table, client = hospital.resource("AppointmentsTable"), hospital.aws("dynamodb")

    def kept() -> dict[str, Any]:
        return dict(client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item") or {})

    told = agreed(hospital.admin.get(f"/v1/{kind}s/{person[f'{kind}_id']}"))["version"]
    row = eventually(kept, lambda row: int(row.get("version", {"N": 0})["N"]) >= told)
    body = json.dumps(json.loads(row["body"]["S"]) | belief | {"version": 1000})
    client.put_item(TableName=table, Item=row | {"body": {"S": body}, "version": {"N": "1000"}})


def deactivate(kind: str, person: dict[str, Any], hospital: Hospital) -> None:
    agreed(hospital.admin.post(f"/v1/{kind}s/{person[f'{kind}_id']}/deactivate"))


def cancelled(visit: dict[str, Any], hospital: Hospital) -> dict[str, Any]:
    path = f"/v1/appointments/{visit['appointment_id']}"
    found = eventually(lambda: agreed(hospital.admin.get(path)), lambda one: one["status"] == "CANCELLED")
    assert found["status"] == "CANCELLED"
    cancellation: dict[str, Any] = found["cancellation"]
    return cancellation


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("patient", "The patient's registration is not active."), ("doctor", "The doctor is no longer available.")],
)
def test_a_booking_that_rested_on_an_old_copy_is_cancelled_by_the_clinic(
    kind: str, reason: str, hospital: Hospital
) -> None:
    people = {"patient": hospital.patient(), "doctor": hospital.doctor()}
    deactivate(kind, people[kind], hospital)
    mislead(kind, people[kind], hospital, active=True)

    visit = agreed(hospital.book(people["patient"], people["doctor"], slot("10:00")), 201)

    told = cancelled(visit, hospital)
    assert (told["requested_by"], told["reason"]) == ("CLINIC", reason)
    assert "10:00" in hospital.free(people["doctor"]) or kind == "doctor"


def test_a_doctor_who_is_in_another_department_by_now_is_not_met(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor()
    mislead("doctor", doctor, hospital, department="Dermatology")

    visit = agreed(hospital.book(patient, doctor, slot("10:00"), department="Dermatology"), 201)

    assert cancelled(visit, hospital)["reason"] == "The doctor has moved to another department."


def test_a_moved_visit_is_decided_anew_and_its_first_booking_no_more(hospital: Hospital, flow: Flow) -> None:
    visit = hospital.confirmed(hospital.visit())
    path = f"/v1/appointments/{visit['appointment_id']}/reschedule"

    moved = hospital.confirmed(agreed(hospital.reception.post(path, slot("11:00", TUESDAY))))

    assert moved["version"] == 2
    assert flow.outcome(**of(visit)) == "superseded"
    assert flow.outcome(**of(visit, patient_id=NOBODY)) == "superseded"
    assert flow.status(visit) == "SCHEDULED"


@pytest.fixture
def start(hospital: Hospital) -> Callable[..., Any]:
    """Hands an event to the starter as its queue does."""

    def start(kind: str, visit: dict[str, Any], **data: Any) -> Any:
        event = json.loads(contracts.example_of(kind).model_dump_json())
        event |= {"subject": visit["appointment_id"], "version": visit["version"], "data": of(visit, **data)}
        batch = {"Records": [{"messageId": "message", "body": json.dumps(event)}]}
        answer = hospital.aws("lambda").invoke(
            FunctionName=f"{hospital.system.stack}-confirm-appointment-starter", Payload=json.dumps(batch).encode()
        )
        assert "FunctionError" not in answer
        return json.loads(answer["Payload"].read())

    return start


def test_a_replay_after_the_doctor_has_left_cancels_nothing(
    hospital: Hospital, flow: Flow, start: Callable[..., Any]
) -> None:
    visit = hospital.confirmed(hospital.visit())
    deactivate("doctor", visit, hospital)

    for _ in range(2):
        assert start("appointments.booked.v1", visit) == {"batchItemFailures": []}

    assert flow.status(visit) == "SCHEDULED"


def test_an_event_that_cannot_be_decided_stays_in_the_queue(hospital: Hospital, start: Callable[..., Any]) -> None:
    """A department that is no text: the owner's task fails each time it is asked."""
    visit = hospital.visit()

    failed = start("appointments.booked.v1", visit, department=None)

    assert failed == {"batchItemFailures": [{"itemIdentifier": "message"}]}
