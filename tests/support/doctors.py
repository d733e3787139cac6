"""Doctors, callers and neighbours for the tests of the doctors domain."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doctors.commands import RegisterDoctor
from doctors.hours import WeeklyPeriod
from doctors.model import Doctor
from hms import ids
from hms.auth import Principal
from hms.call import Call
from hms.errors import Busy
from hms.policy import Policy
from hms.tasks import Owner

if TYPE_CHECKING:
    from hms.tasks import Payload

POLICY = Policy.load(Path(__file__).parents[2] / "functions" / "doctors" / "policy.json")
NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
MORNING: dict[str, Any] = {"weekday": "MONDAY", "start": "09:00", "end": "13:00", "slot_duration": 30}


def a_principal(*roles: str, doctor_id: str | None = None, patient_id: str | None = None) -> Principal:
    return Principal("user-1", roles, doctor_id=doctor_id, patient_id=patient_id, scopes=POLICY.scopes(roles))


ADMINISTRATOR = a_principal("administrator")


def a_call(
    who: Principal = ADMINISTRATOR,
    *,
    now: datetime = NOW,
    token: str | None = None,
    digest: str = "",
    if_match: int | None = None,
) -> Call:
    return Call(who, now, "correlation-1", token=token or ids.new(), digest=digest, if_match=if_match)


def a_registration(**changes: Any) -> RegisterDoctor:
    asked = {
        "name": "Dr. Meera Iyer",
        "email": "meera.iyer@example.com",
        "phone": "+919752166954",
        "department": "Cardiology",
        "specialization": "Cardiologist",
    }
    return RegisterDoctor.model_validate_json(json.dumps(asked | changes))


def a_weekly_period(**changes: Any) -> WeeklyPeriod:
    return WeeklyPeriod.model_validate_json(json.dumps(MORNING | changes))


def a_doctor(**changes: Any) -> Doctor:
    facts: dict[str, Any] = {
        "doctor_id": ids.derived("doctor", "one"),
        "created_at": NOW,
        "updated_at": NOW,
        "name": "Dr. Meera Iyer",
        "department": "Cardiology",
        "specialization": "Cardiologist",
        "max_daily_appointments": 8,
        "timezone": "Asia/Kolkata",
    }
    return Doctor.model_validate(facts | changes)


@dataclass
class Visits(Owner):
    """The appointments domain as its tasks answer; silent where `down`."""

    future: bool = False
    stranded: list[dict[str, str]] = field(default_factory=list)
    down: bool = False
    asked: list[tuple[str, Payload]] = field(default_factory=list)

    def ask(self, task: str, **payload: Any) -> Payload:
        self.asked.append((task, payload))
        if self.down:
            raise Busy
        return {"outcome": "ok", "stranded": self.stranded, "has_future_visits": self.future}


STRANDED = {
    "appointment_id": ids.derived("appointment", 1),
    "patient_id": ids.derived("patient", 1),
    "slot_start": "2026-12-07T04:30:00Z",
    "slot_end": "2026-12-07T05:00:00Z",
    "reason": "the doctor is on leave",
}
