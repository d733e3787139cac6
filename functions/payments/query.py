"""What may be asked of payments and refunds."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from hms.fields import Day, Id, Params
from hms.pages import PageParams
from payments.model import Status


class ListPayments(PageParams):
    """A bill's, a patient's or a day's payments; without any of them the caller's own, or today's."""

    bill_id: Id | None = None
    patient_id: Id | None = None
    day: Day | None = Field(default=None, description="The clinic day on which they were asked for.")
    status: Status | None = None

    @model_validator(mode="after")
    def one_way_to_say_whose(self) -> Self:
        if sum(one is not None for one in (self.bill_id, self.patient_id, self.day)) > 1:
            message = "give one of bill_id, patient_id and day"
            raise ValueError(message)
        return self


class ListRefunds(PageParams):
    payment_id: Id


class ReconcileDay(Params):
    day: Day | None = Field(default=None, description="A clinic day; today where it is left out.")
