"""The vocabulary of messages."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from hms.aggregate import Entity
from hms.events import Fact
from hms.fields import Command, View

if TYPE_CHECKING:
    from notifications.template import Template


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class Status(StrEnum):
    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class Delivery(StrEnum):
    """What the provider told later."""

    DELIVERED = "DELIVERED"
    DELAYED = "DELAYED"
    BOUNCED = "BOUNCED"
    COMPLAINED = "COMPLAINED"


ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Local time, `HH:MM`.")]


class QuietHours(BaseModel):
    """From `start` to `end` in the clinic's zone, over midnight where `end` is earlier."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    start: ClockTime = Field(examples=["21:00"])
    end: ClockTime = Field(examples=["08:00"])

    @model_validator(mode="after")
    def lasts(self) -> Self:
        if self.start == self.end:
            message = "quiet hours end at another time than they start"
            raise ValueError(message)
        return self


class Preferences(Entity):
    """What a recipient wants. `quiet_hours` null means the clinic's; `muted` are kinds that are not wanted at all."""

    patient_id: str
    channels: tuple[Channel, ...] = (Channel.EMAIL, Channel.SMS)
    muted: tuple[str, ...] = ()
    quiet_hours: QuietHours | None = None


class SetPreferences(Command):
    """All of it: what is left out goes back to its default."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "channels": ["email"],
                    "muted": ["reminder-2h"],
                    "quiet_hours": {"start": "21:00", "end": "08:00"},
                }
            ]
        }
    )

    channels: tuple[Annotated[Channel, Field(strict=False)], ...] = Field(
        default=(Channel.EMAIL, Channel.SMS), max_length=3
    )
    muted: tuple[str, ...] = Field(default=(), max_length=20)
    quiet_hours: QuietHours | None = None


class ResendNotification(Command):
    """A command whose path says everything."""


class RestoreAddresses(Command):
    """A command whose path says everything."""


class Notification(Entity):
    """One message of one kind to one recipient over one channel.

    `reason` says why it was skipped or failed; `not_before` when it goes out or is tried again; `useful_until` when it
    is of no use any more; `destination` is masked. `first_id` is the first of the attempts that resending made,
    which counts them in `attempts`. `unheard` counts the tries whose answer was lost: each may have gone out.
    """

    notification_id: str
    kind: str
    channel: Channel
    patient_id: str
    doctor_id: str | None = None
    subject: str
    subject_id: str
    subject_version: int
    attempt: int = 1
    first_id: str
    attempts: int = 1
    status: Status = Status.PENDING
    reason: str | None = None
    retry_count: int = 0
    unheard: int = 0
    not_before: AwareDatetime | None = None
    useful_until: AwareDatetime | None = None
    data: dict[str, JsonValue]
    language: str | None = None
    template_version: int | None = None
    title: str | None = None
    text: str | None = None
    destination: str | None = None
    provider: str | None = None
    provider_message_id: str | None = None
    sent_at: AwareDatetime | None = None
    delivery: Delivery | None = None


class NotificationView(View):
    """A message as its readers see it: without what it was made from."""

    notification_id: str
    version: int
    kind: str
    channel: Channel
    patient_id: str
    subject: str
    subject_id: str
    attempt: int
    status: Status
    reason: str | None
    retry_count: int
    not_before: AwareDatetime | None
    language: str | None
    template_version: int | None
    title: str | None
    text: str | None
    destination: str | None
    provider: str | None
    provider_message_id: str | None
    sent_at: AwareDatetime | None
    delivery: Delivery | None
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @classmethod
    def of(cls, notification: Notification) -> Self:
        return cls.model_validate({name: getattr(notification, name) for name in cls.model_fields})


class NotificationPage(View):
    items: list[NotificationView]
    next_cursor: str | None
    as_of: AwareDatetime


def _example(**more: JsonValue) -> ConfigDict:
    example: dict[str, JsonValue] = {
        "notification_id": "01931c2e-7b1f-8c39-9d54-3b1c2a4f5e63",
        "version": 1,
        "kind": "appointment-booked",
        "channel": "email",
        "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
        "doctor_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e61",
        "subject": "visit",
        "subject_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e62",
        "attempt": 1,
        "status": "PENDING",
        "reason": None,
        "retry_count": 0,
    }
    return ConfigDict(frozen=True, json_schema_extra={"examples": [example | more]})


class NotificationFact(Fact):
    """The message after the change, without its words or address."""

    notification_id: str
    version: int
    kind: str
    channel: Channel
    patient_id: str
    doctor_id: str | None
    subject: str
    subject_id: str
    attempt: int
    status: Status
    reason: str | None
    retry_count: int

    @classmethod
    def of(cls, notification: Notification) -> Self:
        return cls.model_validate({name: getattr(notification, name) for name in cls.model_fields})


class NotificationRequested(NotificationFact):
    """To be sent now."""

    type: ClassVar[str] = "notifications.requested.v1"
    model_config = _example()


class NotificationDeferred(NotificationFact):
    """To be sent later: quiet hours, or the provider did not take it."""

    type: ClassVar[str] = "notifications.deferred.v1"
    model_config = _example(version=2, reason="THROTTLED", retry_count=1)


class NotificationSent(NotificationFact):
    type: ClassVar[str] = "notifications.sent.v1"
    model_config = _example(version=2, status="SENT")


class NotificationFailed(NotificationFact):
    type: ClassVar[str] = "notifications.failed.v1"
    model_config = _example(version=2, status="FAILED", reason="ADDRESS_REFUSED")


class NotificationSkipped(NotificationFact):
    type: ClassVar[str] = "notifications.skipped.v1"
    model_config = _example(status="SKIPPED", reason="OPTED_OUT")


class NotificationResent(NotificationFact):
    """The first of the attempts, when another one was asked for."""

    type: ClassVar[str] = "notifications.resent.v1"
    model_config = _example(version=3, status="SENT")


class DeliveryReported(NotificationFact):
    type: ClassVar[str] = "notifications.delivery_reported.v1"
    model_config = _example(version=3, status="SENT", delivery="BOUNCED")

    delivery: Delivery | None


class PreferencesChanged(Fact):
    type: ClassVar[str] = "notifications.preferences_changed.v1"
    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "patient_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
                    "version": 1,
                    "channels": ["email"],
                    "muted": ["reminder-2h"],
                }
            ]
        },
    )

    patient_id: str
    version: int
    channels: tuple[Channel, ...]
    muted: tuple[str, ...]


class TemplateChanged(Fact):
    """Without the words: who needs them asks."""

    type: ClassVar[str] = "notifications.template_changed.v1"
    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "template_id": "01931c2e-7b1f-8c39-9d54-3b1c2a4f5e64",
                    "version": 1,
                    "kind": "appointment-booked",
                    "channel": "sms",
                    "language": "hi",
                    "status": "EDITED",
                }
            ]
        },
    )

    template_id: str
    version: int
    kind: str
    channel: Channel
    language: str
    status: str

    @classmethod
    def of(cls, template: Template) -> Self:
        return cls.model_validate({name: getattr(template, name) for name in cls.model_fields})


FACTS: tuple[type[Fact], ...] = (
    NotificationRequested,
    NotificationDeferred,
    NotificationSent,
    NotificationFailed,
    NotificationSkipped,
    NotificationResent,
    DeliveryReported,
    PreferencesChanged,
    TemplateChanged,
)
