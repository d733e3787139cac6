"""A deployed hospital to test on: people and visits made as a test needs them, apart from everybody else's."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hms import ids
from tests.support.client import Login, agreed, anonymous, eventually

if TYPE_CHECKING:
    from tests.support.client import Answer, Client
    from tools.system import System

INDIA = ZoneInfo("Asia/Kolkata")
PASSWORD = "open the gates at nine"
WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")
HOURS = [{"weekday": day, "start": "09:00", "end": "18:00", "slot_duration": 30} for day in WEEKDAYS]


def _monday() -> date:
    soonest = datetime.now(INDIA).date() + timedelta(days=7)
    return soonest + timedelta(days=-soonest.weekday() % 7)


MONDAY = _monday()
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)


def instant(clock: str, day: date = MONDAY) -> datetime:
    """`instant("10:00")` in the clinic's zone."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=INDIA)


def slot(clock: str, day: date = MONDAY, minutes: int = 30) -> dict[str, str]:
    start = instant(clock, day)
    return {"slot_start": start.isoformat(), "slot_end": (start + timedelta(minutes=minutes)).isoformat()}


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


# Just longer than the functions may run.
_COMES_AGAIN_AFTER = {"ConfirmAppointmentQueue": 80, "SettleAppointmentQueue": 80}
_COMES_AGAIN_AFTER |= {"NotificationsQueue": 50, "NotificationsSending": 50}


