"""Payments and refunds as lists, newest first: a bill's, a patient's, a day's; a payment's refunds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AwareDatetime

from hms.errors import Forbidden
from hms.fields import View, day_of
from hms.pages import opened, sealed, sifted
from payments import service
from payments.clinic import clinic
from payments.model import PaymentView, Refund

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.call import Call
    from hms.pages import Reading
    from payments.query import ListPayments, ListRefunds
    from payments.service import Office
    from payments.store import Shown, ShownPage

# Where a filter may leave little of what is read.
_A_READ = 100

type _Read = Callable[[int, str | None], ShownPage]


class PaymentPage(View):
    items: list[PaymentView]
    next_cursor: str | None
    as_of: AwareDatetime


class RefundPage(View):
    items: list[Refund]
    next_cursor: str | None
    as_of: AwareDatetime


def payments(asked: ListPayments, call: Call, office: Office) -> PaymentPage:
    """Those who reach only their own see no others: neither of another patient's bill nor of a day."""
    source = _source(asked, call, office)

    def read(after: str | None) -> Reading[Shown]:
        page = source(_A_READ if asked.status else asked.limit, after)
        return zip(page.positions, page.shown, strict=True), page.last

    def takes(shown: Shown) -> bool:
        own = call.who.reaches("payments:read", patient_id=shown.payment.patient_id)
        return own and asked.status in (None, shown.payment.status)

    kept, last = sifted(read, takes, asked.limit, opened(asked.cursor))
    items = [PaymentView.of(*shown) for shown in kept]
    return PaymentPage(items=items, next_cursor=sealed(last), as_of=call.now)


def refunds(asked: ListRefunds, call: Call, office: Office) -> RefundPage:
    """Three reads: the payment says whose they are."""
    service.read(asked.payment_id, call, office)
    found = office.refunds.of_payment(asked.payment_id, asked.limit, opened(asked.cursor))
    return RefundPage(items=found.refunds, next_cursor=sealed(found.last), as_of=call.now)


def _source(asked: ListPayments, call: Call, office: Office) -> _Read:
    book, patient_id = office.payments, asked.patient_id
    if call.who.scopes["payments:read"] == "own":
        if asked.day or (patient_id or call.who.patient_id) != call.who.patient_id or not call.who.patient_id:
            raise Forbidden
        patient_id = None if asked.bill_id else call.who.patient_id
    if asked.bill_id:
        bill_id = asked.bill_id
        return lambda limit, after: book.of_bill(bill_id, limit, after)
    if patient_id:
        return lambda limit, after: book.of_patient(patient_id, limit, after)
    day = asked.day or day_of(call.now, clinic().timezone)
    return lambda limit, after: book.of_day(day, limit, after)
