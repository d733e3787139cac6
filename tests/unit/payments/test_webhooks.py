"""Notices of processors: signed or refused, and never believed: the processor is looked at, as the sweep would."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from hms.rows import Key
from payments import api
from payments.gateways import Verdict
from payments.model import Status
from payments.signatures import HEADERS, signed
from tests.support.http import Answer, sent
from tests.support.payments import MINUTE, SECOND, SLOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from tests.support.payments import Counter

HOOK = "/v1/payments/webhooks/{gateway}"
SECRET = "between us"


@pytest.fixture(autouse=True)
def _here(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    counter.bank.name = "simulator"
    monkeypatch.setattr(api, "office", counter.office)
    monkeypatch.setattr(api, "webhook_secret", lambda _gateway: SECRET)
    yield
    counter.comes_to_rest()


def a_notice(key: str, kind: str = "PAYMENT", event_id: str = "evt_1", **data: Any) -> str:
    return json.dumps({"id": event_id, "type": "payment.captured", "data": {"kind": kind, "key": key, **data}})


def told(counter: Counter, body: str, *, at: datetime | None = None, gateway: str = "simulator", **more: Any) -> Answer:
    headers = {HEADERS["simulator"]: signed(body.encode(), SECRET, at or counter.now)}
    details = {"headers": headers, "path": {"gateway": gateway}} | more
    return sent(api.app, "POST", HOOK, raw=body, **details)


@pytest.fixture
def pending(counter: Counter) -> str:
    """A payment that the processor has not decided when its flow ends."""
    return counter.pay(source=SLOW).state.payment_id


def test_a_payment_is_completed_when_the_processor_says_where_to_look(counter: Counter, pending: str) -> None:
    counter.bank.later(pending, captured=True)

    answer = told(counter, a_notice(pending))

    assert (answer.status, answer.json) == (200, {"event_id": "evt_1", "repeated": False})
    assert counter.payment(pending).status is Status.COMPLETED
    assert counter.account.paid == 52500


def test_a_decline_is_taken_from_the_processor_too(counter: Counter, pending: str) -> None:
    counter.bank.later(pending, captured=False)
    told(counter, a_notice(pending))

    failure = counter.payment(pending).failure
    assert (failure and failure.code) == "CARD_DECLINED"


@pytest.mark.parametrize(("came_back", "alarms"), [(True, 1), (False, 0)])
def test_a_refund_that_comes_back_from_the_bank_rings_and_changes_nothing(
    counter: Counter, capsys: pytest.CaptureFixture[str], came_back: bool, alarms: int
) -> None:
    refund = counter.refund(counter.paid()).state
    if came_back:
        counter.bank.refunds[refund.refund_id] = Verdict("DECLINED", None, "REFUND_DECLINED", "The account is closed.")

    counter.bank.silent = True
    assert told(counter, a_notice(refund.refund_id, "REFUND")).status == 503
    counter.bank.silent = False
    assert told(counter, a_notice(refund.refund_id, "REFUND")).status == 200

    assert capsys.readouterr().out.count('"message":"money moved that has failed') == alarms
    assert counter.refund_of(refund.refund_id).status is Status.COMPLETED


def test_what_a_notice_claims_is_not_believed(counter: Counter, pending: str) -> None:
    """Nothing was captured, whatever it says; and the payment is not late, so that it is not called off either."""
    answer = told(counter, a_notice(pending, status="CAPTURED", amount=52500))

    assert answer.status == 200
    assert [name for name in counter.trouble.calls if name.startswith("bank")] == ["bank:charge", "bank:look"]
    assert counter.payment(pending).status is Status.PENDING


@pytest.mark.parametrize(("age", "voided"), [(59, False), (60, True)])
def test_what_is_late_is_called_off_as_by_the_sweep(counter: Counter, pending: str, age: int, voided: bool) -> None:
    counter.now += age * SECOND
    told(counter, a_notice(pending))

    assert ("bank:void" in counter.trouble.calls) is voided
    assert counter.payment(pending).status is (Status.FAILED if voided else Status.PENDING)


def test_a_notice_before_anything_was_charged_leaves_it_to_the_flow(counter: Counter) -> None:
    payment_id = counter.tries()
    told(counter, a_notice(payment_id))
    counter.run(counter.flows[0])

    assert counter.payment(payment_id).status is Status.COMPLETED


def test_a_notice_may_come_again_and_changes_nothing(counter: Counter, pending: str) -> None:
    counter.bank.later(pending, captured=True)
    repeated = [told(counter, a_notice(pending)).json["repeated"] for _ in range(3)]

    assert repeated == [False, True, True]
    assert counter.trouble.calls.count("bank:look") == 1
    assert [one["transaction_id"] for one in counter.billing.ledger] == [pending]


def test_one_that_was_taken_in_and_not_acted_on_is_acted_on_when_it_comes_again(counter: Counter, pending: str) -> None:
    counter.bank.later(pending, captured=True)
    counter.billing.down = True
    first = told(counter, a_notice(pending))
    counter.billing.down = False

    assert (first.status, first.json["code"]) == (503, "BUSY")
    assert told(counter, a_notice(pending)).json["repeated"] is True
    assert counter.payment(pending).status is Status.COMPLETED


def test_a_notice_is_kept_under_the_processors_own_id_and_for_a_while(counter: Counter, pending: str) -> None:
    told(counter, a_notice(pending, event_id="evt_17"))

    row = counter.table.items[Key("notice#simulator#evt_17", "seen")]
    assert row.expires_at == int(counter.now.timestamp()) + 90 * 24 * 3600


def test_a_notice_of_a_refund_decides_the_refund(counter: Counter) -> None:
    paid = counter.paid()
    counter.bank.refunds_say = Verdict("PENDING")
    refund_id = counter.refund(paid).state.refund_id
    counter.bank.later(refund_id, captured=True)
    told(counter, a_notice(refund_id, "REFUND"))

    assert counter.refund_of(refund_id).status is Status.COMPLETED


def test_a_notice_of_a_payment_decides_its_refunds_too(counter: Counter) -> None:
    """Some processors tell only of the charge."""
    paid = counter.paid()
    counter.bank.refunds_say = Verdict("PENDING")
    refund_id = counter.refund(paid).state.refund_id
    counter.bank.later(refund_id, captured=True)
    told(counter, a_notice(paid))

    assert counter.refund_of(refund_id).status is Status.COMPLETED


@pytest.mark.parametrize("kind", ["PAYMENT", "REFUND"])
def test_a_notice_of_what_is_not_ours_is_taken_and_let_go(counter: Counter, kind: str) -> None:
    assert told(counter, a_notice(ids.new(), kind)).status == 200


def without(counter: Counter, body: str) -> Answer:
    return told(counter, body, headers={})


def too_old(counter: Counter, body: str) -> Answer:
    return told(counter, body, at=counter.now - 301 * SECOND)


def by_another(counter: Counter, body: str) -> Answer:
    return told(counter, body, headers={HEADERS["simulator"]: signed(body.encode(), "another", counter.now)})


def of_another_text(counter: Counter, body: str) -> Answer:
    return told(counter, body, headers={HEADERS["simulator"]: signed(b"{}", SECRET, counter.now)})


@pytest.mark.parametrize("forged", [without, too_old, by_another, of_another_text])
def test_a_notice_that_is_not_signed_changes_nothing(
    counter: Counter, pending: str, forged: Callable[[Counter, str], Answer]
) -> None:
    counter.bank.later(pending, captured=True)
    before = dict(counter.table.items)

    answer = forged(counter, a_notice(pending))

    assert (answer.status, answer.json["code"]) == (401, "UNAUTHENTICATED")
    assert counter.table.items == before


def test_a_header_is_found_whatever_its_case(counter: Counter, pending: str) -> None:
    body = a_notice(pending)
    headers = {HEADERS["simulator"].lower(): signed(body.encode(), SECRET, counter.now - 300 * SECOND)}

    assert told(counter, body, headers=headers).status == 200


@pytest.mark.parametrize("gateway", ["stripe", "desk", "nobody"])
def test_only_the_processor_that_is_asked_for_payments_is_heard(counter: Counter, pending: str, gateway: str) -> None:
    assert told(counter, a_notice(pending), gateway=gateway).status == 404


@pytest.mark.parametrize("body", ["{", "[]", '{"id": "evt_1"}', ""])
def test_what_is_signed_and_no_event_is_malformed(counter: Counter, body: str) -> None:
    assert told(counter, body).status == 400


def test_a_body_comes_as_it_is_or_in_base64(counter: Counter, pending: str) -> None:
    import base64

    body = a_notice(pending)
    headers = {HEADERS["simulator"]: signed(body.encode(), SECRET, counter.now)}
    details = {"headers": headers, "path": {"gateway": "simulator"}, "base64_encoded": True}

    assert sent(api.app, "POST", HOOK, raw=base64.b64encode(body.encode()).decode(), **details).status == 200
    assert sent(api.app, "POST", HOOK, raw="not base64 €", **details).status == 400


def test_a_body_of_megabytes_is_refused(counter: Counter) -> None:
    assert told(counter, a_notice("x" * 300_000)).status == 413


def test_a_silent_processor_leaves_it_to_the_sweep(counter: Counter, pending: str) -> None:
    counter.bank.later(pending, captured=True)
    counter.bank.silent = True

    assert told(counter, a_notice(pending)).status == 200
    counter.bank.silent = False
    counter.sweep(MINUTE)
    assert counter.payment(pending).status is Status.COMPLETED
