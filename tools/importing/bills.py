"""Bills out of their rows: what an older system says was owed, and by whom for which visit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from billing.legacy import RecordBill, Some
from hms import clock, ids
from hms.fields import Command, Instant, Line
from hms.money import AT_REST
from tools.importing.entry import Batch
from tools.importing.people import understood
from tools.importing.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.importing.entry import Entry
    from tools.importing.reading import Sheet
    from tools.importing.visits import LegacyVisit


class Stated(StrEnum):
    """What the older system says of a bill. Ours is never set: it comes of what was paid."""

    OPEN = "OPEN"
    PARTIALLY_PAID = "PARTIALLY_PAID"
    PAID = "PAID"
    VOID = "VOID"


def written(word: Any) -> Any:
    """`Bank transfer` → `BANK_TRANSFER`."""
    return re.sub(r"[\s-]+", "_", str(word)).upper()


class LegacyBill(Command):
    """Ids are those of the older system."""

    bill_id: Line
    patient_id: Line
    appointment_id: Line
    amount: Some
    status: Annotated[Annotated[Stated, Field(strict=False)], BeforeValidator(written)]
    created_at: Instant


@dataclass(frozen=True)
class Known:
    """Patients by their numbers; and by the numbers of visits the numbers of their patients."""

    patients: Mapping[str, str]
    visits: Mapping[str, str]


def bills(sheet: Sheet) -> Batch[LegacyBill]:
    """With all reasons that can be told without knowing patients, visits and payments."""
    batch = Batch(sheet, [understood(row, LegacyBill, {}) for row in sheet.rows])
    batch.mark_repeated("bill_id")
    for entry in batch.entries:
        if entry.said and entry.said.created_at > clock.now():
            entry.reasons.add(Reason.BAD_DATE)
    return batch


def patients_of_visits(batch: Batch[LegacyVisit]) -> dict[str, str]:
    """Whom the visits of a file are of, also those that are not taken; the first row with an id counts."""
    named = ((entry.value("appointment_id"), entry.value("patient_id")) for entry in reversed(batch.entries))
    return {visit: patient for visit, patient in named if visit and patient}


def appointment_id(number: str) -> str:
    """The id that a visit of the older system has here, or would have."""
    return ids.derived("appointment", "legacy", number)


def refer(batch: Batch[LegacyBill], known: Known) -> None:
    """Adds what is wrong with the patients and visits that the bills name."""
    for entry in batch.entries:
        patient, visit = entry.value("patient_id"), entry.value("appointment_id")
        if (patient and patient not in known.patients) or (visit and visit not in known.visits):
            entry.reasons.add(Reason.UNKNOWN_REFERENCE)
        if patient and known.visits.get(visit, patient) != patient:
            entry.reasons.add(Reason.BILL_OF_ANOTHER_PATIENT)


def recording(entry: Entry[LegacyBill], known: Known) -> RecordBill:
    said = entry.said
    assert said is not None  # noqa: S101  (only right rows are recorded)
    fields = {
        "external_id": said.bill_id,
        "patient_id": known.patients[said.patient_id],
        "appointment_id": appointment_id(said.appointment_id),
        "amount": said.amount,
        "void": said.status is Stated.VOID,
        "created_at": said.created_at,
    }
    return RecordBill.model_validate(fields, context=AT_REST)
