"""What people do in the hospital, from the first registration to the last visit, all with planted personal data."""

from __future__ import annotations

import csv
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx

from hms import ids
from tools import openapi
from tools.importing.run import Import
from tools.importing.sending import Asker
from tools.routes import apis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hms.api import Route
    from tools.proofs.planted import Planted
    from tools.system import System

# The gateway's own limit is 29 s.
_SECONDS = 30
_WEEK = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_FAULTS = "lose@*:after~0.2 lose@*:before~0.1 throttle@*:before~0.1 die@*~0.01"
_TRIES = 1
_BROKEN = 500
_BUSY_PAUSES = (1, 4, 10)
_HALF_HOUR = timedelta(minutes=30)

type Body = dict[str, Any]


@dataclass
class Walk:
    """A way through the hospital over HTTP. Every answer is kept in `answers`: what was asked, its status, all it said.

    `control` is a correlation id. It is told to every log, so whoever looks for leaks has to find it.
    """

    system: System
    planted: Planted
    control: str = field(default_factory=lambda: f"control-{ids.new()}")
    unlucky: bool = False
    answers: list[tuple[str, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._http = httpx.Client(base_url=self.system.base_url, timeout=_SECONDS)
        self._token = ""

    def close(self) -> None:
        self._http.close()

    def ask(self, method: str, path: str, body: Any = None, **details: Any) -> Body:
        """What it answers in the end: an unlucky walk meets faults first, and asks again with the same key.

        So does every walk where the system is busy or too slow to answer.
        """
        headers = {"Idempotency-Key": ids.new()} | details.pop("headers", {})
        if self.unlucky:
            for _ in range(_TRIES):
                self.send(method, path, body, headers=headers | {"X-Test-Fault": _FAULTS}, **details)
        said = self.send(method, path, body, headers=headers, **details)
        for seconds in _BUSY_PAUSES:
            if 0 < self.answers[-1][1] < _BROKEN:
                break
            time.sleep(seconds)
            said = self.send(method, path, body, headers=headers, **details)
        return said

    def send(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **details: Any
    ) -> Body:
        """One request. Raw text goes as it is."""
        sent = {"X-Correlation-ID": self.control, "Content-Type": "application/json"} | dict(headers or {})
        if self._token:
            sent.setdefault("Authorization", f"Bearer {self._token}")
        content = body if isinstance(body, str) or body is None else json.dumps(body)
        try:
            answer = self._http.request(method, path, content=content, headers=sent, **details)
        except httpx.HTTPError as error:
            self.answers.append((f"{method} {path}", 0, type(error).__name__))
            return {}
        self.answers.append((f"{method} {path}", answer.status_code, f"{dict(answer.headers)} {answer.text}"))
        with suppress(ValueError):
            said = answer.json()
            return said if isinstance(said, dict) else {}
        return {}

    def operate(self, domain: str, **payload: Any) -> Body:
        """What only the operator may ask."""
        function = f"{self.system.stack}-{domain}-tasks:live"
        invoked = self.system.client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        answer: Body = json.loads(invoked["Payload"].read())
        return answer

    def log_in(self, email: str, password: str) -> None:
        tokens = self.send("POST", "/v1/auth/login", {"email": email, "password": password})
        for kind in ("access_token", "refresh_token"):
            self.planted.told("token", tokens[kind])
        self._token, self.refresh_token = tokens["access_token"], tokens["refresh_token"]


def walk(system: System, planted: Planted, *, unlucky: bool) -> Walk:
    """All journeys, one after the other."""
    walk = Walk(system, planted, unlucky=unlucky)
    _begin(walk)
    patient, doctor = _people(walk)
    _visits(walk, patient, doctor)
    _questions(walk, patient, doctor)
    _old_records(walk)
    _nonsense(walk, patient, doctor)
    _goodbye(walk)
    walk.close()
    return walk


def _begin(walk: Walk) -> None:
    planted = walk.planted
    walk.operate("identity", task="publish_keys")
    first = {"email": planted.email(), "password": planted.sentence("password")}
    walk.operate("identity", task="create_user", **first, roles=["administrator"], name=planted.name())
    for _ in range(3):
        walk.send("POST", "/v1/auth/login", first | {"password": planted.sentence("password")})
    walk.send("POST", "/v1/auth/login", {"email": planted.email(), "password": planted.sentence("password")})
    walk.log_in(**first)
    colleague = {"email": planted.email(), "password": planted.sentence("password"), "name": planted.name()}
    made = walk.ask("POST", "/v1/users", colleague | {"roles": ["nurse"]})
    walk.ask("POST", "/v1/users", colleague | {"roles": ["nurse"]})
    path = f"/v1/users/{made['user_id']}"
    walk.ask("PATCH", path, {"name": planted.name()})
    walk.ask("GET", "/v1/users", params={"email": colleague["email"]})
    walk.ask("POST", "/v1/me/password", {"current_password": "wrong", "new_password": planted.sentence("password")})
    walk.ask("POST", f"{path}/deactivate", {})


def _person(planted: Planted) -> Body:
    return {"name": planted.name(), "email": planted.email(), "phone": planted.phone()}


def _full_patient(planted: Planted) -> Body:
    address = {name: planted.word("address") for name in ("line", "city", "state", "postal_code")}
    relative = {"name": planted.hindi_name(), "relationship": "husband", "phone": planted.phone()}
    insurance = {"payer": planted.word("insurance"), "member_id": planted.word("insurance")}
    return _person(planted) | {
        "dob": planted.birth_date(),
        "address": address,
        "emergency_contacts": [relative],
        "insurance": [insurance],
        "external_identifiers": [{"system": "abha", "value": planted.word("number")}],
    }


def _people(walk: Walk) -> tuple[Body, Body]:
    planted = walk.planted
    person = _full_patient(planted)
    patient = walk.ask("POST", "/v1/patients", person)
    path = f"/v1/patients/{patient['patient_id']}"
    walk.ask("POST", "/v1/patients", person)
    walk.ask("POST", "/v1/patients", person | {"email": planted.email(), "external_identifiers": []})
    walk.ask("POST", "/v1/patients", _full_patient(planted) | {"name": planted.hindi_name()})
    walk.ask("PATCH", path, {"name": planted.hindi_name(), "phone": planted.phone()})
    walk.ask("PATCH", path, {"email": planted.email()}, headers={"If-Match": '"1"'})
    walk.ask("GET", f"{path}/history")
    duty = {"department": "Cardiology", "specialization": "Cardiologist"}
    doctor = walk.ask("POST", "/v1/doctors", _person(planted) | duty)
    hours = [{"weekday": day, "start": "09:00", "end": "18:00", "slot_duration": 30} for day in _WEEK]
    path = f"/v1/doctors/{doctor['doctor_id']}"
    walk.ask("PUT", f"{path}/schedule", {"periods": hours})
    walk.ask("PATCH", path, {"phone": planted.phone(), "email": planted.email()})
    leave = {"from": "2031-01-06", "to": "2031-01-07", "reason": planted.sentence("reason")}
    walk.ask("POST", f"{path}/leave", leave)
    return patient, doctor


def _visits(walk: Walk, patient: Body, doctor: Body) -> None:
    planted = walk.planted
    days = iter(range(10, 60))

    def slot() -> Body:
        """Nine in the morning, by the doctor's clock, of a day that nobody has."""
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        start = midnight + timedelta(days=next(days), hours=3, minutes=30)
        return {"slot_start": start.isoformat(), "slot_end": (start + _HALF_HOUR).isoformat()}

    def booked() -> tuple[str, str]:
        people = {"patient_id": patient["patient_id"], "doctor_id": doctor["doctor_id"]}
        visit = walk.ask("POST", "/v1/appointments", people | slot())
        return f"/v1/appointments/{visit['appointment_id']}", visit["slot_start"]

    def at(start: str, minutes: int) -> dict[str, str]:
        return {"X-Test-Clock": (datetime.fromisoformat(start) + timedelta(minutes=minutes)).isoformat()}

    path, _ = booked()
    walk.ask("POST", f"{path}/notes", {"text": planted.sentence("note")})
    walk.ask("POST", f"{path}/reschedule", slot())
    exemption = {"kind": "EMERGENCY", "reason": planted.sentence("reason")}
    walk.ask("POST", f"{path}/reschedule", slot() | {"exemption": exemption})
    walk.ask("POST", f"{path}/cancel", {"reason": planted.sentence("reason"), "requested_by": "CLINIC"})
    walk.ask("POST", f"{path}/cancel", {"reason": planted.sentence("reason")})
    path, start = booked()
    for step in ("check-in", "start", "complete"):
        walk.ask("POST", f"{path}/{step}", {}, headers=at(start, 5))
    walk.ask("POST", f"{path}/notes", {"text": planted.sentence("note")}, headers=at(start, 5))
    path, start = booked()
    walk.ask("POST", f"{path}/no-show", {}, headers=at(start, 20))
    walk.ask("GET", path)


def _questions(walk: Walk, patient: Body, doctor: Body) -> None:
    planted = walk.planted
    walk.ask("GET", f"/v1/patients/{patient['patient_id']}")
    asked = {"name": planted.name(), "phone": planted.phone(), "email": planted.email(), "dob": planted.birth_date()}
    for name, value in asked.items():
        walk.ask("GET", "/v1/patients", params={name: value})
    walk.ask("GET", "/v1/patients", params={"name": patient["name"], "dob": patient["dob"]})
    walk.ask("GET", "/v1/appointments", params={"patient_id": patient["patient_id"]})
    walk.ask("GET", "/v1/doctors", params={"name": doctor["name"].split()[0]})
    walk.ask("POST", f"/v1/patients/{patient['patient_id']}/deactivate", {"reason": planted.sentence("reason")})


def _old_records(walk: Walk) -> None:
    """An import, half of which is wrong."""
    planted = walk.planted
    people = [
        {
            "patient_id": planted.word("number"),
            "name": planted.name(),
            "dob": planted.birth_date() if number % 2 else planted.word("birth date"),
            "email": planted.email() if number % 3 else planted.word("e-mail"),
            "phone": planted.phone(),
            "created_at": "2024-05-06 10:00:00",
        }
        for number in range(12)
    ]
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        with (folder / "hms_patients.csv").open("w", newline="") as file:
            sheet = csv.DictWriter(file, people[0])
            sheet.writeheader()
            sheet.writerows(people)
        Import(folder, folder / "quarantine", Asker(walk.system), _Silent()).run()
    walk.operate("patients", task="import_patients", rows=planted.sentence("name"))


class _Silent:
    def begin(self, name: str, total: int) -> None:
        pass

    def advance(self, rows: int) -> None:
        pass


def _nonsense(walk: Walk, patient: Body, doctor: Body) -> None:
    """To every route: its own example with personal data where it does not belong, and what cannot be read at all."""
    known = {"patient_id": patient["patient_id"], "doctor_id": doctor["doctor_id"]}
    for app in apis().values():
        for route in app.routes.values():
            _nonsense_at(walk, route, known)


def _nonsense_at(walk: Walk, route: Route, known: Mapping[str, str]) -> None:
    planted = walk.planted
    names = [part.strip("{}") for part in route.path.split("/") if part.startswith("{")]
    real = route.path.format(**{name: known.get(name, ids.new()) for name in names})
    wrong = route.path.format(**{name: planted.word("path") for name in names})
    if route.operation_id in ("log_out", "refresh_session", "change_password"):
        return
    walk.send(route.method, wrong, {} if route.body else None, params={"name": planted.name(), "q": planted.email()})
    if route.body:
        example = openapi.example_body(route)
        walk.send(route.method, real, _spoilt(example, planted))
        walk.send(route.method, real, {**(example or {}), "surprise": planted.name()})
        walk.send(route.method, real, f'{{"name": "{planted.name()}", "phone": {planted.phone()}')
        walk.send(route.method, real, example, headers={"Authorization": f"Bearer {planted.word('token')}"})
        walk.send(route.method, real, example, headers={"If-Match": planted.word("header")})


def _spoilt(value: Any, planted: Planted) -> Any:
    """Every text of it replaced by something personal."""
    if isinstance(value, dict):
        return {name: _spoilt(one, planted) for name, one in value.items()}
    if isinstance(value, list):
        return [_spoilt(one, planted) for one in value]
    return planted.sentence("field") if isinstance(value, str) else value


def _goodbye(walk: Walk) -> None:
    fresh = walk.send("POST", "/v1/auth/refresh", {"refresh_token": walk.refresh_token})
    for kind in ("access_token", "refresh_token"):
        walk.planted.told("token", fresh.get(kind) or walk.refresh_token)
    walk.send("POST", "/v1/auth/refresh", {"refresh_token": walk.planted.word("token")})
    walk.send("POST", "/v1/auth/logout", {"refresh_token": fresh.get("refresh_token")})
