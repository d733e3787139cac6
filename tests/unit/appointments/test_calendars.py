"""Calendars by secret link: what they show, whom they open to, and how a link ends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from icalendar import Calendar

from appointments.calendar_api import serve
from appointments.feeds import MOST_VISITS, shown
from appointments.model import Status
from appointments.sheets import line_of, text_of
from hms import ids
from hms.api import Api
from hms.rows import Key, Query, starting
from tests.support.appointments import (
    ADMINISTRATOR,
    ANOTHER_DOCTOR,
    ANOTHER_PATIENT,
    DOCTOR,
    NOW,
    NURSE,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    PATIENT,
    POLICY,
    RECEPTIONIST,
    THE_DOCTOR,
    THE_PATIENT,
    Desk,
    a_doctor,
    a_patient,
    a_principal,
    a_slot,
    an_appointment,
    at,
)
from tests.support.http import Answer, sent

if TYPE_CHECKING:
    from appointments.sheets import Line
    from hms.auth import Principal
    from hms.policy import Policy

GUARDIAN = a_principal("guardian", patient_id=PATIENT)
OF = {"patient": PATIENT, "doctor": DOCTOR}


class Office:
    """The calendar routes over one desk; `who` is calling."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.who = THE_PATIENT
        self.app = Api("appointments", POLICY, lambda: self)  # type: ignore[arg-type, return-value]
        serve(self.app, desk.appointments, desk.owners)

    def principal(self, _authorization: str | None, _policy: Policy) -> Principal:
        return self.who

    def send(self, method: str, kind: str, rest: str, owner: str | None = None, **details: Any) -> Answer:
        path = {f"{kind}_id": owner or OF[kind], **details.pop("more", {})}
        return sent(self.app, method, f"/v1/{kind}s/{{{kind}_id}}/{rest}", path=path, **details)

    def create(self, kind: str = "patient", who: Principal = THE_PATIENT, **details: Any) -> Answer:
        self.who = who
        return self.send("POST", kind, "calendar-tokens", body={}, **details)

    def link(self, kind: str = "patient", who: Principal = THE_PATIENT) -> str:
        """The secret of a new link."""
        answer = self.create(kind, who)
        assert answer.status == 201, answer.text
        return secret_of(answer)

    def tokens(self, kind: str = "patient", who: Principal = THE_PATIENT) -> list[Any]:
        self.who = who
        found: list[Any] = self.send("GET", kind, "calendar-tokens").json["items"]
        return found

    def revoke(self, token_id: str, kind: str = "patient", who: Principal = THE_PATIENT, **details: Any) -> Answer:
        self.who = who
        more = {"token_id": token_id}
        return self.send("DELETE", kind, "calendar-tokens/{token_id}", more=more, **details)

    def feed(self, secret: str | None, kind: str = "patient", owner: str | None = None, **headers: str) -> Answer:
        query = {} if secret is None else {"token": secret}
        return self.send("GET", kind, "calendar.ics", owner, query=query, headers=headers)

    def events(self, secret: str, kind: str = "patient") -> dict[str, Any]:
        """What a subscriber sees, by id."""
        answer = self.feed(secret, kind)
        assert answer.status == 200, answer.text
        return {str(event["UID"]): event for event in Calendar.from_ical(answer.text).walk("VEVENT")}


def secret_of(answer: Answer) -> str:
    query: str = urlsplit(answer.json["url"]).query
    return parse_qs(query)["token"][0]


