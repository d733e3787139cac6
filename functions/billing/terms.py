"""What a visit means for its bill (docs/rules.md "Money"), pure: the fee at booking, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing import ledger, rules
from billing.model import EntryKind, Outcome, Settlement
from billing.rules import CurrencyMismatch
from hms import ids
from hms.money import AT_REST, half_up

if TYPE_CHECKING:
    from datetime import date, datetime

    from billing.clinic import Clinic
    from billing.ledger import Posted
    from billing.model import Bill, LineItem
    from billing.visits import Visit

_MOVED = "The visit was moved"
_REINSTATED = "The end of the visit was taken back"


def opened(bill_id: str, number: str, visit: Visit, clinic: Clinic, now: datetime) -> Posted:
    """The provisional bill of a visit that is to come: the consultation, due some days after it."""
    today = clinic.day(now)
    posted = rules.bare(
        bill_id,
        number,
        now,
        patient_id=visit.patient_id,
        appointment_id=visit.appointment_id,
        currency=visit.consultation_fee.currency,
        provisional=True,
        issued_on=today,
        due_date=_due(today, visit, clinic),
        **_told(visit),
    )
    return posted.with_lines((_consultation(posted.bill, visit, clinic),))


def differs(bill: Bill, visit: Visit, clinic: Clinic) -> bool:
    """Whether a visit that is still to come was moved since its bill was looked at last."""
    same = bill.consultation_fee == visit.consultation_fee.amount and bill.doctor_id == visit.doctor_id
    return not same or bill.due_date != _due(bill.issued_on, visit, clinic)


def moved(posted: Posted, visit: Visit, clinic: Clinic) -> Posted:
    """With another doctor the consultation may cost something else. One that was taken off by hand stays off."""
    before = posted.bill
    _check_currency(before, visit)
    posted = posted.but(**_told(visit), due_date=_due(before.issued_on, visit, clinic))
    line = _consultation(before, visit, clinic)
    there = any(one.line_id == line.line_id for one in before.items)
    if not there or before.consultation_fee == visit.consultation_fee.amount:
        return posted
    return rules.repriced(posted, line, _MOVED)


def settled(posted: Posted, visit: Visit, clinic: Clinic, now: datetime) -> Posted:
    """The bill of a visit that is over: final, void, or a fee instead of all lines."""
    bill = posted.bill
    posted = moved(posted, visit, clinic) if visit.outcome is Outcome.COMPLETED else _ended(posted, visit, clinic)
    settlement = Settlement.model_validate(
        {
            "outcome": visit.outcome,
            "appointment_version": visit.version,
            "before": () if visit.outcome is Outcome.COMPLETED else bill.items,
            "written_off": bill.sums.written_off - posted.bill.sums.written_off,
            "refunded": bill.sums.refunded,
            "was_provisional": bill.provisional,
        },
        context=AT_REST,
    )
    due_date = clinic.due(clinic.day(now))
    return posted.but(**_told(visit), provisional=False, settlement=settlement, due_date=due_date)


def restored(posted: Posted) -> Posted:
    """As it was before it was settled. What was charged since stays; a fee goes, with all that was taken off it."""
    settlement = posted.bill.settlement
    if settlement is None:
        return posted
    posted = posted.but(provisional=settlement.was_provisional, settlement=None)
    if not settlement.before:
        return posted
    going = [line for line in posted.bill.items if line.kind is not EntryKind.CHARGE]
    written_off = settlement.written_off - posted.bill.sums.written_off
    posted = posted.without_lines(going, _REINSTATED).with_lines(settlement.before, _REINSTATED)
    return posted.written_off(written_off, _REINSTATED)


def fee_percent(visit: Visit, clinic: Clinic) -> int:
    """How much of the consultation fee a visit costs that did not take place.

    Nothing where the clinic or the doctor cancelled, or the patient in time; exactly `late_minutes` before is late.
    """
    if visit.outcome is Outcome.NO_SHOW:
        return clinic.no_show_fee_percent
    cancellation = visit.cancellation
    if cancellation is None or cancellation.requested_by != "PATIENT":
        return 0
    return clinic.late_fee_percent if cancellation.seconds_before_start <= clinic.late_seconds else 0


def _ended(posted: Posted, visit: Visit, clinic: Clinic) -> Posted:
    if posted.bill.sums.voided:
        return posted
    fee = half_up(visit.consultation_fee.amount * fee_percent(visit, clinic), 100)
    missed = visit.outcome is Outcome.NO_SHOW
    reason = "The patient did not come" if missed else "The visit was cancelled"
    if not fee:
        return rules.emptied(posted, EntryKind.VOID, reason)
    _check_currency(posted.bill, visit)
    line = ledger.line(
        ids.derived("fee", posted.bill.bill_id, visit.version),
        EntryKind.FEE,
        "No-show fee" if missed else "Late cancellation fee",
        unit_price=fee,
        tax_rate=clinic.tax_rate,
    )
    return rules.emptied(posted, EntryKind.REVERSAL, reason).with_lines((line,), reason)


def _consultation(bill: Bill, visit: Visit, clinic: Clinic) -> LineItem:
    return ledger.line(
        ids.derived("consultation", bill.bill_id),
        EntryKind.CHARGE,
        "Consultation",
        unit_price=visit.consultation_fee.amount,
        tax_rate=clinic.tax_rate,
    )


def _told(visit: Visit) -> dict[str, object]:
    return {
        "doctor_id": visit.doctor_id,
        "department": visit.department,
        "consultation_fee": visit.consultation_fee.amount,
        "appointment_version": visit.version,
    }


def _due(issued_on: date, visit: Visit, clinic: Clinic) -> date:
    return clinic.due(max(issued_on, clinic.day(visit.slot_start)))


def _check_currency(bill: Bill, visit: Visit) -> None:
    if visit.consultation_fee.currency != bill.currency:
        raise CurrencyMismatch
