"""Payments out of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

from billing.legacy import RecordPaid, Some
from hms import clock
from hms.fields import Command, Instant, Line
from hms.money import AT_REST
from payments.legacy import RecordPayment, Reference, payment_id_of
from payments.model import Method
from tools.importing.bills import written
from tools.importing.entry import Batch
from tools.importing.people import understood
from tools.importing.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.importing.entry import Entry
    from tools.importing.reading import Sheet


class LegacyPayment(Command):
    """Ids are those of the older system."""

    payment_id: Line
    bill_id: Line
    amount: Some
    method: Annotated[Annotated[Method, Field(strict=False)], BeforeValidator(written)]
    reference: Reference | None = None
    paid_at: Instant


def payments(sheet: Sheet) -> Batch[LegacyPayment]:
    """With all reasons that can be told without knowing bills."""
    batch = Batch(sheet, [understood(row, LegacyPayment, {}) for row in sheet.rows])
    batch.mark_repeated("payment_id")
    for entry in batch.entries:
        if entry.said and entry.said.paid_at > clock.now():
            entry.reasons.add(Reason.BAD_DATE)
    return batch


def said_of(entry: Entry[LegacyPayment]) -> LegacyPayment:
    assert entry.said is not None  # noqa: S101  (only right rows are recorded)
    return entry.said


def posting(entry: Entry[LegacyPayment]) -> RecordPaid:
    """What the ledger is told."""
    said = said_of(entry)
    named = {"transaction_id": payment_id_of(said.payment_id), "bill": said.bill_id}
    return RecordPaid.model_validate(named | _moved(said), context=AT_REST)


def recording(entry: Entry[LegacyPayment], bill: Mapping[str, str]) -> RecordPayment:
    """`bill` is what billing says of the payment's bill: its id, number and patient."""
    said = said_of(entry)
    named = {"external_id": said.payment_id, "reference": said.reference}
    named |= {name: bill[name] for name in ("bill_id", "bill_number", "patient_id")}
    return RecordPayment.model_validate(named | _moved(said), context=AT_REST)


def _moved(said: LegacyPayment) -> dict[str, object]:
    return {"amount": said.amount, "method": said.method.value, "paid_at": said.paid_at}
