"""What SES and SNS are given, and what their answers mean."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.session import get_session
from botocore.stub import ANY, Stubber

from notifications import providers
from notifications.invitations import CalendarInvitations
from notifications.model import Channel
from notifications.providers import Email, LoggedPush, Sms, mime
from notifications.sending import Letter, Refused, Unavailable
from tests.support.notifications import START, VISIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    from tests.support.notifications import PostOffice

ID = "01931c2e-7b1f-8c39-9d54-3b1c2a4f5e63"
LETTER = Letter(ID, "asha.rao@example.com", "Your visit", "Dear Asha,\n\nsee you.")


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDER_ADDRESS", "clinic@example.com")
    monkeypatch.setenv("CONFIGURATION_SET", "hms")


@pytest.fixture(params=["ses", "sns"])
def provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, str, Stubber]]:
    client = get_session().create_client(
        request.param, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    monkeypatch.setattr(providers, "_client", lambda _service: client)
    way, operation = {"ses": (Email(), "send_raw_email"), "sns": (Sms(), "publish")}[request.param]
    with Stubber(client) as stubber:
        yield way, operation, stubber
    client.close()


def read(letter: Letter) -> EmailMessage:
    message: EmailMessage = message_from_bytes(mime(letter), policy=default)
    return message


def test_a_provider_answers_with_its_own_id(provider: tuple[Any, str, Stubber]) -> None:
    way, operation, stubber = provider
    stubber.add_response(operation, {"MessageId": "0100018f"})

    assert way.send(LETTER) == "0100018f"


def test_ses_is_told_whose_message_it_is_and_where_to_report(provider: tuple[Any, str, Stubber]) -> None:
    way, operation, stubber = provider
    expected: dict[str, dict[str, Any]] = {
        "send_raw_email": {
            "Source": "clinic@example.com",
            "Destinations": ["asha.rao@example.com"],
            "RawMessage": {"Data": ANY},
            "ConfigurationSetName": "hms",
            "Tags": [{"Name": "notification_id", "Value": ID}],
        },
        "publish": {"PhoneNumber": "asha.rao@example.com", "Message": LETTER.text, "MessageAttributes": ANY},
    }
    stubber.add_response(operation, {"MessageId": "x"}, expected[operation])

    way.send(LETTER)
    stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    "code", ["Throttling", "Throttled", "ServiceUnavailable", "InternalError", "AccessDenied", "LimitExceededException"]
)
def test_what_may_pass_is_tried_again(provider: tuple[Any, str, Stubber], code: str) -> None:
    way, operation, stubber = provider
    stubber.add_client_error(operation, code)

    with pytest.raises(Unavailable, match=code):
        way.send(LETTER)


@pytest.mark.parametrize("code", ["MessageRejected", "InvalidParameterValue", "InvalidParameter"])
def test_what_is_said_of_the_message_is_final(provider: tuple[Any, str, Stubber], code: str) -> None:
    way, operation, stubber = provider
    stubber.add_client_error(operation, code, "Local address contains control or whitespace")

    with pytest.raises(Refused, match=code) as refused:
        way.send(LETTER)
    assert refused.value.suppress is False


def test_who_asked_to_stop_is_not_written_to_again(provider: tuple[Any, str, Stubber]) -> None:
    way, operation, stubber = provider
    stubber.add_client_error(operation, "OptedOut")

    with pytest.raises(Refused) as refused:
        way.send(LETTER)
    assert refused.value.suppress is True


@pytest.mark.parametrize("said", ["Email address is not verified.", "Did not have authority to send from email x"])
def test_a_sender_that_is_not_verified_is_the_operators_to_mend(provider: tuple[Any, str, Stubber], said: str) -> None:
    way, operation, stubber = provider
    stubber.add_client_error(operation, "MessageRejected", said)

    with pytest.raises(Unavailable, match="SENDER_NOT_VERIFIED"):
        way.send(LETTER)


@pytest.mark.parametrize(
    ("error", "unheard"),
    [
        (ReadTimeoutError(endpoint_url="https://sns"), True),
        (ConnectionClosedError(endpoint_url="https://sns"), True),
        (ConnectTimeoutError(endpoint_url="https://sns"), False),
        (EndpointConnectionError(endpoint_url="https://sns"), False),
        (NoCredentialsError(), False),
    ],
)
def test_a_network_that_is_down_may_pass_and_may_have_lost_the_answer_only(
    monkeypatch: pytest.MonkeyPatch, error: BotoCoreError, *, unheard: bool
) -> None:
    class Down:
        def publish(self, **_request: object) -> None:
            raise error

    monkeypatch.setattr(providers, "_client", lambda _service: Down())

    with pytest.raises(Unavailable, match=type(error).__name__) as put_off:
        Sms().send(LETTER)
    assert put_off.value.unheard is unheard


@pytest.mark.parametrize(
    ("code", "status", "unheard"),
    [
        ("InternalFailure", 500, True),
        ("InternalError", 504, True),
        ("ServiceUnavailable", 503, False),
        ("Throttling", 503, False),
        ("ThrottledException", 429, False),
        ("AccessDenied", 403, False),
    ],
)
def test_a_provider_that_fails_in_the_middle_may_have_taken_the_message(
    provider: tuple[Any, str, Stubber], code: str, status: int, *, unheard: bool
) -> None:
    way, operation, stubber = provider
    stubber.add_client_error(operation, code, http_status_code=status)

    with pytest.raises(Unavailable, match=code) as put_off:
        way.send(LETTER)
    assert put_off.value.unheard is unheard


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What SES is given."""
    requests: list[dict[str, Any]] = []

    class Ses:
        def send_raw_email(self, **request: Any) -> dict[str, str]:
            requests.append(request)
            return {"MessageId": "x"}

    monkeypatch.setattr(providers, "_client", lambda _service: Ses())
    return requests


