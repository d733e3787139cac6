"""The HTTP face of visits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AwareDatetime

from appointments import agenda, calendar_api, changes, proposals, rules, service
from appointments.clinic import clinic
from appointments.commands import (
    AddNote,
    BookAppointment,
    CancelAppointment,
    NothingMore,
    RescheduleAppointment,
)
from appointments.model import (
    Appointment,
    AppointmentSummary,
    Availability,
    NoShowProposal,
    StrandedVisit,
)
from appointments.owners import TasksOwners
from appointments.query import AvailabilityParams, ListAppointments, ListNoShowProposals
from appointments.rules import BOOKING_PROBLEMS, AppointmentNotFound
from appointments.store import Appointments
from hms.api import ANY_USER, Api, Request, Response, answer
from hms.errors import InvalidTransition, StaleVersion
from hms.fields import View, day_of
from hms.gate import gate
from hms.pages import sealed
from hms.policy import Policy
from hms.store import DynamoTable

if TYPE_CHECKING:
    from hms.call import Call, Outcome

table = DynamoTable()
appointments = Appointments(table)
owners: service.Owners = TasksOwners()
app = Api("appointments", Policy.load(Path(__file__).with_name("policy.json")), gate(table))
handler = app.handler

_CHANGING = (AppointmentNotFound, InvalidTransition, StaleVersion)


class AppointmentPage(View):
    items: list[AppointmentSummary]
    next_cursor: str | None
    as_of: AwareDatetime


class NoShowProposalPage(View):
    items: list[NoShowProposal]
    next_cursor: str | None
    as_of: AwareDatetime


class StrandedPage(View):
    items: list[StrandedVisit]
    next_cursor: str | None


@app.route(
    "POST",
    "/v1/appointments",
    "appointments:book",
    summary="Book a visit",
    body=BookAppointment,
    answers=Appointment,
    status=201,
    problems=BOOKING_PROBLEMS,
)
def book_appointment(request: Request, command: BookAppointment) -> Response:
    outcome = service.book(command, request.call, appointments, owners)
    counts = () if outcome.replayed else ("appointments_created_total",)
    return replace(_shown(outcome, request.call, 201), counts=counts)


@app.route(
    "GET",
    "/v1/appointments",
    "appointments:read",
    summary="List the visits of a patient, a doctor or a day",
    query=ListAppointments,
    answers=AppointmentPage,
)
def list_appointments(request: Request, params: ListAppointments) -> Response:
    items, last = agenda.visits(agenda.wanted_by(params, request.call), appointments)
    return Response(body=AppointmentPage(items=items, next_cursor=sealed(last), as_of=request.call.now))


@app.route(
    "GET",
    "/v1/appointments/no-show-proposals",
    "appointments:no_show",
    summary="List the visits of a day whose patients have not come",
    query=ListNoShowProposals,
    answers=NoShowProposalPage,
)
def list_no_show_proposals(request: Request, params: ListNoShowProposals) -> Response:
    items, last = proposals.proposals(params, request.call, appointments)
    return Response(body=NoShowProposalPage(items=items, next_cursor=sealed(last), as_of=request.call.now))


@app.route(
    "GET",
    "/v1/appointments/{appointment_id}",
    "appointments:read",
    summary="Read a visit",
    answers=Appointment,
    problems=(AppointmentNotFound,),
)
def get_appointment(request: Request) -> Response:
    return _shown(service.read(request.path["appointment_id"], request.call, appointments), request.call)


@app.route(
    "POST",
    "/v1/appointments/{appointment_id}/reschedule",
    "appointments:reschedule",
    summary="Move a visit to another slot",
    body=RescheduleAppointment,
    answers=Appointment,
    problems=(*_CHANGING, *changes.MOVING_PROBLEMS, *BOOKING_PROBLEMS),
    query_aliases={"new_slot_start": "slot_start", "new_slot_end": "slot_end"},
)
def reschedule_appointment(request: Request, command: RescheduleAppointment) -> Response:
    outcome = service.reschedule(request.path["appointment_id"], command, request.call, appointments, owners)
    return _shown(outcome, request.call)


@app.route(
    "POST",
    "/v1/appointments/{appointment_id}/cancel",
    "appointments:cancel",
    summary="Cancel a visit",
    body=CancelAppointment,
    answers=Appointment,
    problems=(*_CHANGING, changes.TooLateToCancel),
)
def cancel_appointment(request: Request, command: CancelAppointment) -> Response:
    outcome = service.cancel(request.path["appointment_id"], command, request.call, appointments)
    return _shown(outcome, request.call)


@app.route(
    "POST",
    "/v1/appointments/{appointment_id}/check-in",
    "appointments:check_in",
    summary="The patient is here; takes back a no-show of the same day",
    body=NothingMore,
    answers=Appointment,
    problems=(*_CHANGING, rules.SlotTaken, rules.PatientDoubleBooked),
)
def check_in_appointment(request: Request, _command: NothingMore) -> Response:
    return _shown(service.check_in(request.path["appointment_id"], request.call, appointments), request.call)


@app.route(
    "POST",
    "/v1/appointments/{appointment_id}/start",
    "appointments:start",
    summary="The consultation begins",
    body=NothingMore,
    answers=Appointment,
    problems=_CHANGING,
)
def start_appointment(request: Request, _command: NothingMore) -> Response:
    return _shown(service.start(request.path["appointment_id"], request.call, appointments), request.call)


@app.route(
    "POST",
    "/v1/appointments/{appointment_id}/complete",
    "appointments:complete",
    summary="The visit is over",
    body=NothingMore,
    answers=Appointment,
    problems=(*_CHANGING, changes.NotStarted),
)
def complete_appointment(request: Request, _command: NothingMore) -> Response:
    return _shown(service.complete(request.path["appointment_id"], request.call, appointments), request.call)


def _no_show(request: Request, _command: NothingMore) -> Response:
    return _shown(service.no_show(request.path["appointment_id"], request.call, appointments), request.call)


@app.route(
    "POST",
    "/v1/appointments/{appointment_id}/no-show",
    "appointments:no_show",
    summary="The patient did not come",
    body=NothingMore,
    answers=Appointment,
    problems=(*_CHANGING, changes.TooEarlyForNoShow),
)
def miss_appointment(request: Request, command: NothingMore) -> Response:
    return _no_show(request, command)


@app.route(
    "POST",
    "/v1/appointments/{appointment_id}/noshow",
    "appointments:no_show",
    summary="The patient did not come (the path of older clients)",
    body=NothingMore,
    answers=Appointment,
    problems=(*_CHANGING, changes.TooEarlyForNoShow),
)
def miss_appointment_by_old_path(request: Request, command: NothingMore) -> Response:
    return _no_show(request, command)


@app.route(
    "POST",
    "/v1/appointments/{appointment_id}/notes",
    "appointments:note",
    summary="Add a note to a visit",
    body=AddNote,
    answers=Appointment,
    status=201,
    problems=_CHANGING,
)
def add_appointment_note(request: Request, command: AddNote) -> Response:
    outcome = service.add_note(request.path["appointment_id"], command.text, request.call, appointments)
    return _shown(outcome, request.call, 201)


@app.route(
    "GET",
    "/v1/doctors/{doctor_id}/availability",
    ANY_USER,
    summary="The free slots of a doctor",
    query=AvailabilityParams,
    answers=Availability,
    problems=(rules.DoctorNotFound,),
)
def get_doctor_availability(request: Request, params: AvailabilityParams) -> Response:
    span = params.span(day_of(request.call.now, clinic().timezone))
    free = agenda.availability(request.path["doctor_id"], span, request.call, appointments, owners)
    return Response(body=free)


@app.route(
    "GET",
    "/v1/doctors/{doctor_id}/stranded-appointments",
    "appointments:read",
    summary="Future visits that the doctor's hours no longer cover",
    answers=StrandedPage,
    problems=(rules.DoctorNotFound,),
)
def list_stranded_appointments(request: Request) -> Response:
    doctor_id = request.path["doctor_id"]
    items = agenda.stranded_of(doctor_id, request.call, appointments, owners)
    return Response(body=StrandedPage(items=items, next_cursor=None))


def _shown(outcome: Outcome[Appointment] | Appointment, call: Call, status: int = 200) -> Response:
    """Notes are between those who care for the patient."""
    appointment = outcome if isinstance(outcome, Appointment) else outcome.state
    if not call.who.reaches("appointments:read_notes", doctor_id=appointment.doctor_id):
        return answer(outcome, status, view=appointment.model_copy(update={"notes": ()}))
    return answer(outcome, status)


calendar_api.serve(app, appointments, owners)
