from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.jwk import ECKey

from hms.auth import Principal, Verifier
from hms.errors import Busy, Forbidden, Unauthenticated
from hms.policy import Policy

AUDIENCE = "hms-test"
OURS, THEIRS = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
POLICY = Policy(
    {
        "visits:read": {"receptionist": "any", "patient": "own", "doctor": "own"},
        "visits:cancel": {"receptionist": "any"},
    }
)


def public(key: ec.EllipticCurvePrivateKey, kid: str) -> dict[str, Any]:
    return {**ECKey.import_key(key.public_key()).as_dict(private=False), "kid": kid}


class Publication:
    """What identity publishes; counts how often it is read."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [public(OURS, "ours")]
        self.revoked: dict[str, int] = {}
        self.reads = 0

    def __call__(self) -> str:
        self.reads += 1
        return json.dumps({"keys": self.keys, "revoked": self.revoked, "signers": {}})


@pytest.fixture
def published() -> Publication:
    return Publication()


@pytest.fixture
def verifier(published: Publication) -> Verifier:
    return Verifier(published, AUDIENCE)


def claims(**given: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {"iss": "hms", "aud": AUDIENCE, "sub": "user-1", "sid": "session-1", "roles": ["receptionist"]}
    return usual | {"iat": now, "exp": now + 600} | given


def token(key: ec.EllipticCurvePrivateKey = OURS, kid: str = "ours", **given: Any) -> str:
    return jwt.encode(claims(**given), key, algorithm="ES256", headers={"kid": kid})


def written(header: dict[str, Any], body: Any, signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(body).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def principal(verifier: Verifier, text: str) -> Principal:
    return verifier.principal(f"Bearer {text}", POLICY)


def test_a_token_of_ours_says_who_is_calling(verifier: Verifier) -> None:
    who = principal(verifier, token(roles=["patient"], patient_id="patient-1"))

    assert (who.user_id, who.session_id, who.roles) == ("user-1", "session-1", ("patient",))
    assert (who.patient_id, who.doctor_id) == ("patient-1", None)
    assert who.scopes == {"visits:read": "own"}


@pytest.mark.parametrize(
    ("roles", "links"),
    [
        (["patient"], ("patient-1", None)),
        (["guardian"], ("patient-1", None)),
        (["doctor"], (None, "doctor-1")),
        (["doctor", "patient"], ("patient-1", "doctor-1")),
        (["receptionist"], (None, None)),
    ],
)
def test_a_link_is_worth_nothing_without_its_role(
    verifier: Verifier, roles: list[str], links: tuple[str | None, str | None]
) -> None:
    who = principal(verifier, token(roles=roles, patient_id="patient-1", doctor_id="doctor-1"))

    assert (who.patient_id, who.doctor_id) == links


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Token x"])
def test_without_a_bearer_token_nobody_is_known(verifier: Verifier, authorization: str | None) -> None:
    with pytest.raises(Unauthenticated):
        verifier.principal(authorization, POLICY)


def test_the_schemes_name_may_be_written_in_any_case(verifier: Verifier) -> None:
    assert verifier.principal(f"bearer {token()}", POLICY).user_id == "user-1"


@pytest.mark.parametrize(
    "given",
    [
        {"aud": "hms-prod"},
        {"aud": [AUDIENCE, "hms-prod"]},
        {"iss": "somebody"},
        {"exp": int(time.time()) - 1},
    ],
)
def test_claims_that_are_not_ours_or_not_of_now_are_refused(verifier: Verifier, given: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        principal(verifier, token(**given))


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "sid", "roles", "exp"])
def test_a_token_that_lacks_a_claim_is_refused(verifier: Verifier, missing: str) -> None:
    kept = {name: value for name, value in claims().items() if name != missing}
    text = jwt.encode(kept, OURS, algorithm="ES256", headers={"kid": "ours"})

    with pytest.raises(Unauthenticated):
        principal(verifier, text)


def test_a_token_signed_by_somebody_else_is_refused(verifier: Verifier) -> None:
    for kid in ("ours", "theirs"):
        with pytest.raises(Unauthenticated):
            principal(verifier, token(THEIRS, kid))


def test_a_key_that_comes_with_the_token_is_not_believed(verifier: Verifier) -> None:
    headers = {"kid": "theirs", "jwk": public(THEIRS, "theirs")}
    text = jwt.encode(claims(), THEIRS, algorithm="ES256", headers=headers)

    with pytest.raises(Unauthenticated):
        principal(verifier, text)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256", "RS256", ""])
def test_another_algorithm_is_refused(verifier: Verifier, algorithm: str) -> None:
    with pytest.raises(Unauthenticated):
        principal(verifier, written({"alg": algorithm, "kid": "ours"}, claims()))


def test_the_public_key_is_no_secret_to_sign_with(verifier: Verifier) -> None:
    pem = OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    unsigned = written({"alg": "HS256", "kid": "ours"}, claims()).rpartition(".")[0]
    signature = base64.urlsafe_b64encode(hmac.digest(pem, unsigned.encode(), hashlib.sha256)).rstrip(b"=").decode()

    with pytest.raises(Unauthenticated):
        principal(verifier, f"{unsigned}.{signature}")


def test_a_changed_claim_breaks_the_signature(verifier: Verifier) -> None:
    header, _, signature = token().split(".")
    body = written({}, claims(roles=["administrator"])).split(".")[1]

    with pytest.raises(Unauthenticated):
        principal(verifier, f"{header}.{body}.{signature}")


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a.b",
        "a.b.c",
        "..",
        "a.b.c.d.e",
        "é.é.é",
        "A" * 5000,
        written({"alg": "ES256"}, {}),
        written({}, [1], b"x"),
    ],
)
def test_what_is_no_token_at_all_is_refused(verifier: Verifier, text: str) -> None:
    with pytest.raises(Unauthenticated):
        principal(verifier, text)


@pytest.mark.parametrize(
    "header", [{"alg": "ES256", "kid": ["ours"]}, {"alg": "ES256", "kid": None}, {"alg": 7}, [], 7]
)
def test_a_strange_header_is_refused(verifier: Verifier, header: Any) -> None:
    with pytest.raises(Unauthenticated):
        principal(verifier, written(header, claims(), b"x" * 64))


def test_signed_nonsense_is_refused(verifier: Verifier) -> None:
    key = ECKey.import_key(OURS)
    for payload in ("[]", "7", '"text"', "{", "null"):
        with pytest.raises(Unauthenticated):
            principal(verifier, jws.serialize_compact({"alg": "ES256", "kid": "ours"}, payload, key))


def test_a_known_token_ends_when_it_expires(verifier: Verifier) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        text = token()
        clock.shift(599)
        principal(verifier, text)

        clock.shift(1)

        with pytest.raises(Unauthenticated):
            principal(verifier, text)


def test_what_is_published_is_read_again_after_thirty_seconds(
    verifier: Verifier, published: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([100.0, 100.0, 129.9, 130.0, 130.0])
    monkeypatch.setattr("hms.auth.time", SimpleNamespace(monotonic=lambda: next(seconds)))
    text = token()
    principal(verifier, text)
    published.revoked["session-1"] = int(time.time()) + 600

    principal(verifier, text)
    assert published.reads == 1

    with pytest.raises(Unauthenticated):
        principal(verifier, text)
    assert published.reads == 2


def test_other_sessions_go_on_when_one_is_revoked(verifier: Verifier, published: Publication) -> None:
    published.revoked["session-2"] = int(time.time()) + 600

    assert principal(verifier, token()).session_id == "session-1"


def test_until_a_key_is_published_everybody_waits() -> None:
    with pytest.raises(Busy):
        principal(Verifier(lambda: None, AUDIENCE), token())


def test_two_keys_are_good_at_once(verifier: Verifier, published: Publication) -> None:
    published.keys.append(public(THEIRS, "next"))

    assert principal(verifier, token()).user_id == principal(verifier, token(THEIRS, "next")).user_id


# ── what a principal may do


def test_a_role_reaches_what_the_policy_says(verifier: Verifier) -> None:
    desk = principal(verifier, token())
    patient = principal(verifier, token(roles=["patient"], patient_id="patient-1"))

    assert desk.reaches("visits:read", patient_id="anybody")
    assert patient.reaches("visits:read", patient_id="patient-1")
    assert not patient.reaches("visits:read", patient_id="patient-2")
    assert not patient.reaches("visits:cancel", patient_id="patient-1")


def test_nobody_is_not_the_owner_of_what_belongs_to_nobody(verifier: Verifier) -> None:
    unlinked = principal(verifier, token(roles=["patient"]))

    assert not unlinked.reaches("visits:read", patient_id=None)
    assert not unlinked.reaches("visits:read")


def test_the_wider_scope_of_two_roles_counts(verifier: Verifier) -> None:
    both = principal(verifier, token(roles=["patient", "receptionist"], patient_id="patient-1"))

    assert both.reaches("visits:read", patient_id="patient-2")


def test_without_the_permission_it_is_forbidden(verifier: Verifier) -> None:
    patient = principal(verifier, token(roles=["patient"], patient_id="patient-1"))

    assert not patient.may("visits:cancel")
    with pytest.raises(Forbidden):
        patient.require("visits:cancel")


def test_a_role_that_nobody_knows_may_nothing(verifier: Verifier) -> None:
    assert principal(verifier, token(roles=["king"])).scopes == {}
