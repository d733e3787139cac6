"""Money that goes back: by hand, and at the end of a visit over all that was paid on its bill."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from hms import ids
from hms.call import Outcome, decided
from hms.errors import Busy, Forbidden, InvalidTransition
from payments import changes, deciding, rules, sweep
from payments.model import Failure, Pending, Status
from payments.rules import BillNotFound, PaymentNotFound, RefundExceedsPayment, RefundNotFound
from payments.service import carry_through, opened_once

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hms.call import Call
    from hms.errors import Problem
    from payments.commands import RefundPayment
    from payments.model import Refund
    from payments.rules import Share
    from payments.service import Office
    from payments.store import Shown
    from payments.transactions import Opened

# A flow takes 20 s at most, and who asks waits for 40: one more is begun only while it can end in time.
_SECONDS_TO_BEGIN = 15


class Refunded(NamedTuple):
    """What became of a bill's refund. `pending`: the sweep goes on with it."""

    outcome: Literal["refunded", "pending", "failed"]
    problem: Failure | None = None


def refund(command: RefundPayment, call: Call, office: Office) -> Outcome[Refund]:
    """A refund that is COMPLETED, or PENDING where nobody knows yet. What has failed is raised, to replays too.

    Its amount is reserved on the payment when it is opened: two reads, one transaction and the flow; one read more
    where it is refused.
    """
    refund_id = ids.derived("refund", call.token)
    opener = ids.new()

    def attempt() -> Opened[Refund]:
        basis = office.refunds.basis(refund_id, command.payment_id)
        if basis.opened:
            return basis.opened.asked_by(call)
        if basis.payment is None:
            raise PaymentNotFound
        rules.check_refundable(basis.payment, command.amount, basis.refunded)
        new = changes.asked_back(refund_id, basis.payment, command, call)
        return office.refunds.open(new, Pending(source=basis.payment.gateway_id, opener=opener), basis, call)

    found = opened_once(attempt, refund_id, call, office.refunds)
    replayed = carry_through(found, opener, call, office.refunds, office.flows.give_back)
    state = _state(refund_id, office)
    if problem := rules.refusal_of("REFUND", state.failure):
        raise problem
    return Outcome(state, replayed)


def read(refund_id: str, call: Call, office: Office) -> Refund:
    """One read."""
    stored = office.refunds.load(refund_id)
    if stored is None:
        raise RefundNotFound if call.who.scopes.get("payments:read") == "any" else Forbidden
    if not call.who.reaches("payments:read", patient_id=stored.state.patient_id):
        raise Forbidden
    return stored.state


def refund_bill(bill_id: str, settlement: str, amount: int, call: Call, office: Office) -> Refunded:
    """At most `amount` over the payments of a bill, newest first. Who asks again finds the refunds that there are.

    How it is spread is kept with the first refund that is opened, and all are opened before the first is carried
    through: so that it is the same whenever it comes again, and nothing of it is left out. Raises `Busy` where other
    money is on its way back: how much is left to refund is known when that has ended.
    """
    began = time.monotonic()
    try:
        shares = _shares(bill_id, settlement, amount, call, office)
    except RefundExceedsPayment as problem:
        return Refunded("failed", _failure(problem))
    refunds, failure = _opened_all(bill_id, shares, settlement, call, office)
    if failure is None:
        for one in refunds:
            if one.status is Status.PENDING and time.monotonic() - began < _SECONDS_TO_BEGIN:
                office.flows.give_back(one, call)
        refunds = [_state(one.refund_id, office) for one in refunds]
        failure = _first_failure(refunds)
    if failure:
        _abandon(refunds, failure, call, office)
        return Refunded("failed", failure)
    return Refunded("pending" if any(one.status is Status.PENDING for one in refunds) else "refunded")


def _shares(bill_id: str, settlement: str, amount: int, call: Call, office: Office) -> tuple[Share, ...]:
    def attempt() -> tuple[Share, ...]:
        kept = office.payments.plan(bill_id, settlement)
        if kept is not None:
            return kept
        paid = _with_nothing_on_its_way(bill_id, call, office)
        bill = office.billing.bill(bill_id, call)
        if bill is None:
            raise BillNotFound
        # What has been refunded since the settlement was reckoned is not refunded again.
        return rules.spread(min(amount, max(0, -bill.outstanding_minor)), paid)

    return decided(attempt)


def _with_nothing_on_its_way(bill_id: str, call: Call, office: Office) -> list[Shown]:
    """The bill's payments once all their refunds have ended. Raises `Busy` where one does not."""
    paid = office.payments.of_bill(bill_id).shown
    refunded = [shown.payment.payment_id for shown in paid if shown.refunded]
    refunds = [one for payment_id in refunded for one in office.refunds.of_payment(payment_id).refunds]
    pending = [one for one in refunds if one.status is Status.PENDING]
    for one in pending:
        if not sweep.pursue_refund(one.refund_id, call, office):
            raise Busy("Other money is on its way back.")
    return office.payments.of_bill(bill_id).shown if pending else paid


def _opened_all(
    bill_id: str, shares: tuple[Share, ...], settlement: str, call: Call, office: Office
) -> tuple[list[Refund], Failure | None]:
    """Up to the first that has failed or cannot be opened."""
    refunds: list[Refund] = []
    try:
        refunds += [_opened(first, settlement, shares, call, office) for first in shares[:1]]
        for share in _others(bill_id, shares, settlement, office):
            if refunds[-1].failure:
                break
            refunds.append(_opened(share, settlement, (), call, office))
    except (RefundExceedsPayment, InvalidTransition) as problem:
        return refunds, _failure(problem)
    return refunds, refunds[-1].failure if refunds else None


def _others(bill_id: str, shares: tuple[Share, ...], settlement: str, office: Office) -> tuple[Share, ...]:
    """Of the plan that was kept: somebody else may have been first, and have reckoned otherwise."""
    return (office.payments.plan(bill_id, settlement) or shares)[1:] if len(shares) > 1 else ()


def _opened(share: Share, settlement: str, plan: tuple[Share, ...], call: Call, office: Office) -> Refund:
    refund_id = ids.derived("refund", settlement, share.payment_id)
    call = replace(call, token=refund_id)

    def attempt() -> Opened[Refund]:
        basis = office.refunds.basis(refund_id, share.payment_id)
        if basis.opened:
            return basis.opened
        if basis.payment is None:
            raise PaymentNotFound
        rules.check_refundable(basis.payment, share.amount, basis.refunded)
        new = changes.settled_back(refund_id, basis.payment, share.amount, settlement, call)
        pending = Pending(source=basis.payment.gateway_id)
        return office.refunds.open(new, pending, basis, call, plan)

    return opened_once(attempt, refund_id, call, office.refunds).state


def _first_failure(refunds: Iterable[Refund]) -> Failure | None:
    return next((one.failure for one in refunds if one.failure), None)


def _abandon(refunds: Iterable[Refund], failure: Failure, call: Call, office: Office) -> None:
    """The settlement is taken back: what no gateway was asked for is not asked for any more."""
    for one in refunds:
        deciding.fail(office.refunds, one.refund_id, failure, call, office.billing)


def _state(refund_id: str, office: Office) -> Refund:
    stored = office.refunds.load(refund_id)
    assert stored  # noqa: S101  (it was read or written just now, and nothing is deleted)
    return stored.state


def _failure(problem: Problem) -> Failure:
    return Failure(code=problem.code, detail=problem.detail)
