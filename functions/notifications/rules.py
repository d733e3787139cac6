"""Whom, when and whether to tell (docs/rules.md "Telling people"), pure."""

from __future__ import annotations

import random
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from hms import ids
from hms.errors import Conflicting, NotFound
from notifications.kinds import kinds
from notifications.model import Channel, Delivery, Notification, Preferences, QuietHours, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notifications.clinic import Clinic
    from notifications.people import PatientCopy

OPTED_OUT = "OPTED_OUT"
NO_ADDRESS = "NO_ADDRESS"
INACTIVE = "RECIPIENT_INACTIVE"
SUPERSEDED = "SUPERSEDED"
LAPSED = "LAPSED"
SUPPRESSED = "ADDRESS_SUPPRESSED"
NO_ANSWER = "NO_ANSWER"
_DAY = timedelta(days=1)


class NotificationNotFound(NotFound):
    code, detail = "NOTIFICATION_NOT_FOUND", "There is no such message."


class RecipientNotFound(NotFound):
    code, detail = "PATIENT_NOT_FOUND", "There is no such patient."


class StillPending(Conflicting):
    code, detail = "STILL_PENDING", "The message has not gone out yet; there is nothing to repeat."


class Occurrence(NamedTuple):
    """What happened to a subject: the fields of its event, and the version that the event made."""

    subject: str
    subject_id: str
    version: int
    data: Mapping[str, Any]


class Reminder(NamedTuple):
    """A reminder to come: the subject's version it was planned at, and its fields then."""

    subject: str
    subject_id: str
    kind: str
    version: int
    data: Mapping[str, Any]

    @property
    def due(self) -> datetime:
        before = kinds().kinds[self.kind].before
        assert before  # noqa: S101  (what is not due before something is no reminder)
        return before.due(self.data)


class Recipient(NamedTuple):
    """The patient and what they want."""

    patient: PatientCopy
    preferences: Preferences | None

    @property
    def channels(self) -> tuple[Channel, ...]:
        return self.preferences.channels if self.preferences else (Channel.EMAIL, Channel.SMS)


class Case(NamedTuple):
    """What one recipient may be told about: what happened, and how its subject stands now."""

    occurrence: Occurrence
    latest: Mapping[str, Any]
    recipient: Recipient


def notification_id(occurrence: Occurrence, kind: str, patient_id: str, channel: Channel, attempt: int = 1) -> str:
    """One message per aggregate, version, kind, recipient, channel and attempt, whatever comes twice."""
    return ids.derived("notification", occurrence.subject_id, occurrence.version, kind, patient_id, channel, attempt)


def channels_for(recipient: Recipient) -> tuple[Channel, ...]:
    """E-mail and SMS even where they are not wanted, so that a silence can be explained; push where it is."""
    return (Channel.EMAIL, Channel.SMS, *(channel for channel in recipient.channels if channel is Channel.PUSH))


def planned(name: str, channel: Channel, case: Case, clinic: Clinic, now: datetime) -> Notification:
    """The message as it is made: to be sent at once or later, or skipped for a reason."""
    occurrence, patient = case.occurrence, case.recipient.patient
    kind = kinds().kinds[name]
    new_id = notification_id(occurrence, name, patient.patient_id, channel)
    notification = Notification(
        notification_id=new_id,
        first_id=new_id,
        kind=name,
        channel=channel,
        patient_id=patient.patient_id,
        doctor_id=occurrence.data.get("doctor_id"),
        subject=occurrence.subject,
        subject_id=occurrence.subject_id,
        subject_version=occurrence.version,
        data=dict(occurrence.data),
        useful_until=kind.useful_until(occurrence.data),
        created_at=now,
        updated_at=now,
    )
    reason = unwanted(name, channel, case.recipient) or out_of_date(notification, case.latest, now)
    if reason:
        return notification.model_copy(update={"status": Status.SKIPPED, "reason": reason})
    return notification.model_copy(update={"not_before": quiet_until(name, case.recipient, clinic, now)})


def unwanted(name: str, channel: Channel, recipient: Recipient) -> str | None:
    """Why somebody is not to be told over a channel. Asked when a message is made, and again when it is sent."""
    if address_of(recipient.patient, channel) is None:
        return NO_ADDRESS
    if kinds().kinds[name].urgent:
        return None
    if not recipient.patient.active:
        return INACTIVE
    muted = recipient.preferences.muted if recipient.preferences else ()
    return OPTED_OUT if channel not in recipient.channels or name in muted else None


def address_of(patient: PatientCopy, channel: Channel) -> str | None:
    """Push reaches whatever devices have signed in as the patient."""
    return {Channel.EMAIL: patient.email, Channel.SMS: patient.phone, Channel.PUSH: patient.patient_id}[channel]


def out_of_date(notification: Notification, latest: Mapping[str, Any], now: datetime) -> str | None:
    """Why a message is no longer true or of use."""
    if not kinds().kinds[notification.kind].stands.hold(notification.data, latest):
        return SUPERSEDED
    return LAPSED if notification.useful_until and now >= notification.useful_until else None


