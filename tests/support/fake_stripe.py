"""As much of Stripe as the adapter calls, on this machine: intents, refunds, balance transactions, idempotency keys.

Under a key the first answer comes again, whatever has changed since, and another form is refused. Faults are ordered
for the next call of a path: a status, `lost` (done, but the answer never comes), `dropped` (not even done), `late`, or
`broken` (done, but answered with 500, from now on under its key).
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

type Body = dict[str, Any]
type Form = dict[str, str]
type Fault = int | Literal["lost", "dropped", "late", "broken"]

SECRET = "sk_test_fake"
LATE_SECONDS = 1.5
_DECLINES = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline", "Your card was declined."),
    "pm_card_chargeDeclinedStolenCard": ("card_declined", "stolen_card", "Your card was declined."),
    "pm_card_chargeDeclinedInsufficientFunds": (
        "card_declined",
        "insufficient_funds",
        "Your card has insufficient funds.",
    ),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", None, "Your card has expired."),
    "pm_card_authenticationRequired": (
        "authentication_required",
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
}
_STATES = {"pm_card_visa": "succeeded", "pm_slow": "processing", "pm_asks": "requires_action"}
_CONFIRMABLE = {"requires_payment_method", "requires_confirmation", "requires_action"}


class Refusal(Exception):
    def __init__(self, status: int, **error: Any) -> None:
        super().__init__(error.get("code"))
        self.status, self.error = status, error


@dataclass
class Asked:
    method: str
    path: str
    form: Form
    key: str | None
    version: str | None


@dataclass
class Stripe:
    """`now` is what it takes the time to be."""

    now: float
    calls: list[Asked] = field(default_factory=list)
    intents: dict[str, Body] = field(default_factory=dict)
    refunds: dict[str, Body] = field(default_factory=dict)
    balance: list[Body] = field(default_factory=list)
    refund_status: str = "succeeded"
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    _answers: dict[str, tuple[str, Form, int, Body]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def fail(self, path: str, fault: Fault) -> None:
        """The next call whose method and path end so: `POST /v1/refunds`, `/confirm`."""
        self.faults.append((path, fault))

    def forget_keys(self) -> None:
        """What Stripe does after a day."""
        self._answers.clear()

    def ordered(self, method: str, path: str) -> Fault | None:
        there = next((one for one in self.faults if f"{method} {path}".endswith(one[0])), None)
        if there:
            self.faults.remove(there)
        return there and there[1]

    def answer(self, asked: Asked, authorization: str | None) -> tuple[int, Body, bool]:
        """Status, body, and whether it is an earlier answer again."""
        with self._lock:
            self.calls.append(asked)
            try:
                self._admit(authorization)
                return self._keyed(asked)
            except Refusal as refusal:
                return refusal.status, {"error": refusal.error}, False

    def break_key(self, asked: Asked) -> tuple[int, Body, bool]:
        broken: tuple[int, Body] = 500, {"error": {"type": "api_error"}}
        if asked.key:
            self._answers[asked.key] = (asked.path, asked.form, *broken)
        return *broken, False

    def _admit(self, authorization: str | None) -> None:
        if authorization != f"Bearer {SECRET}":
            raise Refusal(401, type="invalid_request_error", message="Invalid API Key provided")

    def _keyed(self, asked: Asked) -> tuple[int, Body, bool]:
        earlier = self._answers.get(asked.key) if asked.key else None
        if earlier:
            if earlier[:2] != (asked.path, asked.form):
                raise Refusal(400, type="idempotency_error", message="Keys for idempotent requests can only be used")
            return earlier[2], json.loads(json.dumps(earlier[3])), True
        status, body = self._done(asked)
        if asked.key:
            self._answers[asked.key] = (asked.path, asked.form, status, json.loads(json.dumps(body)))
        return status, body, False

    def _done(self, asked: Asked) -> tuple[int, Body]:
        try:
            return 200, self._routed(asked)
        except Refusal as refusal:
            # What the parameters alone forbid has not begun, and is kept under no key.
            if refusal.error.get("param"):
                raise
            return refusal.status, {"error": refusal.error}

    def _routed(self, asked: Asked) -> Body:
        _, collection, *named = asked.path.strip("/").split("/")
        do = {
            "POST payment_intents": self._create,
            "GET payment_intents": lambda form: self._list(list(self.intents.values()), form),
            "GET payment_intents ID": lambda _form: self._intent(named[0]),
            "POST payment_intents ID confirm": lambda form: self._confirm(self._intent(named[0]), form),
            "POST payment_intents ID cancel": lambda _form: self._cancel(self._intent(named[0])),
            "POST refunds": self._refund,
            "GET refunds": lambda form: self._list(self._refunds_of(form["payment_intent"]), form),
            "GET balance_transactions": self._balance,
        }[" ".join((asked.method, collection, *(["ID"] if named else []), *named[1:]))]
        return do(asked.form)

    def _create(self, form: Form) -> Body:
        if int(form["amount"]) < 50:
            raise Refusal(400, type="invalid_request_error", code="amount_too_small", param="amount")
        if form["payment_method_types[]"] != "card":
            raise Refusal(400, type="invalid_request_error", message="not activated", param="payment_method_types")
        name = f"pi_{len(self.intents) + 1}"
        self.intents[name] = {
            "id": name,
            "object": "payment_intent",
            "amount": int(form["amount"]),
            "currency": form["currency"],
            "created": int(self.now),
            "description": form["description"],
            "metadata": {"payment_id": form["metadata[payment_id]"]},
            "status": "requires_payment_method",
            "last_payment_error": None,
        }
        return self.intents[name]

    def _confirm(self, intent: Body, form: Form) -> Body:
        if intent["status"] not in _CONFIRMABLE:
            raise self._unexpected(intent)
        method = form["payment_method"]
        if method in _DECLINES:
            code, decline_code, message = _DECLINES[method]
            error = {"type": "card_error", "code": code, "message": message}
            error |= {"decline_code": decline_code} if decline_code else {}
            intent |= {"status": "requires_payment_method", "last_payment_error": error}
            raise Refusal(402, **error, payment_intent=dict(intent))
        if method not in _STATES:
            message = f"No such PaymentMethod: '{method}'"
            raise Refusal(
                400, type="invalid_request_error", code="resource_missing", message=message, param="payment_method"
            )
        intent["status"] = _STATES[method]
        if intent["status"] == "succeeded":
            self.capture(intent["id"])
        return intent

    def capture(self, name: str) -> None:
        intent = self.intents[name]
        intent["status"] = "succeeded"
        charge = {"id": f"ch_{name[3:]}", "object": "charge", "payment_intent": name, "metadata": intent["metadata"]}
        charge |= {"amount": intent["amount"], "currency": intent["currency"]}
        self.move("charge", intent["amount"], charge)

    def move(self, category: str, amount: int, source: Body, currency: str = "inr", at: float | None = None) -> None:
        transaction = {"id": f"txn_{len(self.balance) + 1}", "amount": amount, "currency": currency, "source": source}
        self.balance.append({**transaction, "reporting_category": category, "created": int(at or self.now)})

    def _cancel(self, intent: Body) -> Body:
        if intent["status"] not in _CONFIRMABLE:
            raise self._unexpected(intent)
        intent["status"] = "canceled"
        return intent

    def _refund(self, form: Form) -> Body:
        intent, amount = self._intent(form["payment_intent"]), int(form["amount"])
        before = sum(one["amount"] for one in self._refunds_of(intent["id"]))
        if before + amount > intent["amount"]:
            raise Refusal(400, type="invalid_request_error", code="charge_already_refunded", message="re_")
        name = f"re_{len(self.refunds) + 1}"
        self.refunds[name] = {
            "id": name,
            "object": "refund",
            "amount": amount,
            "currency": intent["currency"],
            "payment_intent": intent["id"],
            "status": self.refund_status,
            "failure_reason": "lost_or_stolen_card" if self.refund_status == "failed" else None,
            "created": int(self.now),
            "metadata": {name: form[f"metadata[{name}]"] for name in ("refund_id", "payment_id")},
        }
        self.move("refund", -amount, self.refunds[name])
        return self.refunds[name]

    def _refunds_of(self, intent: str) -> list[Body]:
        return [one for one in self.refunds.values() if one["payment_intent"] == intent]

    def _balance(self, form: Form) -> Body:
        assert form["expand[]"] == "data.source"
        return self._list(self.balance, form)

    def _intent(self, name: str) -> Body:
        if name not in self.intents:
            raise Refusal(404, type="invalid_request_error", code="resource_missing", param="intent")
        return self.intents[name]

    def _unexpected(self, intent: Body) -> Refusal:
        told = {"code": "payment_intent_unexpected_state", "payment_intent": dict(intent)}
        return Refusal(400, type="invalid_request_error", message="This PaymentIntent's status", **told)

    def _list(self, rows: list[Body], form: Form) -> Body:
        first, last = int(form.get("created[gte]", 0)), int(form.get("created[lte]", 2**40))
        newest = sorted((row for row in rows if first <= row["created"] <= last), key=lambda row: -row["created"])
        names = [row["id"] for row in newest]
        start = names.index(form["starting_after"]) + 1 if "starting_after" in form else 0
        limit = int(form["limit"])
        return {"data": newest[start : start + limit], "has_more": len(newest) > start + limit}


class Server(ThreadingHTTPServer):
    """`Stripe` on a port of this machine."""

    def __init__(self, stripe: Stripe) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.stripe = stripe
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_words: object) -> None:
        pass

    def _answer(self) -> None:
        stripe, asked = self.server.stripe, self._asked()
        fault = stripe.ordered(asked.method, asked.path)
        if fault == "dropped":
            return
        if isinstance(fault, int):
            stripe.calls.append(asked)
            self._say(fault, {"error": {"type": "api_error"}}, replayed=False)
            return
        answer = stripe.answer(asked, self.headers["Authorization"])
        if fault == "broken":
            answer = stripe.break_key(asked)
        if fault == "late":
            time.sleep(LATE_SECONDS)
        if fault != "lost":
            self._say(*answer[:2], replayed=answer[2])

    def _asked(self) -> Asked:
        address = urlsplit(self.path)
        text = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode() or address.query
        form = dict(parse_qsl(text, keep_blank_values=True))
        headers = self.headers["Idempotency-Key"], self.headers["Stripe-Version"]
        return Asked(self.command, address.path, form, *headers)

    def _say(self, status: int, body: Body, *, replayed: bool) -> None:
        text = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Request-Id", f"req_{len(self.server.stripe.calls)}")
            self.send_header("Content-Length", str(len(text)))
            if replayed:
                self.send_header("Idempotent-Replayed", "true")
            self.end_headers()
            self.wfile.write(text)
        except ConnectionError:
            # Whoever asked has stopped waiting.
            self.close_connection = True
