from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hms.api import ANY_USER, PUBLIC
from identity import api
from tests.support.http import Answer, sent
from tests.support.identity import EMAIL, PASSWORD, Office

if TYPE_CHECKING:
    from identity.model import User

ADMIN = "admin@example.com"


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Office:
    office = Office()
    office.user(ADMIN, roles=["administrator"])
    monkeypatch.setattr(api, "desk", office.desk)
    monkeypatch.setattr(api.app, "_verifier", None)
    monkeypatch.setattr(api.app, "_make_verifier", office.verifier)
    return office


def bearer(office: Office, email: str = ADMIN) -> dict[str, str]:
    return {"Authorization": f"Bearer {office.log_in(email).access_token}"}


def send(method: str, resource: str, body: Any = None, **details: Any) -> Answer:
    return sent(api.app, method, resource, body, **details)


def patient(office: Office) -> User:
    return office.user(roles=["patient"], patient_id="01930d2a-6f00-7000-8000-0000000000b1")


def test_a_login_answers_tokens_and_the_user_but_no_hash(office: Office) -> None:
    answer = send("POST", "/v1/auth/login", {"email": ADMIN, "password": PASSWORD})

    assert answer.status == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "refresh_token", "user"}
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 600)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "argon2" not in answer.text


def test_a_refused_login_is_logged_with_the_address_masked(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    answer = send("POST", "/v1/auth/login", {"email": "john.doe@example.com", "password": "not the password"})

    logged = capsys.readouterr().out
    assert answer.status == 401
    assert '"email":"jo****@example.com"' in logged
    assert "john.doe" not in logged


def test_a_session_from_login_to_logout(office: Office) -> None:
    first = send("POST", "/v1/auth/login", {"email": ADMIN, "password": PASSWORD}).json
    second = send("POST", "/v1/auth/refresh", {"refresh_token": first["refresh_token"]}).json
    headers = {"Authorization": f"Bearer {second['access_token']}"}

    me = send("GET", "/v1/me", headers=headers)
    out = send("POST", "/v1/auth/logout", headers=headers)
    again = send("POST", "/v1/auth/refresh", {"refresh_token": second["refresh_token"]})

    assert (me.status, me.json["email"], me.headers["ETag"]) == (200, ADMIN, '"1"')
    assert (out.status, out.text) == (204, "")
    assert (again.status, again.json["code"]) == (401, "SESSION_REVOKED")


def test_a_locked_address_is_told_when_to_come_back(office: Office) -> None:
    wrong = {"email": "nobody@example.com", "password": "ten green bottles"}
    answers = [send("POST", "/v1/auth/login", wrong) for _ in range(6)]

    assert [answer.status for answer in answers] == [401] * 5 + [429]
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 900


def test_users_are_created_read_changed_and_deactivated(office: Office) -> None:
    headers = bearer(office)
    created = send("POST", "/v1/users", {"email": EMAIL, "password": PASSWORD, "roles": ["nurse"]}, headers=headers)
    path = {"user_id": created.json["user_id"]}
    one = "/v1/users/{user_id}"

    changed = send("PATCH", one, {"roles": ["auditor"]}, path=path, headers=headers | {"If-Match": '"1"'})
    stale = send("PATCH", one, {"roles": ["nurse"]}, path=path, headers=headers | {"If-Match": '"1"'})
    gone = send("POST", f"{one}/deactivate", path=path, headers=headers)
    back = send("POST", f"{one}/reactivate", path=path, headers=headers)
    unlocked = send("POST", f"{one}/unlock", path=path, headers=headers)
    read = send("GET", one, path=path, headers=headers)
    listed = send("GET", "/v1/users", headers=headers, query={"limit": "1"})

    statuses = [answer.status for answer in (created, changed, stale, gone, back, unlocked, read, listed)]
    assert statuses == [201, 200, 412, 200, 200, 200, 200, 200]
    assert (read.json["roles"], read.json["active"], read.json["version"]) == (["auditor"], True, 4)
    assert len(listed.json["items"]) == 1
    assert listed.json["next_cursor"]


def test_a_repeated_creation_says_so(office: Office) -> None:
    headers = bearer(office) | {"Idempotency-Key": "one"}
    body = {"email": EMAIL, "password": PASSWORD, "roles": ["nurse"]}

    first, second = (send("POST", "/v1/users", body, headers=headers) for _ in range(2))

    assert (first.status, second.status, first.json) == (201, 201, second.json)
    assert second.headers["Idempotency-Replayed"] == "true"


def test_ones_own_password_is_changed(office: Office) -> None:
    body = {"current_password": PASSWORD, "new_password": "a brand new sentence"}

    assert send("POST", "/v1/me/password", body, headers=bearer(office)).status == 204
    assert office.log_in(ADMIN, "a brand new sentence").user.email == ADMIN


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": EMAIL, "password": PASSWORD, "roles": ["nurse"], "admin": True}, "admin"),
        ({"email": "asha", "password": PASSWORD, "roles": ["nurse"]}, "email"),
        ({"email": EMAIL, "password": PASSWORD, "roles": []}, "roles"),
        ({"email": EMAIL, "password": PASSWORD, "roles": ["king"]}, "roles.0"),
        ({"email": EMAIL, "password": PASSWORD, "roles": ["doctor"]}, "doctor_id"),
        ({"email": EMAIL, "password": "tooshort", "roles": ["nurse"]}, "password"),
        ({"email": EMAIL, "password": 123456789012, "roles": ["nurse"]}, "password"),
        ({"email": EMAIL, "password": PASSWORD, "roles": ["patient"], "patient_id": "7"}, "patient_id"),
    ],
)
def test_a_wrong_field_is_named_and_never_shown(office: Office, body: dict[str, Any], field: str) -> None:
    answer = send("POST", "/v1/users", body, headers=bearer(office))

    assert (answer.status, answer.json["code"]) == (422, "INVALID")
    assert [one["field"] for one in answer.json["errors"]] == [field]
    assert str(body["password"]) not in answer.text


