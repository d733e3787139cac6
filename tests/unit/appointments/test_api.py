"""The HTTP face of visits: statuses, problems, headers, older clients' paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from appointments import api
from hms import ids
from hms.policy import ROLES
from tests.support.appointments import (
    ANOTHER_PATIENT,
    DAY,
    DOCTOR,
    NURSE,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    PATIENT,
    RECEPTIONIST,
    THE_DOCTOR,
    THE_PATIENT,
    Desk,
    a_doctor,
    a_principal,
    a_slot,
    at,
)
from tests.support.http import Answer, sent

if TYPE_CHECKING:
    from hms.auth import Principal
    from hms.policy import Policy

LIST = "/v1/appointments"
ONE = "/v1/appointments/{appointment_id}"
AVAILABILITY = "/v1/doctors/{doctor_id}/availability"
STRANDED = "/v1/doctors/{doctor_id}/stranded-appointments"
BODY = {
    "patient_id": PATIENT,
    "doctor_id": DOCTOR,
    "department": "Cardiology",
    "slot_start": "2026-11-23T10:00:00+05:30",
    "slot_end": "2026-11-23T10:30:00+05:30",
}
LATER = {"slot_start": "2026-11-23T11:00:00+05:30", "slot_end": "2026-11-23T11:30:00+05:30"}


class Gate:
    """Lets everybody in as `who`."""

    def __init__(self) -> None:
        self.who = RECEPTIONIST

    def principal(self, _authorization: str | None, _policy: Policy) -> Principal:
        return self.who


@pytest.fixture(autouse=True)
def gate(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr(api.app, "_verifier", gate)
    monkeypatch.setattr(api, "appointments", desk.appointments)
    monkeypatch.setattr(api, "owners", desk.owners)
    monkeypatch.setattr("hms.clock.now", lambda: desk.now)
    return gate


def posted(action: str, visit: str, body: Any = None, **details: Any) -> Answer:
    return sent(api.app, "POST", f"{ONE}/{action}", body or {}, path={"appointment_id": visit}, **details)


def booked(**headers: str) -> Answer:
    return sent(api.app, "POST", LIST, BODY, headers=headers)


def fetched(resource: str, **details: Any) -> Answer:
    return sent(api.app, "GET", resource, **details)


def codes(answer: Answer) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["status"] == answer.status
    assert answer.json["correlation_id"] == answer.headers["X-Correlation-ID"]
    return answer.status, answer.json["code"]


def test_what_older_clients_send_books_a_visit() -> None:
    answer = booked()

    assert answer.status == 201
    assert answer.headers["ETag"] == '"1"'
    assert {name: answer.json[name] for name in ("patient_id", "doctor_id", "department", "status", "version")} == {
        "patient_id": PATIENT,
        "doctor_id": DOCTOR,
        "department": "Cardiology",
        "status": "SCHEDULED",
        "version": 1,
    }
    assert answer.json["slot_start"] == "2026-11-23T04:30:00Z"
    assert answer.json["consultation_fee"] == {"amount": "500.00", "currency": "INR"}
    assert answer.json["history"][0]["by"] == "user-receptionist"


def test_a_new_visit_is_counted_once(capsys: pytest.CaptureFixture[str]) -> None:
    booked(**{"Idempotency-Key": "one"})
    booked(**{"Idempotency-Key": "one"})

    assert capsys.readouterr().out.count('"appointments_created_total":1') == 1


def test_a_repeated_request_is_replayed_and_a_changed_one_refused(desk: Desk) -> None:
    key = {"Idempotency-Key": "one"}
    first, again = booked(**key), booked(**key)
    other = sent(api.app, "POST", LIST, BODY | LATER, headers=key)

    assert (first.json, first.status) == (again.json, again.status)
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert codes(other) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(desk.appointments.sheets(f"doctor#{DOCTOR}", DAY, DAY)[0].lines) == 1


def test_a_key_is_the_callers_own(gate: Gate, desk: Desk) -> None:
    booked(**{"Idempotency-Key": "one"})
    gate.who = NURSE

    assert codes(booked(**{"Idempotency-Key": "one"})) == (409, "SLOT_TAKEN")


def test_a_visit_is_read_with_its_version() -> None:
    visit = booked().json

    answer = fetched(ONE, path={"appointment_id": visit["appointment_id"]})

    assert (answer.status, answer.headers["ETag"], answer.json) == (200, '"1"', visit)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"slot_start": "2026-11-23T10:00:00"}, 422, "INVALID"),
        ({"slot_end": "2026-11-23T10:00:00+05:30"}, 422, "INVALID"),
        ({"slot_end": "2026-11-23T09:30:00+05:30"}, 422, "INVALID"),
        ({"slot_end": "2199-11-23T09:30:00+05:30"}, 422, "INVALID"),
        ({"slot_start": 1795409400}, 422, "INVALID"),
        ({"patient_id": "7"}, 422, "INVALID"),
        ({"patient_id": None}, 422, "INVALID"),
        ({"colour": "green"}, 422, "INVALID"),
        ({"exemption": {"kind": "WALK_IN"}}, 422, "INVALID"),
        ({"exemption": {"kind": "FRIEND", "reason": "Friend"}}, 422, "INVALID"),
        ({"patient_id": ids.new()}, 404, "PATIENT_NOT_FOUND"),
        ({"doctor_id": ids.new()}, 404, "DOCTOR_NOT_FOUND"),
        ({"department": "Neurology"}, 422, "DEPARTMENT_MISMATCH"),
        ({"slot_end": "2026-11-23T10:25:00+05:30"}, 422, "SLOT_NOT_ON_GRID"),
    ],
)
def test_a_body_that_is_not_right_books_nothing(desk: Desk, changes: dict[str, Any], status: int, code: str) -> None:
    commits = desk.table.commits

    answer = sent(api.app, "POST", LIST, BODY | changes)

    assert codes(answer) == (status, code)
    assert desk.table.commits == commits


def test_a_slot_of_centuries_is_refused_before_anything_is_read(desk: Desk) -> None:
    reads = desk.table.reads

    assert codes(sent(api.app, "POST", LIST, BODY | {"slot_end": "2199-01-01T00:00:00Z"})) == (422, "INVALID")
    assert desk.table.reads == reads


def test_a_silent_neighbour_is_told_with_retry_after(desk: Desk) -> None:
    desk.owners.down = True

    answer = sent(api.app, "POST", LIST, BODY | {"patient_id": ids.new()})

    assert codes(answer) == (503, "BUSY")
    assert answer.headers["Retry-After"] == "1"


def test_a_visit_goes_its_whole_way(gate: Gate, desk: Desk) -> None:
    visit = booked().json["appointment_id"]
    moved = posted("reschedule", visit, LATER)
    desk.now = at("11:00")
    arrived = posted("check-in", visit)
    gate.who = THE_DOCTOR
    statuses = [posted(action, visit).json["status"] for action in ("start", "complete")]

    assert (moved.json["slot_start"], moved.json["reschedule_count"]) == ("2026-11-23T05:30:00Z", 1)
    assert [arrived.json["status"], *statuses] == ["CHECKED_IN", "IN_CONSULTATION", "COMPLETED"]


def test_older_clients_move_a_visit_by_query() -> None:
    visit = booked().json["appointment_id"]
    query = {"new_slot_start": LATER["slot_start"], "new_slot_end": LATER["slot_end"]}

    answer = sent(api.app, "POST", f"{ONE}/reschedule", path={"appointment_id": visit}, query=query)

    assert (answer.status, answer.json["slot_start"]) == (200, "2026-11-23T05:30:00Z")


@pytest.mark.parametrize("path", ["no-show", "noshow"])
def test_both_paths_say_that_nobody_came(desk: Desk, path: str) -> None:
    visit = booked().json["appointment_id"]

    desk.now = at("10:14")
    assert codes(posted(path, visit)) == (409, "TOO_EARLY_FOR_NO_SHOW")
    desk.now = at("10:15")
    assert posted(path, visit).json["status"] == "NO_SHOW"


def test_a_doctor_completes_what_was_only_scheduled(gate: Gate, desk: Desk) -> None:
    visit = booked().json["appointment_id"]
    desk.now = at("10:00")
    gate.who = THE_DOCTOR

    answer = posted("complete", visit)

    assert answer.json["status"] == "COMPLETED"
    assert [step["action"] for step in answer.json["history"]] == ["booked", "checked-in", "started", "completed"]


def test_a_cancellation_keeps_who_and_why() -> None:
    visit = booked().json["appointment_id"]

    answer = posted("cancel", visit, {"requested_by": "CLINIC", "reason": "Flood"})

    assert answer.json["cancellation"] == {
        "requested_by": "CLINIC",
        "reason": "Flood",
        "seconds_before_start": 4 * 3600,
    }
    assert codes(posted("cancel", visit)) == (409, "INVALID_TRANSITION")


def test_a_stale_version_is_refused() -> None:
    visit = booked().json["appointment_id"]
    posted("notes", visit, {"text": "First"})

    assert codes(posted("cancel", visit, headers={"If-Match": '"1"'})) == (412, "STALE_VERSION")
    assert posted("cancel", visit, headers={"If-Match": '"2"'}).status == 200


def test_notes_are_between_those_who_care(gate: Gate) -> None:
    visit = booked().json["appointment_id"]
    added = posted("notes", visit, {"text": "Needs a wheelchair"})

    def notes(who: Principal) -> list[str]:
        gate.who = who
        read = fetched(ONE, path={"appointment_id": visit}).json
        return [note["text"] for note in read["notes"]]

    assert added.status == 201
    assert notes(THE_DOCTOR) == notes(RECEPTIONIST) == ["Needs a wheelchair"]
    assert notes(THE_PATIENT) == notes(a_principal("auditor")) == []
    assert notes(a_principal("doctor", "patient", doctor_id=OTHER_DOCTOR, patient_id=PATIENT)) == []


def test_other_peoples_visits_are_forbidden_and_unknown_ones_look_alike(gate: Gate) -> None:
    visit = booked().json["appointment_id"]
    gate.who = ANOTHER_PATIENT

    for one in (visit, ids.new()):
        assert codes(fetched(ONE, path={"appointment_id": one})) == (403, "FORBIDDEN")
        assert codes(posted("cancel", one)) == (403, "FORBIDDEN")


VISITS = [route for route in api.app.routes if route[0] == "POST" and route[1].startswith(LIST)]


@pytest.mark.parametrize("route", VISITS, ids=str)
@pytest.mark.parametrize("role", ROLES)
def test_no_role_does_what_the_policy_does_not_grant(gate: Gate, role: str, route: tuple[str, str]) -> None:
    visit = booked().json["appointment_id"]
    gate.who = a_principal(role, patient_id=OTHER_PATIENT, doctor_id=OTHER_DOCTOR)
    granted = api.app.policy.table[api.app.routes[route].permission].get(role)

    answer = sent(api.app, *route, _body_for(route[1]), path={"appointment_id": visit})

    assert (answer.status == 403) is (granted != "any")


def _body_for(path: str) -> dict[str, str]:
    if path == LIST:
        return BODY | LATER
    return LATER if path.endswith("reschedule") else {"text": "A note"} if path.endswith("notes") else {}


def test_a_list_comes_in_pages(desk: Desk) -> None:
    visits = [desk.visit(a_slot(clock)) for clock in ("10:00", "11:00", "12:00")]

    first = fetched(LIST, query={"patient_id": PATIENT, "limit": "2"}).json
    second = fetched(LIST, query={"patient_id": PATIENT, "cursor": first["next_cursor"]}).json

    assert [one["appointment_id"] for one in first["items"] + second["items"]] == visits
    assert (second["next_cursor"], second["as_of"]) == (None, "2026-11-23T00:30:00Z")


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "zzzz"},
        {"limit": "0"},
        {"limit": "x"},
        {"status": "LOST"},
        {"day": "2026-02-30"},
        {"what": "ever"},
        {"patient_id": [PATIENT, OTHER_PATIENT]},
    ],
)
def test_a_list_that_makes_no_sense_is_refused(query: dict[str, Any]) -> None:
    assert codes(fetched(LIST, query=query)) == (422, "INVALID")


def test_free_slots_are_for_everybody_who_is_signed_in(gate: Gate) -> None:
    booked()
    gate.who = a_principal("patient", patient_id=OTHER_PATIENT)

    answer = fetched(AVAILABILITY, path={"doctor_id": DOCTOR}, query={"from": str(DAY), "to": str(DAY)})

    assert (answer.json["doctor_id"], answer.json["as_of"]) == (DOCTOR, "2026-11-23T00:30:00Z")
    assert len(answer.json["slots"]) == 17
    assert answer.json["slots"][0] == {"slot_start": "2026-11-23T03:30:00Z", "slot_end": "2026-11-23T04:00:00Z"}


def test_availability_of_nobody_is_not_found() -> None:
    assert codes(fetched(AVAILABILITY, path={"doctor_id": ids.new()})) == (404, "DOCTOR_NOT_FOUND")


@pytest.mark.parametrize("bound", ["0001-01-01", "9999-12-31", "2026-11-23T10:00:00", "x"])
def test_bounds_that_are_none_are_refused(bound: str) -> None:
    assert codes(fetched(AVAILABILITY, path={"doctor_id": DOCTOR}, query={"from": bound})) == (422, "INVALID")


def test_stranded_visits_are_listed(desk: Desk) -> None:
    visit = booked().json["appointment_id"]
    desk.knows(a_doctor(leave=[{"from": DAY, "to": DAY}]))

    answer = fetched(STRANDED, path={"doctor_id": DOCTOR})

    assert [(one["appointment_id"], one["reason"]) for one in answer.json["items"]] == [(visit, "DOCTOR_NOT_AVAILABLE")]
