"""This project's appointments function in front of canned answers."""

from __future__ import annotations

import json
from typing import Any

from tools.bench import canned, scene


def prepare(jwk: dict[str, str]) -> Any:
    """The deployed handler; what it asks of DynamoDB is answered from memory."""
    from appointments.api import handler

    published = json.dumps({"keys": [jwk], "revoked": {}})
    rows = {
        (f"appointment#{scene.VISIT}", "state"): _visit(),
        (f"patient#{scene.PATIENT}", "profile"): _patient(),
        (f"doctor#{scene.DOCTOR}", "profile"): _doctor(),
    }

    def batch_get(request: dict[str, Any]) -> dict[str, Any]:
        ((table, wanted),) = request["RequestItems"].items()
        keys = [(key["pk"]["S"], key["sk"]["S"]) for key in wanted["Keys"]]
        found = [_row(*key, rows[key]) for key in keys if key in rows]
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    canned.install(
        {
            "GetItem": lambda _request: {"Item": {"body": {"S": published}}},
            "BatchGetItem": batch_get,
            "TransactWriteItems": lambda _request: {},
        }
    )
    return handler


def _row(pk: str, sk: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}, "version": {"N": "1"}, "body": {"S": json.dumps(body)}}


def _visit() -> dict[str, Any]:
    start, end = scene.slot()
    return {
        "version": 1,
        "created_at": "2026-11-01T00:00:00Z",
        "updated_at": "2026-11-01T00:00:00Z",
        "appointment_id": scene.VISIT,
        "patient_id": scene.PATIENT,
        "doctor_id": scene.DOCTOR,
        "department": "Cardiology",
        "slot_start": start,
        "slot_end": end,
        "timezone": "Asia/Kolkata",
        "status": "SCHEDULED",
        "consultation_fee": {"amount": 50000, "currency": "INR"},
    }


def _patient() -> dict[str, Any]:
    return {"patient_id": scene.PATIENT, "version": 1, "name": "Asha Rao", "active": True}


def _doctor() -> dict[str, Any]:
    days = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
    return {
        "doctor_id": scene.DOCTOR,
        "version": 1,
        "name": "Dr. Meera Iyer",
        "department": "Cardiology",
        "active": True,
        "timezone": "Asia/Kolkata",
        "max_daily_appointments": 8,
        "schedule": [{"weekday": day, "start": "09:00", "end": "17:00", "slot_duration": 30} for day in days],
    }