def test_every_operation_but_logging_in_needs_a_token(office: Office) -> None:
    path = {"user_id": office.user().user_id}
    public = {resource for (_, resource), route in api.app.routes.items() if route.permission == PUBLIC}

    assert public == {"/v1/auth/login", "/v1/auth/refresh", "/.well-known/jwks.json", "/v1/identity/health"}
    for (method, resource), route in api.app.routes.items():
        if route.permission != PUBLIC:
            assert send(method, resource, path=path).status == 401, resource


def test_only_the_roles_of_the_policy_reach_users(office: Office) -> None:
    path = {"user_id": patient(office).user_id}
    office.user("auditor@example.com", roles=["auditor"])

    for (method, resource), route in api.app.routes.items():
        if route.permission in (PUBLIC, ANY_USER):
            continue
        assert send(method, resource, path=path, headers=bearer(office, EMAIL)).status == 403, resource
        allowed = send(method, resource, path=path, headers=bearer(office, "auditor@example.com")).status == 200
        assert allowed == (route.permission == "identity:read_users")


def test_the_keys_are_public_and_cacheable(office: Office) -> None:
    answer = send("GET", "/.well-known/jwks.json")

    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert [set(key) for key in answer.json["keys"]] == [{"kty", "crv", "x", "y", "kid", "use", "alg"}]
    assert set(answer.json) == {"keys"}


def test_nothing_private_is_logged(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    first = send("POST", "/v1/auth/login", {"email": ADMIN, "password": PASSWORD}).json
    send("POST", "/v1/auth/login", {"email": ADMIN, "password": "ten green bottles"})
    send("POST", "/v1/auth/refresh", {"refresh_token": first["refresh_token"]})
    headers = {"Authorization": f"Bearer {first['access_token']}"}
    send("POST", "/v1/users", {"email": EMAIL, "password": PASSWORD, "roles": ["nurse"]}, headers=headers)

    logged = capsys.readouterr().out

    lines = [json.loads(line) for line in logged.splitlines()]
    assert [line["status"] for line in lines if "status" in line] == [200, 401, 200, 201]
    for private in (ADMIN, EMAIL, PASSWORD, "ten green", first["refresh_token"], first["access_token"]):
        assert private not in logged


@pytest.mark.parametrize("raw", ["{", "[]", '"text"', '{"email": 1}', '{"email": "\\ud800", "password": "x"}'])
def test_a_broken_login_is_a_client_error_that_writes_nothing(office: Office, raw: str) -> None:
    before = dict(office.table.items)

    assert send("POST", "/v1/auth/login", raw=raw).status in (400, 422)
    assert office.table.items == before


def test_an_address_that_grows_when_folded_is_just_wrong(office: Office) -> None:
    answer = send("POST", "/v1/auth/login", {"email": "\U0001d160" * 254, "password": PASSWORD})

    assert answer.status == 401


def test_only_what_answers_nothing_declares_no_answer() -> None:
    assert {route.handle.__name__ for route in api.app.routes.values() if route.answers is None} == {
        "log_out",
        "change_password",
    }
