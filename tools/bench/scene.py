"""One scene for both stacks: a signed-in receptionist reads a visit and books another."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

PATIENT = "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60"
DOCTOR = "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e61"
VISIT = "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e62"
AUDIENCE = "hms-bench"


def slot() -> tuple[str, str]:
    """A free half hour at 10:00 clinic time, three days from now."""
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    return f"{day}T10:00:00+05:30", f"{day}T10:30:00+05:30"


def event(method: str, resource: str, token: str, body: dict[str, Any] | None = None, **path: str) -> dict[str, Any]:
    """A REST proxy event as API Gateway sends it."""
    return {
        "resource": resource,
        "path": resource.format(**path),
        "httpMethod": method,
        "headers": {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        "multiValueHeaders": {"Authorization": [f"Bearer {token}"], "Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": path or None,
        "requestContext": {"requestId": "bench", "stage": "bench", "identity": {}, "httpMethod": method},
        "body": json.dumps(body) if body is not None else None,
        "isBase64Encoded": False,
    }


def get_event(token: str) -> dict[str, Any]:
    return event("GET", "/v1/appointments/{appointment_id}", token, appointment_id=VISIT)


def post_event(token: str) -> dict[str, Any]:
    start, end = slot()
    body = {
        "patient_id": PATIENT,
        "doctor_id": DOCTOR,
        "department": "Cardiology",
        "slot_start": start,
        "slot_end": end,
    }
    return event("POST", "/v1/appointments", token, body)
