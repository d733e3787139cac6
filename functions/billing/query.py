"""What may be asked of bills, the ledger and the work list."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from billing.model import Bill, BillStatus
from hms.fields import Day, Id, Params
from hms.pages import PageParams

_OWED = (BillStatus.OPEN, BillStatus.PARTIALLY_PAID)


class ListBills(PageParams):
    """A patient's bills, the one of a visit or of a number, or those issued on some days; without any of them, today's.

    `overdue`, or the status OPEN or PARTIALLY_PAID, asks without days for all of this system that are, the longest
    due first; every other list has the newest first.
    """

    patient_id: Id | None = None
    appointment_id: Id | None = None
    bill_number: str | None = Field(
        default=None, pattern=r"^B[0-9]{11}$", examples=["B48392017353"], description="As it is printed."
    )
    status: BillStatus | None = None
    start: Day | None = Field(default=None, alias="from", description="Issued on this clinic day or later.")
    end: Day | None = Field(default=None, alias="to", description="Issued on this clinic day or earlier.")
    overdue: bool | None = Field(default=None, description="Something is outstanding and the due date is past.")

    @model_validator(mode="after")
    def ends_after_it_starts(self) -> Self:
        _check_order(self.start, self.end)
        return self

    @property
    def is_of_what_is_owed(self) -> bool:
        return bool(self.overdue or self.status in _OWED) and not (self.start or self.end)

    def takes(self, bill: Bill, today: date) -> bool:
        return (
            self.patient_id in (None, bill.patient_id)
            and self.appointment_id in (None, bill.appointment_id)
            and self.bill_number in (None, bill.bill_number)
            and self.status in (None, bill.status)
            and (self.start or date.min) <= bill.issued_on <= (self.end or date.max)
            and self.overdue in (None, bill.is_overdue(today))
        )


class StatementParams(Params):
    start: Day | None = Field(default=None, alias="from", description="The first clinic day; from the beginning.")
    end: Day | None = Field(default=None, alias="to", description="The last clinic day; today where it is left out.")

    @model_validator(mode="after")
    def ends_after_it_starts(self) -> Self:
        _check_order(self.start, self.end)
        return self


class DailyParams(Params):
    day: Day | None = Field(default=None, description="A clinic day; today where it is left out.")


class MonthlyParams(Params):
    month: str | None = Field(
        default=None,
        pattern=r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])$",
        examples=["2026-11"],
        description="A month of clinic days; the present one where it is left out.",
    )


class Bucket(StrEnum):
    """How long a bill is overdue. What is provisional cannot be: the visit is still to come."""

    PROVISIONAL = "PROVISIONAL"
    CURRENT = "CURRENT"
    DAYS_1_30 = "DAYS_1_30"
    DAYS_31_60 = "DAYS_31_60"
    DAYS_61_90 = "DAYS_61_90"
    OVER_90 = "OVER_90"


class AgedParams(PageParams):
    """All bills on which something is outstanding, the longest due first."""

    bucket: Bucket | None = Field(default=None, description="Which bills are listed; all are added up.")


class ListExceptions(PageParams):
    """Oldest first."""

    status: Literal["OPEN", "RESOLVED"] = "OPEN"


def _check_order(start: date | None, end: date | None) -> None:
    if start and end and end < start:
        message = "`to` is before `from`"
        raise ValueError(message)
