"""What the front door does for every route: who may, which version, what was said before, and what went wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from hms.aggregate import Entity
from hms.api import ANY_USER, PUBLIC, Api, Request, Response, answer
from hms.auth import Principal
from hms.call import Call, Outcome
from hms.errors import Busy, InvalidTransition, Unauthenticated
from hms.fields import Command, Line
from hms.policy import Policy
from hms.rows import Contention
from tests.support.http import Answer, event, sent

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = Policy({"things:rename": {"administrator": "any", "patient": "own"}})
THING_ID = "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60"
RENAME = ("POST", "/v1/things/{thing_id}/rename")


class Thing(Entity):
    name: str


class RenameThing(Command):
    name: Line


class Gate:
    """Takes the names of roles for a token."""

    def principal(self, authorization: str | None, policy: Policy) -> Principal:
        if not authorization:
            raise Unauthenticated
        roles = tuple(authorization.removeprefix("Bearer ").split(","))
        return Principal(f"user-{roles[0]}", roles, scopes=policy.scopes(roles))


def thing(version: int = 1) -> Thing:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    return Thing(name="Asha", version=version, created_at=at, updated_at=at)


def api(rename: Callable[[Call], Response]) -> Api:
    app = Api("things", POLICY, Gate)  # type: ignore[arg-type]

    @app.route(*RENAME, "things:rename", summary="Rename a thing", body=RenameThing)
    def rename_thing(request: Request, _command: RenameThing) -> Response:
        return rename(request.call)

    @app.route("GET", "/v1/me", ANY_USER, summary="Who am I")
    def get_me(request: Request) -> Response:
        return Response(body=json.dumps(request.call.who.user_id))

    return app


def call_of(**headers: str) -> Call:
    """The call that a request with these headers becomes."""
    calls: list[Call] = []

    def rename(call: Call) -> Response:
        calls.append(call)
        return answer(thing())

    body = {"name": headers.pop("name", "Asha")}
    assert renamed(rename, body, **headers).status == 200
    return calls[0]


def renamed(rename: Callable[[Call], Response], body: Any = None, **headers: str) -> Answer:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    sending = {"Authorization": "Bearer administrator"} | named
    return sent(api(rename), *RENAME, body or {"name": "Asha"}, path={"thing_id": THING_ID}, headers=sending)


def test_a_route_without_a_known_permission_cannot_be_declared() -> None:
    with pytest.raises(LookupError, match="things:destroy"):
        Api("things", POLICY).route("DELETE", "/v1/things/{thing_id}", "things:destroy", summary="x")(get_nothing)


def get_nothing(_request: Request) -> Response:
    return Response(204)


def test_nobody_enters_without_a_token() -> None:
    refused = sent(api(lambda _call: answer(thing())), "GET", "/v1/me")

    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"


def test_whoever_is_signed_in_reaches_what_needs_no_permission() -> None:
    welcome = sent(api(lambda _call: answer(thing())), "GET", "/v1/me", headers={"Authorization": "Bearer nurse"})

    assert (welcome.status, welcome.json) == (200, "user-nurse")


def test_a_role_without_the_permission_is_refused_before_its_body_is_read() -> None:
    refused = renamed(lambda _call: answer(thing()), "broken", Authorization="Bearer nurse")

    assert (refused.status, refused.json["code"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("header", "version"), [('"7"', 7), ('W/"7"', 7), ("7", 7), ("*", None), ("new", -1), ('""', -1)]
)
def test_if_match_names_the_version_the_caller_has_seen(header: str, version: int | None) -> None:
    assert call_of(If_Match=header).if_match == version


def test_the_same_key_names_the_same_call_for_the_same_caller_and_path_only() -> None:
    one = call_of(Idempotency_Key="k")

    assert call_of(Idempotency_Key="k").token == one.token
    assert call_of(Idempotency_Key="k", Authorization="Bearer patient").token != one.token
    assert call_of(Idempotency_Key="l").token != one.token
    assert call_of().token != call_of().token


def test_what_was_asked_is_known_by_its_meaning() -> None:
    assert call_of(name="Asha").digest == call_of(name="  Asha ").digest
    assert call_of(name="Asha").digest != call_of(name="Rao").digest


def test_a_single_resource_has_an_etag_and_a_replay_says_so() -> None:
    done = renamed(lambda _call: answer(Outcome(thing(3), replayed=True)))

    assert done.headers["ETag"] == '"3"'
    assert done.headers["Idempotency-Replayed"] == "true"
    assert done.headers["Cache-Control"] == "no-store"


def test_who_has_the_present_version_is_told_so_and_no_more() -> None:
    app = Api("things", POLICY)

    @app.route("GET", "/v1/things/{thing_id}", PUBLIC, summary="Read a thing", answers=Thing)
    def get_thing(_request: Request) -> Response:
        return answer(thing(3))

    same = sent(app, "GET", "/v1/things/{thing_id}", path={"thing_id": THING_ID}, headers={"If-None-Match": '"3"'})
    older = sent(app, "GET", "/v1/things/{thing_id}", path={"thing_id": THING_ID}, headers={"If-None-Match": '"2"'})

    assert (same.status, same.text) == (304, "")
    assert older.status == 200


def test_what_shows_more_than_its_version_counts_is_never_told_to_be_the_same() -> None:
    app = Api("things", POLICY)

    @app.route("GET", "/v1/things/{thing_id}", PUBLIC, summary="Read a thing", answers=Thing)
    def get_thing(_request: Request) -> Response:
        return answer(thing(3), derived=True)

    @app.route("GET", "/v1/things/{thing_id}/name", PUBLIC, summary="Read a thing's name", answers=Thing)
    def get_name(_request: Request) -> Response:
        return answer(thing(3), view=thing(3))

    path, known = "/v1/things/{thing_id}", {"If-None-Match": '"3"'}
    seen, same = (sent(app, "GET", one, path={"thing_id": THING_ID}, headers=known) for one in (path, f"{path}/name"))

    assert (seen.status, seen.headers["ETag"]) == (200, '"3"')
    assert same.status == 304


def test_a_command_says_what_it_did_whatever_the_caller_has() -> None:
    app = api(lambda _call: answer(thing(3)))

    done = sent(
        app,
        *RENAME,
        {"name": "Asha"},
        path={"thing_id": THING_ID},
        headers={"Authorization": "Bearer administrator", "If-None-Match": '"3"'},
    )

    assert (done.status, done.json["version"]) == (200, 3)


@pytest.mark.parametrize(
    ("error", "status", "code", "retry"),
    [
        (InvalidTransition(), 409, "INVALID_TRANSITION", None),
        (Busy(), 503, "BUSY", "1"),
        (Contention(), 503, "BUSY", "1"),
        (KeyError("a secret"), 500, "INTERNAL", None),
    ],
)
def test_every_error_becomes_a_problem(
    error: Exception, status: int, code: str, retry: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    def rename(_call: Call) -> Response:
        raise error

    refused = renamed(rename, X_Correlation_ID="abc")

    assert (refused.status, refused.json["code"]) == (status, code)
    assert refused.json["correlation_id"] == refused.headers["X-Correlation-ID"] == "abc"
    assert refused.json["instance"] == "/v1/things/{thing_id}/rename"
    assert refused.headers.get("Retry-After") == retry
    assert "secret" not in refused.text + capsys.readouterr().out


def test_bytes_travel_to_the_gateway_in_base64_and_words_as_they_are() -> None:
    app = Api("things", POLICY)
    answers: dict[str, bytes | str | None] = {"bytes": b"%PDF\xff", "empty": b"", "words": "%PDF", "nothing": None}

    @app.route("GET", "/v1/things/{form}", PUBLIC, summary="Print a thing", media_type="application/pdf")
    def print_thing(request: Request) -> Response:
        return Response(body=answers[request.path["form"]], headers={"ETag": '"1"'}, media_type="application/pdf")

    def printed(form: str, accept: str = "application/pdf", **headers: str) -> tuple[str, bool]:
        asked = event("GET", "/v1/things/{form}", path={"form": form}, headers=headers | {"Accept": accept})
        proxied = app.handler(asked)
        return proxied["body"], proxied["isBase64Encoded"]

    assert printed("bytes") == ("JVBERv8=", True)
    assert printed("empty") == ("", True)
    assert printed("words") == ("%PDF", False)
    assert printed("nothing") == ("", False)
    assert printed("bytes", **{"If-None-Match": '"1"'}) == ("", False)
    assert printed("bytes", "Application/PDF; q=1, */*") == ("JVBERv8=", True)
    for accept in ("", "*/*", "text/html, application/pdf"):
        assert "NOT_ACCEPTABLE" in printed("bytes", accept)[0]
        assert printed("words", accept) == ("%PDF", False)


def test_an_answer_that_cannot_be_written_is_a_fault_and_not_a_crash() -> None:
    refused = renamed(lambda _call: Response(body=thing().model_copy(update={"name": "\ud800"})))

    assert (refused.status, refused.json["code"]) == (500, "INTERNAL")


def test_a_request_leaves_one_line_with_its_metrics_and_no_personal_data(capsys: pytest.CaptureFixture[str]) -> None:
    call_of(name="Asha", X_Correlation_ID="abc")

    lines = capsys.readouterr().out.splitlines()
    line = json.loads(lines[0])
    assert len(lines) == 1
    assert line["route"] == "POST /v1/things/{thing_id}/rename"
    assert (line["status"], line["requests"], line["errors"], line["correlation_id"]) == (200, 1, 0, "abc")
    assert line["duration"] >= 0
    assert "Asha" not in lines[0]


def test_every_domain_answers_for_its_health() -> None:
    healthy = sent(Api("things", POLICY), "GET", "/v1/things/health")

    assert (healthy.status, healthy.json) == (200, {"domain": "things", "status": "ok"})
