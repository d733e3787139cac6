"""Patients and doctors out of their rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from doctors.legacy import LegacyDoctor
from hms import clock
from hms.contact import folded
from hms.fields import day_of
from patients.legacy import LegacyPatient
from tools.importing.entry import Batch, Entry
from tools.importing.reasons import Reason, of_field_error
from tools.importing.times import CLINIC_ZONE, instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.importing.reading import Row, Sheet

PATIENT_COLUMNS = ("name", "dob", "email", "phone", "created_at")
DOCTOR_COLUMNS = ("name", "email", "phone", "department", "specialization", "created_at")
_INSTANTS = ("created_at", "slot_start", "slot_end", "paid_at")


def patients(sheet: Sheet) -> Batch[LegacyPatient]:
    batch = Batch(sheet, [understood(row, LegacyPatient, {"patient_id": "number"}) for row in sheet.rows])
    today = day_of(clock.now(), CLINIC_ZONE)
    for entry in batch.entries:
        if entry.said and entry.said.dob >= today:
            entry.reasons.add(Reason.BAD_DATE)
    batch.mark_repeated("patient_id")
    _mark_repeated_emails(batch.entries)
    return batch


def doctors(sheet: Sheet) -> Batch[LegacyDoctor]:
    batch = Batch(sheet, [understood(row, LegacyDoctor, {"doctor_id": "number"}) for row in sheet.rows])
    batch.mark_repeated("doctor_id")
    _mark_repeated_emails(batch.entries)
    return batch


def understood[M: BaseModel](row: Row, model: type[M], names: Mapping[str, str]) -> Entry[M]:
    """The row as the model reads it, empty cells left out; `names` are the columns that the model calls otherwise."""
    if row.values is None:
        return Entry(row, reasons={Reason.MALFORMED_ROW})
    given = {names.get(column, column): cell for column, cell in row.values.items() if cell}
    fields = {name: _read(name, given[name]) for name in model.model_fields if name in given}
    try:
        return Entry(row, model.model_validate_json(json.dumps(fields)))
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        return Entry(row, reasons={of_field_error(str(detail["loc"][0]), detail["type"]) for detail in details})


def _read(name: str, cell: str) -> Any:
    return instant(cell) if name in _INSTANTS else cell


def _mark_repeated_emails(entries: list[Entry[LegacyPatient]] | list[Entry[LegacyDoctor]]) -> None:
    """The first right row with an address has it."""
    holders: set[str] = set()
    for entry in entries:
        if not entry.right or entry.said is None or entry.said.email is None:
            continue
        address = folded(entry.said.email)
        if address in holders:
            entry.reasons.add(Reason.DUPLICATE_EMAIL)
        holders.add(address)
