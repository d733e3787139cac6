"""What the emulator's providers were given: e-mails and text messages that would have gone out."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any

import httpx

from tools.progress import console

if TYPE_CHECKING:
    from tools.system import System

_SECONDS = 60
_MINISTACK = ("/_ministack/ses/messages", "/_ministack/sns/sms-messages")
_LOCALSTACK = ("/_aws/ses", "/_aws/sns/sms-messages")


@dataclass(frozen=True)
class Letter:
    """`calendar` is the invitation, where the emulator keeps it (LocalStack does)."""

    message_id: str
    address: str
    subject: str
    text: str
    calendar: str | None = None


def letters(system: System) -> list[Letter]:
    """E-mails in the order they were given to SES."""
    answer = httpx.get(f"{system.endpoint_url}{_MINISTACK[0]}", timeout=_SECONDS)
    if answer.is_success and isinstance(answer.json().get("messages"), dict):
        found = [one for account in answer.json()["messages"].values() for one in account]
        return [_from_fields(one) for one in found]
    answer = httpx.get(f"{system.endpoint_url}{_LOCALSTACK[0]}", timeout=_SECONDS)
    return [_from_raw(one) for one in answer.raise_for_status().json()["messages"]]


def texts(system: System) -> dict[str, list[str]]:
    """Text messages by number."""
    for path in (_MINISTACK[1], _LOCALSTACK[1]):
        answer = httpx.get(f"{system.endpoint_url}{path}", timeout=_SECONDS)
        if answer.is_success and "sms_messages" in answer.json():
            sent = answer.json()["sms_messages"]
            return {number: [one["Message"] for one in messages] for number, messages in sent.items()}
    return {}


def show(system: System, address: str = "") -> None:
    """Prints what was sent, to one address or to all; of each way the newest last."""
    mail = [
        f"e-mail to {one.address}: {one.subject}\n\n{one.text}" for one in letters(system) if _is(one.address, address)
    ]
    sms = [
        f"SMS to {number}\n\n{text}" for number, said in texts(system).items() if _is(number, address) for text in said
    ]
    for message in (*mail, *sms):
        console.print(f"{message.strip()}\n\n--", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{len(mail)} e-mails and {len(sms)} text messages")


def _is(address: str, wanted: str) -> bool:
    """A number may be given without its country."""
    return address.endswith(wanted)


def _from_fields(said: dict[str, Any]) -> Letter:
    subject = str(make_header(decode_header(said["Subject"])))
    return Letter(said["MessageId"], parseaddr(said["To"][0])[1], subject, said["BodyText"])


def _from_raw(said: dict[str, Any]) -> Letter:
    message = message_from_bytes(said["RawData"].encode(), policy=default)
    text, calendar = message.get_body(("plain",)), message.get_body(("calendar",))
    for part in message.walk():
        if part.get_content_type() == "text/calendar":
            calendar = part
    return Letter(
        said["Id"],
        parseaddr(message["To"])[1],
        message["Subject"],
        text.get_content() if text else "",
        calendar.get_content() if calendar else None,
    )
