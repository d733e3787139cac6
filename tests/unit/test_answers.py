"""What `hms invoke-samples` takes for a right answer, and what it makes of a sample before it sends it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.template import of_type
from tools import samples
from tools.answers import WrongAnswer, check
from tools.invoke import LOG_IN, function_of, in_order, signed_in

SAMPLES = samples.all_()
BOOKING = "appointments-api-book_appointment"


def _http(status: int, body: Any) -> dict[str, Any]:
    return {"statusCode": status, "body": json.dumps(body)}


def test_every_sample_names_a_function_of_the_template() -> None:
    assert {function_of(name) for name in SAMPLES} == set(of_type("AWS::Lambda::Function"))


def test_the_login_and_the_people_come_before_the_booking() -> None:
    order = in_order(SAMPLES)

    assert max(order.index(LOG_IN), order.index("appointments-inbox")) < order.index(BOOKING)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("relay", {"batchItemFailures": []}),
        ("patients-inbox", {"batchItemFailures": []}),
        ("doctors-tasks", {"outcome": "ok"}),
        ("payments-simulator", {"outcome": "ok"}),
        ("doctors-api", _http(200, {"domain": "doctors", "status": "ok"})),
        ("payments-api-make_payment", _http(404, {"code": "BILL_NOT_FOUND"})),
    ],
)
def test_a_right_answer_passes(name: str, answer: Any) -> None:
    assert check(name, SAMPLES[name], answer)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("relay", {"batchItemFailures": [{"itemIdentifier": "1"}]}),
        ("relay", {"errorMessage": "the environment lacks TOPIC_ARN", "errorType": "RuntimeError"}),
        ("patients-inbox", None),
        ("doctors-tasks", {"outcome": "refused"}),
        ("doctors-api", _http(200, {"domain": "patients", "status": "ok"})),
        (BOOKING, _http(401, {"code": "UNAUTHENTICATED"})),
        ("payments-api-make_payment", _http(404, {"code": "NOT_FOUND"})),
        ("payments-api-make_payment", _http(503, {"code": "BILL_NOT_FOUND"})),
        ("payments-api-make_payment", {"errorType": "RuntimeError"}),
        (BOOKING, _http(201, {"appointment_id": "only"})),
    ],
)
def test_a_wrong_answer_is_told(name: str, answer: Any) -> None:
    with pytest.raises(WrongAnswer):
        check(name, SAMPLES[name], answer)


def test_a_sample_of_a_past_day_is_sent_for_the_same_weekday_to_come() -> None:
    sent = signed_in(SAMPLES[BOOKING], "token", datetime(2031, 5, 2, tzinfo=UTC))

    start, end = (datetime.fromisoformat(json.loads(sent["body"])[name]) for name in ("slot_start", "slot_end"))
    assert datetime(2031, 5, 4, tzinfo=UTC) <= start < end
    assert f"{start:%A %H:%M%z}" == "Monday 10:00+0530"


def test_a_sample_of_a_day_to_come_is_sent_as_it_is() -> None:
    sent = signed_in(SAMPLES[BOOKING], "token", datetime(2026, 11, 1, tzinfo=UTC))

    assert json.loads(sent["body"]) == json.loads(SAMPLES[BOOKING]["body"])
    assert sent["headers"]["Authorization"] == "Bearer token"