def quiet_until(name: str, recipient: Recipient, clinic: Clinic, now: datetime) -> datetime | None:
    """The end of the quiet hours that `now` lies in, in UTC; None where it lies in none, or the kind is urgent."""
    quiet = (recipient.preferences and recipient.preferences.quiet_hours) or clinic.quiet_hours
    if quiet is None or kinds().kinds[name].urgent:
        return None
    local = now.astimezone(ZoneInfo(clinic.timezone))
    if not _within(quiet, f"{local:%H:%M}"):
        return None
    # In the night when clocks go back the hour is there twice: from the second one the first end is past.
    end = time.fromisoformat(quiet.end).replace(fold=local.fold)
    day = local.date() if local.time() < end else local.date() + _DAY
    return datetime.combine(day, end, local.tzinfo).astimezone(now.tzinfo)


def _within(quiet: QuietHours, clock: str) -> bool:
    if quiet.start < quiet.end:
        return quiet.start <= clock < quiet.end
    return clock >= quiet.start or clock < quiet.end


def requested(notification: Notification, now: datetime) -> Notification:
    return _changed(notification, now, not_before=None)


def deferred(notification: Notification, until: datetime, now: datetime) -> Notification:
    """Put off to the end of quiet hours, which is no retry."""
    return _changed(notification, now, not_before=until)


def skipped(notification: Notification, reason: str, now: datetime) -> Notification:
    return _changed(notification, now, status=Status.SKIPPED, reason=reason, not_before=None)


def failed(notification: Notification, reason: str, now: datetime, **said: Any) -> Notification:
    return _changed(notification, now, status=Status.FAILED, reason=reason, not_before=None, **said)


def sent(notification: Notification, now: datetime, **said: Any) -> Notification:
    return _changed(notification, now, status=Status.SENT, reason=None, not_before=None, sent_at=now, **said)


def put_off(
    notification: Notification, reason: str, clinic: Clinic, now: datetime, *, unheard: bool = False
) -> Notification:
    """Tried again later: the wait doubles up to its ceiling, and half of it is chance; in the end it has failed.

    That is after fewer tries where its answers are `unheard`, since each may reach the recipient once more.
    """
    tries = {"retry_count": notification.retry_count + 1, "unheard": notification.unheard + unheard}
    if notification.retry_count >= clinic.retries or (unheard and notification.unheard >= clinic.unheard_retries):
        return failed(notification, NO_ANSWER if unheard else reason, now, unheard=tries["unheard"])
    first, tried = clinic.first_retry_seconds, notification.retry_count
    if unheard:
        first, tried = clinic.first_unheard_seconds, notification.unheard
    wait = min(clinic.longest_retry_seconds, first * 2**tried)
    seconds = random.uniform(wait / 2, wait)  # noqa: S311  (jitter, not a secret)
    later = (now + timedelta(seconds=seconds)).replace(microsecond=0)
    return _changed(notification, now, reason=reason, not_before=later, **tries)


def reported(notification: Notification, delivery: Delivery, provider: str, now: datetime) -> Notification:
    """A provider reports of what it has taken only: whatever was thought of the message, it went out."""
    if notification.status is Status.SENT:
        return _changed(notification, now, delivery=delivery)
    return sent(notification, now, delivery=delivery, provider=notification.provider or provider)


def awaits_words(notification: Notification) -> bool:
    """Known to have gone out by its report alone: its sender has not recorded what it said."""
    return notification.status is Status.SENT and notification.provider_message_id is None


def worded(notification: Notification, by_sender: Notification, now: datetime) -> Notification:
    """What was known by its report, with what its sender knows."""
    names = (
        "language",
        "template_version",
        "title",
        "text",
        "destination",
        "provider",
        "provider_message_id",
        "sent_at",
    )
    return _changed(notification, now, **{name: getattr(by_sender, name) for name in names})


def counted(first: Notification, now: datetime) -> Notification:
    """The first of the attempts when another one is asked for."""
    return _changed(first, now, attempts=first.attempts + 1)


def repeated(last: Notification, attempt: int, now: datetime) -> Notification:
    """The same message once more, as new."""
    occurrence = Occurrence(last.subject, last.subject_id, last.subject_version, last.data)
    return Notification(
        notification_id=notification_id(occurrence, last.kind, last.patient_id, last.channel, attempt),
        attempt=attempt,
        created_at=now,
        updated_at=now,
        **{
            name: getattr(last, name)
            for name in (
                "kind", "channel", "patient_id", "doctor_id", "subject", "subject_id", "subject_version",
                "first_id", "data", "useful_until",
            )
        },
    )  # fmt: skip


def _changed(notification: Notification, now: datetime, **update: Any) -> Notification:
    return notification.model_copy(update={**update, "version": notification.version + 1, "updated_at": now})
