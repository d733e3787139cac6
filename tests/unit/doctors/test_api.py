"""The operations as API Gateway calls them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from doctors import api, tasks
from doctors.store import Doctors
from hms.auth import Verifier
from hms.policy import ROLES
from tests.support.doctors import STRANDED, Visits, a_principal
from tests.support.http import Answer, sent
from tests.support.memory import MemoryTable

if TYPE_CHECKING:
    from hms.auth import Principal
    from hms.policy import Policy

BODY = {
    "name": "Dr. Meera Iyer",
    "email": "meera.iyer@example.com",
    "phone": "97521 66954",
    "department": "Cardiology",
    "specialization": "Cardiologist",
}
DOCTOR, SCHEDULE = "/v1/doctors/{doctor_id}", "/v1/doctors/{doctor_id}/schedule"
OVERRIDE, LEAVE = "/v1/doctors/{doctor_id}/overrides/{date}", "/v1/doctors/{doctor_id}/leave"
MORNINGS = {"periods": [{"weekday": "MONDAY", "start": "09:00", "end": "13:00"}]}
UNKNOWN = "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60"


class Door(Verifier):
    """Lets in whom the test wants."""

    def __init__(self) -> None:
        super().__init__(lambda: None, "test")
        self.who = a_principal("administrator")

    def principal(self, authorization: str | None, policy: Policy) -> Principal:
        return self.who


class Hospital:
    def __init__(self, table: MemoryTable, door: Door, visits: Visits) -> None:
        self.table, self.door, self.visits = table, door, visits

    def send(self, method: str, resource: str, body: Any = None, **details: Any) -> Answer:
        return sent(api.app, method, resource, body, **details)

    def register(self, **changes: Any) -> Any:
        answer = self.send("POST", "/v1/doctors", BODY | changes)
        assert answer.status == 201, answer.text
        return answer.json

    def as_role(self, *roles: str, doctor_id: str | None = None) -> None:
        self.door.who = a_principal(*roles, doctor_id=doctor_id)


@pytest.fixture
def hospital(monkeypatch: pytest.MonkeyPatch) -> Hospital:
    table, door, visits = MemoryTable(), Door(), Visits()
    doctors = Doctors(table)
    monkeypatch.setattr(api, "doctors", doctors)
    monkeypatch.setattr(tasks, "doctors", doctors)
    monkeypatch.setattr(api, "visits", visits)
    monkeypatch.setattr(api.app, "_verifier", door)
    return Hospital(table, door, visits)


def of(doctor: Any, **more: str) -> dict[str, str]:
    return {"doctor_id": doctor["doctor_id"], **more}


def test_a_doctor_is_registered_and_read_back(hospital: Hospital) -> None:
    answer = hospital.send("POST", "/v1/doctors", BODY | {"consultation_fee": {"amount": "800.00"}})

    assert answer.status == 201
    assert answer.headers["ETag"] == '"1"'
    assert answer.json["phone"] == "+919752166954"
    assert answer.json["consultation_fee"] == {"amount": "800.00", "currency": "INR"}
    assert answer.json["max_daily_appointments"] == 8
    assert answer.json["timezone"] == "Asia/Kolkata"
    assert hospital.send("GET", DOCTOR, path=of(answer.json)).json == answer.json


def test_the_same_key_replays_the_first_answer_after_a_change(hospital: Hospital) -> None:
    key = {"Idempotency-Key": "k"}
    first = hospital.send("POST", "/v1/doctors", BODY, headers=key)
    hospital.send("PATCH", DOCTOR, {"name": "Dr. Other"}, path=of(first.json))

    again = hospital.send("POST", "/v1/doctors", BODY, headers=key)

    assert (again.status, again.json) == (201, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    other = hospital.send("POST", "/v1/doctors", BODY | {"name": "Dr. Other"}, headers=key)
    assert (other.status, other.json["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize(
    "change",
    [
        {"surname": "Iyer"},
        {"name": None},
        {"name": ""},
        {"name": "x" * 201},
        {"name": 7},
        {"email": "not an address"},
        {"phone": "12"},
        {"max_daily_appointments": "8"},
        {"max_daily_appointments": 0},
        {"consultation_fee": 500},
        {"consultation_fee": {"amount": "-1.00"}},
        {"consultation_fee": {"amount": "1.005"}},
        {"timezone": "Mars/Olympus"},
        {"external_identifiers": [{"system": "legacy", "value": "1"}] * 2},
        {"external_identifiers": [{"system": "legacy", "value": str(n)} for n in range(5)]},
    ],
)
def test_a_wrong_registration_names_its_fields_and_writes_nothing(hospital: Hospital, change: dict[str, Any]) -> None:
    answer = hospital.send("POST", "/v1/doctors", BODY | change)

    assert (answer.status, answer.json["code"]) == (422, "INVALID")
    assert answer.json["errors"]
    assert hospital.table.items == {}


@pytest.mark.parametrize("raw", ["{", "[]x", '{"name": "\\ud800"}', "", "null"])
def test_a_body_that_is_no_registration_is_refused(hospital: Hospital, raw: str) -> None:
    assert hospital.send("POST", "/v1/doctors", raw=raw).status in (400, 422)
    assert hospital.table.items == {}


def test_a_taken_email_is_a_conflict(hospital: Hospital) -> None:
    hospital.register()

    answer = hospital.send("POST", "/v1/doctors", BODY | {"email": "MEERA.IYER@example.com"})

    assert (answer.status, answer.json["code"]) == (409, "EMAIL_TAKEN")
    assert "meera" not in answer.text.lower()


def test_if_match_guards_an_update(hospital: Hospital) -> None:
    doctor = hospital.register()

    taken = hospital.send("PATCH", DOCTOR, {"phone": None}, path=of(doctor), headers={"If-Match": '"1"'})
    stale = hospital.send("PATCH", DOCTOR, {"name": "Dr. X"}, path=of(doctor), headers={"If-Match": '"1"'})

    assert (taken.status, taken.json["phone"], taken.headers["ETag"]) == (200, None, '"2"')
    assert (stale.status, stale.json["code"]) == (412, "STALE_VERSION")


def test_null_and_left_out_are_two_requests(hospital: Hospital) -> None:
    doctor = hospital.register()
    key = {"Idempotency-Key": "k"}
    hospital.send("PATCH", DOCTOR, {"phone": None}, path=of(doctor), headers=key)

    answer = hospital.send("PATCH", DOCTOR, {"email": None}, path=of(doctor), headers=key)

    assert (answer.status, answer.json["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_hours_are_published(hospital: Hospital) -> None:
    doctor = hospital.register()

    answer = hospital.send("PUT", SCHEDULE, MORNINGS, path=of(doctor))

    assert answer.status == 200
    assert answer.json["schedule"] == [
        {"weekday": "MONDAY", "start": "09:00", "end": "13:00", "slot_duration": 30},
    ]
    assert answer.json["stranded"] == []


def test_overlapping_hours_are_named(hospital: Hospital) -> None:
    doctor = hospital.register()
    overlapping = {"periods": [*MORNINGS["periods"], {"weekday": "MONDAY", "start": "12:00", "end": "14:00"}]}

    answer = hospital.send("PUT", SCHEDULE, overlapping, path=of(doctor))

    assert answer.status == 422
    assert answer.json["errors"] == [{"field": "periods.1", "code": "overlap", "detail": "overlaps periods.0"}]


def test_a_date_is_overridden_and_returned_to_the_week(hospital: Hospital) -> None:
    path = of(hospital.register(), date="2199-12-30")

    assert hospital.send("PUT", OVERRIDE, {"periods": []}, path=path).json["overrides"] == [
        {"date": "2199-12-30", "periods": []}
    ]
    assert hospital.send("DELETE", OVERRIDE, path=path).json["overrides"] == []
    gone = hospital.send("DELETE", OVERRIDE, path=path)
    assert (gone.status, gone.json["code"]) == (404, "OVERRIDE_NOT_FOUND")


@pytest.mark.parametrize("date", ["2026-02-30", "20261207", "2026-W49-6", "tomorrow", "2201-01-01", "2020-01-01"])
def test_a_wrong_date_is_refused(hospital: Hospital, date: str) -> None:
    answer = hospital.send("PUT", OVERRIDE, {"periods": []}, path=of(hospital.register(), date=date))

    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "date")


def test_leave_lists_the_visits_it_strands(hospital: Hospital) -> None:
    doctor = hospital.register()
    hospital.visits.stranded = [STRANDED]

    answer = hospital.send("POST", LEAVE, {"from": "2199-12-01", "to": "2199-12-31"}, path=of(doctor))

    assert answer.status == 201
    assert answer.json["stranded"] == [STRANDED]
    leave_id = answer.json["leave"][0]["leave_id"]
    path = of(doctor, leave_id=leave_id)
    assert hospital.send("DELETE", LEAVE + "/{leave_id}", path=path).json["leave"] == []


def test_a_change_stands_while_appointments_is_down(hospital: Hospital) -> None:
    doctor = hospital.register()
    hospital.visits.down = True

    answer = hospital.send("POST", DOCTOR + "/deactivate", {"reason": "left"}, path=of(doctor))

    assert (answer.status, answer.json["active"], answer.json["stranded"]) == (200, False, None)
    assert hospital.send("GET", DOCTOR, path=of(doctor)).json["active"] is False


def test_a_change_that_strands_nobody_asks_nobody(hospital: Hospital) -> None:
    doctor = hospital.register()

    hospital.send("PATCH", DOCTOR, {"phone": None}, path=of(doctor))
    assert hospital.visits.asked == []
    hospital.send("PATCH", DOCTOR, {"department": "Neurology"}, path=of(doctor))
    assert [task for task, _ in hospital.visits.asked] == ["stranded"]


def test_a_doctor_is_deactivated_without_a_word_and_reactivated(hospital: Hospital) -> None:
    doctor = hospital.register()

    assert hospital.send("POST", DOCTOR + "/deactivate", path=of(doctor)).status == 200
    again = hospital.send("POST", DOCTOR + "/deactivate", path=of(doctor))
    assert (again.status, again.json["code"]) == (409, "INVALID_TRANSITION")
    assert hospital.send("POST", DOCTOR + "/reactivate", path=of(doctor)).json["active"] is True


@pytest.mark.parametrize("doctor_id", [UNKNOWN, "17", "..", "x" * 300])
def test_an_unknown_doctor_is_404(hospital: Hospital, doctor_id: str) -> None:
    assert hospital.send("GET", DOCTOR, path={"doctor_id": doctor_id}).status == 404


def test_lists_hold_no_contact_data(hospital: Hospital) -> None:
    hospital.register()
    hospital.as_role("patient")

    answer = hospital.send("GET", "/v1/doctors", query={"department": "cardiology"})

    assert [one["name"] for one in answer.json["items"]] == ["Dr. Meera Iyer"]
    assert "meera.iyer@" not in answer.text


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "101"}, {"cursor": "é"}, {"cursor": "x" * 1365}, {"page": "2"}, {"active": "maybe"}],
)
def test_a_wrong_question_is_refused(hospital: Hospital, query: dict[str, str]) -> None:
    assert hospital.send("GET", "/v1/doctors", query=query).status == 422


def test_history_says_who_did_what(hospital: Hospital) -> None:
    doctor = hospital.register()
    hospital.send("PUT", SCHEDULE, MORNINGS, path=of(doctor), headers={"X-Correlation-ID": "c-1"})

    items = hospital.send("GET", DOCTOR + "/history", path=of(doctor)).json["items"]

    assert [(one["version"], one["type"], one["by"]) for one in items] == [
        (1, "doctors.registered.v1", "user-1"),
        (2, "doctors.schedule_published.v1", "user-1"),
    ]
    assert items[1]["correlation_id"] == "c-1"


def test_departments_are_listed_once_each(hospital: Hospital) -> None:
    hospital.send("POST", "/v1/departments", {"name": "Neurology", "consultation_fee": {"amount": "700.00"}})
    for n, name in enumerate(["Cardiology", "CARDIOLOGY", "neurology"]):
        hospital.register(department=name, email=f"d{n}@example.com")

    items = hospital.send("GET", "/v1/departments").json["items"]

    assert [one["name"] for one in items] == ["Cardiology", "Neurology"]
    again = hospital.send("POST", "/v1/departments", {"name": "cardiology"})
    assert (again.status, again.json["code"]) == (409, "DEPARTMENT_EXISTS")


WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/v1/doctors", BODY),
    ("POST", "/v1/departments", {"name": "Neurology"}),
    ("PATCH", DOCTOR, {"phone": None}),
    ("POST", DOCTOR + "/deactivate", {}),
    ("POST", DOCTOR + "/reactivate", {}),
    ("PUT", SCHEDULE, MORNINGS),
    ("PUT", OVERRIDE, {"periods": []}),
    ("DELETE", OVERRIDE, None),
    ("POST", LEAVE, {"from": "2199-12-01", "to": "2199-12-31"}),
    ("DELETE", LEAVE + "/{leave_id}", None),
]
SCHEDULERS = frozenset({SCHEDULE, OVERRIDE, LEAVE, LEAVE + "/{leave_id}"})


@pytest.mark.parametrize(("method", "resource", "body"), WRITES)
def test_who_may_write(hospital: Hospital, method: str, resource: str, body: Any) -> None:
    path = {"doctor_id": UNKNOWN, "date": "2199-12-30", "leave_id": UNKNOWN}
    allowed = {"administrator", "receptionist"} if resource in SCHEDULERS else {"administrator"}

    let_in = set()
    for role in ROLES:
        hospital.as_role(role)
        if hospital.send(method, resource, body, path=path).status != 403:
            let_in.add(role)

    assert let_in == allowed


@pytest.mark.parametrize("resource", ["/v1/doctors", "/v1/departments", DOCTOR])
def test_every_role_may_read(hospital: Hospital, resource: str) -> None:
    path = of(hospital.register())

    for role in ROLES:
        hospital.as_role(role)
        assert hospital.send("GET", resource, path=path).status == 200


def test_others_get_a_snapshot_with_no_contact_data(hospital: Hospital) -> None:
    doctor = hospital.register()

    answer = tasks.handler({"task": "snapshot", **of(doctor)})

    assert answer["outcome"] == "ok"
    assert answer["snapshot"]["name"] == doctor["name"]
    assert "meera.iyer@" not in json.dumps(answer)
    assert tasks.handler({"task": "snapshot", "doctor_id": UNKNOWN}) == {"outcome": "absent"}
    assert tasks.handler({"task": "ping"}) == {"outcome": "ok"}


def verified(doctor: Any, department: str = "Cardiology") -> Any:
    return tasks.handler({"task": "verify", "department": department, **of(doctor)})


def test_the_owner_vouches_for_an_active_doctor_of_the_department(hospital: Hospital) -> None:
    doctor = hospital.register()

    assert verified(doctor) == {"outcome": "ok"}
    assert verified(doctor, " cardiology ") == {"outcome": "ok"}


def test_the_owner_says_in_words_for_patients_why_it_does_not_vouch(hospital: Hospital) -> None:
    doctor = hospital.register()

    unknown, elsewhere = verified({"doctor_id": UNKNOWN}), verified(doctor, "Neurology")
    hospital.send("POST", DOCTOR + "/deactivate", {"reason": "private"}, path=of(doctor))
    gone = verified(doctor)

    assert [answer["outcome"] for answer in (unknown, elsewhere, gone)] == ["refused"] * 3
    assert unknown["problem"]["code"] == "DOCTOR_NOT_FOUND"
    assert elsewhere["problem"]["code"] == "DEPARTMENT_MISMATCH"
    assert gone["problem"] == {"code": "DOCTOR_INACTIVE", "detail": "The doctor is no longer available."}
