"""One execution, waited for: its output, or that nobody knows what it did."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from hms import executions
from hms.executions import Undecided, execute
from tests.support.machine import SUCCEEDED, Machine

PAID = {"status": "SUCCEEDED", "output": '{"outcome": "completed", "status": "PAID"}'}
FAILED = {"status": "FAILED", "error": "OwnerSilent", "cause": "Asha Verma is not there"}
TIMED_OUT = {"status": "TIMED_OUT"}
ABSENT = ClientError({"Error": {"Code": "StateMachineDoesNotExist", "Message": "Asha"}}, "StartSyncExecution")
UNANSWERED = ReadTimeoutError(endpoint_url="here")
PAYLOAD = {"payment_id": "p", "amount": 52500, "correlation_id": "c"}


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAKE_PAYMENT_ARN", "arn:aws:states:us-east-1:000000000000:stateMachine:hms-take-payment")


def machine(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any] | Exception) -> Machine:
    made = Machine(*answers)
    monkeypatch.setattr(executions, "_states", lambda _: made)
    return made


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return dict(line)


def test_an_execution_gets_the_payload_and_gives_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = machine(monkeypatch, PAID)

    assert execute("TAKE_PAYMENT_ARN", "p", PAYLOAD, 20) == {"outcome": "completed", "status": "PAID"}
    assert asked.inputs == [PAYLOAD]
    [one] = asked.asked
    assert one["stateMachineArn"].endswith(":hms-take-payment")
    assert one["name"] == "p"


def test_a_name_is_as_long_as_a_name_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = machine(monkeypatch, PAID)

    execute("TAKE_PAYMENT_ARN", "n" * 81, PAYLOAD, 20)

    assert asked.asked[0]["name"] == "n" * 80


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (FAILED, "OwnerSilent"),
        (TIMED_OUT, "TIMED_OUT"),
        (ABSENT, "StateMachineDoesNotExist"),
        (UNANSWERED, "ReadTimeoutError"),
    ],
)
def test_what_failed_or_did_not_answer_is_undecided_and_not_tried_again(
    answer: dict[str, Any] | Exception,
    error: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = machine(monkeypatch, answer, PAID)

    with pytest.raises(Undecided, match=f"^{error}$"):
        execute("TAKE_PAYMENT_ARN", "p", PAYLOAD, 20)

    assert len(asked.asked) == 1
    line = told(capsys)
    assert (line["message"], line["level"], line["outcome"]) == ("flow undecided", "ERROR", error)
    assert (line["flow"], line["flows_total"], line["correlation_id"]) == ("hms-take-payment", 1, "c")
    assert "Asha" not in json.dumps(line)


def test_the_outcome_is_counted_and_timed_with_the_ids_it_is_found_by(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine(monkeypatch, PAID)

    execute("TAKE_PAYMENT_ARN", "p", PAYLOAD, 20, payment_id="p")

    line = told(capsys)
    assert (line["message"], line["level"], line["outcome"]) == ("flow decided", "INFO", "completed")
    assert (line["flows_total"], line["flow_duration_ms"]) == (1, 250)
    assert (line["execution"], line["correlation_id"], line["payment_id"]) == ("p", "c", "p")


def test_a_missing_setting_is_a_fault_of_the_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, SUCCEEDED)

    with pytest.raises(RuntimeError, match="REFUND_PAYMENT_ARN"):
        execute("REFUND_PAYMENT_ARN", "p", PAYLOAD, 20)


@pytest.mark.parametrize("seconds", [20, 60])
def test_the_client_tries_once_and_waits_longer_than_the_machine_works(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"DEFAULT_REGION": "us-east-1", "ACCESS_KEY_ID": "-", "SECRET_ACCESS_KEY": "-"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    executions._states.cache_clear()
    config = executions._states(seconds).meta.config
    executions._states.cache_clear()

    assert config.retries["total_max_attempts"] == 1
    assert seconds < config.read_timeout <= seconds + 5