@pytest.mark.parametrize(
    ("address", "ascii_"),
    [
        ("asha@आशा.भारत", "asha@xn--m1b0hya.xn--h2brj9c"),
        # By the rules of 2003 it is fass.de, which is somebody else's.
        ("asha@faß.de", "asha@xn--fa-hia.de"),
        ("asha@MÜNCHEN.de", "asha@xn--mnchen-3ya.de"),
        ("Asha.Rao@Example.com", "Asha.Rao@Example.com"),
    ],
)
def test_a_domain_of_any_script_is_written_to(given: list[dict[str, Any]], address: str, ascii_: str) -> None:
    Email().send(replace(LETTER, address=address))

    assert given[0]["Destinations"] == [ascii_]
    assert ascii_.encode() in given[0]["RawMessage"]["Data"]


@pytest.mark.parametrize("address", ["आशा@example.com", "asha@☃.net", "asha@-ä.de", "asha@ä..de"])
def test_what_has_no_ascii_form_is_refused(given: list[dict[str, Any]], address: str) -> None:
    with pytest.raises(Refused, match="ADDRESS_NOT_ASCII"):
        Email().send(replace(LETTER, address=address))
    assert given == []


def test_push_says_that_it_reaches_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert (LoggedPush.name, LoggedPush().send(LETTER)) == ("log-only", ID)
    assert "not delivered" in capsys.readouterr().out


def test_an_e_mail_is_plain_text_from_the_clinic() -> None:
    message = read(LETTER)

    assert message["From"] == "HMS Clinic <clinic@example.com>"
    assert (message["To"], message["Subject"]) == ("asha.rao@example.com", "Your visit")
    assert message["X-HMS-Notification"] == ID
    assert message.get_content_type() == "text/plain"
    assert message.get_content().splitlines() == ["Dear Asha,", "", "see you."]


@pytest.mark.parametrize(
    "title", ["आपका अपॉइंटमेंट", "x" * 500, "=?utf-8?q?=2C_evil=40x=2Ecom?=", "A, B <evil@example.com>"]
)
def test_titles_of_any_kind_stay_titles(title: str) -> None:
    letter = replace(LETTER, title=title, text="नमस्ते")

    assert [one.addr_spec for one in read(letter)["To"].addresses] == ["asha.rao@example.com"]
    assert set(read(letter).keys()) == set(read(LETTER).keys())
    assert all(len(line) <= 998 for line in mime(letter).splitlines())


@pytest.mark.parametrize("broken", [{"title": "A\r\nBcc: evil@example.com"}, {"address": "two@at@example.com"}])
def test_what_cannot_be_written_is_refused(broken: dict[str, str]) -> None:
    with pytest.raises(Refused, match="UNWRITABLE"):
        mime(replace(LETTER, **broken))  # type: ignore[arg-type]


@pytest.mark.parametrize(("status", "method"), [("SCHEDULED", "REQUEST"), ("CANCELLED", "CANCEL")])
def test_an_invitation_says_what_the_calendar_is_to_do(post: PostOffice, status: str, method: str) -> None:
    cancelled = {"requested_by": "PATIENT", "reason": None} if status == "CANCELLED" else {}
    post.happens("cancelled" if cancelled else "booked", version=3, status=status, **cancelled)
    notification = next(one for one in post.messages() if one.channel is Channel.EMAIL)
    said, calendar = CalendarInvitations().of(
        notification, {"doctor": {"name": "Dr. Meera Iyer"}}, "asha.rao@example.com"
    )
    message = read(Letter(ID, "asha.rao@example.com", "Your visit", "Text", (said, calendar)))
    parts = {part.get_content_type(): part for part in message.walk()}

    assert said == method
    assert message.get_content_type() == "multipart/alternative"
    assert parts["text/calendar"].get_param("method") == method
    text = parts["text/calendar"].get_content().replace("\r\n ", "").replace("\n ", "")
    assert f"METHOD:{method}" in text
    assert f"UID:{VISIT}@hms" in text
    assert "SEQUENCE:3" in text
    assert f"DTSTART:{START:%Y%m%dT%H%M%SZ}" in text
    assert "Dr. Meera Iyer" in text
