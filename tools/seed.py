"""Fills a hospital on this machine with demo people, and may be run again: everything is made once.

What depends on the day counts from the day of the first run, which is when the demo administrator was let in.
One call at a time: MiniStack starts an interpreter for every call that overlaps another, which takes longer.
"""

from __future__ import annotations

import json
import time
from contextlib import closing, suppress
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx

from hms.policy import ROLES
from tools.demo import BILLS, CARD, DOCTORS, FEES, PATIENTS, SERVICES, WEEK
from tools.progress import step
from tools.system import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.demo import Doctor, Patient, Service
    from tools.system import System

type Made = dict[str, Any]

ZONE = ZoneInfo("Asia/Kolkata")
_HERE = {"localhost", "127.0.0.1"}
_PAST_DAYS, _DAYS = 28, 7
_COVERED = timedelta(days=365)
_OUTCOMES = ("COMPLETED", "COMPLETED", "COMPLETED", "CANCELLED", "COMPLETED", "NO_SHOW")
_RECORDS_A_CALL = 20
_TRIES = 6
_REFUSED = {409, 422}


def seed(system: System) -> list[Made]:
    """The logins: `email`, `password`, `roles`, and `patient_id` or `doctor_id` where there is one.

    Raises DeployError for an endpoint that is not on this machine, and where the system does not answer.
    """
    if urlsplit(system.endpoint_url).hostname not in _HERE:
        message = f"{system.endpoint_url} is not on this machine; demo people with known passwords stay here"
        raise DeployError(message)
    with closing(Desk(system)) as desk:
        with step("Demo administrator"):
            first_day = desk.open()
        with step("Demo doctors") as current:
            doctors = [desk.doctor(doctor) for doctor in DOCTORS]
            current.outcome = f"{len(doctors)} in {len(FEES)} departments"
        with step("Demo patients") as current:
            patients = [desk.patient(patient) for patient in PATIENTS]
            current.outcome = str(len(patients))
        with step("Demo users") as current:
            logins = desk.logins(patients[0], doctors[0])
            current.outcome = "one for each role"
        with step("Demo money") as current:
            services = [desk.service(service) for service in SERVICES]
            paid, *unpaid = [desk.bill(patients[0], number) for number in range(len(BILLS))]
            desk.pay(paid)
            desk.cover(patients[0], first_day)
            current.outcome = f"{len(services)} services, {1 + len(unpaid)} bills, a coverage"
        with step("Demo visits") as current:
            past = desk.record(list(past_visits(first_day, patients, doctors)))
            coming = [desk.book(visit) for visit in coming_visits(first_day, patients, doctors)]
            current.outcome = f"{past} past, {sum(coming)} to come"
    return logins


