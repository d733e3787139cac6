"""Notices of processors: who may be believed, and what they are about."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hms import ids
from payments import secrets
from payments.signatures import BadSignature, Notice, notice, signed, verify

NOW = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)
SECRET = "whsec_test"
BODY = '{"id": "evt_1", "name": "₹"}'.encode()
PAYMENT, REFUND = ids.derived("payment", 1), ids.derived("refund", 1)


def refusal(header: str | None, body: bytes = BODY, secret: str = SECRET, now: datetime = NOW) -> str | None:
    try:
        verify(header, body, secret, now)
    except BadSignature as error:
        return str(error)
    return None


def digest(text: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def test_the_scheme_is_stripes() -> None:
    seconds = int(NOW.timestamp())

    assert signed(BODY, SECRET, NOW) == f"t={seconds},v1={digest(f'{seconds}.'.encode() + BODY)}"


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_a_notice_is_believed_for_five_minutes(seconds: int) -> None:
    assert refusal(signed(BODY, SECRET, NOW), now=NOW + timedelta(seconds=seconds)) is None


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_an_old_notice_is_not_believed_nor_one_from_the_future(seconds: int) -> None:
    assert refusal(signed(BODY, SECRET, NOW), now=NOW + timedelta(seconds=seconds)) == "too old"


def test_while_a_secret_is_changed_one_of_two_signatures_is_right() -> None:
    old, new = signed(BODY, "whsec_old", NOW), signed(BODY, SECRET, NOW)
    seconds, _, right = new.partition(",")

    assert refusal(f"{old},{right}") is None
    assert refusal(f"{new},v1=00,v0=junk") is None
    assert refusal(f"{seconds}, {right}") is None


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (None, "no time"),
        ("", "no time"),
        ("nonsense", "no time"),
        ("t=,v1=00", "no time"),
        ("t=yesterday,v1=00", "no time"),
        ("t=-5,v1=00", "no time"),
        ("t=１２３,v1=00", "no time"),
        ("t=99999999999999999999,v1=00", "no time"),
        ("t=1,t=2,v1=00", "no time"),
        (f"t={int(NOW.timestamp())}", "no signature is right"),
        (f"t={int(NOW.timestamp())},v1=", "no signature is right"),
        (f"t={int(NOW.timestamp())},v1=₹", "no signature is right"),
        (f"t={int(NOW.timestamp())},v1=\ud800", "no signature is right"),
        (signed(BODY, SECRET, NOW).replace("v1=", "v0="), "no signature is right"),
        (signed(BODY, "another", NOW), "no signature is right"),
        (signed(BODY, SECRET, NOW).replace("v1=", "v1=0"), "no signature is right"),
        (signed(BODY, SECRET, NOW)[:-1], "no signature is right"),
    ],
)
def test_what_is_not_signed_with_the_secret_is_not_believed(header: str | None, why: str) -> None:
    assert refusal(header) == why


def test_the_time_is_signed_too() -> None:
    old = signed(BODY, SECRET, NOW - timedelta(hours=1))

    assert refusal(old.replace(str(int(NOW.timestamp()) - 3600), str(int(NOW.timestamp())))) == "no signature is right"


@given(st.binary(max_size=50), st.integers(0, 60), st.binary(min_size=1, max_size=3))
def test_any_change_of_the_body_is_noticed(body: bytes, where: int, put: bytes) -> None:
    changed = body[:where] + put + body[where:]

    assert refusal(signed(body, SECRET, NOW), body) is None
    assert refusal(signed(body, SECRET, NOW), changed) == "no signature is right"


def test_without_a_secret_nothing_is_believed() -> None:
    assert refusal(signed(BODY, "", NOW), secret="") == "no secret"


def an_event(told: str, **about: Any) -> bytes:
    return json.dumps({"id": "evt_1", "type": told, "data": {"object": about}}).encode()


@pytest.mark.parametrize(
    ("told", "kind", "key"),
    [
        ("payment_intent.succeeded", "PAYMENT", PAYMENT),
        ("payment_intent.payment_failed", "PAYMENT", PAYMENT),
        ("payment_intent.canceled", "PAYMENT", PAYMENT),
        ("charge.refunded", "PAYMENT", PAYMENT),
        ("refund.updated", "REFUND", REFUND),
        ("refund.failed", "REFUND", REFUND),
        ("payment_intent.created", None, None),
        ("charge.succeeded", None, None),
        ("payout.paid", None, None),
    ],
)
def test_an_event_of_stripe_says_what_to_look_at(told: str, kind: str | None, key: str | None) -> None:
    body = an_event(told, id="x_1", metadata={"payment_id": PAYMENT, "refund_id": REFUND})

    assert notice("stripe", body) == Notice("evt_1", kind, key)  # type: ignore[arg-type]


@pytest.mark.parametrize("told", ["payment_intent.succeeded", "charge.refunded", "refund.failed"])
@pytest.mark.parametrize("metadata", [{}, None, {"order": "7"}])
def test_what_others_have_made_at_the_same_account_is_nothing_to_us(told: str, metadata: dict[str, str] | None) -> None:
    assert notice("stripe", an_event(told, id="x_1", metadata=metadata)) == Notice("evt_1")


def test_an_event_of_the_simulator_names_it_too() -> None:
    body = json.dumps({"id": "evt_2", "type": "refund.captured", "data": {"kind": "REFUND", "key": REFUND}}).encode()

    assert notice("simulator", body) == Notice("evt_2", "REFUND", REFUND)


@pytest.mark.parametrize("gateway", ["simulator", "stripe"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b'{"id": 1, "data": 2}', b"\xff"])
def test_what_is_no_event_is_refused(gateway: str, body: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        notice(gateway, body)


def test_each_gateway_has_a_secret_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_SECRET", "simulated")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET_PARAMETER", "/hms/stripe/webhook-secret")
    monkeypatch.setattr(secrets, "parameter", {"/hms/stripe/webhook-secret": SECRET}.get)

    assert secrets.webhook_secret("stripe") == SECRET
    assert secrets.webhook_secret("simulator") == "simulated"
