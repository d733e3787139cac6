"""The bill of a visit: opened when it is booked, settled when it is over, and taken back where that failed.

The owner's word on the visit decides, not the event that asks, so that every order of events comes to the same bill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from billing import exceptions, rules, terms
from billing.clinic import clinic
from billing.ledger import Posted
from billing.model import (
    BillAdjusted,
    BillFlagged,
    BillIssued,
    BillOpened,
    BillReopened,
    BillSettlementRetried,
    BillVoided,
    ExceptionKind,
)
from billing.rules import BillNotFound, Reserved
from hms import ids
from hms.call import decided

if TYPE_CHECKING:
    from billing.model import Bill, BillFact, Outcome
    from billing.rules import Failure
    from billing.store import Bills
    from billing.visits import Visit
    from hms.aggregate import Stored
    from hms.call import Call


class Visits(Protocol):
    """The word of the owner of visits, None where there is no such visit. Raises `Busy` where they do not answer."""

    def visit(self, appointment_id: str) -> Visit | None: ...


class Decision(NamedTuple):
    """What became of a bill; `made` is the visit whose bill this very call has made."""

    outcome: Literal["ok", "settled", "superseded", "flagged"]
    bill: Bill | None = None
    made: Visit | None = None


class Undone(NamedTuple):
    outcome: Literal["reopened", "flagged", "superseded"]
    exception_id: str | None = None


def bill_id_of(appointment_id: str) -> str:
    """One bill for a visit."""
    return ids.derived("bill", appointment_id)


def open_bill(appointment_id: str, call: Call, bills: Bills, visits: Visits) -> Decision:
    """The provisional bill of a visit to come, priced anew where it was moved; `superseded` where it is over."""
    visit = visits.visit(appointment_id)
    if visit is None or visit.outcome:
        return Decision("superseded")

    def attempt() -> Decision:
        scene = bills.new(bill_id_of(appointment_id))
        if scene.stored:
            return Decision("ok", _moved(scene.stored, visit, call, bills))
        number = rules.number_of(scene.free)
        posted = terms.opened(bill_id_of(appointment_id), number, visit, clinic(), call.now)
        bills.save(None, posted, BillOpened.of(posted.bill), call)
        return Decision("ok", posted.bill, visit)

    return decided(attempt)


def _moved(stored: Stored[Bill], visit: Visit, call: Call, bills: Bills) -> Bill:
    bill = stored.state
    waiting = bill.provisional and not bill.flagged and bill.appointment_version < visit.version
    if not waiting or not terms.differs(bill, visit, clinic()):
        return bill
    posted = terms.moved(Posted.over(bill, call.now), visit, clinic())
    bills.save(stored, posted, BillAdjusted.of(posted.bill), call)
    return posted.bill


def settle(appointment_id: str, call: Call, bills: Bills, visits: Visits) -> Decision:
    """The bill as the visit has it now; made in its final state where there is none.

    `superseded` where the visit is not over (any more): then the bill is as it was before. Raises `Reserved`.
    """
    visit = visits.visit(appointment_id)
    if visit is None:
        return Decision("superseded")

    def attempt() -> Decision:
        scene = bills.new(bill_id_of(appointment_id))
        if scene.stored:
            return _settled(scene.stored, visit, call, bills)
        return _made(rules.number_of(scene.free), visit, call, bills)

    return decided(attempt)


def _made(number: str, visit: Visit, call: Call, bills: Bills) -> Decision:
    if visit.outcome is None:
        return Decision("superseded")
    opened = terms.opened(bill_id_of(visit.appointment_id), number, visit, clinic(), call.now)
    posted = terms.settled(opened, visit, clinic(), call.now)
    bills.save(None, posted, _told(posted.bill), call)
    return Decision("settled", posted.bill, visit)


def _settled(stored: Stored[Bill], visit: Visit, call: Call, bills: Bills) -> Decision:
    bill = stored.state
    if bill.flagged and visit.version <= bill.appointment_version:
        return Decision("flagged", bill)
    if bill.historical or visit.version < bill.appointment_version or _outcome(bill) is visit.outcome:
        return Decision("settled" if bill.settlement else "superseded", bill)
    if bill.sums.reserved or bill.sums.refund_reserved:
        raise Reserved
    posted = terms.restored(Posted.over(bill, call.now).but(flagged=None))
    if visit.outcome is None:
        posted = terms.moved(posted, visit, clinic())
        bills.save(stored, posted, BillReopened.of(posted.bill), call)
        return Decision("superseded", posted.bill)
    posted = terms.settled(posted, visit, clinic(), call.now)
    bills.save(stored, posted, _told(posted.bill), call)
    return Decision("settled", posted.bill)


def _outcome(bill: Bill) -> Outcome | None:
    return bill.settlement.outcome if bill.settlement else None


def _told(bill: Bill) -> BillFact:
    return BillVoided.of(bill) if bill.sums.voided else BillIssued.of(bill, outcome=_outcome(bill))


def unsettle(
    bill_id: str, settlement: str, failure: Failure, call: Call, bills: Bills, *, declined: bool = False
) -> Undone:
    """Compensation, where what was paid too much could not be refunded: the bill waits for a person, as it was before.

    Where something was or is being refunded, it stays as it is and waits all the same. `superseded` where the bill is
    not settled so any more. A gateway that has `declined` a refund when nobody waits for its settlement any more has
    left money on the bill that is still owed: it is settled once more.
    """
    exception_id = ids.derived("exception", settlement)

    def attempt() -> Undone:
        scene = bills.scene(bill_id, exception_id=exception_id)
        stored = scene.stored
        if stored is None:
            raise BillNotFound
        current = stored.state.settlement_id == settlement
        if current and scene.exception is None:
            return _undone(stored, exception_id, failure, call, bills)
        if declined and not stored.state.flagged:
            _settle_once_more(stored, exception_id, call, bills)
        if scene.exception is None:
            return Undone("superseded")
        return Undone("flagged" if current else "reopened", exception_id)

    return decided(attempt)


def _settle_once_more(stored: Stored[Bill], exception_id: str, call: Call, bills: Bills) -> None:
    """Its event starts the flow. Another attempt has refunds of its own, so that none is made twice."""
    bill = stored.state
    if bill.settlement and bill.sums.credit:
        posted = Posted.over(bill, call.now).but(attempt=bill.attempt + 1)
        bills.save(stored, posted, BillSettlementRetried.of(posted.bill, exception_id=exception_id), call)


def _undone(stored: Stored[Bill], exception_id: str, failure: Failure, call: Call, bills: Bills) -> Undone:
    bill = stored.state
    exception = exceptions.raised(
        ExceptionKind.SETTLEMENT_FAILED,
        exception_id,
        bill,
        call,
        amount=bill.sums.credit,
        code=failure.code,
        detail=failure.detail,
        appointment_id=bill.appointment_id,
        appointment_version=bill.settlement and bill.settlement.appointment_version,
    )
    undoes = _nothing_refunded(bill)
    posted = Posted.over(bill, call.now).but(flagged=exception_id)
    posted = terms.restored(posted) if undoes else posted
    fact = BillReopened.of(posted.bill) if undoes else BillFlagged.of(posted.bill, exception_id=exception_id)
    bills.save(stored, posted, fact, call, *exceptions.raising(exception, call, bills))
    return Undone("reopened" if undoes else "flagged", exception_id)


def _nothing_refunded(bill: Bill) -> bool:
    before = bill.settlement.refunded if bill.settlement else 0
    return bill.sums.refunded == before and not bill.sums.refund_reserved
