"""The notifications domain on a table in memory: people, visits that change, a desk that sends, providers that obey."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hms import ids
from hms.auth import Principal
from hms.call import Call
from hms.events import Event
from hms.policy import Policy
from notifications import sending, service
from notifications.model import Channel, NotificationRequested, Status
from notifications.people import DoctorCopy, PatientCopy
from notifications.sending import Desk, Letter
from notifications.store import Latest, Notifications
from notifications.words import TemplateWording
from tests.support.memory import MemoryTable

if TYPE_CHECKING:
    from notifications.model import Notification

POLICY = Policy.load(Path(__file__).parents[2] / "functions" / "notifications" / "policy.json")
PATIENT, OTHER_PATIENT, DOCTOR, VISIT = (ids.derived("test", name) for name in ("asha", "ravi", "meera", "visit"))
# Ten in the morning in Kolkata.
NOW = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
START = NOW + timedelta(days=3)


def a_principal(*roles: str, **links: str) -> Principal:
    return Principal("someone", roles, scopes=POLICY.scopes(roles), **links)


RECEPTIONIST, ADMINISTRATOR = a_principal("receptionist"), a_principal("administrator")
THE_PATIENT = a_principal("patient", patient_id=PATIENT)
ANOTHER_PATIENT = a_principal("patient", patient_id=OTHER_PATIENT)


def a_patient(patient_id: str = PATIENT, **changes: Any) -> PatientCopy:
    facts = {"patient_id": patient_id, "version": 1, "name": "Asha Rao", "active": True}
    reach = {"email": "asha.rao@example.com", "phone": "+919227680402", "preferred_language": "en-IN"}
    return PatientCopy.model_validate(facts | reach | changes)


def a_visit(**changes: Any) -> dict[str, Any]:
    """A visit as its events tell it."""
    start = changes.pop("start", START)
    visit = {
        "appointment_id": VISIT,
        "version": 1,
        "patient_id": PATIENT,
        "doctor_id": DOCTOR,
        "department": "Cardiology",
        "timezone": "Asia/Kolkata",
        "slot_start": _written(start),
        "slot_end": _written(start + timedelta(minutes=30)),
        "status": "SCHEDULED",
        "consultation_fee": {"amount": "500.00", "currency": "INR"},
    }
    return visit | changes


def _written(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def an_event(kind: str, data: dict[str, Any], at: datetime = NOW) -> Event:
    return Event(
        id=ids.derived(data["appointment_id"], data["version"], kind),
        type=f"appointments.{kind}.v1",
        source="/hms/appointments",
        subject=data["appointment_id"],
        time=at,
        correlationid="test",
        actor="someone",
        version=data["version"],
        data=data,
    )


@dataclass
class Box:
    """A provider that takes what it is given, or raises what it was told to."""

    name: str = "box"
    letters: list[Letter] = field(default_factory=list)
    moods: list[Exception] = field(default_factory=list)

    def send(self, letter: Letter) -> str:
        if self.moods:
            raise self.moods.pop(0)
        self.letters.append(letter)
        return f"{self.name}-{len(self.letters)}"


@dataclass
class Owners:
    """What the owners of people and visits say."""

    patients: dict[str, PatientCopy] = field(default_factory=lambda: {PATIENT: a_patient()})
    visits: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def patient(self, patient_id: str) -> PatientCopy | None:
        self.asked.append(patient_id)
        return self.patients.get(patient_id)

    def doctor(self, doctor_id: str) -> DoctorCopy | None:
        self.asked.append(doctor_id)
        return DoctorCopy(doctor_id=doctor_id, version=1, name="Dr. Meera Iyer")

    def subject(self, _name: str, subject_id: str) -> Latest | None:
        self.asked.append(subject_id)
        visit = self.visits.get(subject_id)
        return Latest(visit["version"], visit) if visit else None


class NoInvitation:
    def of(self, notification: Notification, _values: object, address: str) -> tuple[str, bytes]:
        return "REQUEST", f"{notification.subject_id} {address}".encode()


class PostOffice:
    """The whole domain, with its own clock."""

    def __init__(self) -> None:
        self.table = MemoryTable()
        self.notifications = Notifications(self.table)
        self.owners = Owners()
        self.office = service.Office(self.notifications, self.owners)
        self.email, self.sms, self.push = Box("email"), Box("sms"), Box("push")
        providers = {Channel.EMAIL: self.email, Channel.SMS: self.sms, Channel.PUSH: self.push}
        self.desk = Desk(self.office, TemplateWording(self.table), NoInvitation(), providers)
        self.now = NOW
        self.notifications.patients.keep(a_patient())
        self.notifications.doctors.keep(DoctorCopy(doctor_id=DOCTOR, version=1, name="Dr. Meera Iyer"))

    def call(self, who: Principal = RECEPTIONIST, **details: Any) -> Call:
        return Call(who, self.now, "test", **details)

    def happens(self, kind: str, **changes: Any) -> dict[str, Any]:
        """The visit changes, and it is heard of."""
        moved = {"previous_slot_start": _written(START), "previous_doctor_id": DOCTOR} if kind == "rescheduled" else {}
        visit = a_visit(**moved, **changes)
        self.owners.visits[visit["appointment_id"]] = visit
        self.hears(kind, visit)
        return visit

    def hears(self, kind: str, visit: dict[str, Any]) -> None:
        service.hear(an_event(kind, visit, self.now), self.call(), self.office)

    def confirmed(self, version: int = 1, visit_id: str = VISIT, made_at: datetime | None = None) -> bool:
        """What the flow does when it has confirmed a visit; it was booked or moved just now, or at `made_at`."""
        at = made_at or self.now
        return service.plan_reminders("visit", visit_id, version, self.call(), self.office, made_at=at)

    def sweeps(self, at: datetime | None = None) -> int:
        self.now = at or self.now
        swept = self.notifications.timers.sweep(self.now, lambda due: service.fire(due, self.call(), self.office), 30)
        assert swept.failed == 0
        return swept.fired

    def requests(self) -> list[NotificationRequested]:
        """Every request that was ever told, as the queue may bring it at any time."""
        rows = [json.loads(item.body or "") for item in self.table.items.values() if item.event_id]
        asked = [row for row in rows if row["type"] == NotificationRequested.type]
        return [NotificationRequested.model_validate(row["data"]) for row in sorted(asked, key=lambda row: row["id"])]

    def sends(self) -> None:
        """The queue is worked off; what is done already is brought again and changes nothing."""
        for asked in self.requests():
            self.send(asked)

    def send(self, asked: NotificationRequested) -> Status | None:
        after = sending.send(asked, self.call(), self.desk)
        return after.status if after else None

    def messages(self) -> list[Notification]:
        found = [
            self.notifications.read(item)
            for item in self.table.items.values()
            if item.pk.startswith("notification#") and item.sk == "state"
        ]
        return sorted((one.state for one in found if one), key=lambda one: (one.created_at, one.kind, one.channel))

    def told(self) -> list[tuple[str, str, str]]:
        """Kind, channel and state of every message."""
        return [(one.kind, one.channel, one.reason or one.status) for one in self.messages()]
