"""One domain asks another through its tasks function."""

from __future__ import annotations

import io
import json
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from hms import tasks
from hms.errors import Busy
from hms.tasks import Owner, TaskFailed, Tasks

if TYPE_CHECKING:
    from collections.abc import Callable


def owner(monkeypatch: pytest.MonkeyPatch, invoke: Callable[..., dict[str, Any]]) -> Owner:
    client = type("Client", (), {"invoke": staticmethod(invoke)})
    monkeypatch.setattr(tasks, "_lambda", client)
    monkeypatch.setenv("PATIENTS_TASKS", "hms-patients-tasks:live")
    return Owner("PATIENTS_TASKS")


def test_a_task_is_answered_by_its_name() -> None:
    domain = Tasks()

    @domain.task("double")
    def double(payload: dict[str, Any]) -> dict[str, Any]:
        return {"outcome": "ok", "doubled": payload["number"] * 2}

    assert domain.handler({"task": "double", "number": 4}) == {"outcome": "ok", "doubled": 8}
    assert domain.handler({"task": "ping"}) == {"outcome": "ok"}
    with pytest.raises(KeyError):
        domain.handler({"task": "unheard of"})


def test_a_fault_says_where_and_nothing_of_whom(capsys: pytest.CaptureFixture[str]) -> None:
    domain, whom = Tasks(), "".join(("As", "ha"))

    @domain.task("greet")
    def greet(payload: dict[str, Any]) -> dict[str, Any]:
        raise LookupError(payload["name"])

    with pytest.raises(TaskFailed) as failed:
        domain.handler({"task": "greet", "name": whom})

    line = capsys.readouterr().out
    assert whom not in "".join(traceback.format_exception(failed.value)) + line
    assert (json.loads(line)["error"], str(failed.value)) == ("LookupError", "LookupError")


def test_a_task_that_is_to_be_asked_again_is_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    domain = Tasks()

    @domain.task("wait")
    def wait(_payload: dict[str, Any]) -> dict[str, Any]:
        raise Busy

    with pytest.raises(TaskFailed, match="Busy"):
        domain.handler({"task": "wait"})

    line = json.loads(capsys.readouterr().out)
    assert (line["level"], line["task"], "frames" in line) == ("WARNING", "wait", False)


def test_the_owner_is_asked_by_the_name_the_deployment_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def invoke(**request: Any) -> dict[str, Any]:
        asked.append(request)
        return {"Payload": io.BytesIO(b'{"outcome": "absent"}')}

    assert owner(monkeypatch, invoke).ask("snapshot", patient_id="p") == {"outcome": "absent"}
    assert asked[0]["FunctionName"] == "hms-patients-tasks:live"
    assert json.loads(asked[0]["Payload"]) == {"task": "snapshot", "patient_id": "p"}


def test_an_owner_that_failed_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    def invoke(**_request: Any) -> dict[str, Any]:
        return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "boom"}')}

    with pytest.raises(Busy):
        owner(monkeypatch, invoke).ask("snapshot")


@pytest.mark.parametrize(
    "error",
    [ReadTimeoutError(endpoint_url="lambda"), ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")],
)
def test_an_owner_that_does_not_answer_is_busy(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def invoke(**_request: Any) -> dict[str, Any]:
        raise error

    with pytest.raises(Busy):
        owner(monkeypatch, invoke).ask("snapshot")
