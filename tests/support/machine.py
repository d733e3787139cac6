"""A state machine that answers what it is told to, and remembers what it was asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

SUCCEEDED = {"status": "SUCCEEDED", "output": '{"outcome": "confirmed"}'}
_STARTED = datetime(2026, 11, 21, 9, tzinfo=UTC)


class Machine:
    """Stands for the client of Step Functions. Answers in order, the last one for ever; an exception is raised."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return [json.loads(one["input"]) for one in self.asked]

    def start_sync_execution(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        stopped = _STARTED + timedelta(milliseconds=250)
        return {"executionArn": "arn:execution", "startDate": _STARTED, "stopDate": stopped, **answer}
