"""Why a row is not taken. A row may have several reasons; the first in this order decides."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Reason(StrEnum):
    MALFORMED_ROW = "MALFORMED_ROW"
    MISSING_FIELD = "MISSING_FIELD"
    ENDS_BEFORE_START = "ENDS_BEFORE_START"
    OUTSIDE_CLINIC_HOURS = "OUTSIDE_CLINIC_HOURS"
    DEPARTMENT_MISMATCH = "DEPARTMENT_MISMATCH"
    BILL_OF_ANOTHER_PATIENT = "BILL_OF_ANOTHER_PATIENT"
    SECOND_BILL = "SECOND_BILL"
    PAYMENT_OF_VOID_BILL = "PAYMENT_OF_VOID_BILL"
    OVERPAYMENT = "OVERPAYMENT"
    STATUS_CONTRADICTS_PAYMENTS = "STATUS_CONTRADICTS_PAYMENTS"
    UNKNOWN_REFERENCE = "UNKNOWN_REFERENCE"
    DUPLICATE_EMAIL = "DUPLICATE_EMAIL"
    BAD_AMOUNT = "BAD_AMOUNT"
    BAD_DATE = "BAD_DATE"
    BAD_EMAIL = "BAD_EMAIL"
    BAD_METHOD = "BAD_METHOD"
    BAD_PHONE = "BAD_PHONE"
    BAD_STATUS = "BAD_STATUS"
    CARD_NUMBER = "CARD_NUMBER"
    BAD_TEXT = "BAD_TEXT"
    TOO_LONG = "TOO_LONG"
    DUPLICATE_ID = "DUPLICATE_ID"
    CHANGED_SINCE_IMPORT = "CHANGED_SINCE_IMPORT"


_ORDER = {reason.value: place for place, reason in enumerate(Reason)}
_REFUSALS = {
    "BILL_NOT_FOUND": Reason.UNKNOWN_REFERENCE,
    "BILL_VOID": Reason.PAYMENT_OF_VOID_BILL,
    "EMAIL_TAKEN": Reason.DUPLICATE_EMAIL,
    "IDEMPOTENCY_KEY_REUSED": Reason.CHANGED_SINCE_IMPORT,
}
_BY_FIELD = {
    "dob": Reason.BAD_DATE,
    "slot_start": Reason.BAD_DATE,
    "slot_end": Reason.BAD_DATE,
    "created_at": Reason.BAD_DATE,
    "paid_at": Reason.BAD_DATE,
    "amount": Reason.BAD_AMOUNT,
    "email": Reason.BAD_EMAIL,
    "phone": Reason.BAD_PHONE,
    "method": Reason.BAD_METHOD,
    "status": Reason.BAD_STATUS,
}


def ordered(reasons: Iterable[str]) -> list[str]:
    """Each once, the one that decides first; codes of the domains themselves come last."""
    return sorted(set(reasons), key=lambda reason: (_ORDER.get(reason, len(_ORDER)), reason))


def of_refusal(code: str) -> str:
    return _REFUSALS.get(code, code)


def of_field_error(field: str, kind: str) -> Reason:
    """The reason for what pydantic says of a field."""
    if kind in ("missing", "string_too_short", "too_short"):
        return Reason.MISSING_FIELD
    if kind in ("string_too_long", "too_long"):
        return Reason.TOO_LONG
    if kind == "card_number":
        return Reason.CARD_NUMBER
    return _BY_FIELD.get(field, Reason.BAD_TEXT)