class Hospital:
    def __init__(self, system: System) -> None:
        self.system = system
        self.anyone = anonymous(system.base_url)
        self.role = cache(self._role)
        self._aws: dict[str, Any] = {}

    def close(self) -> None:
        self.anyone.http.close()
        for client in self._aws.values():
            client.close()

    def aws(self, service: str) -> Any:
        """A boto3 client of the emulator."""
        if service not in self._aws:
            self._aws[service] = self.system.client(service)
        return self._aws[service]

    @cached_property
    def admin(self) -> Client:
        """An administrator, let in by the operator as the first of all users is."""
        self.ask("identity", {"task": "publish_keys"})
        email = f"admin-{ids.new()}@example.com"
        given = {"email": email, "password": PASSWORD, "roles": ["administrator"]}
        made = self.ask("identity", {"task": "create_user", **given})
        assert made["outcome"] == "ok", made
        return self.logged_in(email, made["user"])

    @property
    def reception(self) -> Client:
        return self.role("receptionist")

    def ask(self, domain: str, payload: dict[str, Any]) -> dict[str, Any]:
        """A domain's tasks function, invoked as the operator does."""
        function = f"{self.system.stack}-{domain}-tasks:live"
        answer = self.aws("lambda").invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        result: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, result
        return result

    def signed(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """A token signed by the deployed system's own key."""
        key = self.resource("IdentitySigningKey")
        unsigned = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
        digest = hashlib.sha256(unsigned.encode()).digest()
        signature = self.aws("kms").sign(
            KeyId=key, Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
        )["Signature"]
        pair = (number.to_bytes(32) for number in decode_dss_signature(signature))
        return f"{unsigned}.{_encoded(b''.join(pair))}"

    def resource(self, logical_id: str) -> str:
        """The physical id of a resource of the stack."""
        found = self.aws("cloudformation").describe_stack_resource(
            StackName=self.system.stack, LogicalResourceId=logical_id
        )
        physical: str = found["StackResourceDetail"]["PhysicalResourceId"]
        return physical

    def ready(self) -> None:
        """Waits until every function has started once. What a slow machine leaves undecided comes again soon."""
        self.system.wait_until_ready()
        for queue, seconds in _COMES_AGAIN_AFTER.items():
            attributes = {"VisibilityTimeout": str(seconds)}
            self.aws("sqs").set_queue_attributes(QueueUrl=self.resource(queue), Attributes=attributes)

    def settled(self) -> None:
        """Holds that every event was handled: nothing waits, and nothing was given up."""
        left = eventually(self.waiting, lambda waiting: not waiting, 300)
        assert not left, f"messages in queues: {left}"

    def waiting(self) -> dict[str, int]:
        """How many messages lie in each queue that is not empty, dead letters included."""
        sqs, names = self.aws("sqs"), ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        waiting = {}
        for url in sqs.list_queues(QueueNamePrefix=self.system.stack).get("QueueUrls", []):
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
            waiting[url.rpartition("/")[2]] = sum(int(found[name]) for name in names)
        return {name: count for name, count in waiting.items() if count}

    def logged_in(self, email: str, user: dict[str, Any] | None = None) -> Client:
        return replace(self.anyone, login=Login(self.anyone.http, email, PASSWORD), user=user or {})

    def user(self, *roles: str, **links: str) -> Client:
        """Somebody new who has just been let in; `links` are `patient_id` and `doctor_id`."""
        email = f"{roles[0]}-{ids.new()}@example.com"
        command = {"email": email, "password": PASSWORD, "roles": list(roles), **links}
        return self.logged_in(email, agreed(self.admin.post("/v1/users", command), 201))

    def _role(self, role: str) -> Client:
        match role:
            case "administrator":
                return self.admin
            case "patient":
                return self.user(role, patient_id=self.patient()["patient_id"])
            case "doctor":
                return self.user(role, doctor_id=self.doctor()["doctor_id"])
        return self.user(role)

    def patient(self, **given: Any) -> dict[str, Any]:
        fields = {"name": "Uma Shankar", "dob": "1990-04-23", "email": f"uma-{ids.new()}@example.com"}
        made: dict[str, Any] = agreed(self.admin.post("/v1/patients", fields | given), 201)
        return made

    def doctor(self, *, hours: list[dict[str, Any]] | None = None, **given: Any) -> dict[str, Any]:
        """A doctor in Cardiology who works from nine to six, Monday to Saturday, unless `hours` says otherwise."""
        fields = {"name": "Dr. Vivek Shetty", "department": "Cardiology", "specialization": "Cardiologist"}
        made = agreed(self.admin.post("/v1/doctors", fields | given), 201)
        published = self.admin.put(f"/v1/doctors/{made['doctor_id']}/schedule", {"periods": hours or HOURS})
        doctor: dict[str, Any] = agreed(published)
        return doctor

    def book(
        self,
        patient: dict[str, Any],
        doctor: dict[str, Any],
        wanted: dict[str, str],
        by: Client | None = None,
        key: str | None = None,
        **given: Any,
    ) -> Answer:
        people = {"patient_id": patient["patient_id"], "doctor_id": doctor["doctor_id"]}
        return (by or self.reception).post("/v1/appointments", {**people, **wanted, **given}, key=key)

    def visit(self, wanted: dict[str, str] | None = None, by: Client | None = None) -> dict[str, Any]:
        """A visit of somebody new to somebody new, on Monday at ten."""
        booked = self.book(self.patient(), self.doctor(), wanted or slot("10:00"), by)
        visit: dict[str, Any] = agreed(booked, 201)
        return visit

    def confirmed(self, visit: dict[str, Any]) -> dict[str, Any]:
        """The visit once the flow has confirmed it: from then on no owner's word cancels it."""
        key = {"pk": {"S": f"appointment#{visit['appointment_id']}"}, "sk": {"S": "confirmed"}}
        table = self.resource("AppointmentsTable")

        def version() -> int:
            row = self.aws("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
            return int(row["version"]["N"]) if row else 0

        assert eventually(version, lambda found: found >= visit["version"], 240) >= visit["version"]
        return visit

    def free(self, doctor: dict[str, Any], day: date = MONDAY, by: Client | None = None) -> list[str]:
        """Local starts of the doctor's free slots of a day."""
        path = f"/v1/doctors/{doctor['doctor_id']}/availability"
        found = agreed((by or self.admin).get(path, query={"from": str(day), "to": str(day)}))
        starts = (datetime.fromisoformat(one["slot_start"]).astimezone(INDIA) for one in found["slots"])
        return [f"{start:%H:%M}" for start in starts]
