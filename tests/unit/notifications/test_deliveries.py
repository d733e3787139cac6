"""What SES reports: addresses that bounce or complain are left alone, and the message says what became of it."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hms.errors import Busy
from notifications import deliveries, preferences, service
from notifications.model import Channel, Delivery
from notifications.sending import LEASE, Refused, Unavailable
from tests.support.notifications import PATIENT, START, a_patient

if TYPE_CHECKING:
    from notifications.model import Notification, NotificationRequested
    from notifications.sending import Letter
    from tests.support.notifications import PostOffice

ADDRESS = "asha.rao@example.com"


def report(kind: str, notification_id: str | None, **details: Any) -> str:
    """As SES writes it into the topic of a configuration set."""
    tags = {"notification_id": [notification_id]} if notification_id else {}
    mail = {"messageId": "0100018f-abc", "destination": [ADDRESS], "tags": tags}
    return json.dumps({"eventType": kind, "mail": mail, kind.lower(): details})


def bounce(notification_id: str | None, kind: str = "Permanent") -> str:
    return report("Bounce", notification_id, bounceType=kind, bouncedRecipients=[{"emailAddress": ADDRESS}])


def complaint(notification_id: str) -> str:
    return report("Complaint", notification_id, complainedRecipients=[{"emailAddress": ADDRESS.upper()}])


@pytest.fixture
def sent(post: PostOffice) -> str:
    post.happens("booked")
    post.sends()
    return next(one.notification_id for one in post.messages() if one.channel is Channel.EMAIL)


def comes(post: PostOffice, body: str) -> None:
    said = deliveries.report_of(body)
    assert said
    deliveries.take(said, post.call(), post.notifications)


def delivery(post: PostOffice, notification_id: str) -> Delivery | None:
    stored = post.notifications.load(notification_id)
    assert stored
    return stored.state.delivery


@pytest.mark.parametrize("body", [bounce, complaint])
def test_an_address_that_bounced_or_complained_is_not_written_to_again(post: PostOffice, sent: str, body: Any) -> None:
    comes(post, body(sent))
    post.happens("rescheduled", version=2, start=START + timedelta(days=1))
    post.sends()

    assert ("appointment-rescheduled", "email", "ADDRESS_SUPPRESSED") in post.told()
    assert ("appointment-rescheduled", "sms", "SENT") in post.told()


@pytest.mark.parametrize("kind", ["Transient", "Undetermined"])
def test_a_passing_bounce_suppresses_nothing(post: PostOffice, sent: str, kind: str) -> None:
    comes(post, bounce(sent, kind))

    assert delivery(post, sent) is Delivery.BOUNCED
    assert not post.notifications.suppressed(ADDRESS)


def test_reports_come_twice_and_in_any_order_and_the_worst_stays(post: PostOffice, sent: str) -> None:
    for body in (complaint(sent), report("Delivery", sent), bounce(sent), complaint(sent)):
        comes(post, body)
        rows = dict(post.table.items)
        comes(post, body)
        assert post.table.items == rows

    assert delivery(post, sent) is Delivery.COMPLAINED


def test_a_bounce_of_mail_that_is_not_ours_suppresses_its_address(post: PostOffice) -> None:
    comes(post, bounce(None))

    assert post.notifications.suppressed(ADDRESS)


def test_the_message_is_known_by_its_header_too(post: PostOffice, sent: str) -> None:
    """An identity's own feedback has no tags."""
    headers = [{"name": "From", "value": "x"}, {"name": "X-HMS-Notification", "value": sent}]
    comes(post, json.dumps({"notificationType": "Delivery", "mail": {"headers": headers}, "delivery": {}}))

    assert delivery(post, sent) is Delivery.DELIVERED


@pytest.mark.parametrize("kind", ["Open", "Click", "Send", "AmazonSnsSubscriptionSucceeded"])
def test_other_reports_say_nothing_here(kind: str) -> None:
    assert deliveries.report_of(json.dumps({"notificationType": kind, "mail": {}})) is None


@pytest.mark.parametrize(
    "body",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.",
        "[]", "7", "null", '{"eventType": "Bounce"}', '{"eventType": "Bounce", "mail": [], "bounce": 1}',
        '{"eventType": "Complaint", "mail": {}, "complaint": {"complainedRecipients": [1]}}',
    ],
)  # fmt: skip
def test_what_is_no_report_is_let_go(body: str) -> None:
    assert deliveries.report_of(body) is None


def test_who_says_that_it_is_no_spam_is_written_to_again(sent: str) -> None:
    not_spam = {"complaintFeedbackType": "not-spam", "complainedRecipients": [{"emailAddress": ADDRESS}]}

    assert deliveries.report_of(report("Complaint", sent, **not_spam)) is None


def test_an_address_is_the_same_in_any_script(post: PostOffice) -> None:
    """SES reports domains as it was given them."""
    report_of_ses = bounce(None).replace(ADDRESS, "Asha@XN--fa-hia.de")
    comes(post, report_of_ses)

    assert post.notifications.suppressed("asha@faß.de")
    assert not post.notifications.suppressed("asha@fass.de")
    post.notifications.lift(["asha@faß.de"])
    assert not post.notifications.suppressed("asha@xn--fa-hia.de")


