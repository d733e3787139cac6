"""Logging in, staying logged in, and what ends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt

from hms import ids
from tests.support.client import agreed, eventually, refused
from tests.support.hospital import PASSWORD

if TYPE_CHECKING:
    from tests.support.client import Answer, Client
    from tests.support.hospital import Hospital

# A session ends everywhere within 30 seconds.
END_SECONDS = 45


def log_in(hospital: Hospital, email: str, password: str = PASSWORD) -> Answer:
    return hospital.anyone.post("/v1/auth/login", {"email": email, "password": password})


def signed_in(hospital: Hospital) -> tuple[Client, dict[str, Any]]:
    user = hospital.user("nurse")
    tokens = agreed(log_in(hospital, user.user["email"]))
    return hospital.anyone.bearing(tokens["access_token"]), tokens


def test_an_access_token_is_checked_with_the_published_keys(hospital: Hospital) -> None:
    _, tokens = signed_in(hospital)
    published = agreed(hospital.anyone.get("/.well-known/jwks.json"))["keys"]
    kid = jwt.get_unverified_header(tokens["access_token"])["kid"]
    key = next(jwt.PyJWK(one) for one in published if one["kid"] == kid)

    claims = jwt.decode(tokens["access_token"], key, algorithms=["ES256"], audience=f"hms-{hospital.system.stage}")

    assert claims["sub"] == tokens["user"]["user_id"]
    assert claims["exp"] - claims["iat"] == tokens["expires_in"] == 600


def test_a_refresh_token_is_good_once_and_for_a_retry(hospital: Hospital) -> None:
    _, tokens = signed_in(hospital)
    old, now = tokens["refresh_token"], datetime.now(UTC)
    fresh = agreed(hospital.anyone.post("/v1/auth/refresh", {"refresh_token": old}))
    assert fresh["refresh_token"] != old
    agreed(hospital.anyone.bearing(fresh["access_token"]).get("/v1/me"))

    retried = agreed(hospital.anyone.post("/v1/auth/refresh", {"refresh_token": old}))

    assert retried["refresh_token"] == fresh["refresh_token"]
    much_later = hospital.anyone.at(now + timedelta(minutes=5))
    refused(much_later.post("/v1/auth/refresh", {"refresh_token": old}), 401, "SESSION_REVOKED")
    stolen = hospital.anyone.post("/v1/auth/refresh", {"refresh_token": fresh["refresh_token"]})
    refused(stolen, 401, "SESSION_REVOKED")


def test_an_address_is_locked_after_five_failures(hospital: Hospital) -> None:
    user = hospital.user("nurse")
    email = user.user["email"]
    for _ in range(5):
        refused(log_in(hospital, email, "not the password"), 401, "INVALID_CREDENTIALS")
    now = datetime.now(UTC)

    locked = log_in(hospital, email)
    refused(locked, 429, "ACCOUNT_LOCKED")
    assert 0 < int(locked.headers["Retry-After"]) <= 15 * 60
    later = hospital.anyone.at(now + timedelta(minutes=16))
    agreed(later.post("/v1/auth/login", {"email": email, "password": PASSWORD}))


def test_nobody_learns_who_has_an_account(hospital: Hospital) -> None:
    known = refused(log_in(hospital, hospital.user("nurse").user["email"], "not it"), 401, "INVALID_CREDENTIALS")
    unknown = refused(log_in(hospital, f"{ids.new()}@example.com", "not it"), 401, "INVALID_CREDENTIALS")

    assert known["detail"] == unknown["detail"]


def test_a_session_that_was_ended_ends_everywhere(hospital: Hospital) -> None:
    nurse, tokens = signed_in(hospital)
    agreed(nurse.get("/v1/doctors"))

    agreed(nurse.post("/v1/auth/logout", {"refresh_token": tokens["refresh_token"]}), 204)

    again = hospital.anyone.post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    refused(again, 401, "SESSION_REVOKED")
    ended = eventually(lambda: nurse.get("/v1/doctors"), lambda answer: answer.status_code == 401, END_SECONDS)
    refused(ended, 401, "UNAUTHENTICATED")


def test_a_password_is_long_and_not_the_first_that_is_tried(hospital: Hospital) -> None:
    for password in ("gate at 9", "password1234", "aaaaaaaaaaaaaaaa"):
        command = {"email": f"{ids.new()}@example.com", "password": password, "roles": ["nurse"]}
        problem = refused(hospital.admin.post("/v1/users", command), 422, "INVALID")
        assert [error["field"] for error in problem["errors"]] == ["password"]
        assert password not in str(problem)


def test_somebody_changes_their_own_password(hospital: Hospital) -> None:
    nurse, _ = signed_in(hospital)
    email, new = agreed(nurse.get("/v1/me"))["email"], "another gate at ten"
    wrong = {"current_password": "not the password", "new_password": new}
    refused(nurse.post("/v1/me/password", wrong), 401, "INVALID_CREDENTIALS")

    agreed(nurse.post("/v1/me/password", {"current_password": PASSWORD, "new_password": new}), 204)

    refused(log_in(hospital, email), 401, "INVALID_CREDENTIALS")
    agreed(log_in(hospital, email, new))
