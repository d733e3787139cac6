"""The operations as API Gateway calls them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from hms.auth import Verifier
from hms.errors import Busy
from hms.policy import ROLES
from hms.tasks import Owner
from patients import api, inbox, tasks
from patients.store import Patients
from tests.support.http import Answer, sent
from tests.support.memory import MemoryTable
from tests.support.patients import DOCTOR_ID, POLICY, a_principal

if TYPE_CHECKING:
    from hms.auth import Principal
    from hms.policy import Policy
    from hms.tasks import Payload

BODY: dict[str, Any] = {
    "name": "Asha Verma",
    "dob": "1990-04-23",
    "sex": "female",
    "email": "asha.verma@example.com",
    "phone": "92276 80402",
    "address": {"line": "12 Residency Road", "city": "Bengaluru"},
    "emergency_contacts": [{"name": "Rohan Verma", "relationship": "husband", "phone": "9227680403"}],
    "insurance": [{"payer": "Star Health", "member_id": "SH-88213", "valid_until": "2027-03-31"}],
    "preferred_language": "hi-in",
    "external_identifiers": [{"system": "abha", "value": "91-1234"}],
}
ALL, ONE = "/v1/patients", "/v1/patients/{patient_id}"
IDENTIFIERS, HISTORY = f"{ONE}/external-identifiers", f"{ONE}/history"
UNKNOWN = "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60"


class Door(Verifier):
    """Lets in whom the test wants."""

    def __init__(self) -> None:
        super().__init__(lambda: None, "test")
        self.who = a_principal("receptionist")

    def principal(self, authorization: str | None, policy: Policy) -> Principal:
        return self.who


class Visits(Owner):
    """The appointments domain as its tasks answer."""

    def __init__(self) -> None:
        super().__init__("APPOINTMENTS_TASKS")
        self.treats, self.down = False, False
        self.told: list[dict[str, Any]] = []

    def ask(self, task: str, **payload: Any) -> Payload:
        if self.down:
            raise Busy
        if task == "keep_patient":
            self.told.append(payload["snapshot"])
            return {"outcome": "ok"}
        assert (task, set(payload)) == ("treats", {"doctor_id", "patient_id"})
        return {"outcome": "ok", "treats": self.treats}


class Hospital:
    def __init__(self, table: MemoryTable, door: Door, visits: Visits) -> None:
        self.table, self.door, self.visits = table, door, visits

    def send(self, method: str, resource: str, body: Any = None, **details: Any) -> Answer:
        return sent(api.app, method, resource, body, **details)

    def register(self, **given: Any) -> Any:
        answer = self.send("POST", ALL, {"name": "Asha Verma", "dob": "1990-04-23"} | given)
        assert answer.status == 201, answer.text
        return answer.json

    def as_role(self, *roles: str, doctor_id: str | None = None, patient_id: str | None = None) -> None:
        self.door.who = a_principal(*roles, doctor_id=doctor_id, patient_id=patient_id)


@pytest.fixture
def hospital(monkeypatch: pytest.MonkeyPatch) -> Hospital:
    table, door, visits = MemoryTable(), Door(), Visits()
    patients = Patients(table)
    for module in (api, tasks, inbox):
        monkeypatch.setattr(module, "patients", patients)
    monkeypatch.setattr(api, "appointments", visits)
    monkeypatch.setattr(api.app, "_verifier", door)
    return Hospital(table, door, visits)


def of(patient: Any) -> dict[str, str]:
    return {"patient_id": patient["patient_id"]}


def problem(answer: Answer) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status, answer.json["code"]


def test_a_patient_is_registered_and_read_back(hospital: Hospital) -> None:
    answer = hospital.send("POST", ALL, BODY)
    read = hospital.send("GET", ONE, path=of(answer.json))

    assert (answer.status, answer.headers["ETag"], answer.json["possible_duplicates"]) == (201, '"1"', [])
    assert (answer.json["phone"], answer.json["preferred_language"]) == ("+919227680402", "hi-IN")
    assert answer.json["address"] == BODY["address"] | {"state": None, "postal_code": None, "country": "IN"}
    assert read.json | {"possible_duplicates": []} == answer.json


def test_name_and_birth_date_are_enough(hospital: Hospital) -> None:
    patient = hospital.register()

    assert (patient["active"], patient["sex"], patient["email"], patient["phone"]) == (True, "unknown", None, None)
    assert len(patient["mrn"]) == 9


def test_the_same_key_replays_the_first_answer_after_a_change(hospital: Hospital) -> None:
    key = {"Idempotency-Key": "k"}
    first = hospital.send("POST", ALL, BODY, headers=key)
    hospital.send("PATCH", ONE, {"name": "Asha Rao"}, path=of(first.json))

    again = hospital.send("POST", ALL, BODY, headers=key)
    other = hospital.send("POST", ALL, BODY | {"name": "Rohan"}, headers=key)

    assert (again.status, again.json, again.headers["Idempotency-Replayed"]) == (201, first.json, "true")
    assert problem(other) == (422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize(
    "change",
    [
        {"surname": "Verma"},
        {"name": None},
        {"name": 7},
        {"dob": "23-04-1990"},
        {"dob": "2999-01-01"},
        {"dob": "1990-04-23T00:00:00"},
        {"sex": "F"},
        {"email": "asha"},
        {"phone": "12"},
        {"address": "12 Residency Road"},
        {"insurance": {"payer": "Star Health"}},
        {"preferred_language": "Hindi"},
        {"mrn": "123456789"},
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_written(hospital: Hospital, change: dict[str, Any]) -> None:
    answer = hospital.send("POST", ALL, BODY | change)

    assert problem(answer) == (422, "INVALID")
    assert answer.json["errors"][0]["field"].split(".")[0] == next(iter(change))
    assert not hospital.table.items


@pytest.mark.parametrize(
    ("raw", "base64_encoded", "expected"),
    [
        ("{", False, (400, "MALFORMED")),
        ("[]", False, (422, "INVALID")),
        ("[" * 100_000, False, (400, "MALFORMED")),
        (base64.b64encode(b'{"name": "\xff"}').decode(), True, (400, "MALFORMED")),
        ('{"name": "Asha \ufffd", "dob": "1990-04-23"}', False, (400, "MALFORMED")),
        (json.dumps(BODY | {"name": "x" * 1_000_000}), False, (413, "TOO_LARGE")),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    hospital: Hospital, raw: str, expected: tuple[int, str], *, base64_encoded: bool
) -> None:
    answer = hospital.send("POST", ALL, raw=raw, base64_encoded=base64_encoded)

    assert problem(answer) == expected
    assert not hospital.table.items


def test_an_address_and_an_identifier_are_one_patients(hospital: Hospital) -> None:
    first, second = hospital.send("POST", ALL, BODY), hospital.register(name="Rohan")
    identifiers = {"external_identifiers": BODY["external_identifiers"]}

    assert problem(hospital.send("POST", ALL, BODY)) == (409, "EMAIL_TAKEN")
    assert problem(hospital.send("POST", ALL, BODY | {"email": None})) == (409, "IDENTIFIER_TAKEN")
    assert problem(hospital.send("PUT", IDENTIFIERS, identifiers, path=of(second))) == (409, "IDENTIFIER_TAKEN")
    assert hospital.send("PUT", IDENTIFIERS, {"external_identifiers": []}, path=of(first.json)).status == 200
    assert hospital.send("PUT", IDENTIFIERS, identifiers, path=of(second)).status == 200


def test_a_change_needs_the_version_it_says(hospital: Hospital) -> None:
    patient = hospital.register(phone="9227680402")

    changed = hospital.send("PATCH", ONE, {"phone": None}, path=of(patient), headers={"If-Match": '"1"'})
    stale = hospital.send("PATCH", ONE, {"name": "Other"}, path=of(patient), headers={"If-Match": '"1"'})

    assert (changed.status, changed.headers["ETag"], changed.json["phone"]) == (200, '"2"', None)
    assert problem(stale) == (412, "STALE_VERSION")
    assert hospital.send("GET", ONE, path=of(patient)).json["name"] == "Asha Verma"


@pytest.mark.parametrize("down", [False, True])
def test_appointments_hears_of_a_deactivation_before_it_is_answered(hospital: Hospital, *, down: bool) -> None:
    patient = hospital.register()
    hospital.visits.down = down

    gone = hospital.send("POST", f"{ONE}/deactivate", path=of(patient))

    assert gone.status == 200
    told = [(one["patient_id"], one["active"]) for one in hospital.visits.told]
    assert told == ([] if down else [(patient["patient_id"], False)])


def test_deactivation_is_kept_and_undone(hospital: Hospital) -> None:
    patient = hospital.register()

    gone = hospital.send("POST", f"{ONE}/deactivate", {"reason": "Registered twice"}, path=of(patient))
    again = hospital.send("POST", f"{ONE}/deactivate", path=of(patient))
    back = hospital.send("POST", f"{ONE}/reactivate", path=of(patient))

    assert (gone.json["active"], gone.json["inactive_reason"]) == (False, "Registered twice")
    assert problem(again) == (409, "INVALID_TRANSITION")
    assert (back.json["active"], back.json["inactive_reason"]) == (True, None)


def test_a_search_answers_lines_and_a_cursor(hospital: Hospital) -> None:
    for name in ("Asha Verma", "Aasha Varma"):
        hospital.register(name=name)

    first = hospital.send("GET", ALL, query={"name": "verma asha", "limit": "1"}).json
    second = hospital.send("GET", ALL, query={"name": "verma asha", "cursor": first["next_cursor"]}).json

    assert [one["name"] for one in first["items"] + second["items"]] == ["Asha Verma", "Aasha Varma"]
    assert second["next_cursor"] is None
    assert set(first["items"][0]) == {
        "patient_id", "version", "mrn", "active", "name", "dob", "sex", "email", "phone",
    }  # fmt: skip


@pytest.mark.parametrize(
    "query",
    [
        {"age": "3"}, {"limit": "0"}, {"limit": ["1", "2"]}, {"cursor": "%"}, {"dob": "1990"},
        {"mrn": "123456789"}, {"phone": "x"}, {"external_id": "1"}, {"name": "\u202e"},
    ],
)  # fmt: skip
def test_a_wrong_question_is_refused(hospital: Hospital, query: dict[str, Any]) -> None:
    assert problem(hospital.send("GET", ALL, query=query)) == (422, "INVALID")


@pytest.mark.parametrize("patient_id", [UNKNOWN, "17", "' OR 1=1", "%2e%2e"])
def test_nobody_is_404(hospital: Hospital, patient_id: str) -> None:
    path = {"patient_id": patient_id}

    assert hospital.send("GET", ONE, path=path).status == 404
    assert hospital.send("PATCH", ONE, {"name": "Asha"}, path=path).status == 404
    assert hospital.send("GET", HISTORY, path=path).status == 404


def test_patients_see_and_change_their_own_record_only(hospital: Hospital) -> None:
    asha, rohan = hospital.register(), hospital.register(name="Rohan")
    hospital.as_role("patient", patient_id=asha["patient_id"])

    assert hospital.send("GET", ONE, path=of(asha)).status == 200
    assert hospital.send("PATCH", ONE, {"phone": "9227680402"}, path=of(asha)).status == 200
    assert hospital.send("GET", HISTORY, path=of(asha)).status == 200
    for path in (of(rohan), {"patient_id": UNKNOWN}):
        assert problem(hospital.send("GET", ONE, path=path)) == (403, "FORBIDDEN")
        assert problem(hospital.send("PATCH", ONE, {"phone": "9227680402"}, path=path)) == (403, "FORBIDDEN")
        assert problem(hospital.send("GET", HISTORY, path=path)) == (403, "FORBIDDEN")
    assert problem(hospital.send("PATCH", ONE, {"name": "Asha Rao"}, path=of(asha))) == (403, "FORBIDDEN")
    assert problem(hospital.send("GET", ALL)) == (403, "FORBIDDEN")
    assert problem(hospital.send("POST", ALL, BODY)) == (403, "FORBIDDEN")


def test_a_doctor_sees_a_patient_from_the_first_visit_on(hospital: Hospital) -> None:
    asha = hospital.register()
    hospital.as_role("doctor", doctor_id=DOCTOR_ID)

    before = hospital.send("GET", ONE, path=of(asha))
    inbox.handler({"Records": [{"messageId": "1", "body": json.dumps(booked(asha["patient_id"]))}]})
    hospital.visits.down = True

    assert problem(before) == (403, "FORBIDDEN")
    assert hospital.send("GET", ONE, path=of(asha)).status == 200


def test_a_doctor_whose_visits_are_not_known_yet_is_asked_for(hospital: Hospital) -> None:
    asha = hospital.register()
    hospital.as_role("doctor", doctor_id=DOCTOR_ID)
    hospital.visits.down = True
    silent = hospital.send("GET", ONE, path=of(asha))
    hospital.visits.down, hospital.visits.treats = False, True

    assert problem(silent) == (503, "BUSY")
    assert hospital.send("GET", ONE, path=of(asha)).status == 200


def booked(patient_id: str) -> dict[str, Any]:
    return {
        "id": ids.new(),
        "type": "appointments.booked.v1",
        "source": "/hms/appointments",
        "subject": ids.new(),
        "time": "2026-11-21T06:30:00Z",
        "correlationid": "c",
        "actor": "user-1",
        "version": 1,
        "data": {"patient_id": patient_id, "doctor_id": DOCTOR_ID, "status": "SCHEDULED"},
    }


def test_an_event_that_comes_twice_is_consumed_twice_without_effect(hospital: Hospital) -> None:
    record = {"messageId": "1", "body": json.dumps(booked(UNKNOWN))}

    assert inbox.handler({"Records": [record, record]}) == {"batchItemFailures": []}
    assert len(hospital.table.items) == 1


def test_a_bad_message_fails_alone(hospital: Hospital) -> None:
    good = {"messageId": "good", "body": json.dumps(booked(UNKNOWN))}
    bad = {"messageId": "bad", "body": json.dumps(booked(UNKNOWN) | {"data": {}})}

    assert inbox.handler({"Records": [bad, good]}) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert len(hospital.table.items) == 1


def test_other_domains_get_a_snapshot(hospital: Hospital) -> None:
    asha = hospital.register(email="asha@example.com")

    assert tasks.handler({"task": "snapshot", "patient_id": asha["patient_id"]}) == {
        "outcome": "ok",
        "snapshot": {
            "patient_id": asha["patient_id"],
            "version": 1,
            "name": "Asha Verma",
            "email": "asha@example.com",
            "phone": None,
            "preferred_language": None,
            "active": True,
        },
        "mrn": asha["mrn"],
    }
    assert tasks.handler({"task": "snapshot", "patient_id": UNKNOWN}) == {"outcome": "absent"}
    assert tasks.handler({"task": "ping"}) == {"outcome": "ok"}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", api.app.routes.values(), ids=lambda route: route.operation_id)
def test_only_roles_of_the_policy_pass(hospital: Hospital, route: Any, role: str) -> None:
    patient = hospital.register()
    hospital.as_role(role)
    path = of(patient) if "{" in route.path else None

    answer = hospital.send(route.method, route.path, {} if route.body else None, path=path)

    scope = "any" if route.permission == "public" else POLICY.scopes((role,)).get(route.permission)
    assert (answer.status != 403) == (scope == "any")


def test_the_owner_vouches_for_active_patients_and_says_nothing_personal(hospital: Hospital) -> None:
    asha = hospital.register()

    here = tasks.handler({"task": "verify", **of(asha)})
    hospital.send("POST", f"{ONE}/deactivate", {"reason": "private"}, path=of(asha))
    gone = tasks.handler({"task": "verify", **of(asha)})
    unknown = tasks.handler({"task": "verify", "patient_id": UNKNOWN})

    assert here == {"outcome": "ok"}
    problem = {"code": "PATIENT_INACTIVE", "detail": "The patient's registration is not active."}
    assert gone == {"outcome": "refused", "problem": problem}
    assert (unknown["outcome"], unknown["problem"]["code"]) == ("refused", "PATIENT_NOT_FOUND")
