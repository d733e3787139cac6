"""Bills and payments of an older system held against each other: which of them contradict, and which is left out."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tools.importing.bills import Stated
from tools.importing.payments import said_of
from tools.importing.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.importing.bills import LegacyBill
    from tools.importing.entry import Batch, Entry
    from tools.importing.payments import LegacyPayment

type Payments = Mapping[str, Sequence[Entry[LegacyPayment]]]


def reconcile(bills: Batch[LegacyBill], payments: Batch[LegacyPayment]) -> None:
    """Adds what is wrong with bills and payments that do not fit together (docs/how-to/import.md).

    A payment is left out where it is more than was owed, or nothing was; a bill where it would come out other than its
    status says. What was paid on a bill that is left out is left out too. Of payments whose bill is in no row here
    nothing is said: the bill may be in the hospital.
    """
    of_bill = by_bill(payments)
    for number, bill in _first(bills).items():
        if bill.said and _paid(bill.said, of_bill.get(number, ())) not in _sums(bill.said):
            bill.reasons.add(Reason.STATUS_CONTRADICTS_PAYMENTS)
    _mark_second(bills)
    for number, bill in _first(bills).items():
        if not bill.right:
            for payment in of_bill.get(number, ()):
                payment.reasons.add(Reason.UNKNOWN_REFERENCE)


def by_bill(payments: Batch[LegacyPayment]) -> Payments:
    """Payments that can be read, by their bill's number, in the order they came in."""
    found: defaultdict[str, list[Entry[LegacyPayment]]] = defaultdict(list)
    for entry in payments.entries:
        if entry.said:
            found[entry.said.bill_id].append(entry)
    return {number: sorted(some, key=lambda entry: said_of(entry).paid_at) for number, some in found.items()}


def _first(bills: Batch[LegacyBill]) -> dict[str, Entry[LegacyBill]]:
    """What a number means: the first row that has it, right or wrong."""
    return {number: entry for entry in reversed(bills.entries) if (number := entry.value("bill_id"))}


def _paid(bill: LegacyBill, payments: Sequence[Entry[LegacyPayment]]) -> int:
    """What the payments come to that are right; those that are more than was still owed are not."""
    paid = 0
    for entry in payments:
        amount = said_of(entry).amount
        if bill.status is Stated.VOID:
            entry.reasons.add(Reason.PAYMENT_OF_VOID_BILL)
        elif entry.right and paid + amount > bill.amount:
            entry.reasons.add(Reason.OVERPAYMENT)
        elif entry.right:
            paid += amount
    return paid


def _sums(bill: LegacyBill) -> range:
    """What a bill's payments come to where its status is true; older systems call open what is paid in part, too."""
    amounts = {
        Stated.OPEN: range(bill.amount),
        Stated.PARTIALLY_PAID: range(1, bill.amount),
        Stated.PAID: range(bill.amount, bill.amount + 1),
        Stated.VOID: range(1),
    }
    return amounts[bill.status]


def _mark_second(bills: Batch[LegacyBill]) -> None:
    """The first right row with a visit is its bill."""
    billed: set[str] = set()
    for entry in bills.entries:
        visit = entry.value("appointment_id")
        if visit in billed:
            entry.reasons.add(Reason.SECOND_BILL)
        elif entry.right:
            billed.add(visit)
