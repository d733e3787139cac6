"""What one domain may ask of another: a Lambda function that answers named questions, and the way to ask one.

A business refusal comes back as data (`{"outcome": "refused", …}`); only faults raise.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from hms import seam, telemetry
from hms.errors import Busy
from hms.settings import setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

type Payload = dict[str, Any]

_CONNECT_SECONDS = 0.5
_ANSWER_SECONDS = 3


class TaskFailed(Exception):
    """A task's fault, by the name of its class: Lambda logs and answers an exception's text, which may be personal."""


class Tasks:
    """The tasks of one domain, by name. Every domain answers `ping`."""

    def __init__(self) -> None:
        self._tasks: dict[str, Callable[[Payload], Payload]] = {"ping": lambda _payload: {"outcome": "ok"}}

    def task(self, name: str) -> Callable[[Callable[[Payload], Payload]], Callable[[Payload], Payload]]:
        def declare(answer: Callable[[Payload], Payload]) -> Callable[[Payload], Payload]:
            self._tasks[name] = answer
            return answer

        return declare

    def handler(self, event: Payload, _context: object = None) -> Payload:
        """`{"task": name, …}` in, the task's answer out."""
        seam.begin(event)
        answer = self._tasks[event["task"]]
        try:
            return answer(event)
        except Busy:
            telemetry.log("WARNING", "task is to be asked again", task=event["task"])
            raise TaskFailed(Busy.__name__) from None
        except Exception as error:  # noqa: BLE001  (told again by its class alone)
            telemetry.fault("task failed", error, task=event["task"])
            raise TaskFailed(type(error).__name__) from None


class Owner:
    """Another domain, asked through its tasks function. `function` names the setting that holds the function's name."""

    def __init__(self, function: str) -> None:
        self._function = function

    def ask(self, task: str, **payload: Any) -> Payload:
        """The owner's word. Raises `Busy` (503) when it does not come in time."""
        from botocore.exceptions import BotoCoreError, ClientError

        request = json.dumps({"task": task, **payload}).encode()
        try:
            answer = _lambda().invoke(FunctionName=setting(self._function), Payload=request)
            result: Mapping[str, Any] = json.loads(answer["Payload"].read())
        except (BotoCoreError, ClientError) as error:
            raise Busy("A part of the system does not answer; send the request again.") from error
        if answer.get("FunctionError"):
            raise Busy("A part of the system does not answer; send the request again.")
        return dict(result)


@cache
def _lambda() -> Any:
    """One client for all owners: making one is slow."""
    from botocore.config import Config
    from botocore.session import get_session

    config = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_ANSWER_SECONDS, retries={"total_max_attempts": 1})
    return get_session().create_client("lambda", config=config)
