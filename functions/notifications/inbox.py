"""Changes of people and subjects, messages to be sent, and what became of those that were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms import clock, ids, telemetry
from hms.auth import Principal
from hms.call import Call
from hms.inbox import Inbox
from hms.store import DynamoTable
from notifications import deliveries, sending, service
from notifications.invitations import CalendarInvitations
from notifications.kinds import kinds
from notifications.model import Channel, NotificationRequested, Status
from notifications.owners import TasksOwners
from notifications.people import DoctorCopy, PatientCopy
from notifications.providers import Email, LoggedPush, Sms
from notifications.store import Notifications
from notifications.words import TemplateWording

if TYPE_CHECKING:
    from hms.events import Event
    from notifications.model import Notification

table = DynamoTable()
notifications = Notifications(table)
office = service.Office(notifications, TasksOwners())
providers: dict[Channel, sending.Provider] = {
    Channel.EMAIL: Email(),
    Channel.SMS: Sms(),
    Channel.PUSH: LoggedPush(),
}
desk = sending.Desk(office, TemplateWording(table), CalendarInvitations(), providers)
# What became of a message that was to be sent; one that is still pending was put off by its provider.
METRICS = {
    Status.SENT: "notifications_sent_total",
    Status.FAILED: "notifications_failed_total",
    Status.SKIPPED: "notifications_skipped_total",
    Status.PENDING: "notifications_deferred_total",
}
inbox = Inbox("notifications")
handler = inbox.handler


@inbox.on(
    "patients.registered.v1",
    "patients.updated.v1",
    "patients.deactivated.v1",
    "patients.reactivated.v1",
    copies="profile",
)
def keep_patient(event: Event) -> None:
    notifications.patients.keep(PatientCopy.model_validate(event.data))


@inbox.on(
    "doctors.registered.v1",
    "doctors.updated.v1",
    copies="profile",
)
def keep_doctor(event: Event) -> None:
    notifications.doctors.keep(DoctorCopy.model_validate(event.data))


@inbox.on(*kinds().event_types)
def hear(event: Event) -> None:
    service.hear(event, call_for(event.correlationid), office)


@inbox.on(NotificationRequested.type)
def send(event: Event) -> None:
    asked = NotificationRequested.model_validate(event.data)
    after = sending.send(asked, call_for(event.correlationid), desk)
    if after and not is_quiet(after, asked):
        telemetry.measured({METRICS[after.status]: (1, "Count")}, {"service": "notifications"}, channel=asked.channel)


def is_quiet(after: Notification, asked: NotificationRequested) -> bool:
    """Put off by quiet hours, which is no trouble of anybody's."""
    return after.status is Status.PENDING and after.retry_count == asked.retry_count


@inbox.other
def take_report(body: str) -> None:
    if report := deliveries.report_of(body):
        deliveries.take(report, call_for(ids.new()), notifications)


def call_for(correlation_id: str) -> Call:
    return Call(Principal("notifications", ("service",)), clock.now(), correlation_id)
