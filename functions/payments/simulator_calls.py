"""How the simulated processor's function is called: by its adapter, and by itself for what comes later."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from hms.settings import setting
from payments.gateways import Unanswered

if TYPE_CHECKING:
    from hms.tasks import Payload

_CONNECT_SECONDS = 0.5
# The processor's own limit for late answers is longer.
ANSWER_SECONDS = 4


def ask(task: str, **payload: Any) -> Payload:
    """The task's answer. Raises `Unanswered` where it does not come in time, or the function failed."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = _client().invoke(FunctionName=_function(), Payload=_request(task, payload))
        told: Payload = json.loads(answer["Payload"].read())
    except (BotoCoreError, ClientError) as error:
        raise Unanswered(type(error).__name__) from error
    if answer.get("FunctionError"):
        raise Unanswered("FunctionError")
    return told


def leave(task: str, **payload: Any) -> None:
    """To be done after this. Raises `Unanswered` where the request was not taken."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _client().invoke(FunctionName=_function(), InvocationType="Event", Payload=_request(task, payload))
    except (BotoCoreError, ClientError) as error:
        raise Unanswered(type(error).__name__) from error


def _function() -> str:
    return setting("PAYMENTS_SIMULATOR")


def _request(task: str, payload: Payload) -> bytes:
    return json.dumps({"task": task, **payload}).encode()


@cache
def _client() -> Any:
    """One attempt: whether a second is safe is for whoever asks to say, and it would double the wait."""
    from botocore.config import Config
    from botocore.session import get_session

    config = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=ANSWER_SECONDS, retries={"total_max_attempts": 1})
    return get_session().create_client("lambda", config=config)
