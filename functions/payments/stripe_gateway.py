"""Stripe, by PaymentIntents: made unconfirmed under the payment's id, then confirmed with the payer's method.

So there is something to find and to cancel before any money moves, whichever answer is lost. Making an intent again
under its key answers with the one that there is; that is how it is found. Stripe forgets keys after a day: a payment
older than that is looked for in the list of intents, by our id in its metadata, and is not charged any more.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from hms import clock
from payments import stripe_client as stripe
from payments.gateways import Misused, StatementLine, Unanswered, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from payments.gateways import Order, RefundOrder
    from payments.stripe_client import Body, Form

_INTENTS = "/v1/payment_intents"
_REFUNDS = "/v1/refunds"
_DAY = timedelta(days=1)
# An hour less than Stripe promises.
_KEY_KEPT = timedelta(hours=23)
_CLOCKS_DIFFER = timedelta(hours=1)
# Stripe counts these in whole or in thousandths; everything here is counted in hundredths.
_WHOLE = {
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "JPY",
    "KMF",
    "KRW",
    "MGA",
    "PYG",
    "RWF",
    "UGX",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
}
_THOUSANDTHS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
# Why a card was refused is not always for its holder to know; this much is.
_DECLINES_TOLD = {"insufficient_funds", "expired_card", "incorrect_cvc"}
_NO_DETAIL = "The payment could not be made."
# Stripe's reporting categories of money between payers and us; fees, payouts and the like are not.
_CATEGORIES: Mapping[str, Any] = {
    "charge": "PAYMENT",
    "refund": "REFUND",
    "refund_failure": "PAYMENT",
    "charge_failure": "REFUND",
    "partial_capture_reversal": "REFUND",
    "dispute": "REFUND",
    "dispute_reversal": "PAYMENT",
}


class StripeGateway:
    """CARD, and UPI as far as Stripe takes it without the payer at hand. `source` is the id of a PaymentMethod."""

    name = "stripe"

    def charge(self, order: Order) -> Verdict:
        """Two calls. What needs the payer to act is declined and cancelled: nobody is there to act."""
        if order.currency in _WHOLE | _THOUSANDTHS:
            return Verdict("DECLINED", None, "CURRENCY_NOT_SUPPORTED", "This currency cannot be charged.")
        if _is_old(order):
            return Verdict("PENDING")
        made = _made(order)
        if not made.ok:
            return _declined(made.body)
        form = {"payment_method": order.source or "", "off_session": "true", "error_on_requires_action": "true"}
        intent_id = made.body["id"]
        answer = stripe.post(f"{_INTENTS}/{intent_id}/confirm", form, key=f"{order.key}/confirm")
        if answer.ok:
            return _charged(answer.body)
        return _not_charged(answer.body, intent_id)

    def look(self, order: Order) -> Verdict:
        """Makes the intent where there is none yet, so that a charge under way finds it cancelled if it is voided."""
        intent = _found(order)
        return _verdict(intent) if intent else Verdict("ABSENT")

    def void(self, order: Order) -> Verdict:
        intent = _found(order)
        return _cancelled(intent) if intent else Verdict("VOIDED")

    def refund(self, order: RefundOrder) -> Verdict:
        """Looks first: a refund that is asked for again after more than a day would be made again."""
        there = self.look_refund(order)
        if there.status != "ABSENT":
            return there
        form: Form = {
            "payment_intent": order.gateway_id,
            "amount": order.amount,
            "metadata[refund_id]": order.key,
            "metadata[payment_id]": order.payment_key,
        }
        answer = stripe.post(_REFUNDS, form, key=order.key)
        return _refund_verdict(answer.body) if answer.ok else _declined(answer.body)

    def look_refund(self, order: RefundOrder) -> Verdict:
        refunds = stripe.pages(_REFUNDS, payment_intent=order.gateway_id)
        there = next((one for one in refunds if one["metadata"].get("refund_id") == order.key), None)
        return _refund_verdict(there) if there else Verdict("ABSENT")

    def statement(self, day: date, zone: str) -> list[StatementLine]:
        start, end = (datetime.combine(one, time(), ZoneInfo(zone)) for one in (day, day + _DAY))
        query: Form = {**_created(start, end - timedelta(seconds=1)), "expand[]": "data.source"}
        moved = list(stripe.pages("/v1/balance_transactions", **query))
        return [_line(one) for one in reversed(moved) if one["reporting_category"] in _CATEGORIES]


def _is_old(order: Order) -> bool:
    return clock.now() - order.at > _KEY_KEPT


def _made(order: Order) -> stripe.Answer:
    form: Form = {
        "amount": order.amount,
        "currency": order.currency.lower(),
        "payment_method_types[]": order.method.lower(),
        "capture_method": "automatic",
        "description": order.description,
        "metadata[payment_id]": order.key,
    }
    return stripe.post(_INTENTS, form, key=order.key)


def _found(order: Order) -> Body | None:
    """None: there is none, and there will be none."""
    if _is_old(order):
        return _listed(order)
    try:
        made = _made(order)
    except (Misused, Unanswered) as error:
        # The key may answer with a fault for a day, or know the order as an older version of this module wrote it.
        if there := _listed(order):
            return there
        raise Unanswered(str(error)) from error
    if not made.ok:
        return None
    # The key answers with the intent as it was at first.
    return _read(made.body["id"])


def _listed(order: Order) -> Body | None:
    created = _created(order.at - _CLOCKS_DIFFER, order.at + _DAY)
    ours = [one for one in stripe.pages(_INTENTS, **created) if one["metadata"].get("payment_id") == order.key]
    return next((one for one in ours if one["status"] == "succeeded"), ours[0] if ours else None)


def _created(first: datetime, last: datetime) -> dict[str, int]:
    return {"created[gte]": int(first.timestamp()), "created[lte]": int(last.timestamp())}


def _read(intent_id: str) -> Body:
    answer = stripe.get(f"{_INTENTS}/{intent_id}")
    if not answer.ok:
        raise Unanswered(str(answer.body.get("code")))
    return answer.body


def _charged(intent: Body) -> Verdict:
    if intent["status"] == "requires_action":
        voided = _cancelled(intent)
        if voided.status != "VOIDED":
            return voided
        return Verdict("DECLINED", intent["id"], "AUTHENTICATION_REQUIRED", "The card asks its holder to confirm this.")
    return _verdict(intent)


def _not_charged(error: Body, intent_id: str) -> Verdict:
    intent = error.get("payment_intent")
    if error.get("type") == "card_error" or not intent:
        return _declined(error, intent_id)
    if intent["status"] == "canceled":
        return Verdict("DECLINED", intent_id, "VOIDED", "The payment was voided before.")
    # It was in no state to be confirmed: somebody else has done it.
    return _verdict(intent)


def _verdict(intent: Body) -> Verdict:
    status, error = intent["status"], intent.get("last_payment_error")
    if status == "requires_payment_method" and error:
        return _declined(error, intent["id"])
    known: dict[str, Any] = {"succeeded": "CAPTURED", "canceled": "VOIDED"}
    return Verdict(known.get(status, "PENDING"), intent["id"])


def _cancelled(intent: Body) -> Verdict:
    """No key: its first answer would come again after the state has changed."""
    verdict = _verdict(intent)
    if verdict.status in ("CAPTURED", "VOIDED"):
        return verdict
    answer = stripe.post(f"{_INTENTS}/{intent['id']}/cancel", {})
    now = _verdict(answer.body if answer.ok else _read(intent["id"]))
    return now if now.status in ("CAPTURED", "VOIDED") else Verdict("PENDING", intent["id"])


def _declined(error: Body, gateway_id: str | None = None) -> Verdict:
    """Only what Stripe says of a card is meant for its holder; other words may repeat what was sent."""
    if error.get("type") == "card_error":
        told = error.get("decline_code") if error.get("decline_code") in _DECLINES_TOLD else error.get("code")
        return Verdict("DECLINED", gateway_id, str(told).upper(), error.get("message") or _NO_DETAIL)
    code = "INVALID_SOURCE" if error.get("param") == "payment_method" else error.get("code") or error.get("type")
    return Verdict("DECLINED", gateway_id, str(code).upper(), _NO_DETAIL)


def _refund_verdict(refund: Body) -> Verdict:
    status = refund["status"]
    if status in ("failed", "canceled"):
        code = str(refund.get("failure_reason") or status).upper()
        return Verdict("DECLINED", refund["id"], code, "The money could not be paid back.")
    return Verdict("CAPTURED" if status == "succeeded" else "PENDING", refund["id"])


def _line(transaction: Body) -> StatementLine:
    """Disputes and failed refunds have no key of ours: a person has to look at them."""
    category, source = transaction["reporting_category"], transaction["source"]
    at = datetime.fromtimestamp(transaction["created"], UTC)
    kind = _CATEGORIES[category]
    if category not in ("charge", "refund"):
        money = abs(transaction["amount"]), transaction["currency"].upper()
        return StatementLine("", kind, *money, at, source["id"])
    # Stripe settles in one currency, whatever was paid in.
    money = source["amount"], source["currency"].upper()
    name, gateway_id = ("payment_id", source["payment_intent"]) if category == "charge" else ("refund_id", source["id"])
    return StatementLine(source["metadata"].get(name, ""), kind, *money, at, gateway_id or source["id"])
