"""The ways to reach people: SES for e-mail, SNS for SMS; push is not connected and says so."""

from __future__ import annotations

from dataclasses import replace
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from typing import TYPE_CHECKING, Any

from hms import telemetry
from hms.settings import setting
from notifications import addresses
from notifications.clinic import clinic
from notifications.sending import Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notifications.sending import Letter

# What a provider says of an address or a message. All else passes, or is mended by the operator while it is retried.
_REFUSED = {"MessageRejected", "InvalidParameterValue", "InvalidParameter", "ValidationException", "OptedOut"}
# SES says it with the code of a refusal, but it is the clinic's sender that lacks something, not the message.
_UNVERIFIED = ("not verified", "authority to send")
# SNS: the person has asked the carrier to stop.
_STOPPED = "OptedOut"
# What a provider says before it does anything, with whatever status.
_TURNED_AWAY = ("Throttl", "ServiceUnavailable")
_BROKEN = 500


class Email:
    name = "ses"

    def send(self, letter: Letter) -> str:
        letter = replace(letter, address=_taken(letter.address))
        request = {
            "Source": sender(),
            "Destinations": [letter.address],
            "RawMessage": {"Data": mime(letter)},
            "ConfigurationSetName": setting("CONFIGURATION_SET"),
            "Tags": [{"Name": "notification_id", "Value": letter.notification_id}],
        }
        return str(_called("ses", "send_raw_email", request)["MessageId"])


class Sms:
    name = "sns"

    def send(self, letter: Letter) -> str:
        kind = {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"}}
        request = {"PhoneNumber": letter.address, "Message": letter.text, "MessageAttributes": kind}
        return str(_called("sns", "publish", request)["MessageId"])


class LoggedPush:
    """Stands where a push service will be connected: the message goes to nobody, and the record names this provider."""

    name = "log-only"

    def send(self, letter: Letter) -> str:
        message = "push is not connected: logged, not delivered"
        telemetry.log("WARNING", message, notification_id=letter.notification_id)
        return letter.notification_id


def mime(letter: Letter) -> bytes:
    """The e-mail as it goes out. An invitation is an alternative, which calendars act on, and a file for the others.

    `To` is the bare address: people's names may look like addresses or encoded words, which parsers then take for more
    recipients. Raises `Refused` for what cannot be written as an e-mail.
    """
    try:
        return _written(letter)
    except (ValueError, MessageError) as error:
        raise Refused("UNWRITABLE") from error


def _written(letter: Letter) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(clinic().name, addr_spec=sender())
    message["To"] = Address(addr_spec=letter.address)
    message["Subject"] = letter.title or clinic().name
    message["X-HMS-Notification"] = letter.notification_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    if letter.invitation:
        method, calendar = letter.invitation
        parameters = {"method": method, "name": "invite.ics"}
        message.add_alternative(calendar.decode(), subtype="calendar", params=parameters)
    return message.as_bytes()


def _taken(address: str) -> str:
    try:
        return addresses.deliverable(address)
    except UnicodeError as error:
        raise Refused("ADDRESS_NOT_ASCII") from error


def sender() -> str:
    return setting("SENDER_ADDRESS")


def _called(service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError

    try:
        answer: dict[str, Any] = getattr(_client(service), operation)(**request)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if any(words in message for words in _UNVERIFIED):
            raise Unavailable("SENDER_NOT_VERIFIED") from error
        if code in _REFUSED:
            raise Refused(code, suppress=code == _STOPPED) from error
        raise Unavailable(code, unheard=_broke_off(code, error.response)) from error
    except BotoCoreError as error:
        # The others come before a request is out: no connection, no credentials.
        unheard = isinstance(error, HTTPClientError | IncompleteReadError)
        raise Unavailable(type(error).__name__, unheard=unheard) from error
    return answer


def _broke_off(code: str, response: Mapping[str, Any]) -> bool:
    """A provider that fails in the middle of a request may have taken the message."""
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return bool(status >= _BROKEN) and not code.startswith(_TURNED_AWAY)


@cache
def _client(service: str) -> Any:
    """One attempt each: a message whose answer was lost may have gone out, and is tried again later, not at once."""
    from botocore.config import Config
    from botocore.session import get_session

    config = Config(connect_timeout=1, read_timeout=5, retries={"total_max_attempts": 1})
    return get_session().create_client(service, config=config)
