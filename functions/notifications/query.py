"""What may be asked of messages."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from hms.fields import CalendarDate, Id
from hms.pages import PageParams
from notifications.model import Channel, Status

if TYPE_CHECKING:
    from notifications.model import Notification

_DAY = timedelta(days=1)


class ListNotifications(PageParams):
    """A patient's messages, those about one visit, or a day's; without any of them, today's."""

    patient_id: Id | None = None
    appointment_id: Id | None = None
    subject_id: Id | None = Field(default=None, description="What it is about: a visit, later a bill.")
    status: Status | None = None
    kind: str | None = Field(default=None, max_length=64)
    channel: Channel | None = None
    day: CalendarDate | None = Field(default=None, description="The UTC day it was made on.")
    start: CalendarDate | None = Field(default=None, alias="from", description="The first UTC day.")
    end: CalendarDate | None = Field(default=None, alias="to", description="The last UTC day.")

    @model_validator(mode="after")
    def one_way_to_say_what(self) -> Self:
        if self.appointment_id and self.subject_id:
            message = "give either appointment_id or subject_id"
            raise ValueError(message)
        if self.day and (self.patient_id or self.about):
            message = "day is for everybody's messages; give from and to"
            raise ValueError(message)
        if (self.start or self.end) and not (self.patient_id or self.about):
            message = "from and to go with patient_id, appointment_id or subject_id"
            raise ValueError(message)
        return self

    @property
    def about(self) -> str | None:
        return self.appointment_id or self.subject_id

    @property
    def span(self) -> tuple[str, str]:
        """The range of moments, in an index that sorts by them."""
        after_the_last = self.end + _DAY if self.end and self.end < date.max else None
        return str(self.start or ""), str(after_the_last or "\uffff")

    def takes(self, notification: Notification) -> bool:
        return (
            self.about in (None, notification.subject_id)
            and self.status in (None, notification.status)
            and self.kind in (None, notification.kind)
            and self.channel in (None, notification.channel)
        )
