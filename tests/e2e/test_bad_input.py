"""Bad input: a problem with the right status and code, and nothing written."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hms import ids
from tests.support.client import agreed, refused
from tests.support.hospital import PASSWORD, slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.client import Client
    from tests.support.hospital import Hospital

pytestmark = pytest.mark.any_engine

NAIVE = {"slot_start": "2027-03-01T10:00:00", "slot_end": "2027-03-01T10:30:00"}
BACKWARD = {"slot_start": "2027-03-01T10:30:00Z", "slot_end": "2027-03-01T10:00:00Z"}
# What is wrong with an otherwise good booking → the field that is named.
SPOILT: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": ({"colour": "blue"}, "colour"),
    "number for an id": ({"patient_id": 17}, "patient_id"),
    "id that is none": ({"patient_id": "17"}, "patient_id"),
    "null": ({"doctor_id": None}, "doctor_id"),
    "object for text": ({"department": {"name": "Cardiology"}}, "department"),
    "empty text": ({"department": "  "}, "department"),
    "control characters": ({"department": "Cardio\u0000logy"}, "department"),
    "too long a text": ({"department": "C" * 201}, "department"),
    "naive times": (NAIVE, "slot_start"),
    "number for a time": ({"slot_start": 1800000000}, "slot_start"),
    "no such day": ({"slot_start": "2027-02-30T10:00:00Z"}, "slot_start"),
    "a far year": ({"slot_start": "9999-12-31T23:59:59Z"}, "slot_start"),
    "end before start": (BACKWARD, "body"),
    "unknown kind": ({"exemption": {"kind": "FRIEND", "reason": "Knows me"}}, "exemption.kind"),
}
# Bodies that are no booking at all → the answer.
BODIES: dict[str, tuple[bytes, int, str]] = {
    "broken JSON": (b'{"patient_id": ', 400, "MALFORMED"),
    "no JSON": (b"patient_id=1", 400, "MALFORMED"),
    "bad UTF-8": (b'{"department": "\xff\xfe"}', 400, "MALFORMED"),
    "deep JSON": (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, 400, "MALFORMED"),
    "a list": (b"[]", 422, "INVALID"),
    "a number": (b"17", 422, "INVALID"),
    "null": (b"null", 422, "INVALID"),
    "nothing": (b"", 422, "INVALID"),
    "a megabyte": (b'{"department": "' + b"x" * 1_000_000 + b'"}', 413, "TOO_LARGE"),
}


@pytest.fixture(scope="module")
def wish(hospital: Hospital) -> dict[str, Any]:
    """A booking that would work."""
    people = {"patient_id": hospital.patient()["patient_id"], "doctor_id": hospital.doctor()["doctor_id"]}
    return people | slot("10:00")


@pytest.fixture
def unwritten(hospital: Hospital, wish: dict[str, Any]) -> Iterator[None]:
    """Holds that the test leaves no visit behind."""
    yield
    for owner in ("patient_id", "doctor_id"):
        assert agreed(hospital.admin.get("/v1/appointments", query={owner: wish[owner]}))["items"] == []


@pytest.mark.usefixtures("unwritten")
@pytest.mark.parametrize("what", SPOILT)
def test_a_wrong_field_is_named(hospital: Hospital, wish: dict[str, Any], what: str) -> None:
    spoilt, field = SPOILT[what]

    problem = refused(hospital.reception.post("/v1/appointments", wish | spoilt), 422, "INVALID")

    assert field in [error["field"] for error in problem["errors"]]


@pytest.mark.usefixtures("unwritten")
@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_is_no_booking_is_refused(hospital: Hospital, what: str) -> None:
    body, status, code = BODIES[what]

    refused(hospital.reception.send("POST", "/v1/appointments", raw=body), status, code)


@pytest.mark.usefixtures("unwritten")
def test_a_body_says_that_it_is_json(hospital: Hospital, wish: dict[str, Any]) -> None:
    plain = {"Content-Type": "text/plain"}
    answer = hospital.reception.send("POST", "/v1/appointments", raw=json.dumps(wish).encode(), headers=plain)
    refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.usefixtures("unwritten")
def test_a_key_is_visible_ascii_and_not_endless(hospital: Hospital, wish: dict[str, Any]) -> None:
    for key in ("k" * 256, "two words"):
        refused(hospital.reception.post("/v1/appointments", wish, key=key), 400, "MALFORMED")


def test_an_id_that_is_none_leads_nowhere(hospital: Hospital) -> None:
    for path in ("/v1/appointments/17", "/v1/patients/17", "/v1/doctors/17", "/v1/users/17"):
        refused(hospital.admin.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/appointments", {"colour": "blue"}),
        ("/v1/appointments", {"limit": "0"}),
        ("/v1/appointments", {"limit": "101"}),
        ("/v1/appointments", {"limit": "many"}),
        ("/v1/appointments", {"day": "tomorrow"}),
        ("/v1/appointments", {"status": "LATE"}),
        ("/v1/appointments", {"patient_id": "17"}),
        ("/v1/appointments", {"day": ["2027-03-01", "2027-03-02"]}),
        ("/v1/patients", {"cursor": "!!!"}),
        ("/v1/patients", {"dob": "1990-13-01"}),
        ("/v1/doctors", {"active": "perhaps"}),
        ("/v1/doctors/{doctor_id}/availability", {"from": "2027-03-01T10:00:00"}),
        ("/v1/doctors/{doctor_id}/availability", {"from": "2027-03-02", "to": "2027-03-01"}),
        ("/v1/doctors/{doctor_id}/availability", {"from": "2027-01-01", "to": "2028-01-01"}),
        ("/v1/departments", {"limit": "-1"}),
    ],
)
def test_a_wrong_parameter_is_refused(
    hospital: Hospital, wish: dict[str, Any], path: str, query: dict[str, Any]
) -> None:
    problem = refused(hospital.admin.get(path.format(**wish), query=query), 422, "INVALID")
    assert problem["errors"]


def test_people_are_registered_with_believable_data_only(hospital: Hospital) -> None:
    name = f"Nobody {ids.new()}"
    good = {"name": name, "dob": "1990-04-23", "email": f"{ids.new()}@example.com"}
    for spoilt in (
        {"dob": "2999-01-01"},
        {"dob": "1899-12-31"},
        {"email": "nowhere"},
        {"phone": "12"},
        {"sex": "unsure"},
        {"name": ""},
        {"nickname": "No"},
        {"emergency_contacts": [{"name": "No"}]},
    ):
        refused(hospital.admin.post("/v1/patients", good | spoilt), 422, "INVALID")

    assert agreed(hospital.admin.get("/v1/patients", query={"email": good["email"]}))["items"] == []


def test_hours_are_believable_too(hospital: Hospital) -> None:
    doctor = hospital.doctor()
    path = f"/v1/doctors/{doctor['doctor_id']}/schedule"
    monday = {"weekday": "MONDAY", "start": "09:00", "end": "13:00", "slot_duration": 30}
    for periods in (
        [monday | {"end": "09:00"}],
        [monday | {"start": "09:03"}],
        [monday | {"slot_duration": 7}],
        [monday | {"weekday": "FUNDAY"}],
        [monday, monday | {"start": "12:00", "end": "14:00"}],
    ):
        refused(hospital.admin.put(path, {"periods": periods}), 422, "INVALID")

    assert agreed(hospital.admin.get(f"/v1/doctors/{doctor['doctor_id']}"))["version"] == doctor["version"]


def test_what_one_may_have_only_once_is_not_given_twice(hospital: Hospital) -> None:
    email = f"{ids.new()}@example.com"
    hospital.patient(email=email)
    again = {"name": "Uma Shankar", "dob": "1990-04-23", "email": email.upper()}

    refused(hospital.admin.post("/v1/patients", again), 409, "EMAIL_TAKEN")


def _altered(token: str, **claims: Any) -> str:
    header, payload, signature = token.split(".")
    read = json.loads(base64.urlsafe_b64decode(payload + "=="))
    written = base64.urlsafe_b64encode(json.dumps(read | claims).encode()).decode().rstrip("=")
    return f"{header}.{written}.{signature}"


def _signed(token: str, **claims: Any) -> str:
    """The same claims under the same key id, signed by somebody else."""
    read = jwt.decode(token, options={"verify_signature": False}) | claims
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(read, key, algorithm="ES256", headers={"kid": jwt.get_unverified_header(token)["kid"]})


def _unsigned(token: str) -> str:
    return jwt.encode(jwt.decode(token, options={"verify_signature": False}), "", algorithm="none")


FORGERIES: dict[str, Callable[[str], str]] = {
    "another role": lambda token: _altered(token, roles=["administrator"]),
    "another person": lambda token: _altered(token, sub=ids.new()),
    "a later end": lambda token: _altered(token, exp=4_000_000_000),
    "another key": _signed,
    "no signature": _unsigned,
    "half a token": lambda token: token[: len(token) // 2],
    "an unknown key": lambda _: jwt.encode({"sub": "x"}, "k" * 32, algorithm="HS256", headers={"kid": "mine"}),
    "nonsense": lambda _: "nonsense",
    "an endless token": lambda token: token + "A" * 5000,
}


@pytest.mark.usefixtures("unwritten")
@pytest.mark.parametrize("what", FORGERIES)
def test_a_forged_token_opens_nothing(hospital: Hospital, wish: dict[str, Any], what: str) -> None:
    assert hospital.reception.login
    forger = hospital.anyone.bearing(FORGERIES[what](hospital.reception.login.fresh()))

    for answer in (forger.get("/v1/patients"), forger.get("/v1/me"), forger.post("/v1/appointments", wish)):
        refused(answer, 401, "UNAUTHENTICATED")


def _login(hospital: Hospital, who: Client) -> dict[str, Any]:
    credentials = {"email": who.user["email"], "password": PASSWORD}
    tokens: dict[str, Any] = agreed(who.http.post("/v1/auth/login", json=credentials))
    return tokens


def test_an_expired_token_opens_nothing(hospital: Hospital) -> None:
    user = hospital.user("nurse")
    earlier = hospital.anyone.at(datetime.now(UTC) - timedelta(minutes=11))
    tokens = agreed(earlier.post("/v1/auth/login", {"email": user.user["email"], "password": PASSWORD}))

    refused(hospital.anyone.bearing(tokens["access_token"]).get("/v1/doctors"), 401, "UNAUTHENTICATED")


def test_a_refresh_token_is_no_access_token(hospital: Hospital) -> None:
    tokens = _login(hospital, hospital.reception)

    refused(hospital.anyone.bearing(tokens["refresh_token"]).get("/v1/doctors"), 401, "UNAUTHENTICATED")
    basic = {"Authorization": f"Basic {tokens['access_token']}"}
    refused(hospital.anyone.get("/v1/doctors", headers=basic), 401, "UNAUTHENTICATED")


def test_a_token_of_another_stage_opens_nothing(hospital: Hospital) -> None:
    """Signed by our own key, for another audience: only somebody with the key could make one."""
    tokens = _login(hospital, hospital.reception)
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert claims["aud"] == f"hms-{hospital.system.stage}"
    header = jwt.get_unverified_header(tokens["access_token"])
    foreign = hospital.signed(header, claims | {"aud": "hms-prod"})
    ours = hospital.signed(header, claims)

    agreed(hospital.anyone.bearing(ours).get("/v1/doctors"))
    refused(hospital.anyone.bearing(foreign).get("/v1/doctors"), 401, "UNAUTHENTICATED")
