"""What SES reports of messages it has taken: delivered, delayed, bounced, complained of."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from hms import ids, telemetry
from hms.call import decided
from notifications import rules
from notifications.model import Delivery, DeliveryReported
from notifications.providers import Email

if TYPE_CHECKING:
    from hms.call import Call
    from notifications.store import Notifications

_NOTIFICATION_HEADER = "X-HMS-Notification"
_OTHERS = {"Delivery": Delivery.DELIVERED, "DeliveryDelay": Delivery.DELAYED, "Reject": Delivery.BOUNCED}
_ORDER = (Delivery.DELAYED, Delivery.DELIVERED, Delivery.BOUNCED, Delivery.COMPLAINED)


class Report(NamedTuple):
    """`addresses` are those that take nothing any more; `notification_id` is None for mail that is not ours."""

    notification_id: str | None
    delivery: Delivery
    addresses: tuple[str, ...]


def report_of(body: str) -> Report | None:
    """Of an SES event (`eventType`) or notification (`notificationType`); None for those that say nothing here.

    Among those is the sentence with which SES tries a new topic, and whatever else is not written as a report.
    """
    try:
        return _read(json.loads(body))
    except (ValueError, LookupError, TypeError, AttributeError):
        telemetry.log("WARNING", "not a report", sha256=hashlib.sha256(body.encode(errors="replace")).hexdigest())
        return None


def _read(said: dict[str, Any]) -> Report | None:
    kind = said.get("eventType") or said.get("notificationType")
    match kind:
        case "Bounce":
            # A passing one is told when SES has tried in vain for hours: this message is lost, the address is not.
            final = said["bounce"]["bounceType"] == "Permanent"
            addresses = _addresses(said["bounce"]["bouncedRecipients"]) if final else ()
            return Report(_id_of(said["mail"]), Delivery.BOUNCED, addresses)
        case "Complaint" if said["complaint"].get("complaintFeedbackType") != "not-spam":
            return Report(
                _id_of(said["mail"]), Delivery.COMPLAINED, _addresses(said["complaint"]["complainedRecipients"])
            )
    delivery = _OTHERS.get(str(kind))
    return Report(_id_of(said["mail"]), delivery, ()) if delivery else None


def take(report: Report, call: Call, notifications: Notifications) -> None:
    """Addresses are suppressed and the message says what became of it, in one transaction.

    A report that comes twice, or after a worse one, changes nothing. One that comes before the sender's record, or in
    place of it, says that the message went out: it is not sent again.
    """

    def attempt() -> None:
        addresses = [one for one in report.addresses if not notifications.suppressed(one)]
        suppressions = [notifications.suppression(one, report.delivery) for one in addresses]
        stored = notifications.load(report.notification_id) if report.notification_id else None
        if stored and _is_news(stored.state.delivery, report.delivery):
            after = rules.reported(stored.state, report.delivery, Email.name, call.now)
            notifications.save(stored, after, DeliveryReported.of(after), call, more=suppressions)
        elif suppressions:
            notifications.table.commit(suppressions)

    decided(attempt)


def _is_news(known: Delivery | None, reported: Delivery) -> bool:
    return known is None or _ORDER.index(known) < _ORDER.index(reported)


def _id_of(mail: dict[str, Any]) -> str | None:
    tagged = mail.get("tags", {}).get("notification_id")
    headers = {one["name"]: one["value"] for one in mail.get("headers", ())}
    found = str(tagged[0] if tagged else headers.get(_NOTIFICATION_HEADER))
    return found if ids.is_id(found) else None


def _addresses(recipients: list[dict[str, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(one["emailAddress"]) for one in recipients))
