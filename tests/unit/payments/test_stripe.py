"""The Stripe adapter on a fake of Stripe on this machine: every answer, every answer that is lost, and what follows."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from hms import clock, ids
from payments import secrets, stripe_client
from payments.gateways import Misused, Order, RefundOrder, StatementLine, Unanswered, Verdict
from payments.model import Method
from payments.stripe_gateway import StripeGateway
from tests.support.fake_stripe import SECRET, Server, Stripe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.fake_stripe import Fault

PAYMENT, REFUND = ids.derived("payment", 1), ids.derived("refund", 1)
GATEWAY = StripeGateway()
CONFIRM = "/confirm"
CREATE = "/v1/payment_intents"


@pytest.fixture
def stripe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stripe]:
    server = Server(Stripe(now=time.time()))
    monkeypatch.setenv("STRIPE_URL", server.url)
    monkeypatch.setenv("STRIPE_SECRET_KEY_PARAMETER", "/hms/stripe/secret-key")
    monkeypatch.setattr(stripe_client, "parameter", {"/hms/stripe/secret-key": SECRET}.get)
    yield server.stripe
    server.close()


def an_order(source: str | None = "pm_card_visa", key: str = PAYMENT, **changes: Any) -> Order:
    order = Order(key, 52500, "INR", Method.CARD, source, "B4839201735", clock.now())
    return order._replace(**changes)


def a_refund(amount: int = 20000, key: str = REFUND, intent: str = "pi_1") -> RefundOrder:
    return RefundOrder(key, PAYMENT, intent, amount, "INR")


def unanswered(work: Callable[[], object]) -> str:
    with pytest.raises(Unanswered) as raised:
        work()
    return str(raised.value)


def test_a_card_is_charged_in_two_calls_each_under_its_key(stripe: Stripe) -> None:
    assert GATEWAY.charge(an_order()) == Verdict("CAPTURED", "pi_1")

    create, confirm = stripe.calls
    assert (create.path, create.key) == (CREATE, PAYMENT)
    assert create.form == {
        "amount": "52500",
        "currency": "inr",
        "payment_method_types[]": "card",
        "capture_method": "automatic",
        "description": "B4839201735",
        "metadata[payment_id]": PAYMENT,
    }
    assert (confirm.path, confirm.key) == (f"{CREATE}/pi_1/confirm", f"{PAYMENT}/confirm")
    assert confirm.form == {
        "payment_method": "pm_card_visa",
        "off_session": "true",
        "error_on_requires_action": "true",
    }
    assert {call.version for call in stripe.calls} == {stripe_client.API_VERSION}


def test_a_repeated_charge_takes_nothing_more(stripe: Stripe) -> None:
    verdicts = [GATEWAY.charge(an_order()) for _ in range(3)]

    assert set(verdicts) == {Verdict("CAPTURED", "pi_1")}
    assert [one["amount"] for one in stripe.balance] == [52500]


@pytest.mark.parametrize(
    ("source", "code", "detail"),
    [
        ("pm_card_chargeDeclined", "CARD_DECLINED", "Your card was declined."),
        ("pm_card_chargeDeclinedInsufficientFunds", "INSUFFICIENT_FUNDS", "Your card has insufficient funds."),
        ("pm_card_chargeDeclinedExpiredCard", "EXPIRED_CARD", "Your card has expired."),
        ("pm_card_chargeDeclinedStolenCard", "CARD_DECLINED", "Your card was declined."),
        (
            "pm_card_authenticationRequired",
            "AUTHENTICATION_REQUIRED",
            "Your card was declined. This transaction requires authentication.",
        ),
    ],
)
def test_a_declined_card_says_why_also_when_it_is_asked_again(
    stripe: Stripe, source: str, code: str, detail: str
) -> None:
    declined = Verdict("DECLINED", "pi_1", code, detail)

    assert GATEWAY.charge(an_order(source)) == declined
    assert GATEWAY.charge(an_order(source)) == declined
    assert GATEWAY.look(an_order(source)) == declined
    assert stripe.balance == []


def test_what_was_declined_may_be_voided_too(stripe: Stripe) -> None:
    order = an_order("pm_card_chargeDeclined")
    GATEWAY.charge(order)

    assert GATEWAY.void(order) == GATEWAY.look(order) == Verdict("VOIDED", "pi_1")


@pytest.mark.parametrize("source", ["pm_unknown", "", None])
def test_a_source_that_stripe_does_not_know_is_declined_in_our_words(stripe: Stripe, source: str | None) -> None:
    verdict = GATEWAY.charge(an_order(source))

    assert verdict == Verdict("DECLINED", "pi_1", "INVALID_SOURCE", "The payment could not be made.")


def test_what_asks_the_payer_to_act_is_declined_and_cancelled(stripe: Stripe) -> None:
    verdict = GATEWAY.charge(an_order("pm_asks"))

    assert (verdict.status, verdict.code) == ("DECLINED", "AUTHENTICATION_REQUIRED")
    assert stripe.intents["pi_1"]["status"] == "canceled"
    assert GATEWAY.charge(an_order("pm_asks")).status == "DECLINED"


def test_what_asks_the_payer_to_act_and_is_done_by_then_is_captured(stripe: Stripe) -> None:
    answered = stripe._cancel

    def acted(intent: dict[str, Any]) -> dict[str, Any]:
        stripe.capture(intent["id"])
        return answered(intent)

    stripe._cancel = acted  # type: ignore[method-assign]

    assert GATEWAY.charge(an_order("pm_asks")) == Verdict("CAPTURED", "pi_1")


def test_what_takes_its_time_is_pending_until_it_is_decided(stripe: Stripe) -> None:
    order = an_order("pm_slow")

    assert GATEWAY.charge(order) == Verdict("PENDING", "pi_1")
    assert GATEWAY.look(order) == GATEWAY.void(order) == Verdict("PENDING", "pi_1")
    stripe.capture("pi_1")
    assert GATEWAY.look(order) == GATEWAY.void(order) == Verdict("CAPTURED", "pi_1")


@pytest.mark.parametrize("currency", ["JPY", "KRW", "KWD", "BHD"])
def test_currencies_that_are_not_counted_in_hundredths_are_not_charged(stripe: Stripe, currency: str) -> None:
    assert GATEWAY.charge(an_order(currency=currency)).code == "CURRENCY_NOT_SUPPORTED"
    assert stripe.calls == []


@pytest.mark.parametrize(
    ("changes", "code"), [({"amount": 49}, "AMOUNT_TOO_SMALL"), ({"method": Method.UPI}, "INVALID_REQUEST_ERROR")]
)
def test_what_stripe_will_never_take_is_declined_and_absent(stripe: Stripe, changes: dict[str, Any], code: str) -> None:
    order = an_order(**changes)

    assert GATEWAY.charge(order)[::2] == ("DECLINED", code)
    assert GATEWAY.look(order).status == "ABSENT"
    assert GATEWAY.void(order).status == "VOIDED"


def test_another_order_under_a_key_is_a_fault(stripe: Stripe) -> None:
    GATEWAY.charge(an_order())

    with pytest.raises(Misused):
        GATEWAY.charge(an_order(amount=52501))
    with pytest.raises(Misused):
        GATEWAY.charge(an_order("pm_slow"))
    assert [one["amount"] for one in stripe.balance] == [52500]


def test_an_order_that_stripe_knows_in_another_wording_is_found_by_its_key_in_the_list(stripe: Stripe) -> None:
    GATEWAY.charge(an_order())
    other = an_order(description="another wording")

    assert GATEWAY.look(other) == GATEWAY.void(other) == Verdict("CAPTURED", "pi_1")


@pytest.mark.parametrize(("where", "seen"), [(CREATE, "PENDING"), (CONFIRM, "CAPTURED")])
def test_a_fault_that_stripe_repeats_under_its_key_hides_nothing(stripe: Stripe, where: str, seen: str) -> None:
    stripe.fail(where, "broken")

    for _ in range(2):
        assert unanswered(lambda: GATEWAY.charge(an_order())) == "HTTP 500"
    assert GATEWAY.look(an_order()) == Verdict(seen, "pi_1")  # type: ignore[arg-type]
    assert GATEWAY.void(an_order()).status == ("VOIDED" if seen == "PENDING" else "CAPTURED")


def test_a_fault_before_anything_was_made_stays_undecided(stripe: Stripe) -> None:
    stripe.fail(CREATE, 500)

    assert unanswered(lambda: GATEWAY.void(an_order())) == "HTTP 500"
    assert stripe.intents == {}


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500, 502, 503])
@pytest.mark.parametrize("where", [CREATE, CONFIRM])
def test_what_decides_nothing_is_unanswered(
    stripe: Stripe, capsys: pytest.CaptureFixture[str], where: str, status: int
) -> None:
    stripe.fail(where, status)

    assert unanswered(lambda: GATEWAY.charge(an_order())) == f"HTTP {status}"
    line = json.loads(capsys.readouterr().out)
    assert (line["status"], line["stripe_request_id"]) == (status, f"req_{len(stripe.calls)}")
    assert GATEWAY.charge(an_order()).status == "CAPTURED"


@pytest.mark.parametrize(
    ("where", "fault", "seen"),
    [
        (CREATE, "dropped", "PENDING"),
        (CREATE, "lost", "PENDING"),
        (CONFIRM, "dropped", "PENDING"),
        (CONFIRM, "lost", "CAPTURED"),
    ],
)
def test_a_lost_answer_is_found_by_looking(stripe: Stripe, where: str, fault: Fault, seen: str) -> None:
    order = an_order()
    stripe.fail(where, fault)
    unanswered(lambda: GATEWAY.charge(order))

    assert GATEWAY.look(order).status == seen
    assert GATEWAY.charge(order).status == "CAPTURED"
    assert len(stripe.intents) == len(stripe.balance) == 1


@pytest.mark.parametrize(
    ("where", "fault", "voided"),
    [
        (CREATE, "dropped", "VOIDED"),
        (CREATE, "lost", "VOIDED"),
        (CONFIRM, "dropped", "VOIDED"),
        (CONFIRM, "lost", "CAPTURED"),
    ],
)
def test_a_lost_answer_is_decided_by_voiding(stripe: Stripe, where: str, fault: Fault, voided: str) -> None:
    order = an_order()
    stripe.fail(where, fault)
    unanswered(lambda: GATEWAY.charge(order))

    assert GATEWAY.void(order).status == GATEWAY.look(order).status == GATEWAY.void(order).status == voided
    assert len(stripe.intents) == 1


def test_an_answer_that_is_late_is_not_waited_for(stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe_client, "_ANSWER_SECONDS", 1)
    stripe.fail(CONFIRM, "late")

    assert unanswered(lambda: GATEWAY.charge(an_order())) == "ReadTimeoutError"
    assert GATEWAY.look(an_order()).status == "CAPTURED"


def test_nobody_there_is_unanswered(stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_URL", "http://127.0.0.1:9")

    assert unanswered(lambda: GATEWAY.charge(an_order())) == "NewConnectionError"


def test_a_void_forbids_every_later_charge_of_its_key(stripe: Stripe) -> None:
    assert GATEWAY.void(an_order()).status == "VOIDED"

    verdict = GATEWAY.charge(an_order())
    assert (verdict.status, verdict.code) == ("DECLINED", "VOIDED")
    assert GATEWAY.look(an_order()).status == "VOIDED"
    assert stripe.balance == []


def test_a_charge_that_was_created_and_not_confirmed_is_stopped_by_a_void(stripe: Stripe) -> None:
    stripe.fail(CONFIRM, "dropped")
    unanswered(lambda: GATEWAY.charge(an_order()))
    GATEWAY.void(an_order())

    assert GATEWAY.charge(an_order()).code == "VOIDED"


@pytest.mark.parametrize(
    ("fault", "again"), [("lost", "VOIDED"), ("dropped", "VOIDED"), (500, "VOIDED"), (409, "VOIDED")]
)
def test_a_void_whose_answer_is_lost_is_asked_for_again(stripe: Stripe, fault: Fault, again: str) -> None:
    stripe.fail("/cancel", fault)
    unanswered(lambda: GATEWAY.void(an_order()))

    assert GATEWAY.void(an_order()).status == again


def test_a_void_that_comes_second_says_what_was_captured_between(stripe: Stripe) -> None:
    order = an_order()
    stripe.fail("/cancel", "dropped")
    unanswered(lambda: GATEWAY.void(order))
    GATEWAY.charge(order)

    assert GATEWAY.void(order) == Verdict("CAPTURED", "pi_1")


@pytest.mark.parametrize("hours", [24, 24 * 30])
def test_after_a_day_a_payment_is_found_in_the_list_and_never_made_again(stripe: Stripe, hours: int) -> None:
    order = an_order(at=clock.now() - timedelta(hours=hours))
    stripe.now = order.at.timestamp()
    for number in range(105):
        stripe.now += 1
        GATEWAY.charge(an_order(key=ids.derived("payment", "other", number)) if number != 2 else an_order())
    stripe.forget_keys()
    made = len(stripe.intents)

    assert GATEWAY.look(order) == GATEWAY.void(order) == Verdict("CAPTURED", "pi_3")
    assert GATEWAY.charge(order) == Verdict("PENDING")
    assert len(stripe.intents) == made


def test_after_a_day_what_was_made_and_not_confirmed_is_voided(stripe: Stripe) -> None:
    stripe.fail(CONFIRM, "dropped")
    unanswered(lambda: GATEWAY.charge(an_order()))
    stripe.forget_keys()
    order = an_order(at=clock.now() - timedelta(hours=24))

    assert GATEWAY.look(order) == Verdict("PENDING", "pi_1")
    assert GATEWAY.void(order) == GATEWAY.look(order) == Verdict("VOIDED", "pi_1")


def test_of_two_intents_of_a_payment_that_which_took_money_counts(stripe: Stripe) -> None:
    GATEWAY.charge(an_order())
    stripe.forget_keys()
    stripe.now += 60
    GATEWAY.look(an_order())
    assert len(stripe.intents) == 2

    assert GATEWAY.void(an_order(at=clock.now() - timedelta(hours=24))) == Verdict("CAPTURED", "pi_1")


def test_after_a_day_what_was_never_made_is_absent(stripe: Stripe) -> None:
    order = an_order(at=clock.now() - timedelta(hours=24))

    assert (GATEWAY.look(order).status, GATEWAY.void(order).status) == ("ABSENT", "VOIDED")
    assert stripe.intents == {}


@pytest.mark.parametrize(("age", "made"), [(timedelta(hours=23) - timedelta(minutes=1), 1), (timedelta(hours=24), 0)])
def test_a_key_is_relied_on_for_less_than_a_day(stripe: Stripe, age: timedelta, made: int) -> None:
    GATEWAY.look(an_order(at=clock.now() - age))

    assert len(stripe.intents) == made


def test_a_refund_is_made_once_under_its_key(stripe: Stripe) -> None:
    GATEWAY.charge(an_order())

    assert [GATEWAY.refund(a_refund()) for _ in range(3)] == [Verdict("CAPTURED", "re_1")] * 3
    (create,) = [call for call in stripe.calls if (call.method, call.path) == ("POST", "/v1/refunds")]
    assert create.key == REFUND
    assert create.form == {
        "payment_intent": "pi_1",
        "amount": "20000",
        "metadata[refund_id]": REFUND,
        "metadata[payment_id]": PAYMENT,
    }
    assert GATEWAY.look_refund(a_refund()) == Verdict("CAPTURED", "re_1")
    assert len(stripe.refunds) == 1


@pytest.mark.parametrize("fault", ["lost", "dropped", 409, 500])
def test_a_refund_whose_answer_is_lost_is_made_once(stripe: Stripe, fault: Fault) -> None:
    GATEWAY.charge(an_order())
    stripe.fail("POST /v1/refunds", fault)
    unanswered(lambda: GATEWAY.refund(a_refund()))

    assert GATEWAY.look_refund(a_refund()).status == ("CAPTURED" if fault == "lost" else "ABSENT")
    assert GATEWAY.refund(a_refund()).status == "CAPTURED"
    assert len(stripe.refunds) == 1


def test_a_refund_that_is_asked_for_again_after_a_day_is_found(stripe: Stripe) -> None:
    GATEWAY.charge(an_order())
    GATEWAY.refund(a_refund())
    stripe.forget_keys()

    assert GATEWAY.refund(a_refund()) == Verdict("CAPTURED", "re_1")
    assert len(stripe.refunds) == 1


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("pending", Verdict("PENDING", "re_1")),
        ("requires_action", Verdict("PENDING", "re_1")),
        ("failed", Verdict("DECLINED", "re_1", "LOST_OR_STOLEN_CARD", "The money could not be paid back.")),
        ("canceled", Verdict("DECLINED", "re_1", "CANCELED", "The money could not be paid back.")),
    ],
)
def test_a_refund_may_be_decided_later_or_fail(stripe: Stripe, status: str, verdict: Verdict) -> None:
    GATEWAY.charge(an_order())
    stripe.refund_status = status

    assert GATEWAY.refund(a_refund()) == GATEWAY.look_refund(a_refund()) == verdict


def test_more_than_was_paid_is_not_paid_back(stripe: Stripe) -> None:
    GATEWAY.charge(an_order())

    verdict = GATEWAY.refund(a_refund(52501))

    assert (verdict.status, verdict.code) == ("DECLINED", "CHARGE_ALREADY_REFUNDED")
    assert GATEWAY.look_refund(a_refund(52501)).status == "ABSENT"


def test_a_refund_among_many_is_found(stripe: Stripe) -> None:
    GATEWAY.charge(an_order(amount=52500))
    for number in range(120):
        GATEWAY.refund(a_refund(10, ids.derived("refund", number)))

    assert GATEWAY.look_refund(a_refund(10, ids.derived("refund", 0))).gateway_id == "re_1"


def test_the_statement_is_of_a_clinic_day_oldest_first_with_our_keys(stripe: Stripe) -> None:
    midnight = datetime(2026, 11, 27, 18, 30, tzinfo=UTC)
    for number, seconds in enumerate((-1, 0, 86_399, 86_400)):
        stripe.now = midnight.timestamp() + seconds
        GATEWAY.charge(an_order(key=ids.derived("payment", number), amount=1000 + number))
    stripe.now = midnight.timestamp() + 3600
    GATEWAY.refund(a_refund(500, intent="pi_2"))

    lines = GATEWAY.statement(date(2026, 11, 28), "Asia/Kolkata")

    assert lines == [
        StatementLine(ids.derived("payment", 1), "PAYMENT", 1001, "INR", midnight, "pi_2"),
        StatementLine(REFUND, "REFUND", 500, "INR", midnight + timedelta(hours=1), "re_1"),
        StatementLine(ids.derived("payment", 2), "PAYMENT", 1002, "INR", midnight + timedelta(seconds=86_399), "pi_3"),
    ]


def test_the_statement_is_read_to_its_end(stripe: Stripe) -> None:
    at = datetime(2026, 11, 28, 6, tzinfo=UTC)
    for number in range(205):
        stripe.now = at.timestamp() + number
        stripe.move("charge", number + 1, a_charge(number))

    lines = GATEWAY.statement(date(2026, 11, 28), "Asia/Kolkata")

    assert [line.amount for line in lines] == list(range(1, 206))


def a_charge(number: int, **changes: Any) -> dict[str, Any]:
    source = {"id": f"ch_{number}", "payment_intent": f"pi_{number}", "metadata": {"payment_id": f"{number}"}}
    return {**source, "amount": number + 1, "currency": "inr", **changes}


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("dispute", "REFUND"),
        ("dispute_reversal", "PAYMENT"),
        ("refund_failure", "PAYMENT"),
        ("charge_failure", "REFUND"),
        ("partial_capture_reversal", "REFUND"),
    ],
)
def test_money_that_moved_without_our_asking_is_on_the_statement_without_a_key(
    stripe: Stripe, category: str, kind: str
) -> None:
    stripe.now = datetime(2026, 11, 28, 6, tzinfo=UTC).timestamp()
    stripe.move(category, -900, {"id": "dp_1", "metadata": {"payment_id": PAYMENT}})

    assert [line[:4] for line in GATEWAY.statement(date(2026, 11, 28), "Asia/Kolkata")] == [("", kind, 900, "INR")]


@pytest.mark.parametrize("category", ["fee", "payout", "payout_reversal", "transfer", "topup"])
def test_what_stripe_moves_between_itself_and_the_clinic_is_not_on_the_statement(stripe: Stripe, category: str) -> None:
    stripe.now = datetime(2026, 11, 28, 6, tzinfo=UTC).timestamp()
    stripe.move(category, -900, {"id": "po_1"})

    assert GATEWAY.statement(date(2026, 11, 28), "Asia/Kolkata") == []


def test_the_statement_counts_in_the_currency_that_was_paid(stripe: Stripe) -> None:
    stripe.now = datetime(2026, 11, 28, 6, tzinfo=UTC).timestamp()
    stripe.move("charge", 83_000, a_charge(1, amount=1000, currency="usd"), currency="inr")
    stripe.move("charge", 500, a_charge(2, metadata={}, payment_intent=None))

    lines = GATEWAY.statement(date(2026, 11, 28), "Asia/Kolkata")

    assert {(line.key, line.amount, line.currency, line.gateway_id) for line in lines} == {
        ("1", 1000, "USD", "pi_1"),
        ("", 3, "INR", "ch_2"),
    }


def test_a_key_that_is_not_accepted_decides_nothing(stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe_client, "parameter", lambda _name: "sk_test_old")

    for work in (GATEWAY.charge, GATEWAY.look, GATEWAY.void):
        assert unanswered(lambda work=work: work(an_order())) == "HTTP 401"  # type: ignore[misc]


class Ssm:
    def __init__(self, *answers: str | Exception) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answers = list(answers)

    def get_parameter(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Parameter": {"Value": answer}}


def test_the_secret_is_read_once_and_again_only_where_it_was_not_given(
    stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttled = ClientError({"Error": {"Code": "ThrottlingException"}}, "GetParameter")
    ssm = Ssm(throttled, SECRET)
    secrets.parameter.cache_clear()
    monkeypatch.setattr(secrets, "_ssm", lambda: ssm)
    monkeypatch.setattr(stripe_client, "parameter", secrets.parameter)

    assert unanswered(lambda: GATEWAY.charge(an_order())) == "NoSecret"
    assert GATEWAY.charge(an_order()).status == "CAPTURED"
    assert ssm.asked == [{"Name": "/hms/stripe/secret-key", "WithDecryption": True}] * 2
    secrets.parameter.cache_clear()