class Desk:
    """The demo administrator's way into a deployed system."""

    def __init__(self, system: System) -> None:
        self._stack = system.stack
        self._lambda = system.client("lambda")
        self._http = httpx.Client(base_url=system.base_url, timeout=60)

    def close(self) -> None:
        self._http.close()
        self._lambda.close()

    def open(self) -> date:
        """Lets the administrator in and says on which day that was done first."""
        self._ask("identity", "publish_keys")
        administrator = self._user("administrator")
        credentials = {name: administrator[name] for name in ("email", "password")}
        token = self._sent("POST", "/v1/auth/login", credentials).json()["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"
        return datetime.fromisoformat(administrator["created_at"]).astimezone(ZONE).date()

    def doctor(self, doctor: Doctor) -> Made:
        email = _address(doctor.name)
        command = {
            "name": doctor.name,
            "email": email,
            "department": doctor.department,
            "specialization": doctor.specialization,
            "consultation_fee": {"amount": FEES[doctor.department], "currency": "INR"},
        }
        made = self._made("/v1/doctors", command, email)
        periods = [period for shift in doctor.shifts for period in shift.periods]
        # Only over the doctor as registered: hours that somebody has changed since stay changed.
        path = f"/v1/doctors/{made['doctor_id']}/schedule"
        self._sent("PUT", path, {"periods": periods}, **{"Idempotency-Key": "demo", "If-Match": '"1"'})
        return made | {"schedule": periods}

    def patient(self, patient: Patient) -> Made:
        email = _address(patient.name)
        command = {
            "name": patient.name,
            "dob": patient.dob,
            "sex": patient.sex,
            "email": email,
            "phone": f"+9198{int.from_bytes(email.encode()) % 99_999_989:08d}",
            "address": {"line": "14 Station Road", "city": patient.city, "state": patient.state},
            "preferred_language": patient.language,
        }
        return self._made("/v1/patients", command, email)

    def logins(self, patient: Made, doctor: Made) -> list[Made]:
        links = {
            "patient": {"patient_id": patient["patient_id"], "name": patient["name"]},
            "guardian": {"patient_id": patient["patient_id"]},
            "doctor": {"doctor_id": doctor["doctor_id"], "name": doctor["name"]},
        }
        users = [self._user(role, **links.get(role, {})) for role in sorted(ROLES, key=_administrator_first)]
        shown = ("email", "password", "roles", "patient_id", "doctor_id")
        return [{name: user[name] for name in shown if user.get(name)} for user in users]

    def record(self, visits: list[Made]) -> int:
        """Past visits, as history."""
        for start in range(0, len(visits), _RECORDS_A_CALL):
            texts = [json.dumps(visit) for visit in visits[start : start + _RECORDS_A_CALL]]
            self._ask("appointments", "record", appointments=texts)
        return len(visits)

    def book(self, visit: Made) -> bool:
        """False where a rule no longer allows it, as in a first run that was broken off days ago."""
        key = f"demo-{visit['patient_id']}-{visit['slot_start']}"
        return self._sent("POST", "/v1/appointments", visit, **{"Idempotency-Key": key}).is_success

    def service(self, service: Service) -> bool:
        """False where somebody has added it before."""
        same = {"code": service.code, "name": service.name, "tax_rate": service.tax_rate, "prices": service.prices}
        return self._sent("POST", "/v1/charge-items", same, **_key(service.code)).is_success

    def bill(self, patient: Made, number: int) -> Made:
        command = {"patient_id": patient["patient_id"], "items": BILLS[number], "department": "Cardiology"}
        return self._made("/v1/bills", command, f"bill-{number}")

    def pay(self, bill: Made) -> None:
        """As the bill was made, whatever has been changed on it since."""
        command = {"bill_id": bill["bill_id"], "amount": bill["total_amount"], "method": "UPI", "source": "success@upi"}
        self._sent("POST", "/v1/payments", command, **_key("payment"))

    def cover(self, patient: Made, first_day: date) -> None:
        period = {"period_start": str(first_day - _COVERED), "period_end": str(first_day + _COVERED)}
        self._sent("POST", "/v1/coverages", {"patient_id": patient["patient_id"], **CARD, **period}, **_key("coverage"))

    def _user(self, role: str, **links: str) -> Made:
        command = {"email": f"{role}@demo.example.com", "password": f"namaste-{role}-2026", "roles": [role], **links}
        answer = self._ask("identity", "create_user", **command)
        user: Made = answer["user"]
        return user | {"password": command["password"]}

    def _made(self, path: str, command: Made, key: str) -> Made:
        answer = self._sent("POST", path, command, **_key(key))
        if not answer.is_success:
            message = f"the demo hospital: POST {path} answered {answer.status_code}: {answer.text}"
            raise DeployError(message)
        made: Made = answer.json()
        return made

    def _sent(self, method: str, path: str, body: Made, **headers: str) -> httpx.Response:
        """The answer to a request that may be sent again as it carries a key."""
        answered = _patiently(partial(self._http.request, method, path, json=body, headers=headers), _settled)
        if not _settled(answered):
            message = f"the demo hospital: {method} {path} answered {answered.status_code}: {answered.text}"
            raise DeployError(message)
        return answered

    def _ask(self, domain: str, task: str, **payload: Any) -> Made:
        request = json.dumps({"task": task, **payload}).encode()
        function = f"{self._stack}-{domain}-tasks:live"
        answer = self._lambda.invoke(FunctionName=function, Payload=request)
        result: Made = json.loads(answer["Payload"].read())
        if "FunctionError" in answer or result["outcome"] != "ok":
            message = f"the demo hospital: {domain} answered {task} with {result}"
            raise DeployError(message)
        return result


def past_visits(first_day: date, patients: list[Made], doctors: list[Made]) -> Iterator[Made]:
    """One for each patient in the weeks before, and how it went."""
    slots = _slots(first_day - timedelta(days=_PAST_DAYS), doctors)
    for number, (patient, (doctor, start, end)) in enumerate(zip(patients, slots, strict=False)):
        yield {
            "external_id": f"demo-{number + 1}",
            "patient_id": patient["patient_id"],
            "doctor_id": doctor["doctor_id"],
            "department": doctor["department"],
            "timezone": doctor["timezone"],
            "slot_start": start.isoformat(),
            "slot_end": end.isoformat(),
            "status": _OUTCOMES[number % len(_OUTCOMES)],
            "created_at": (start - timedelta(days=3)).isoformat(),
        }


def coming_visits(first_day: date, patients: list[Made], doctors: list[Made]) -> Iterator[Made]:
    """One for every second patient in the days to come; the first patient, who can log in, is among them."""
    slots = _slots(first_day + timedelta(days=1), doctors)
    for patient, (doctor, start, end) in zip(patients[::2], slots, strict=False):
        yield {
            "patient_id": patient["patient_id"],
            "doctor_id": doctor["doctor_id"],
            "department": doctor["department"],
            "slot_start": start.isoformat(),
            "slot_end": end.isoformat(),
        }


def _slots(day: date, doctors: list[Made]) -> Iterator[tuple[Made, datetime, datetime]]:
    """Slots from a day on, one a day for every doctor who works then, a little later each day."""
    for number in range(_DAYS):
        today = day + timedelta(days=number)
        for doctor in doctors:
            period = next(
                (one for one in doctor["schedule"] if one["weekday"] == (*WEEK, "SUNDAY")[today.weekday()]), None
            )
            if period:
                length = timedelta(minutes=period["slot_duration"])
                start = datetime.fromisoformat(f"{today}T{period['start']}").replace(tzinfo=ZONE) + number * length
                yield doctor, start, start + length


def _patiently(ask: Callable[[], httpx.Response], good: Callable[[httpx.Response], bool]) -> httpx.Response:
    """The first good answer, else the last one. On a busy machine one may not come in time."""
    answer: httpx.Response | None = None
    for tried in range(_TRIES):
        time.sleep(0.5 * tried)
        with suppress(httpx.TimeoutException):
            answer = ask()
        if answer is not None and good(answer):
            return answer
    if answer is None:
        message = "the demo hospital does not answer"
        raise DeployError(message)
    return answer


def _settled(answer: httpx.Response) -> bool:
    """Answered for good: done, refused by a rule, or changed since."""
    return answer.is_success or answer.status_code in _REFUSED | {httpx.codes.PRECONDITION_FAILED}


def _key(name: str) -> dict[str, str]:
    return {"Idempotency-Key": f"demo-{name}"}


def _address(name: str) -> str:
    letters = "".join(letter for letter in name.removeprefix("Dr. ").lower() if letter.isalpha() or letter == " ")
    return f"{letters.replace(' ', '.')}@demo.example.com"


def _administrator_first(role: str) -> tuple[bool, int]:
    return role != "administrator", ROLES.index(role)
