"""The usual stack, as its documentation shows it, unoptimised: Powertools' resolver with validation, Logger, Metrics,
PyJWT, and PynamoDB models of their own for each kind of row. It does the same checks on the same data.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import jwt
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, NotFoundError, UnauthorizedError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import AwareDatetime, BaseModel, ConfigDict
from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.connection import Connection
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from tools.bench import canned, scene

logger = Logger(service="appointments")
metrics = Metrics(namespace="HMS", service="appointments")
app = APIGatewayRestResolver(enable_validation=True)
connection = Connection(region="us-east-1")
keys: dict[str, Any] = {}


class AppointmentRow(Model):
    class Meta:
        table_name = "appointments"
        region = "us-east-1"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    patient_id = UnicodeAttribute()
    doctor_id = UnicodeAttribute()
    department = UnicodeAttribute()
    slot_start = UTCDateTimeAttribute()
    slot_end = UTCDateTimeAttribute()
    status = UnicodeAttribute()
    fee = NumberAttribute()
    created_at = UTCDateTimeAttribute()
    version = VersionAttribute()


class PatientRow(Model):
    class Meta:
        table_name = "patients"
        region = "us-east-1"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    name = UnicodeAttribute()
    active = BooleanAttribute()


class PeriodMap(MapAttribute[str, Any]):
    weekday = UnicodeAttribute()
    start = UnicodeAttribute()
    end = UnicodeAttribute()
    slot_duration = NumberAttribute()


class DoctorRow(Model):
    class Meta:
        table_name = "doctors"
        region = "us-east-1"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    name = UnicodeAttribute()
    department = UnicodeAttribute()
    active = BooleanAttribute()
    timezone = UnicodeAttribute()
    cap = NumberAttribute()
    schedule: ListAttribute[PeriodMap] = ListAttribute(of=PeriodMap)


class SheetRow(Model):
    class Meta:
        table_name = "sheets"
        region = "us-east-1"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    slots = JSONAttribute()
    version = VersionAttribute()


class EventRow(Model):
    class Meta:
        table_name = "events"
        region = "us-east-1"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    body = JSONAttribute()


class BookAppointment(BaseModel):
    model_config = ConfigDict(extra="forbid")
    patient_id: UUID
    doctor_id: UUID
    department: str
    slot_start: AwareDatetime
    slot_end: AwareDatetime


class Appointment(BaseModel):
    appointment_id: UUID
    patient_id: UUID
    doctor_id: UUID
    department: str
    slot_start: AwareDatetime
    slot_end: AwareDatetime
    status: str
    version: int


def _who() -> dict[str, Any]:
    token = (app.current_event.headers.get("Authorization") or "").removeprefix("Bearer ")
    try:
        claims: dict[str, Any] = jwt.decode(token, keys["public"], algorithms=["ES256"], audience=scene.AUDIENCE)
    except jwt.InvalidTokenError as error:
        raise UnauthorizedError("token") from error
    return claims


@app.get("/v1/appointments/<appointment_id>")
def get_appointment(appointment_id: str) -> Appointment:
    _who()
    try:
        row = AppointmentRow.get(f"appointment#{appointment_id}", "state", consistent_read=True)
    except AppointmentRow.DoesNotExist as error:
        raise NotFoundError("appointment") from error
    return _shown(appointment_id, row)


@app.post("/v1/appointments")
def book_appointment(command: BookAppointment) -> Response[Appointment]:
    claims = _who()
    doctor_key, patient_key = f"doctor#{command.doctor_id}", f"patient#{command.patient_id}"
    patient = PatientRow.get(patient_key, "profile", consistent_read=True)
    doctor = DoctorRow.get(doctor_key, "profile", consistent_read=True)
    local = command.slot_start.astimezone(ZoneInfo(doctor.timezone))
    sheets = [_sheet(doctor_key, local), _sheet(patient_key, command.slot_start.astimezone(UTC))]
    _check(patient, doctor, command, sheets)
    row = AppointmentRow(
        f"appointment#{uuid4()}",
        "state",
        patient_id=str(command.patient_id),
        doctor_id=str(command.doctor_id),
        department=command.department,
        slot_start=command.slot_start,
        slot_end=command.slot_end,
        status="SCHEDULED",
        fee=50000,
        created_at=datetime.now(UTC),
    )
    body = {"type": "appointments.booked.v1", "actor": claims["sub"], "patient_id": str(command.patient_id)}
    event = EventRow(row.pk, "event#1", body=body)
    with TransactWrite(connection=connection) as transaction:
        transaction.save(row, condition=AppointmentRow.pk.does_not_exist())
        transaction.save(event, condition=EventRow.pk.does_not_exist())
        for sheet in sheets:
            sheet.slots = [*sheet.slots, [row.pk, command.slot_start.timestamp(), command.slot_end.timestamp()]]
            transaction.save(sheet)
    metrics.add_metric(name="appointments_created_total", unit=MetricUnit.Count, value=1)
    shown = _shown(row.pk.removeprefix("appointment#"), row)
    return Response(status_code=HTTPStatus.CREATED, content_type=content_types.APPLICATION_JSON, body=shown)


def _sheet(owner: str, instant: datetime) -> SheetRow:
    try:
        return SheetRow.get(owner, f"day#{instant.date()}", consistent_read=True)
    except SheetRow.DoesNotExist:
        return SheetRow(owner, f"day#{instant.date()}", slots=[])


def _check(patient: PatientRow, doctor: DoctorRow, command: BookAppointment, sheets: list[SheetRow]) -> None:
    zone = ZoneInfo(doctor.timezone)
    start, end = command.slot_start.astimezone(zone), command.slot_end.astimezone(zone)
    open_at, close_at = time(9), time(18)
    hours = [period for period in doctor.schedule if period.weekday == start.strftime("%A").upper()]
    inside = any(
        time.fromisoformat(period.start) <= start.time() and end.time() <= time.fromisoformat(period.end)
        for period in hours
    )
    clash = any(
        begin < command.slot_end.timestamp() and command.slot_start.timestamp() < finish
        for sheet in sheets
        for _, begin, finish in sheet.slots
    )
    fine = [
        patient.active and doctor.active and doctor.department == command.department,
        open_at <= start.time() and end.time() <= close_at and inside,
        end - start == timedelta(minutes=30) and start.minute % 30 == 0,
        start - datetime.now(UTC) >= timedelta(hours=2),
        not clash and len(sheets[0].slots) < doctor.cap,
    ]
    if not all(fine):
        raise BadRequestError("refused")


def _shown(appointment_id: str, row: AppointmentRow) -> Appointment:
    return Appointment(
        appointment_id=UUID(appointment_id),
        patient_id=UUID(row.patient_id),
        doctor_id=UUID(row.doctor_id),
        department=row.department,
        slot_start=row.slot_start,
        slot_end=row.slot_end,
        status=row.status,
        version=row.version or 1,
    )


@metrics.log_metrics(capture_cold_start_metric=True)
@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    logger.info("request")
    return app.resolve(event, context)


def prepare(jwk: dict[str, str]) -> Any:
    """The handler with canned rows."""
    keys["public"] = jwt.PyJWK(jwk).key
    start, end = scene.slot()
    visit = {
        "patient_id": {"S": scene.PATIENT},
        "doctor_id": {"S": scene.DOCTOR},
        "department": {"S": "Cardiology"},
        "slot_start": {"S": _utc(start)},
        "slot_end": {"S": _utc(end)},
        "status": {"S": "SCHEDULED"},
        "fee": {"N": "50000"},
        "created_at": {"S": "2026-11-01T00:00:00.000000+0000"},
        "version": {"N": "1"},
    }
    days = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
    schedule = [
        {"M": {"weekday": {"S": day}, "start": {"S": "09:00"}, "end": {"S": "17:00"}, "slot_duration": {"N": "30"}}}
        for day in days
    ]
    doctor = {
        "name": {"S": "Dr. Meera Iyer"},
        "department": {"S": "Cardiology"},
        "active": {"BOOL": True},
        "timezone": {"S": "Asia/Kolkata"},
        "cap": {"N": "8"},
        "schedule": {"L": schedule},
    }
    rows: dict[str, dict[str, Any]] = {
        "appointments": visit,
        "patients": {"name": {"S": "Asha Rao"}, "active": {"BOOL": True}},
        "doctors": doctor,
    }

    def get_item(request: dict[str, Any]) -> dict[str, Any]:
        row = rows.get(request["TableName"])
        return {"Item": {**request["Key"], **row}} if row else {}

    canned.install({"GetItem": get_item, "TransactWriteItems": lambda _request: {}})
    return handler


def _utc(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f%z")


class Context:
    """What the Lambda runtime tells a handler of itself."""

    function_name = "appointments"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:appointments"
    aws_request_id = "bench"
