"""The HTTP operations on the work list: what a person has to put right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from billing import exceptions, listing, office
from billing.commands import ResolveException
from billing.listing import ExceptionList
from billing.model import BillingException
from billing.query import ListExceptions
from billing.rules import ExceptionNotFound
from hms.api import Request, Response, answer
from hms.call import Outcome
from hms.errors import Busy, InvalidTransition, StaleVersion
from hms.executions import Undecided, execute
from hms.fields import Command, View

if TYPE_CHECKING:
    from billing.exceptions import Rerun
    from hms.api import Api
    from hms.call import Call

_ALL = "/v1/billing/exceptions"
_ONE = f"{_ALL}/{{exception_id}}"
_READ, _HANDLE = "billing:exceptions", "billing:exceptions_handle"
_CHANGING = (ExceptionNotFound, InvalidTransition, StaleVersion)
# A gateway waits 29 s at most, whatever the flow takes.
_PATIENCE_SECONDS = 20


class RetryException(Command):
    """A command whose path says everything."""


class Retried(View):
    """The exception that was tried again, and what came of it. `flagged`: it failed again, and is listed anew."""

    exception: BillingException
    outcome: Literal["settled", "superseded", "flagged"]


class NotDecidedYet(Busy):
    code = "NOT_DECIDED_YET"
    detail = "It is being tried again, and not decided yet: send it again with the same Idempotency-Key."


def declare(app: Api) -> None:
    """Adds these operations to the domain's."""
    listed = {"summary": "List what a person has to put right", "answers": ExceptionList}
    app.route("GET", _ALL, _READ, query=ListExceptions, **listed)(list_billing_exceptions)
    read = {"summary": "Read what went wrong and what is to do", "answers": BillingException}
    app.route("GET", _ONE, _READ, **read, problems=(ExceptionNotFound,))(get_billing_exception)
    app.route(
        *("POST", f"{_ONE}/retry", _HANDLE),
        summary="Settle the bill of a visit once more",
        body=RetryException,
        answers=Retried,
        key_required=True,
        problems=(*_CHANGING, NotDecidedYet),
    )(retry_billing_exception)
    app.route(
        *("POST", f"{_ONE}/resolve", _HANDLE),
        summary="Say how it was put right",
        body=ResolveException,
        answers=BillingException,
        problems=_CHANGING,
    )(resolve_billing_exception)


def list_billing_exceptions(request: Request, params: ListExceptions) -> Response:
    return Response(body=listing.work_list(params, request.call, office.bills))


def get_billing_exception(request: Request) -> Response:
    return answer(exceptions.read(_id(request), request.call, office.bills))


def retry_billing_exception(request: Request, _command: RetryException) -> Response:
    """The flow runs while the caller waits; the same key finds it decided, or runs it on."""
    outcome = exceptions.retry(_id(request), request.call, office.bills)
    rerun = outcome.state
    retried = Retried.model_validate({"exception": rerun.exception, "outcome": _settled(rerun, request.call)})
    return answer(Outcome(rerun.exception, outcome.replayed), view=retried)


def resolve_billing_exception(request: Request, command: ResolveException) -> Response:
    return answer(exceptions.resolve(_id(request), command, request.call, office.bills))


def _settled(rerun: Rerun, call: Call) -> str:
    payload = {"appointment_id": rerun.appointment_id, "version": rerun.version, "correlation_id": call.correlation_id}
    name = f"retry-{rerun.exception.exception_id}"
    try:
        output = execute("SETTLE_APPOINTMENT_ARN", name, payload, _PATIENCE_SECONDS, bill_id=rerun.exception.bill_id)
    except Undecided as error:
        raise NotDecidedYet from error
    return str(output["outcome"])


def _id(request: Request) -> str:
    return request.path["exception_id"]
