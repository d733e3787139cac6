"""An execution of a state machine, EXPRESS and waited for: what it came to, told in one line with metrics.

A machine's ARN is a setting. Inputs are ids, amounts and `correlation_id`: histories hold nothing personal.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from hms import telemetry
from hms.settings import setting

if TYPE_CHECKING:
    from collections.abc import Mapping

# A machine ends after its own `TimeoutSeconds`: whoever waits longer than that always hears how.
_MARGIN_SECONDS = 3
_LONGEST_NAME = 80


class Undecided(Exception):
    """An execution that failed, timed out or gave no answer, by the name of its error: it may have done anything."""


def execute(setting_name: str, name: str, payload: dict[str, Any], seconds: float, **told: Any) -> dict[str, Any]:
    """The output of one execution, `{"outcome": …, …}`. It is tried once: a second would be at work beside the first.

    `setting_name` names the setting with the machine's ARN. `seconds` are the machine's `TimeoutSeconds`. Executions
    may share a name. `told` are ids for the log line, beside the payload's `correlation_id`.
    Raises `Undecided`.
    """
    machine = setting(setting_name)
    answer = _answer(machine, name, payload, seconds)
    decided = answer["status"] == "SUCCEEDED"
    output: dict[str, Any] = json.loads(answer["output"]) if decided else {}
    outcome = output["outcome"] if decided else answer.get("error") or answer["status"]
    _tell(machine, outcome, answer, {"execution": name, "correlation_id": payload.get("correlation_id"), **told})
    if not decided:
        raise Undecided(outcome)
    return output


def _answer(machine: str, name: str, payload: dict[str, Any], seconds: float) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer: dict[str, Any] = _states(seconds).start_sync_execution(
            stateMachineArn=machine, name=name[:_LONGEST_NAME], input=json.dumps(payload)
        )
    except ClientError as error:
        return {"status": error.response["Error"]["Code"]}
    except BotoCoreError as error:
        return {"status": type(error).__name__}
    return answer


def _tell(machine: str, outcome: str, answer: Mapping[str, Any], told: dict[str, Any]) -> None:
    """What an execution came to: its own outcome, or the name of the error that ended it."""
    decided = answer["status"] == "SUCCEEDED"
    metrics: dict[str, tuple[float, str]] = {"flows_total": (1, "Count")}
    if "stopDate" in answer:
        milliseconds = (answer["stopDate"] - answer["startDate"]).total_seconds() * 1000
        metrics["flow_duration_ms"] = (milliseconds, "Milliseconds")
    telemetry.measured(
        metrics,
        {"flow": machine.rpartition(":")[2], "outcome": outcome},
        level="INFO" if decided else "ERROR",
        message="flow decided" if decided else "flow undecided",
        **told,
    )


@cache
def _states(seconds: float) -> Any:
    from botocore.config import Config
    from botocore.session import get_session

    wait = seconds + _MARGIN_SECONDS
    config = Config(connect_timeout=1, read_timeout=wait, retries={"total_max_attempts": 1})
    return get_session().create_client("stepfunctions", config=config)
