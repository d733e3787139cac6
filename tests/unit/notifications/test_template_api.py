"""Templates as administrators see them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import notifications
from hms.api import Api
from hms.auth import Principal, Verifier
from hms.policy import Policy
from notifications import template_api
from notifications.shipped import places
from notifications.templates import Templates
from tests.support.http import Answer, sent
from tests.support.memory import MemoryTable

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = Policy.load(Path(notifications.__file__).with_name("policy.json"))
ALL = "/v1/notification-templates"
ONE = f"{ALL}/{{kind}}/{{channel}}/{{language}}"
SMS = {"kind": "appointment-booked", "channel": "sms", "language": "en"}
EMAIL = SMS | {"channel": "email"}
TEXT = "{{ patient.name }}: {{ visit.slot_start|short_date(visit.timezone) }}"


class Door(Verifier):
    """Lets in whom the test wants."""

    def __init__(self) -> None:
        super().__init__(lambda: None, "test")
        self.roles: tuple[str, ...] = ("administrator",)

    def principal(self, authorization: str | None, policy: Policy) -> Principal:
        return Principal("user-1", self.roles, scopes=POLICY.scopes(self.roles))


class Office:
    def __init__(self, table: MemoryTable, door: Door) -> None:
        self.table, self.door = table, door
        self.app = Api("notifications", POLICY, lambda: door)
        template_api.declare(self.app)

    def send(self, method: str, resource: str, body: Any = None, **details: Any) -> Answer:
        return sent(self.app, method, resource, body, **details)

    def get(self, path: dict[str, str] = SMS) -> Answer:
        return self.send("GET", ONE, path=path)

    def put(self, text: str = TEXT, path: dict[str, str] = SMS, subject: str | None = None, **headers: str) -> Answer:
        body = {"text": text} | ({"subject": subject} if subject else {})
        return self.send(
            "PUT", ONE, body, path=path, headers={name.replace("_", "-"): headers[name] for name in headers}
        )

    def reset(self, path: dict[str, str] = SMS, **headers: str) -> Answer:
        return self.send("DELETE", ONE, path=path, headers={name.replace("_", "-"): headers[name] for name in headers})

    def preview(self, body: Any, path: dict[str, str] = SMS) -> Answer:
        return self.send("POST", f"{ONE}/preview", body, path=path)

    def pages(self, resource: str, limit: int, path: dict[str, str] | None = None) -> Iterator[list[Any]]:
        query: dict[str, str | list[str]] = {"limit": str(limit)}
        while True:
            page = self.send("GET", resource, path=path, query=query).json
            yield page["items"]
            if not page["next_cursor"]:
                return
            query |= {"cursor": page["next_cursor"]}


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Office:
    table = MemoryTable()
    monkeypatch.setattr(template_api, "templates", Templates(table))
    return Office(table, Door())


def refused(answer: Answer) -> tuple[int, str, list[tuple[str, str]]]:
    errors = [(one["field"], one["detail"]) for one in answer.json["errors"]]
    return answer.status, answer.json["code"], errors


def test_a_shipped_template_is_version_0(office: Office) -> None:
    answer = office.get()

    assert answer.status == 200
    assert answer.headers["ETag"] == '"0"'
    assert answer.json["status"] == "SHIPPED"
    assert answer.json["subject"] is None
    assert "is booked for" in answer.json["text"]


def test_an_edit_is_a_new_version(office: Office) -> None:
    first = office.put(If_Match='"0"')
    second = office.put("Dear {{ patient.name }}", If_Match='"1"')

    assert (first.status, first.headers["ETag"], first.json["status"]) == (200, '"1"', "EDITED")
    assert (second.headers["ETag"], second.json["text"]) == ('"2"', "Dear {{ patient.name }}")
    assert office.get().json == second.json
    assert second.json["created_at"] == first.json["created_at"]


@pytest.mark.parametrize("seen", ['"1"', '"x"', "nonsense", '"-1"'])
def test_an_edit_of_what_has_changed_since_is_refused(office: Office, seen: str) -> None:
    assert office.put(If_Match=seen).json["code"] == "STALE_VERSION"
    assert office.get().json["version"] == 0


def test_the_same_key_edits_once(office: Office) -> None:
    first = office.put(Idempotency_Key="k")
    office.put("Dear {{ patient.name }}")

    again = office.put(Idempotency_Key="k")

    assert again.json == first.json
    assert again.headers["Idempotency-Replayed"] == "true"
    assert office.get().json["version"] == 2
    assert office.put("other", Idempotency_Key="k").json["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_an_edit_is_told_without_the_words(office: Office) -> None:
    office.put()

    (event,) = [item for item in office.table.items.values() if item.event_id]
    told = json.loads(event.body or "")
    assert told["type"] == "notifications.template_changed.v1"
    assert told["data"] == SMS | {"template_id": told["subject"], "version": 1, "status": "EDITED"}


def test_a_language_is_added_and_withdrawn(office: Office) -> None:
    tamil = SMS | {"language": "TA-in"}
    assert office.get(tamil).json["code"] == "TEMPLATE_NOT_FOUND"

    added = office.put(path=tamil)
    withdrawn = office.reset(tamil)

    assert (added.json["language"], added.json["version"]) == ("ta-IN", 1)
    assert (withdrawn.json["status"], withdrawn.json["version"]) == ("WITHDRAWN", 2)
    assert office.get(SMS | {"language": "ta-IN"}).json == withdrawn.json
    assert office.reset(tamil).json["code"] == "INVALID_TRANSITION"
    assert office.put(path=tamil, If_Match='"2"').json["status"] == "EDITED"


def test_a_reset_is_a_version_with_the_shipped_words(office: Office) -> None:
    shipped = office.get().json
    office.put()

    first = office.reset(If_Match='"1"', Idempotency_Key="k")
    again = office.reset(Idempotency_Key="k")

    assert first.status == 200
    assert (first.json["version"], first.json["status"], first.json["text"]) == (2, "SHIPPED", shipped["text"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert office.get().json == first.json


def test_what_is_not_edited_cannot_be_reset(office: Office) -> None:
    assert (office.reset().status, office.reset().json["code"]) == (409, "INVALID_TRANSITION")
    office.put()
    assert office.reset(If_Match='"0"').status == 412
    office.reset()
    assert office.reset().json["code"] == "INVALID_TRANSITION"
    assert office.reset(SMS | {"language": "ta"}).json["code"] == "TEMPLATE_NOT_FOUND"


def test_the_versions_tell_who_made_them(office: Office) -> None:
    office.put("one")
    office.put("two")
    office.reset()

    versions = [one for page in office.pages(f"{ONE}/versions", 2, SMS) for one in page]

    assert [(one["version"], one["status"], one["by"]) for one in versions] == [
        (1, "EDITED", "user-1"),
        (2, "EDITED", "user-1"),
        (3, "SHIPPED", "user-1"),
    ]
    assert [one["text"] for one in versions[:2]] == ["one", "two"]


def test_a_shipped_template_has_no_versions_and_an_unknown_one_is_not_found(office: Office) -> None:
    assert office.send("GET", f"{ONE}/versions", path=SMS).json == {"items": [], "next_cursor": None}
    answer = office.send("GET", f"{ONE}/versions", path=SMS | {"language": "ta"})
    assert answer.json["code"] == "TEMPLATE_NOT_FOUND"


@pytest.mark.parametrize("limit", [1, 2, 7, 43, 44, 100])
def test_the_list_has_every_template_once_in_order(office: Office, limit: int) -> None:
    office.put()
    office.put(path=SMS | {"language": "ta"})
    office.put(path=SMS | {"language": "aa"})
    office.put(path=SMS | {"kind": "reminder-2h"})

    pages = [*office.pages(ALL, limit)]
    lines = [(one["kind"], one["channel"], one["language"]) for page in pages for one in page]

    added = {("appointment-booked", "sms", "ta"), ("appointment-booked", "sms", "aa")}
    assert lines == sorted({*places()} | added)
    assert all(len(page) == limit for page in pages[:-1])
    edited = {one["language"] for page in pages for one in page if one["status"] == "EDITED"}
    assert edited == {"en", "ta", "aa"}
    assert "text" not in pages[0][0]


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("{{ visit.secret }}", "line 1: messages of this kind have no visit.secret"),
        ("\n\n{{ 'a' * 9 }}", "line 1: mul is not among what a template may do"),
        ("a\n{% for a in visit %}{% endfor %}", "line 2: for is not among what a template may do"),
        ("{{ visit.timezone|secret }}", "line 1: there is no filter secret"),
        ("{{ visit.slot_start|date }}", "line 1: the filter date takes other arguments"),
        ("{{ visit.department|money }}", "visit.department is not an amount of money"),
        ("{{ visit }}", "visit is neither text nor a whole number"),
        ("{% if visit.timezone == '' %}x{% endif %}", "text is missing or blank"),
        ("{{ patient.name", "line 1: unexpected end of template, expected 'end of print statement'."),
    ],
)
def test_words_that_would_fail_a_message_are_refused(office: Office, text: str, detail: str) -> None:
    answer = office.put(text)

    assert refused(answer) == (422, "INVALID", [("text", detail)])
    assert office.table.commits == 0


def test_a_subject_is_where_it_belongs(office: Office) -> None:
    hello = "Hello {{ patient.name }}"

    assert refused(office.put(subject=hello)) == (422, "INVALID", [("subject", "an SMS has no subject")])
    assert refused(office.put(path=EMAIL)) == (422, "INVALID", [("subject", "e-mail and push need a subject")])
    assert office.put(path=EMAIL, subject=hello).json["subject"] == hello
    answer = office.put(path=EMAIL, subject="{{ visit.secret }}")
    assert refused(answer)[2] == [("subject", "line 1: messages of this kind have no visit.secret")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": " \n"},
        {"text": "x" * 4001},
        {"text": "a\u202eb"},
        {"text": "a\x00b"},
        {"text": None},
        {"text": "x", "language": "hi"},
        {"text": "x", "subject": "a\r\nBcc: b@example.com"},
        {"text": "x", "subject": "x" * 501},
    ],
)
def test_a_body_that_is_not_right_is_refused(office: Office, body: Any) -> None:
    answer = office.send("PUT", ONE, body, path=EMAIL)

    assert (answer.status, answer.json["code"]) == (422, "INVALID")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (SMS | {"kind": "nothing"}, 404),
        (SMS | {"kind": "../appointment-booked"}, 404),
        (SMS | {"channel": "fax"}, 404),
        (SMS | {"channel": "SMS"}, 404),
        (SMS | {"language": "english"}, 422),
        (SMS | {"language": "en_GB"}, 422),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_place_that_is_none_leads_nowhere(office: Office, method: str, path: dict[str, str], status: int) -> None:
    body = {"text": "x"} if method == "PUT" else None

    assert office.send(method, ONE, body, path=path).status == status


def test_a_preview_shows_the_sample_and_changes_nothing(office: Office) -> None:
    shown = office.preview({})

    assert shown.status == 200
    assert shown.json["text"].startswith("Asha Rao, your visit with Dr. Meera Iyer is booked for Mon 23 Nov, 10:00 am.")
    assert shown.json["sms"] == {"encoding": "GSM-7", "characters": 124, "segments": 1}
    assert office.preview({"text": TEXT}).json["text"] == "Asha Rao: Mon 23 Nov"
    assert office.table.commits == 0


def test_a_preview_takes_values_of_ones_own(office: Office) -> None:
    patient = {"patient": {"name": "Ravi ₹"}}

    shown = office.preview({"text": TEXT, "values": patient}).json

    assert (shown["text"], shown["sms"]["encoding"]) == ("Ravi ₹: Mon 23 Nov", "UCS-2")
    answer = office.preview({"values": {"patient": {}}})
    assert refused(answer) == (422, "INVALID", [("text", "patient.name is missing or blank")])


def test_a_preview_of_half_a_draft_takes_the_rest_from_the_template(office: Office) -> None:
    shown = office.preview({"subject": "For {{ patient.name }}"}, EMAIL).json

    assert shown["subject"] == "For Asha Rao"
    assert shown["text"].startswith("Dear Asha Rao,")
    assert shown["sms"] is None
    shown = office.preview({"text": "x"}, EMAIL).json
    assert (shown["subject"], shown["text"]) == ("Your visit on Mon 23 Nov, 10:00 am", "x")
    assert office.preview({"subject": "x", "text": "x"}).json["errors"][0]["field"] == "subject"


def test_a_draft_in_a_new_language_is_previewed_before_it_is_there(office: Office) -> None:
    tamil = SMS | {"language": "ta"}

    assert office.preview({"text": TEXT}, tamil).json["text"] == "Asha Rao: 2026-11-23"
    assert office.preview({}, tamil).json["code"] == "TEMPLATE_NOT_FOUND"


@pytest.mark.parametrize(
    ("role", "read", "written"),
    [("administrator", 200, 200), ("auditor", 200, 403), ("receptionist", 403, 403), ("patient", 403, 403)],
)
def test_administrators_edit_and_auditors_read(office: Office, role: str, read: int, written: int) -> None:
    office.door.roles = (role,)

    assert office.get().status == read
    assert office.send("GET", ALL).status == read
    assert office.preview({}).status == read
    assert office.put().status == written
    assert office.reset().status == written
