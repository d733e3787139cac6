"""Rows to the domains that own them: many to a call, a few calls at a time, each safe to repeat."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import batched
from typing import TYPE_CHECKING, Any, Protocol

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tools.importing.bills import appointment_id
from tools.importing.entry import Outcome
from tools.importing.reasons import of_refusal
from tools.importing.stopped import ImportStopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pydantic import BaseModel

    from tools.importing.entry import Entry
    from tools.system import System

ROWS_A_CALL = 25
CALLS_AT_A_TIME = 3
_NUMBERS_A_QUESTION = 50
_TRIES = 4
_PAUSE_SECONDS = 1


class Ask(Protocol):
    """A question to the tasks of a domain. Raises `ImportStopped`."""

    def __call__(self, domain: str, task: str, **payload: Any) -> dict[str, Any]: ...


class Asker:
    """Asks a deployed system."""

    def __init__(self, system: System) -> None:
        self._stack = system.stack
        config = Config(read_timeout=60, retries={"total_max_attempts": 1}, max_pool_connections=CALLS_AT_A_TIME)
        self._lambda = system.client("lambda", config)

    def close(self) -> None:
        self._lambda.close()

    def __call__(self, domain: str, task: str, **payload: Any) -> dict[str, Any]:
        for tried in range(_TRIES):
            try:
                return self._answer(f"{self._stack}-{domain}-tasks:live", {"task": task, **payload})
            except (BotoCoreError, ClientError, ConnectionError) as error:
                reason = str(error)
            time.sleep(_PAUSE_SECONDS * tried)
        message = f"{domain} does not answer {task} ({reason}); what has arrived stays, import again to go on"
        raise ImportStopped(message)

    def _answer(self, function: str, payload: dict[str, Any]) -> dict[str, Any]:
        answer = self._lambda.invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        result: dict[str, Any] = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            message = f"the function failed: {result.get('errorType', 'unknown')}"
            raise ConnectionError(message)
        return result


def arrive[M: BaseModel](entries: Sequence[Entry[M]], answers: Iterable[Mapping[str, Any]]) -> None:
    """Notes what the domain said of each row."""
    for entry, answer in zip(entries, answers, strict=True):
        match answer["outcome"]:
            case "new":
                entry.arrived = Outcome.TAKEN
            case "there":
                entry.arrived = Outcome.THERE
            case _:
                entry.reasons.add(of_refusal(answer["code"]))


def send[M: BaseModel](
    entries: Sequence[Entry[M]], ask: Callable[[Sequence[Entry[M]]], list[dict[str, Any]]]
) -> Iterator[int]:
    """How many rows were answered, each time some were."""
    groups = list(batched(entries, ROWS_A_CALL, strict=False))
    with ThreadPoolExecutor(CALLS_AT_A_TIME) as pool:
        asked = {pool.submit(ask, group): group for group in groups}
        try:
            for future in as_completed(asked):
                arrive(asked[future], future.result())
                yield len(asked[future])
        except ImportStopped:
            pool.shutdown(cancel_futures=True)
            raise


def find_visits(numbers: Iterable[str], ask: Ask) -> dict[str, str]:
    """Whose visits these are that are here, by the older system's numbers: ids of patients."""

    def patient_of(number: str) -> tuple[str, str | None]:
        answer = ask("appointments", "snapshot", appointment_id=appointment_id(number))
        return number, answer["snapshot"]["patient_id"] if answer["outcome"] == "ok" else None

    with ThreadPoolExecutor(CALLS_AT_A_TIME) as pool:
        return {number: patient for number, patient in pool.map(patient_of, sorted(set(numbers))) if patient}


def find(domain: str, numbers: Iterable[str], ask: Ask) -> dict[str, dict[str, str]]:
    """What the domain knows of the older system's numbers."""
    found: dict[str, dict[str, str]] = {}
    for some in batched(sorted(set(numbers)), _NUMBERS_A_QUESTION, strict=False):
        found |= ask(domain, "find_legacy", numbers=some)["found"]
    return found
