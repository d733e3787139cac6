"""One message on its way: taken by one sender, checked once more, worded, given to its provider, recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from hms import masking
from hms.call import decided
from hms.errors import Busy
from hms.rows import Conflict
from notifications import rules
from notifications.clinic import clinic
from notifications.kinds import kinds
from notifications.model import Channel, Notification, Status
from notifications.service import fact_of
from notifications.template import Unrenderable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hms.aggregate import Stored
    from hms.call import Call
    from hms.rows import Change
    from notifications.model import NotificationRequested
    from notifications.people import PatientCopy
    from notifications.service import Office
    from notifications.store import Latest, Lease, Notifications, Sending

# Longer than the function may run: who took a message and has not recorded it by then, has died.
LEASE = timedelta(seconds=60)
_TAKEN = "Another sender has this message."


class Worded(NamedTuple):
    """A message in words; `title` is an e-mail's subject."""

    language: str
    version: int
    title: str | None
    text: str


class Refused(Exception):
    """A provider will never take this message; with `suppress` nor any other to that address."""

    def __init__(self, reason: str, *, suppress: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.suppress = suppress


class Unavailable(Exception):
    """A provider did not take the message now; `unheard` where it may have, and its answer was lost."""

    def __init__(self, reason: str, *, unheard: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unheard = unheard


@dataclass(frozen=True, slots=True)
class Letter:
    """What a provider is given. `invitation` is an iCalendar text with its method."""

    notification_id: str
    address: str
    title: str | None
    text: str
    invitation: tuple[str, bytes] | None = None


class Provider(Protocol):
    """A way to reach people. Returns the provider's id of the message. Raises `Refused` or `Unavailable`."""

    name: str

    def send(self, letter: Letter) -> str: ...


class Wording(Protocol):
    """Words for a message in the recipient's language. Raises `Unrenderable`."""

    def word(self, kind: str, channel: Channel, language: str | None, values: Mapping[str, Any]) -> Worded: ...


class Invitations(Protocol):
    """The calendar entry that goes with a message, as method and text."""

    def of(self, notification: Notification, values: Mapping[str, Any], address: str) -> tuple[str, bytes]: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What a sender works with."""

    office: Office
    wording: Wording
    invitations: Invitations
    providers: Mapping[Channel, Provider]


class Result(NamedTuple):
    """What became of a message, and what else changes with it."""

    after: Notification
    more: tuple[Change, ...] = ()


def send(asked: NotificationRequested, call: Call, desk: Desk) -> Notification | None:
    """Sends what was asked for, unless it is done or was asked for anew; what has become of it then.

    Raises `Busy` while another sender has it. A sender that dies between the provider's word and the record leaves a
    message that the next one sends again, unless the provider reports of it first: it takes no key by which it would
    know it.
    """
    notifications = desk.office.notifications
    found = notifications.sending(asked.notification_id, asked.subject_id, asked.patient_id, asked.doctor_id)
    stored = found.stored
    if stored is None or stored.state.version != asked.version or stored.state.status is not Status.PENDING:
        return None
    if found.lease and datetime.fromisoformat(found.lease.until) > call.now:
        raise Busy(_TAKEN)
    lease = _taken(asked.notification_id, found.lease, call, notifications)
    result = _result(stored.state, found, call, desk)
    _record(stored, result, lease, call, notifications)
    return result.after


def _taken(notification_id: str, held: Lease | None, call: Call, notifications: Notifications) -> Lease:
    try:
        return notifications.take(notification_id, held, call.now + LEASE)
    except Conflict as error:
        raise Busy(_TAKEN) from error


def _result(notification: Notification, found: Sending, call: Call, desk: Desk) -> Result:
    patient = found.patient or desk.office.owners.patient(notification.patient_id)
    if reason := rules.out_of_date(notification, _newest(notification, found.latest), call.now):
        return Result(rules.skipped(notification, reason, call.now))
    if patient is None:
        return Result(rules.skipped(notification, rules.NO_ADDRESS, call.now))
    recipient = rules.Recipient(patient, found.preferences)
    if reason := rules.unwanted(notification.kind, notification.channel, recipient):
        return Result(rules.skipped(notification, reason, call.now))
    if until := rules.quiet_until(notification.kind, recipient, clinic(), call.now):
        return Result(rules.deferred(notification, until, call.now))
    return _sent(notification, patient, _doctor_name(notification, found, desk), call, desk)


def _newest(notification: Notification, latest: Latest | None) -> Mapping[str, Any]:
    # Our copy may be behind the owner, whose word a reminder is made by.
    return latest.data if latest and latest.version >= notification.subject_version else notification.data


def _sent(notification: Notification, patient: PatientCopy, doctor: str | None, call: Call, desk: Desk) -> Result:
    address = rules.address_of(patient, notification.channel) or ""
    if desk.office.notifications.suppressed(address):
        return Result(rules.skipped(notification, rules.SUPPRESSED, call.now))
    values = _values(notification, patient, doctor)
    try:
        worded = desk.wording.word(notification.kind, notification.channel, patient.preferred_language, values)
    except Unrenderable as error:
        return Result(rules.failed(notification, f"{error.code.upper()}: {error.reason}", call.now))
    letter = Letter(notification.notification_id, address, worded.title, worded.text)
    if notification.channel is Channel.EMAIL and kinds().kinds[notification.kind].invitation:
        letter = replace(letter, invitation=desk.invitations.of(notification, values, address))
    return _handed_over(notification, letter, worded, call, desk)


def _handed_over(notification: Notification, letter: Letter, worded: Worded, call: Call, desk: Desk) -> Result:
    provider = desk.providers[notification.channel]
    said = {
        "language": worded.language,
        "template_version": worded.version,
        "title": worded.title,
        "text": worded.text,
        "destination": masked(notification.channel, letter.address),
        "provider": provider.name,
    }
    try:
        message_id = provider.send(letter)
    except Unavailable as error:
        return Result(rules.put_off(notification, error.reason, clinic(), call.now, unheard=error.unheard))
    except Refused as error:
        suppression = desk.office.notifications.suppression(letter.address, error.reason)
        after = rules.failed(notification, error.reason, call.now, **said)
        return Result(after, (suppression,) if error.suppress else ())
    return Result(rules.sent(notification, call.now, **said, provider_message_id=message_id))


def _record(
    stored: Stored[Notification], result: Result, lease: Lease, call: Call, notifications: Notifications
) -> None:
    after = result.after

    def attempt() -> None:
        try:
            notifications.save(stored, after, fact_of(after), call, lease=lease, more=result.more)
        except Conflict:
            present = notifications.load(after.notification_id)
            if present is None or present.state.version < after.version:
                raise
            if after.status is Status.SENT and rules.awaits_words(present.state):
                whole = rules.worded(present.state, after, call.now)
                notifications.save(present, whole, fact_of(whole), call)

    decided(attempt)


def _doctor_name(notification: Notification, found: Sending, desk: Desk) -> str | None:
    if notification.doctor_id is None:
        return None
    doctor = found.doctor or desk.office.owners.doctor(notification.doctor_id)
    return doctor.name if doctor else None


def _values(notification: Notification, patient: PatientCopy, doctor_name: str | None) -> dict[str, Any]:
    doctor = {"doctor": {"name": doctor_name}} if doctor_name else {}
    about = {"name": clinic().name, "phone": clinic().phone}
    return {"patient": {"name": patient.name}, **doctor, "clinic": about, notification.subject: notification.data}


def masked(channel: Channel, address: str) -> str:
    """A push address is an id, which names nobody."""
    masks = {Channel.EMAIL: masking.email, Channel.SMS: masking.phone}
    return masks[channel](address) if channel in masks else address
