"""Patients over HTTP."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hms.api import Api, Response, answer
from hms.errors import Busy, InvalidTransition, StaleVersion
from hms.gate import gate
from hms.history import History
from hms.pages import PageParams
from hms.policy import Policy
from hms.store import DynamoTable
from hms.tasks import Owner
from patients import search, service
from patients.model import (
    DeactivatePatient,
    Patient,
    PatientFact,
    PatientFilter,
    PatientList,
    ReactivatePatient,
    RegisteredPatient,
    RegisterPatient,
    SetIdentifiers,
    UpdatePatient,
)
from patients.rules import EmailTaken, IdentifierTaken, PatientNotFound
from patients.store import Patients

if TYPE_CHECKING:
    from hms.api import Request

table = DynamoTable()
patients = Patients(table)
appointments = Owner("APPOINTMENTS_TASKS")
app = Api("patients", Policy.load(Path(__file__).with_name("policy.json")), gate(table))
handler = app.handler


@app.route(
    "POST",
    "/v1/patients",
    "patients:register",
    summary="Register a patient",
    body=RegisterPatient,
    answers=RegisteredPatient,
    status=201,
    problems=(EmailTaken, IdentifierTaken),
)
def register_patient(request: Request, command: RegisterPatient) -> Response:
    return answer(service.register_patient(command, request.call, patients), 201)


@app.route(
    "GET",
    "/v1/patients",
    "patients:search",
    summary="List and search patients",
    query=PatientFilter,
    answers=PatientList,
)
def list_patients(request: Request, asked: PatientFilter) -> Response:
    return Response(body=search.list_patients(asked, patients, request.call.now))


@app.route(
    "GET",
    "/v1/patients/{patient_id}",
    "patients:read",
    summary="Read a patient",
    answers=Patient,
    problems=(PatientNotFound,),
)
def get_patient(request: Request) -> Response:
    return answer(service.read_patient(request.path["patient_id"], request.call.who, patients, _treats))


@app.route(
    "PATCH",
    "/v1/patients/{patient_id}",
    "patients:update",
    summary="Change what is known of a patient",
    body=UpdatePatient,
    answers=Patient,
    problems=(PatientNotFound, EmailTaken, StaleVersion),
)
def update_patient(request: Request, command: UpdatePatient) -> Response:
    return answer(service.update_patient(request.path["patient_id"], command, request.call, patients))


@app.route(
    "PUT",
    "/v1/patients/{patient_id}/external-identifiers",
    "patients:identify",
    summary="Set the numbers that other systems know a patient by",
    body=SetIdentifiers,
    answers=Patient,
    problems=(PatientNotFound, IdentifierTaken, StaleVersion),
)
def set_patient_identifiers(request: Request, command: SetIdentifiers) -> Response:
    return answer(service.set_identifiers(request.path["patient_id"], command, request.call, patients))


@app.route(
    "POST",
    "/v1/patients/{patient_id}/deactivate",
    "patients:deactivate",
    summary="Deactivate a patient",
    body=DeactivatePatient,
    answers=Patient,
    problems=(PatientNotFound, InvalidTransition, StaleVersion),
)
def deactivate_patient(request: Request, command: DeactivatePatient) -> Response:
    outcome = service.deactivate_patient(request.path["patient_id"], command, request.call, patients)
    _tell_appointments(outcome.state)
    return answer(outcome)


@app.route(
    "POST",
    "/v1/patients/{patient_id}/reactivate",
    "patients:deactivate",
    summary="Reactivate a patient",
    body=ReactivatePatient,
    answers=Patient,
    problems=(PatientNotFound, InvalidTransition, StaleVersion),
)
def reactivate_patient(request: Request, _command: ReactivatePatient) -> Response:
    return answer(service.reactivate_patient(request.path["patient_id"], request.call, patients))


@app.route(
    "GET",
    "/v1/patients/{patient_id}/history",
    "patients:history",
    summary="Read who did what to a patient's record",
    query=PageParams,
    answers=History,
    problems=(PatientNotFound,),
)
def list_patient_history(request: Request, params: PageParams) -> Response:
    return Response(body=service.read_history(request.path["patient_id"], params, request.call.who, patients))


def _tell_appointments(patient: Patient) -> None:
    """Ahead of the event, so that nobody books a patient who was just deactivated; the event comes in any case."""
    with suppress(Busy):
        appointments.ask("keep_patient", snapshot=PatientFact.of(patient).model_dump(mode="json"))


def _treats(doctor_id: str, patient_id: str) -> bool:
    """The word of the owner of visits."""
    return bool(appointments.ask("treats", doctor_id=doctor_id, patient_id=patient_id)["treats"])
