"""The HTTP face of messages."""

from __future__ import annotations

from pathlib import Path

from hms.api import Api, Request, Response, answer
from hms.errors import StaleVersion
from hms.gate import gate
from hms.policy import Policy
from hms.store import DynamoTable
from notifications import listing, preferences, service, template_api
from notifications.model import (
    NotificationPage,
    NotificationView,
    Preferences,
    ResendNotification,
    RestoreAddresses,
    SetPreferences,
)
from notifications.owners import TasksOwners
from notifications.query import ListNotifications
from notifications.rules import NotificationNotFound, RecipientNotFound, StillPending
from notifications.store import Notifications

table = DynamoTable()
notifications = Notifications(table)
office = service.Office(notifications, TasksOwners())
app = Api("notifications", Policy.load(Path(__file__).with_name("policy.json")), gate(table))
handler = app.handler


@app.route(
    "GET",
    "/v1/notifications",
    "notifications:read",
    summary="List the messages of a patient, about a visit, or of a day",
    query=ListNotifications,
    answers=NotificationPage,
)
def list_notifications(request: Request, params: ListNotifications) -> Response:
    return Response(body=listing.listed(params, request.call, notifications))


@app.route(
    "GET",
    "/v1/notifications/{notification_id}",
    "notifications:read",
    summary="Read a message and what became of it",
    answers=NotificationView,
    problems=(NotificationNotFound,),
)
def get_notification(request: Request) -> Response:
    notification = service.read(request.path["notification_id"], request.call, notifications)
    return answer(notification, view=NotificationView.of(notification))


@app.route(
    "POST",
    "/v1/notifications/{notification_id}/resend",
    "notifications:resend",
    summary="Send a message once more, as a new attempt",
    body=ResendNotification,
    answers=NotificationView,
    status=201,
    problems=(NotificationNotFound, StillPending),
)
def resend_notification(request: Request, _command: ResendNotification) -> Response:
    outcome = service.resend(request.path["notification_id"], request.call, notifications)
    return answer(outcome, 201, view=NotificationView.of(outcome.state))


@app.route(
    "GET",
    "/v1/patients/{patient_id}/notification-preferences",
    "notifications:preferences",
    summary="How a patient wants to be told",
    answers=Preferences,
)
def get_notification_preferences(request: Request) -> Response:
    return answer(preferences.read(request.path["patient_id"], request.call, notifications))


@app.route(
    "PUT",
    "/v1/patients/{patient_id}/notification-preferences",
    "notifications:preferences",
    summary="Set how a patient wants to be told",
    body=SetPreferences,
    answers=Preferences,
    problems=(RecipientNotFound, StaleVersion),
)
def set_notification_preferences(request: Request, command: SetPreferences) -> Response:
    return answer(preferences.put(request.path["patient_id"], command, request.call, office))


@app.route(
    "POST",
    "/v1/patients/{patient_id}/notification-addresses/restore",
    "notifications:lift",
    summary="Use a patient's addresses again that had bounced or complained",
    body=RestoreAddresses,
    status=204,
    problems=(RecipientNotFound,),
)
def restore_notification_addresses(request: Request, _command: RestoreAddresses) -> Response:
    preferences.restore_addresses(request.path["patient_id"], office)
    return Response(204)


template_api.declare(app)