@pytest.fixture
def office(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr("hms.clock.now", lambda: desk.now)
    return Office(desk)


def test_the_link_is_where_the_caller_found_the_api(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"Host": "api.clinic.example", "X-Forwarded-Proto": "https"}

    there = office.create(headers=headers).json["url"]
    monkeypatch.setenv("BASE_PATH", "/restapis/hms/local/_user_request_")
    here = office.create(headers={"host": "localhost:4566"}).json["url"]

    assert there.startswith(f"https://api.clinic.example/prod/v1/patients/{PATIENT}/calendar.ics?token=")
    assert here.startswith(f"http://localhost:4566/restapis/hms/local/_user_request_/v1/patients/{PATIENT}/calendar.")


def test_a_subscriber_sees_a_visit_booked_moved_and_cancelled_under_one_id(office: Office, desk: Desk) -> None:
    secret = office.link()
    assert office.events(secret) == {}

    visit = desk.visit(a_slot("10:00"))
    [booked] = office.events(secret).values()
    desk.reschedule(visit, a_slot("15:30"))
    [moved] = office.events(secret).values()
    desk.cancel(visit)
    [cancelled] = office.events(secret).values()

    assert {booked["UID"], moved["UID"], cancelled["UID"]} == {f"{visit}@hms"}
    assert [event["SEQUENCE"] for event in (booked, moved, cancelled)] == [1, 2, 3]
    assert [event["STATUS"] for event in (booked, moved, cancelled)] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    assert booked["SUMMARY"] == "Dr. Meera Iyer · Cardiology"
    assert [event["DTSTART"].dt for event in (booked, moved)] == [at("10:00"), at("15:30")]


def test_a_visit_that_went_to_a_colleague_leaves_the_doctors_calendar(office: Office, desk: Desk) -> None:
    visit = desk.visit(a_slot("10:00"))
    hers, his = office.link("doctor", THE_DOCTOR), office.create("doctor", ANOTHER_DOCTOR, owner=OTHER_DOCTOR)
    assert list(office.events(hers, "doctor")) == [f"{visit}@hms"]

    desk.reschedule(visit, a_slot("11:00"), doctor_id=OTHER_DOCTOR)

    assert office.events(hers, "doctor") == {}
    assert f"{visit}@hms" in office.feed(secret_of(his), "doctor", OTHER_DOCTOR).text


def test_the_doctors_calendar_names_no_patient(office: Office, desk: Desk) -> None:
    desk.knows(a_patient(name="Asha Rao"))
    desk.visit()

    text = office.feed(office.link("doctor", THE_DOCTOR), "doctor").text

    assert "SUMMARY:Visit: As***\r\n" in text
    assert "DESCRIPTION:Cardiology\r\n" in text
    assert not [word for word in ("Asha", "Rao", PATIENT) if word in text]


def test_a_calendar_is_called_after_its_owner_as_far_as_others_may_know(office: Office) -> None:
    assert "X-WR-CALNAME:Visits: As***\r\n" in office.feed(office.link()).text
    assert "X-WR-CALNAME:Visits: Dr. Meera Iyer\r\n" in office.feed(office.link("doctor", THE_DOCTOR), "doctor").text


def test_a_visit_with_somebody_unknown_here_is_shown_without_a_name(office: Office, desk: Desk) -> None:
    visit = desk.visit()
    mine, hers = office.link(), office.link("doctor", THE_DOCTOR)
    for known in (f"doctor#{DOCTOR}", f"patient#{PATIENT}"):
        del desk.table.items[Key(known, "profile")]
    desk.owners.patients[PATIENT], desk.owners.doctors[DOCTOR] = a_patient(), a_doctor()

    assert office.events(mine)[f"{visit}@hms"]["SUMMARY"] == "Cardiology"
    del desk.table.items[Key(f"patient#{PATIENT}", "profile")]
    assert office.events(hers, "doctor")[f"{visit}@hms"]["SUMMARY"] == "Visit"


def test_a_note_changes_nothing_that_a_calendar_shows(office: Office, desk: Desk) -> None:
    visit, secret = desk.visit(), office.link()
    before = office.feed(secret)

    desk.note(visit)

    assert office.feed(secret).text == before.text


def test_the_calendar_begins_thirty_days_ago(office: Office, desk: Desk) -> None:
    visit, secret = desk.visit(), office.link()
    ended = a_slot().end

    desk.now = ended + timedelta(days=30)
    assert list(office.events(secret)) == [f"{visit}@hms"]

    desk.now = ended + timedelta(days=30, seconds=1)
    assert office.events(secret) == {}


def test_a_cancelled_visit_is_shown_as_such_for_thirty_days(office: Office, desk: Desk) -> None:
    visit, secret = desk.visit(a_slot(day=at("10:00").date() + timedelta(days=90))), office.link()
    desk.cancel(visit)

    desk.now = NOW + timedelta(days=30)
    assert office.events(secret)[f"{visit}@hms"]["STATUS"] == "CANCELLED"

    desk.now = NOW + timedelta(days=30, seconds=1)
    assert office.events(secret) == {}


def a_line(number: int, status: Status = Status.SCHEDULED, days: int = 0) -> Line:
    slot = a_slot(day=at("10:00").date() + timedelta(days=days))
    visit = an_appointment(slot, appointment_id=ids.derived("visit", number), status=status)
    return line_of(visit.appointment_id, text_of(visit, f"patient#{PATIENT}"))


def test_where_there_are_too_many_the_nearest_are_shown_and_the_cancelled_go_first() -> None:
    cancelled = [a_line(number, Status.CANCELLED) for number in range(10)]
    coming = [a_line(100 + day, days=day) for day in range(MOST_VISITS + 3)]

    kept = shown([*reversed(coming), *cancelled], NOW)

    assert kept == coming[:MOST_VISITS]


def test_lines_from_before_lines_told_a_version_are_shown(office: Office, desk: Desk) -> None:
    visit, secret = desk.visit(), office.link()
    for key, item in desk.table.items.items():
        if key.sk.startswith("day#"):
            older = {name: json.dumps(json.loads(text)[:7]) for name, text in (item.entries or {}).items()}
            desk.table.items[key] = replace(item, entries=older)

    event = office.events(secret)[f"{visit}@hms"]

    assert (event["SEQUENCE"], event["STATUS"]) == (0, "CONFIRMED")


@pytest.mark.parametrize("kind", ["patient", "doctor"])
def test_a_calendar_takes_three_reads_and_no_write(kind: str, office: Office, desk: Desk) -> None:
    desk.visit(a_slot("10:00"))
    desk.visit(a_slot("11:00"), patient_id=OTHER_PATIENT)
    secret = office.link(kind, ADMINISTRATOR)

    assert desk.calls_of(lambda: office.feed(secret, kind)) == (3, 0)
    assert desk.calls_of(lambda: office.feed("wrong", kind)) == (1, 0)
    assert desk.owners.asked == []


def test_programs_that_have_it_already_are_told_so(office: Office, desk: Desk) -> None:
    secret = office.link()
    first = office.feed(secret)
    etag = first.headers["ETag"]

    again = [office.feed(secret, **{"If-None-Match": told}) for told in (etag, f"W/{etag}", f'"older", {etag}')]
    desk.visit()
    changed = office.feed(secret, **{"If-None-Match": etag})

    assert [(answer.status, answer.text) for answer in again] == [(304, "")] * 3
    assert changed.status == 200
    assert changed.headers["ETag"] != etag


def test_a_calendar_says_what_it_is_and_keeps_its_address_to_itself(office: Office) -> None:
    headers = office.feed(office.link()).headers

    assert headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert headers["Content-Disposition"] == 'attachment; filename="visits.ics"'
    assert headers["Cache-Control"] == "private, max-age=900"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_every_wrong_token_gets_the_same_answer(office: Office, desk: Desk) -> None:
    mine, hers = office.link(), office.link("doctor", THE_DOCTOR)
    office.revoke(office.tokens()[0]["token_id"])
    another = secret_of(office.create(who=ANOTHER_PATIENT, owner=OTHER_PATIENT))
    nobody = ids.derived("patient", "nobody")
    valid = office.link()

    wrong = [
        office.feed(mine),
        office.feed(hers),
        office.feed(another),
        office.feed(None),
        office.feed(""),
        office.feed(valid[:-1]),
        office.feed(valid + "A"),
        office.feed("é" * 43),
        office.feed(valid, owner=OTHER_PATIENT),
        office.feed(valid, owner=nobody),
        office.feed(valid, owner="somebody"),
    ]

    assert [answer.status for answer in wrong] == [404] * len(wrong)
    ends = {json.dumps(answer.json | {"correlation_id": ""}) for answer in wrong}
    assert len(ends) == 1
    assert "NOT_FOUND" in ends.pop()
    assert {answer.headers["Cache-Control"] for answer in wrong} == {"no-store"}
    assert office.feed(valid).status == 200


def test_a_patients_token_opens_no_doctors_calendar_even_under_one_id(office: Office, desk: Desk) -> None:
    desk.appointments.doctors.keep(a_doctor(PATIENT))

    assert office.feed(office.link(), "doctor", PATIENT).status == 404


@pytest.mark.parametrize(
    ("kind", "who", "status"),
    [
        ("patient", THE_PATIENT, 201),
        ("patient", GUARDIAN, 201),
        ("patient", ADMINISTRATOR, 201),
        ("patient", ANOTHER_PATIENT, 403),
        ("patient", THE_DOCTOR, 403),
        ("patient", RECEPTIONIST, 403),
        ("patient", NURSE, 403),
        ("doctor", THE_DOCTOR, 201),
        ("doctor", ADMINISTRATOR, 201),
        ("doctor", ANOTHER_DOCTOR, 403),
        ("doctor", THE_PATIENT, 403),
        ("doctor", RECEPTIONIST, 403),
    ],
)
def test_people_share_their_own_calendar_and_administrators_anyones(
    kind: str, who: Principal, status: int, office: Office
) -> None:
    assert office.create(kind, who).status == status


@pytest.mark.parametrize(
    ("who", "status"),
    [(THE_PATIENT, 204), (RECEPTIONIST, 204), (ADMINISTRATOR, 204), (ANOTHER_PATIENT, 403), (NURSE, 403)],
)
def test_reception_too_may_end_a_link(who: Principal, status: int, office: Office) -> None:
    secret = office.link()
    [token] = office.tokens()

    assert office.revoke(token["token_id"], who=who).status == status
    assert office.feed(secret).status == (404 if status == 204 else 200)


def test_the_list_tells_no_secret(office: Office) -> None:
    office.who = THE_PATIENT
    answer = office.create()
    secret, token_id = secret_of(answer), answer.json["token_id"]

    [token] = office.tokens(who=RECEPTIONIST)

    assert set(token) == {"token_id", "last_four", "created_at", "created_by"}
    assert (token["token_id"], token["last_four"]) == (token_id, secret[-4:])
    assert token["created_by"] == THE_PATIENT.user_id


def test_a_list_without_tokens_is_empty(office: Office) -> None:
    assert office.tokens() == []


def test_five_links_and_no_more(office: Office) -> None:
    secrets = [office.link() for _ in range(5)]
    sixth = office.create()

    assert len(set(secrets)) == 5
    assert {office.feed(secret).status for secret in secrets} == {200}
    assert (sixth.status, sixth.json["code"]) == (409, "TOO_MANY_CALENDAR_TOKENS")

    office.revoke(office.tokens()[2]["token_id"])
    assert office.create().status == 201
    assert [office.feed(secret).status for secret in secrets] == [200, 200, 404, 200, 200]


def test_the_table_holds_no_secret(office: Office, desk: Desk) -> None:
    secret = office.link()

    assert not [item for item in desk.table.items.values() if secret in str(item)]


def test_the_same_key_tells_the_same_link_again_and_another_key_another(office: Office, desk: Desk) -> None:
    first, again = (office.create(headers={"Idempotency-Key": "a"}) for _ in range(2))
    other = office.create(headers={"Idempotency-Key": "b"})

    assert again.json == first.json
    assert (again.status, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert "Idempotency-Replayed" not in first.headers
    assert secret_of(other) != secret_of(first)
    assert len(office.tokens()) == 2


def test_a_replay_far_later_makes_no_second_token(office: Office) -> None:
    first = office.create(headers={"Idempotency-Key": "kept"})
    others = [office.create(headers={"Idempotency-Key": "a"})]
    for number in range(10):
        office.revoke(office.tokens()[-1]["token_id"])
        others.append(office.create(headers={"Idempotency-Key": str(number)}))
    newest = others[-1]

    for made, key in ((first, "kept"), (newest, "9")):
        again = office.create(headers={"Idempotency-Key": key})
        assert again.json == made.json
    assert len(office.tokens()) == 2


def test_a_token_whose_command_is_long_forgotten_is_still_told_again(office: Office) -> None:
    office.link()
    early = office.create(headers={"Idempotency-Key": "early"})
    for _ in range(10):
        office.link()
        office.revoke(office.tokens()[-1]["token_id"])

    again = office.create(headers={"Idempotency-Key": "early"})

    assert again.json == early.json
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(office.tokens()) == 2


def test_a_lost_answer_makes_no_second_token(office: Office, desk: Desk) -> None:
    desk.table.loses_answers()

    secret = office.link()

    assert office.feed(secret).status == 200
    assert len(office.tokens()) == 1


def test_two_who_share_at_once_both_get_a_link(office: Office, desk: Desk) -> None:
    other: list[str] = []
    desk.table.before.append(lambda: other.append(office.link()))

    secret = office.link()

    assert [office.feed(one).status for one in (secret, *other)] == [200, 200]


def test_revoking_twice_is_told_and_a_repeated_request_replayed(office: Office) -> None:
    office.link()
    [token] = office.tokens()
    key = {"Idempotency-Key": "end"}

    first, again = (office.revoke(token["token_id"], headers=key) for _ in range(2))
    later = office.revoke(token["token_id"])

    assert (first.status, again.status) == (204, 204)
    assert (later.status, later.json["code"]) == (404, "CALENDAR_TOKEN_NOT_FOUND")


def test_a_token_of_somebody_else_is_not_found(office: Office) -> None:
    theirs = office.create(who=ANOTHER_PATIENT, owner=OTHER_PATIENT)

    assert office.revoke(theirs.json["token_id"]).status == 404
    assert office.feed(secret_of(theirs), owner=OTHER_PATIENT).status == 200


def test_nobody_who_is_gone_gets_a_link_or_keeps_one(office: Office, desk: Desk) -> None:
    patient, doctor = office.link(), office.link("doctor", THE_DOCTOR)
    desk.knows(a_patient(active=False), a_doctor(active=False))
    desk.owners.patients[PATIENT] = a_patient(active=False, version=100)
    desk.owners.doctors[DOCTOR] = a_doctor(active=False, version=100)

    refusals = [office.create(), office.create("doctor", THE_DOCTOR)]

    assert [(one.status, one.json["code"]) for one in refusals] == [(409, "PATIENT_INACTIVE"), (409, "DOCTOR_INACTIVE")]
    assert [office.feed(patient).status, office.feed(doctor, "doctor").status] == [404, 404]


def test_somebody_unknown_gets_no_link(office: Office) -> None:
    nobody = ids.derived("patient", "nobody")
    answer = office.create(who=ADMINISTRATOR, owner=nobody)

    assert (answer.status, answer.json["code"]) == (404, "PATIENT_NOT_FOUND")


def test_while_the_owners_are_silent_a_calendar_is_put_off_not_denied(office: Office, desk: Desk) -> None:
    secret = office.link()
    del desk.table.items[Key(f"patient#{PATIENT}", "profile")]
    desk.owners.down = True

    assert office.feed(secret).status == 503


def test_making_and_ending_a_link_is_told_without_the_secret(office: Office, desk: Desk) -> None:
    office.revoke(token_id := office.create().json["token_id"])

    found = desk.table.query(Query(f"patient-calendar#{PATIENT}", *starting("event#"))).items

    told = [json.loads(item.body or "") for item in found]
    assert [event["type"] for event in told] == [
        "appointments.calendar_token_created.v1",
        "appointments.calendar_token_revoked.v1",
    ]
    assert told[0]["actor"] == THE_PATIENT.user_id
    expected = {"owner_id": PATIENT, "owner": "patient", "token_id": token_id}
    assert [event["data"] for event in told] == [{**expected, "version": 1}, {**expected, "version": 2}]


def test_a_request_with_a_token_leaves_none_of_it_in_the_log(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = office.link()
    office.feed(secret)
    monkeypatch.setattr("appointments.feeds.shown", lambda *_: 1 / 0)
    assert office.feed(secret).status == 500

    logged = capsys.readouterr().out
    assert "GET /v1/patients/{patient_id}/calendar.ics" in logged
    assert "ZeroDivisionError" in logged
    assert secret not in logged
    assert "?token" not in logged
