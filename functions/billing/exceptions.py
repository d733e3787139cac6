"""The work list: what a person has to put right, and what they did about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from billing.ledger import Posted
from billing.model import BillingException, BillSettlementRetried, ExceptionKind, ExceptionRaised, ExceptionResolved
from billing.rules import ExceptionNotFound
from hms.call import Outcome, decided
from hms.errors import InvalidTransition
from hms.money import AT_REST

if TYPE_CHECKING:
    from billing.commands import ResolveException
    from billing.model import Bill
    from billing.store import Bills, ExceptionPage
    from hms.aggregate import Stored
    from hms.call import Call
    from hms.rows import Change

_TO_DO = {
    ExceptionKind.REFUND_FAILED: (
        "Nothing was paid back. Refund it again, or with the method CASH or BANK_TRANSFER where it is given back by "
        "hand; then resolve this."
    ),
    ExceptionKind.SETTLEMENT_FAILED: (
        "What the patient gets back could not be refunded, or not all of it. Refund it by hand if it has to go another "
        "way, then retry: only what is still too much on the bill is refunded."
    ),
    ExceptionKind.UNRESERVED_CAPTURE: (
        "Money moved that the bill did not expect. It is in the ledger: refund what is too much, then resolve this."
    ),
}


class Rerun(NamedTuple):
    """What the flow settle-appointment has to be run for again."""

    exception: BillingException
    appointment_id: str
    version: int


def raised(
    kind: ExceptionKind,
    exception_id: str,
    bill: Bill,
    call: Call,
    *,
    amount: int,
    code: str,
    detail: str,
    **more: object,
) -> BillingException:
    """An exception of a bill; `more` says of which transaction or visit."""
    own = {name: getattr(bill, name) for name in ("bill_id", "bill_number", "patient_id", "currency")}
    told = {"kind": kind, "exception_id": exception_id, "amount": amount, "code": code, "detail": detail}
    times = {"created_at": call.now, "updated_at": call.now}
    fields = own | told | times | more | {"to_do": _TO_DO[kind]}
    return BillingException.model_validate(fields, context=AT_REST)


def raising(exception: BillingException, call: Call, bills: Bills) -> list[Change]:
    """The rows of a new exception, for the transaction of what went wrong."""
    return bills.excepted(None, exception, ExceptionRaised.of(exception), call)


def listed(status: str, limit: int, after: str | None, call: Call, bills: Bills) -> ExceptionPage:
    """A page of those that are `OPEN` or `RESOLVED`, oldest first."""
    call.who.require("billing:exceptions")
    return bills.exceptions_with(status, limit=limit, after=after)


def read(exception_id: str, call: Call, bills: Bills) -> BillingException:
    call.who.require("billing:exceptions")
    return _existing(bills.exceptions.load(exception_id)).state


def resolve(exception_id: str, command: ResolveException, call: Call, bills: Bills) -> Outcome[BillingException]:
    """A person says what they did about it. Raises `InvalidTransition` for what is retried: its bill is not settled."""
    return _resolved(exception_id, command.resolution, call, bills)


def retry(exception_id: str, call: Call, bills: Bills) -> Outcome[Rerun]:
    """Resolved by trying again: the bill may be settled. Its event starts the flow, if whoever asked does not wait.

    Raises `InvalidTransition` where nothing can be tried again.
    """
    outcome = _resolved(exception_id, None, call, bills)
    exception = outcome.state
    rerun = Rerun(exception, exception.appointment_id or "", exception.appointment_version or 0)
    return Outcome(rerun, outcome.replayed)


def _resolved(exception_id: str, resolution: str | None, call: Call, bills: Bills) -> Outcome[BillingException]:
    call.who.require("billing:exceptions_handle")

    def attempt() -> Outcome[BillingException]:
        stored = _existing(bills.exceptions.load(exception_id))
        if earlier := bills.exceptions.earlier(stored, exception_id, call):
            return earlier
        call.expect(stored.state.version)
        _check_open(stored.state, retried=resolution is None)
        after = _closed(stored.state, resolution or "Tried again", call)
        closing = bills.excepted(stored, after, ExceptionResolved.of(after), call)
        bill = bills.load(after.bill_id) if resolution is None else None
        if bill and bill.state.flagged == exception_id:
            _let_go(bill, exception_id, closing, call, bills)
        else:
            bills.table.commit(closing)
        return Outcome(after)

    return decided(attempt)


def _let_go(bill: Stored[Bill], exception_id: str, closing: list[Change], call: Call, bills: Bills) -> None:
    """The bill that waits for this exception waits no more, in the same transaction."""
    posted = Posted.over(bill.state, call.now).but(flagged=None, attempt=bill.state.attempt + 1)
    fact = BillSettlementRetried.of(posted.bill, exception_id=exception_id)
    bills.save(bill, posted, fact, call, *closing)


def _closed(exception: BillingException, resolution: str, call: Call) -> BillingException:
    return exception.model_copy(
        update={
            "status": "RESOLVED",
            "resolution": resolution,
            "resolved_by": call.who.user_id,
            "version": exception.version + 1,
            "updated_at": call.now,
        }
    )


def _check_open(exception: BillingException, *, retried: bool) -> None:
    if exception.status != "OPEN":
        raise InvalidTransition("This exception is resolved.")
    if retried and not exception.retryable:
        raise InvalidTransition("There is nothing to be tried again: resolve it when it is put right.")
    if exception.retryable and not retried:
        raise InvalidTransition("The bill is not settled: retry, and only what is still too much on it is refunded.")


def _existing(stored: Stored[BillingException] | None) -> Stored[BillingException]:
    if stored is None:
        raise ExceptionNotFound
    return stored
