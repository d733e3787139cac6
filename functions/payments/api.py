"""The HTTP face of payments and refunds."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from hms.api import PUBLIC, Api, Request, Response, answer
from hms.call import Outcome
from hms.errors import Busy, Malformed, NotFound, TooLarge, Unauthenticated
from hms.fields import View, day_of
from hms.gate import gate
from hms.policy import Policy
from hms.request import MAX_BODY_BYTES
from hms.settings import setting
from hms.store import DynamoTable
from payments import listing, refunding, service, signatures, statements, webhooks
from payments.clinic import clinic
from payments.commands import PayBill, RefundPayment
from payments.flow import ExecutedFlows
from payments.gateways import Unanswered
from payments.listing import PaymentPage, RefundPage
from payments.model import PaymentView, Refund, Status
from payments.owners import TasksBilling
from payments.processors import by_name, for_method
from payments.query import ListPayments, ListRefunds, ReconcileDay
from payments.reconciliation import Reconciliation
from payments.rules import PAYMENT_PROBLEMS, REFUND_PROBLEMS, PaymentNotFound, RefundNotFound
from payments.secrets import webhook_secret
from payments.service import Office
from payments.store import Payments, Refunds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

table = DynamoTable()
billing = TasksBilling()
office = Office(
    Payments(table), Refunds(table), billing, ExecutedFlows(), for_method, lambda: setting("PAYMENT_GATEWAY")
)
app = Api("payments", Policy.load(Path(__file__).with_name("policy.json")), gate(table))
handler = app.handler


class NoticeTaken(View):
    """`repeated`: it had come before."""

    event_id: str
    repeated: bool


@app.route(
    "POST",
    "/v1/payments",
    "payments:pay",
    summary="Pay a bill, or a part of it",
    body=PayBill,
    answers=PaymentView,
    status=201,
    also=(202,),
    key_required=True,
    problems=PAYMENT_PROBLEMS,
)
def make_payment(request: Request, command: PayBill) -> Response:
    """201 where it is COMPLETED; 202 while it is PENDING, as where the processor does not answer: ask again with the
    same key, or read it. What has failed is a problem, to the same key ever after."""
    outcome = service.pay(command, request.call, office)
    return answer(outcome, _status_of(outcome.state.status))


@app.route(
    "GET",
    "/v1/payments",
    "payments:read",
    summary="List the payments of a bill, a patient or a day",
    query=ListPayments,
    answers=PaymentPage,
)
def list_payments(request: Request, params: ListPayments) -> Response:
    return Response(body=listing.payments(params, request.call, office))


@app.route(
    "GET",
    "/v1/payments/reconciliation",
    "payments:reconcile",
    summary="A day of the processor's statement held against the ledger",
    query=ReconcileDay,
    answers=Reconciliation,
)
def get_reconciliation(request: Request, params: ReconcileDay) -> Response:
    day = params.day or day_of(request.call.now, clinic().timezone)
    try:
        found = statements.reconciled(day, request.call, office, billing, by_name)
    except Unanswered as error:
        raise Busy("The payment processor does not answer; send the request again.") from error
    return Response(body=found)


@app.route(
    "GET",
    "/v1/payments/{payment_id}",
    "payments:read",
    summary="Read a payment",
    answers=PaymentView,
    problems=(PaymentNotFound,),
)
def get_payment(request: Request) -> Response:
    # What was paid back changes without its version.
    return answer(Outcome(service.read(request.path["payment_id"], request.call, office)), derived=True)


@app.route(
    "POST",
    "/v1/refunds",
    "payments:refund",
    summary="Pay a payment back, or a part of it",
    body=RefundPayment,
    answers=Refund,
    status=201,
    also=(202,),
    key_required=True,
    problems=REFUND_PROBLEMS,
)
def refund_payment(request: Request, command: RefundPayment) -> Response:
    """201 where it is COMPLETED; 202 while it is PENDING: it is asked for until the processor has decided."""
    outcome = refunding.refund(command, request.call, office)
    return answer(outcome, _status_of(outcome.state.status))


@app.route(
    "GET",
    "/v1/refunds",
    "payments:read",
    summary="List the refunds of a payment",
    query=ListRefunds,
    answers=RefundPage,
    problems=(PaymentNotFound,),
)
def list_refunds(request: Request, params: ListRefunds) -> Response:
    return Response(body=listing.refunds(params, request.call, office))


@app.route(
    "GET",
    "/v1/refunds/{refund_id}",
    "payments:read",
    summary="Read a refund",
    answers=Refund,
    problems=(RefundNotFound,),
)
def get_refund(request: Request) -> Response:
    return answer(refunding.read(request.path["refund_id"], request.call, office))


@app.route(
    "POST",
    "/v1/payments/webhooks/{gateway}",
    PUBLIC,
    summary="Take a payment processor's notice",
    answers=NoticeTaken,
    problems=(Unauthenticated, Malformed, TooLarge),
)
def receive_webhook(request: Request) -> Response:
    """Signed by the processor in its own header. It says where to look, never what is so: the processor is asked."""
    gateway, event = request.path["gateway"], request.event
    # Only who is asked for new payments is heard; of others the sweep asks.
    if gateway not in signatures.HEADERS or gateway != office.processor():
        raise NotFound
    notice = webhooks.verified(gateway, _body_of(event), event.get("headers") or {}, webhook_secret)
    first = webhooks.take(gateway, notice, request.call, office)
    return Response(body=NoticeTaken(event_id=notice.event_id, repeated=not first))


def _body_of(event: Mapping[str, Any]) -> bytes:
    """As it came, byte for byte: that is what is signed."""
    text = event.get("body") or ""
    if len(text) > MAX_BODY_BYTES:
        raise TooLarge
    try:
        return base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except ValueError as error:
        raise Malformed from error


def _status_of(status: Status) -> int:
    return 202 if status is Status.PENDING else 201
