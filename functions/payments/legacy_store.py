"""Payments of an older system, kept like any other: in the lists of their bill, their patient and their day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms.fields import rfc3339
from hms.rows import Insert, Item
from payments.model import PaymentRecorded
from payments.store import Payments

if TYPE_CHECKING:
    from hms.call import Call
    from payments.model import Payment


class LegacyPayments(Payments):
    def record(self, payment: Payment, call: Call) -> None:
        """Nothing of it is on its way."""
        pointer = f"payment#{rfc3339(payment.created_at)}#{payment.payment_id}"
        owners = (f"bill#{payment.bill_id}", f"patient#{payment.patient_id}")
        rows = self._written(None, payment, PaymentRecorded.of(payment), call)
        self.table.commit([*rows, *(Insert(Item(owner, pointer)) for owner in owners)])
