"""Committed events go out in their order; what fails for a while comes again, what can never go out is put aside."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from hms import relay
from hms.relay import NotRelayed

STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/hms-ThingsTable-1/stream/2026-11-21T06:30:00.000"
GOOD: dict[str, Any] = {"batchItemFailures": []}


class Sns:
    """Takes at most ten messages a call; each message names in `fails` how it is to be refused, if at all."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.messages: list[dict[str, Any]] = []
        self.down: Exception | None = None

    def publish_batch(self, TopicArn: str, PublishBatchRequestEntries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        assert TopicArn == "arn:topic"
        assert 1 <= len(PublishBatchRequestEntries) <= 10
        if self.down:
            raise self.down
        fails = {entry["Id"]: json.loads(entry["Message"]).get("fails") for entry in PublishBatchRequestEntries}
        self.calls.append(list(fails))
        if "whole call" in fails.values():
            raise ClientError({"Error": {"Code": "BatchRequestTooLong"}}, "PublishBatch")
        self.messages += [entry for entry in PublishBatchRequestEntries if not fails[entry["Id"]]]
        return {"Failed": [{"Id": number, "Code": code} for number, code in fails.items() if code]}

    @property
    def out(self) -> list[str]:
        return [json.loads(message["Message"])["n"] for message in self.messages]


class Sqs:
    def __init__(self) -> None:
        self.letters: list[dict[str, Any]] = []
        self.down = False

    def send_message(self, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        if self.down:
            raise EndpointConnectionError(endpoint_url="http://sqs")
        assert QueueUrl == "http://letters"
        self.letters.append(json.loads(MessageBody))


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch) -> Sns:
    made = Sns()
    monkeypatch.setattr(relay, "_sns", lambda: made)
    monkeypatch.setenv("TOPIC_ARN", "arn:topic")
    monkeypatch.setenv("DEAD_LETTERS_URL", "http://letters")
    monkeypatch.setenv("PARTIAL_BATCHES", "true")
    return made


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Sqs:
    made = Sqs()
    monkeypatch.setattr(relay, "_sqs", lambda: made)
    return made


def record(number: str, name: str = "INSERT", **image: str) -> dict[str, Any]:
    new = {key: {"S": value} for key, value in image.items()}
    return {
        "eventName": name,
        "eventSourceARN": STREAM,
        "dynamodb": {
            "SequenceNumber": number,
            "NewImage": {"pk": {"S": f"thing#{number}"}, "sk": {"S": "event#1"}} | new,
        },
    }


def event(number: str, name: str = "INSERT", **more: Any) -> dict[str, Any]:
    body = {"type": "things.made.v1", "n": number, **more}
    return record(number, name, event_id=f"e{number}", body=json.dumps(body))


def relayed(*records: dict[str, Any]) -> dict[str, Any]:
    return relay.handler({"Records": list(records)})


def again_from(number: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": number}]}


def letter(number: str, error: str) -> dict[str, str]:
    row = {"table": "hms-ThingsTable-1", "event_id": f"e{number}", "pk": f"thing#{number}", "sk": "event#1"}
    return row | {"error": error}


def test_an_event_row_is_published_with_its_type_to_filter_by(sns: Sns) -> None:
    assert relayed(event("1")) == GOOD

    assert sns.messages == [
        {
            "Id": "0",
            "Message": '{"type": "things.made.v1", "n": "1"}',
            "MessageAttributes": {"type": {"DataType": "String", "StringValue": "things.made.v1"}},
        }
    ]


def test_other_rows_and_other_changes_are_not_published(sns: Sns) -> None:
    gone = {"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "4"}}

    assert relayed(record("1"), event("2", "MODIFY"), event("3", "REMOVE"), gone) == GOOD
    assert sns.calls == []


def test_a_batch_goes_out_in_its_order_ten_to_a_call(sns: Sns) -> None:
    numbers = [str(number) for number in range(25)]

    assert relayed(*map(event, numbers)) == GOOD
    assert sns.out == numbers
    assert [len(call) for call in sns.calls] == [10, 10, 5]


def test_a_topic_that_is_down_gives_the_whole_batch_back(sns: Sns, sqs: Sqs) -> None:
    sns.down = ReadTimeoutError(endpoint_url="http://sns")

    assert relayed(event("1"), event("2")) == again_from("1")
    assert sqs.letters == []


@pytest.mark.parametrize(
    "code", ["Throttling", "InternalError", "KMSThrottling", "AuthorizationError", "NotFound", "?"]
)
def test_what_fails_for_a_while_stops_the_batch_at_the_first_that_is_not_out(sns: Sns, sqs: Sqs, code: str) -> None:
    numbers = [str(number) for number in range(20)]
    records = [event(number, **({"fails": code} if number in {"3", "5"} else {})) for number in numbers]

    assert relayed(*records) == again_from("3")
    assert sns.out == ["0", "1", "2", "4", "6", "7", "8", "9"]
    assert sqs.letters == []


def test_where_streams_take_no_partial_answer_the_batch_fails(sns: Sns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTIAL_BATCHES", "false")

    with pytest.raises(NotRelayed, match=r"^2$"):
        relayed(event("1"), event("2", fails="Throttling"))


@pytest.mark.parametrize("code", ["InvalidParameter", "InvalidParameterException", "ParameterValueInvalid"])
def test_what_can_never_be_published_is_put_aside_and_its_neighbours_go_on(sns: Sns, sqs: Sqs, code: str) -> None:
    assert relayed(event("1"), event("2", fails=code), event("3")) == GOOD

    assert sns.out == ["1", "3"]
    assert sqs.letters == [letter("2", code)]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", "JSONDecodeError"),
        ("not json", "JSONDecodeError"),
        ("[" * 100_000, "RecursionError"),
        ("null", "TypeError"),
        ("[]", "TypeError"),
        ("{}", "KeyError"),
        ('{"type": 1}', "NoType"),
        ('{"type": ""}', "NoType"),
        ('{"type": "things.made.v1", "name": "\ud800"}', "UnicodeEncodeError"),
    ],
)
def test_a_row_that_holds_no_event_is_put_aside(
    sns: Sns, sqs: Sqs, capsys: pytest.CaptureFixture[str], body: str, error: str
) -> None:
    assert relayed(event("1"), record("2", event_id="e2", body=body), event("3")) == GOOD

    assert sns.out == ["1", "3"]
    assert sqs.letters == [letter("2", error)]
    faults = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if line["level"] == "ERROR"]
    assert [(line["event_id"], line["error"]) for line in faults] == [("e2", error)]


def test_a_row_without_a_body_is_put_aside(sns: Sns, sqs: Sqs) -> None:
    assert relayed(record("1", event_id="e1"), event("2")) == GOOD
    assert sqs.letters == [letter("1", "JSONDecodeError")]


def test_a_call_refused_as_a_whole_is_made_for_each_alone(sns: Sns, sqs: Sqs) -> None:
    assert relayed(event("1"), event("2", fails="whole call"), event("3")) == GOOD

    assert sns.out == ["1", "3"]
    assert sqs.letters == [letter("2", "BatchRequestTooLong")]


def test_one_that_cannot_be_put_aside_comes_again(sns: Sns, sqs: Sqs) -> None:
    sqs.down = True

    assert relayed(event("1"), record("2", event_id="e2", body="?"), event("3")) == again_from("2")


def test_one_put_aside_before_a_stop_is_put_aside_once(sns: Sns, sqs: Sqs) -> None:
    records = [event("1"), record("2", event_id="e2", body="?"), event("3", fails="Throttling")]

    assert relayed(*records) == again_from("3")
    assert relayed(*records[2:]) == again_from("3")
    assert sqs.letters == [letter("2", "JSONDecodeError")]


def test_no_word_of_an_event_reaches_the_log_or_the_dead_letters(
    sns: Sns, sqs: Sqs, capsys: pytest.CaptureFixture[str]
) -> None:
    relayed(event("1", name="Asha Verma"), event("2", name="Asha Verma", fails="InvalidParameter"))
    relayed(event("3", name="Asha Verma", fails="Throttling"))

    assert "Asha" not in capsys.readouterr().out
    assert "Asha" not in json.dumps(sqs.letters)
