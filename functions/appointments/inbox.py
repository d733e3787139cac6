"""Copies of patients and doctors, kept up to date by what their owners tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appointments.people import DoctorCopy, PatientCopy
from appointments.store import Appointments
from hms.inbox import Inbox
from hms.store import DynamoTable

if TYPE_CHECKING:
    from hms.events import Event

appointments = Appointments(DynamoTable())
inbox = Inbox("appointments")
handler = inbox.handler


@inbox.on(
    "patients.registered.v1",
    "patients.updated.v1",
    "patients.deactivated.v1",
    "patients.reactivated.v1",
    copies="profile",
)
def keep_patient(event: Event) -> None:
    appointments.patients.keep(PatientCopy.model_validate(event.data))


@inbox.on(
    "doctors.registered.v1",
    "doctors.updated.v1",
    "doctors.schedule_published.v1",
    "doctors.overridden.v1",
    "doctors.leave_changed.v1",
    "doctors.deactivated.v1",
    "doctors.reactivated.v1",
    copies="profile",
)
def keep_doctor(event: Event) -> None:
    appointments.doctors.keep(DoctorCopy.model_validate(event.data))
