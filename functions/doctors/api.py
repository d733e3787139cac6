"""The HTTP operations on doctors and departments."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from doctors import directory, service
from doctors.commands import (
    DeactivateDoctor,
    DoctorFilter,
    GrantLeave,
    NothingMore,
    OpenDepartment,
    PublishSchedule,
    RegisterDoctor,
    SetOverride,
    UpdateDoctor,
)
from doctors.hours import FIRST_YEAR, LAST_YEAR
from doctors.model import ChangedDoctor, Department, DepartmentList, Doctor, DoctorList
from doctors.rules import (
    DepartmentExists,
    DoctorNotFound,
    EmailTaken,
    HasFutureVisits,
    IdentifierTaken,
    LeaveNotFound,
    OverrideNotFound,
    TooManyEntries,
)
from doctors.store import Doctors
from hms.api import Api, Request, Response, answer
from hms.errors import FieldError, Invalid, InvalidTransition, StaleVersion
from hms.gate import gate
from hms.history import History
from hms.pages import PageParams
from hms.policy import Policy
from hms.store import DynamoTable
from hms.tasks import Owner

if TYPE_CHECKING:
    from hms.call import Outcome

table = DynamoTable()
doctors = Doctors(table)
visits = Owner("APPOINTMENTS_TASKS")
app = Api("doctors", Policy.load(Path(__file__).with_name("policy.json")), gate(table))
handler = app.handler


@app.route(
    "POST",
    "/v1/doctors",
    "doctors:register",
    summary="Register a doctor",
    body=RegisterDoctor,
    answers=Doctor,
    status=201,
    problems=(EmailTaken, IdentifierTaken),
)
def register_doctor(request: Request, command: RegisterDoctor) -> Response:
    return answer(service.register_doctor(command, request.call, doctors), 201)


@app.route("GET", "/v1/doctors", "doctors:read", summary="List doctors by name", query=DoctorFilter, answers=DoctorList)
def list_doctors(request: Request, wanted: DoctorFilter) -> Response:
    return Response(body=directory.list_doctors(wanted, request.call, doctors))


@app.route(
    "GET",
    "/v1/doctors/{doctor_id}",
    "doctors:read",
    summary="Read a doctor: contact data only for staff and the doctor",
    answers=Doctor,
    problems=(DoctorNotFound,),
)
def get_doctor(request: Request) -> Response:
    return answer(service.get_doctor(request.path["doctor_id"], request.call, doctors))


@app.route(
    "PATCH",
    "/v1/doctors/{doctor_id}",
    "doctors:update",
    summary="Change what is known of a doctor",
    body=UpdateDoctor,
    answers=ChangedDoctor,
    problems=(DoctorNotFound, EmailTaken, HasFutureVisits, StaleVersion),
)
def update_doctor(request: Request, command: UpdateDoctor) -> Response:
    outcome = service.update_doctor(request.path["doctor_id"], command, request.call, doctors, visits)
    return _changed(outcome) if command.department else _changed(outcome, asking=False)


@app.route(
    "POST",
    "/v1/doctors/{doctor_id}/deactivate",
    "doctors:deactivate",
    summary="Stop booking a doctor; the visits to move are listed",
    body=DeactivateDoctor,
    answers=ChangedDoctor,
    problems=(DoctorNotFound, InvalidTransition, StaleVersion),
)
def deactivate_doctor(request: Request, command: DeactivateDoctor) -> Response:
    return _changed(service.deactivate_doctor(request.path["doctor_id"], command, request.call, doctors))


@app.route(
    "POST",
    "/v1/doctors/{doctor_id}/reactivate",
    "doctors:deactivate",
    summary="Book a doctor again",
    body=NothingMore,
    answers=ChangedDoctor,
    problems=(DoctorNotFound, InvalidTransition, StaleVersion),
)
def reactivate_doctor(request: Request, _command: NothingMore) -> Response:
    return _changed(service.reactivate_doctor(request.path["doctor_id"], request.call, doctors))


@app.route(
    "PUT",
    "/v1/doctors/{doctor_id}/schedule",
    "doctors:schedule",
    summary="Publish the weekly hours, in place of the ones before",
    body=PublishSchedule,
    answers=ChangedDoctor,
    problems=(DoctorNotFound, StaleVersion),
)
def publish_schedule(request: Request, command: PublishSchedule) -> Response:
    return _changed(service.publish_schedule(request.path["doctor_id"], command, request.call, doctors))


@app.route(
    "PUT",
    "/v1/doctors/{doctor_id}/overrides/{date}",
    "doctors:schedule",
    summary="Set the hours of one date, in place of the weekly ones",
    body=SetOverride,
    answers=ChangedDoctor,
    problems=(DoctorNotFound, StaleVersion, TooManyEntries),
)
def set_override(request: Request, command: SetOverride) -> Response:
    return _changed(service.set_override(request.path["doctor_id"], _day(request), command, request.call, doctors))


@app.route(
    "DELETE",
    "/v1/doctors/{doctor_id}/overrides/{date}",
    "doctors:schedule",
    summary="Return one date to the weekly hours",
    answers=ChangedDoctor,
    problems=(DoctorNotFound, OverrideNotFound, StaleVersion),
)
def remove_override(request: Request) -> Response:
    return _changed(service.remove_override(request.path["doctor_id"], _day(request), request.call, doctors))


@app.route(
    "POST",
    "/v1/doctors/{doctor_id}/leave",
    "doctors:schedule",
    summary="Grant leave for whole days; the visits to move are listed",
    body=GrantLeave,
    answers=ChangedDoctor,
    status=201,
    problems=(DoctorNotFound, StaleVersion, TooManyEntries),
)
def grant_leave(request: Request, command: GrantLeave) -> Response:
    return _changed(service.grant_leave(request.path["doctor_id"], command, request.call, doctors), 201)


@app.route(
    "DELETE",
    "/v1/doctors/{doctor_id}/leave/{leave_id}",
    "doctors:schedule",
    summary="Withdraw leave",
    answers=ChangedDoctor,
    problems=(DoctorNotFound, LeaveNotFound, StaleVersion),
)
def withdraw_leave(request: Request) -> Response:
    doctor_id, leave_id = request.path["doctor_id"], request.path["leave_id"]
    return _changed(service.withdraw_leave(doctor_id, leave_id, request.call, doctors))


@app.route(
    "GET",
    "/v1/doctors/{doctor_id}/history",
    "doctors:read_history",
    summary="Read who changed a doctor, and when",
    query=PageParams,
    answers=History,
    problems=(DoctorNotFound,),
)
def get_doctor_history(request: Request, page: PageParams) -> Response:
    return Response(body=directory.get_history(request.path["doctor_id"], page, request.call, doctors))


@app.route(
    "GET",
    "/v1/departments",
    "doctors:read",
    summary="List departments by name",
    query=PageParams,
    answers=DepartmentList,
)
def list_departments(request: Request, page: PageParams) -> Response:
    return Response(body=directory.list_departments(page, request.call, doctors.departments))


@app.route(
    "POST",
    "/v1/departments",
    "doctors:open_department",
    summary="Open a department",
    body=OpenDepartment,
    answers=Department,
    status=201,
    problems=(DepartmentExists,),
)
def open_department(request: Request, command: OpenDepartment) -> Response:
    return answer(service.open_department(command, request.call, doctors.departments), 201)


def _changed(outcome: Outcome[Doctor], status: int = 200, *, asking: bool = True) -> Response:
    found = service.stranded(outcome.state, visits) if asking else ()
    return answer(outcome, status, ChangedDoctor(**dict(outcome.state), stranded=found))


def _day(request: Request) -> date:
    text = request.path["date"]
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text or not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Invalid(errors=(FieldError("date", "date", f"a date is YYYY-MM-DD, {FIRST_YEAR} to {LAST_YEAR}"),))
    return day
