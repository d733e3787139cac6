"""What can be done to payments: a bill is paid, a payment is read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hms import ids
from hms.call import Outcome, decided
from hms.errors import Forbidden, Problem
from payments import changes, rules
from payments.model import BY_GATEWAY, DESK, PaymentView, Pending, Status
from payments.rules import BillNotFound, PaymentNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.call import Call
    from payments.commands import PayBill
    from payments.gateways import ForMethod
    from payments.model import BillCopy, Failure, Payment, Refund, Transaction
    from payments.store import Payments, Refunds
    from payments.transactions import Opened, Transactions

# A replay that comes while the first is at work waits for it: ten seconds.
_POLLS, _POLL_SECONDS = 20, 0.5


class Billing(Protocol):
    """The owner's word on bills. Every method may come twice and raises `Busy` where the owner does not answer."""

    def bill(self, bill_id: str, call: Call) -> BillCopy | None: ...

    def reserve(self, transaction: Transaction, call: Call) -> Failure | None:
        """None where the amount is held on the bill, else why not."""

    def apply(self, transaction: Transaction, call: Call) -> None:
        """It moved: into the ledger."""

    def unsettle(self, refund: Refund, failure: Failure, call: Call, *, declined: bool) -> None:
        """What a visit's end owes back could not be paid back: a person has to look at the bill."""

    def release(self, transaction: Transaction, problem: Failure | None, call: Call) -> bool:
        """It will not move. False where it is in the ledger. With a `problem` a person is asked to look at it."""


class Flows(Protocol):
    """What carries money through. Returns when the flow has ended, or has given no answer in time."""

    def take(self, payment: Payment, call: Call) -> None: ...
    def give_back(self, refund: Refund, call: Call) -> None: ...


class Office(NamedTuple):
    """What payments work with. `processor` names who is asked for new payments by CARD and UPI."""

    payments: Payments
    refunds: Refunds
    billing: Billing
    flows: Flows
    gateway: ForMethod
    processor: Callable[[], str]


def pay(command: PayBill, call: Call, office: Office) -> Outcome[PaymentView]:
    """A payment that is COMPLETED, or PENDING where nobody knows yet. What has failed is raised, to replays too.

    Two reads, one transaction, the bill's owner and the flow; one read more where the desk gives a reference, or where
    it is refused.
    """
    rules.check_source(command)
    if command.method not in BY_GATEWAY:
        call.who.require("payments:receive")
    payment_id = ids.derived("payment", call.token)
    pending = Pending(source=command.source, opener=ids.new())

    def attempt() -> Opened[Payment]:
        if earlier := office.payments.opened(payment_id):
            return earlier.asked_by(call)
        gateway = office.processor() if command.method in BY_GATEWAY else DESK
        payment = changes.paid(payment_id, command, _payable(command, call, office), gateway, call)
        reference = office.payments.reference(payment)
        rules.check_reference(reference.holder if reference else None)
        return office.payments.open(payment, pending, call, reference)

    found = opened_once(attempt, payment_id, call, office.payments)
    replayed = carry_through(found, pending.opener, call, office.payments, office.flows.take)
    return Outcome(answered(_shown(payment_id, office)), replayed)


def opened_once[T: Transaction](
    attempt: Callable[[], Opened[T]], transaction_id: str, call: Call, book: Transactions[T]
) -> Opened[T]:
    """What `attempt` opens. Where it refuses because the same was opened between two of its reads: that."""

    def tried() -> Opened[T]:
        try:
            return attempt()
        except Problem:
            if earlier := book.opened(transaction_id):
                return earlier.asked_by(call)
            raise

    return decided(tried)


def carry_through[T: Transaction](
    found: Opened[T],
    opener: str,
    call: Call,
    book: Transactions[T],
    run: Callable[[T, Call], None],
) -> bool:
    """Runs the flow, or waits for the request that does; says whether an earlier request had asked for it.

    The flow may be run again where nobody can be waiting for it any more: each of its steps happens once.
    """
    if found.held is None:
        return True
    own = found.held.pending.opener == opener
    if own or not rules.is_young(found.state, call.now):
        run(found.state, call)
    else:
        _wait(found.state.transaction_id, book)
    return not own


def answered(view: PaymentView) -> PaymentView:
    """Raises why it has failed, each time it is asked for."""
    if problem := rules.refusal_of("PAYMENT", view.failure):
        raise problem
    return view


def read(payment_id: str, call: Call, office: Office) -> PaymentView:
    """One read."""
    shown = office.payments.shown(payment_id)
    if shown is None:
        # To those who reach only their own, an unknown payment looks like somebody else's.
        raise PaymentNotFound if call.who.scopes.get("payments:read") == "any" else Forbidden
    if not call.who.reaches("payments:read", patient_id=shown.payment.patient_id):
        raise Forbidden
    return PaymentView.of(*shown)


def _payable(command: PayBill, call: Call, office: Office) -> BillCopy:
    bill = office.billing.bill(command.bill_id, call)
    if bill is None:
        raise BillNotFound if call.who.scopes.get("payments:pay") == "any" else Forbidden
    if not call.who.reaches("payments:pay", patient_id=bill.patient_id):
        raise Forbidden
    rules.check_payable(bill, command)
    return bill


def _wait[T: Transaction](transaction_id: str, book: Transactions[T]) -> None:
    for _ in range(_POLLS):
        time.sleep(_POLL_SECONDS)
        stored = book.load(transaction_id)
        if stored and stored.state.status is not Status.PENDING:
            return


def _shown(payment_id: str, office: Office) -> PaymentView:
    shown = office.payments.shown(payment_id)
    assert shown  # noqa: S101  (it was read or written just now, and nothing is deleted)
    return PaymentView.of(*shown)