@pytest.mark.parametrize("address", [ADDRESS, "Asha.Rao@Example.com", "+919227680402", PATIENT, "आशा@example.com"])
def test_rows_of_suppressed_addresses_keep_their_keys(post: PostOffice, address: str) -> None:
    post.table.commit([post.notifications.suppression(address, "BOUNCED")])
    hashed = hashlib.sha256(address.casefold().encode()).hexdigest()

    assert (f"suppressed#{hashed}", "state") in post.table.items


def test_reception_restores_an_address(post: PostOffice, sent: str) -> None:
    comes(post, bounce(sent))
    preferences.restore_addresses(PATIENT, post.office)
    post.happens("rescheduled", version=2, start=START + timedelta(days=1))
    post.sends()

    assert len(post.email.letters) == 2


def test_a_new_address_is_written_to(post: PostOffice, sent: str) -> None:
    comes(post, bounce(sent))
    post.notifications.patients.keep(a_patient(version=2, email="asha@example.org"))
    post.happens("rescheduled", version=2, start=START + timedelta(days=1))
    post.sends()

    assert [letter.address for letter in post.email.letters] == [ADDRESS, "asha@example.org"]


@pytest.fixture
def pending(post: PostOffice) -> NotificationRequested:
    """The request of an e-mail that nobody has sent yet."""
    post.happens("booked")
    return next(one for one in post.requests() if one.channel is Channel.EMAIL)


def state(post: PostOffice, asked: NotificationRequested) -> Notification:
    stored = post.notifications.load(asked.notification_id)
    assert stored
    return stored.state


def beside(post: PostOffice, asked: NotificationRequested) -> set[str]:
    """Which of the rows there are that only a message on its way has."""
    return {key.sk for key in post.table.items if key.pk.endswith(asked.notification_id)} & {"lease", "due"}


def facts(post: PostOffice, asked: NotificationRequested) -> list[tuple[str, str]]:
    rows = post.notifications.history(asked.notification_id, limit=10).items
    told = [json.loads(row.body or "") for row in rows]
    return [(one["type"].split(".")[1], one["data"]["status"]) for one in told]


def test_a_report_that_comes_before_the_senders_record_loses_neither(
    post: PostOffice, pending: NotificationRequested, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = post.email.send

    def send_and_report(letter: Letter) -> str:
        message_id = send(letter)
        comes(post, report("Delivery", pending.notification_id))
        return message_id

    monkeypatch.setattr(post.email, "send", send_and_report)
    post.send(pending)
    sent = state(post, pending)

    assert (sent.status, sent.delivery, sent.version) == ("SENT", "DELIVERED", 3)
    assert (sent.provider, sent.provider_message_id, sent.text) == ("email", "email-1", post.email.letters[0].text)
    assert (sent.language, sent.destination, sent.sent_at) == ("en", "as****@example.com", post.now)
    assert facts(post, pending) == [
        ("requested", "PENDING"), ("delivery_reported", "SENT"), ("sent", "SENT"),
    ]  # fmt: skip
    assert beside(post, pending) == set()


def test_a_report_after_its_sender_died_is_the_record(post: PostOffice, pending: NotificationRequested) -> None:
    post.notifications.take(pending.notification_id, None, post.now + LEASE)
    comes(post, report("Delivery", pending.notification_id))
    post.now += LEASE

    assert post.send(pending) is None
    assert post.email.letters == []
    sent = state(post, pending)
    assert (sent.status, sent.delivery, sent.provider, sent.sent_at) == ("SENT", "DELIVERED", "ses", post.now - LEASE)
    assert beside(post, pending) == set()


def test_who_looked_before_the_report_takes_no_dead_senders_lease(
    post: PostOffice, pending: NotificationRequested, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.notifications.take(pending.notification_id, None, post.now + LEASE)
    post.now += LEASE
    take = post.notifications.take

    def take_after_the_report(*asked: Any) -> Any:
        comes(post, report("Delivery", pending.notification_id))
        return take(*asked)

    monkeypatch.setattr(post.notifications, "take", take_after_the_report)
    with pytest.raises(Busy):
        post.send(pending)
    assert post.email.letters == []


def test_a_report_on_a_message_that_was_put_off_ends_its_retries(
    post: PostOffice, pending: NotificationRequested
) -> None:
    post.email.moods = [Unavailable("ReadTimeoutError", unheard=True)]
    post.send(pending)
    assert beside(post, pending) == {"due"}
    comes(post, report("Delivery", pending.notification_id))
    waiting = state(post, pending)

    assert (waiting.status, waiting.reason, waiting.not_before) == ("SENT", None, None)
    assert beside(post, pending) == set()
    assert post.sweeps(post.now + LEASE) == 0
    again = service.resend(pending.notification_id, post.call(), post.notifications).state
    assert again.attempt == 2


@pytest.mark.parametrize("body", [bounce, complaint])
@pytest.mark.parametrize("mood", [Refused("MessageRejected"), Unavailable("ReadTimeoutError", unheard=True)])
def test_a_report_on_a_message_that_was_given_up_says_that_it_went_out(
    post: PostOffice, pending: NotificationRequested, body: Any, mood: Exception
) -> None:
    post.email.moods = [mood] * 5
    for _ in range(4):
        post.sends()
        post.sweeps(state(post, pending).not_before)
    assert state(post, pending).status == "FAILED"
    comes(post, body(pending.notification_id))

    assert (state(post, pending).status, state(post, pending).reason) == ("SENT", None)
    assert post.notifications.suppressed(ADDRESS)
    rows = dict(post.table.items)
    comes(post, body(pending.notification_id))
    assert post.table.items == rows
