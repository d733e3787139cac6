"""What a function should answer to its sample: a fixed text for events and tasks, the route's model for requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hms.api import PUBLIC
from tools.routes import apis

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hms.api import Route
    from tools.samples import Sample

_NONE_FAILED: dict[str, list[str]] = {"batchItemFailures": []}
_OK = {"outcome": "ok"}
# These are about something that no other sample makes: the right answer is that it is not there.
_ABSENT = {
    "billing-api-create_bill": "PATIENT_NOT_FOUND",
    "insurance-api-add_coverage": "PATIENT_NOT_FOUND",
    "notifications-api-resend_notification": "NOTIFICATION_NOT_FOUND",
    "payments-api-make_payment": "BILL_NOT_FOUND",
}


class WrongAnswer(Exception):
    """A function answered, but not what it should; the message says what."""


def is_public(name: str, sample: Sample) -> bool:
    """Whether a sample works without a login."""
    route = _route(name, sample)
    return route is None or route.permission == PUBLIC


def check(name: str, sample: Sample, answer: Any) -> str:
    """Names a right answer in a few words. Raises WrongAnswer."""
    route = _route(name, sample)
    if route is None:
        wanted = _OK if name.endswith(("-tasks", "-simulator")) else _NONE_FAILED
        _require(answer == wanted, answer)
        return json.dumps(answer)
    if name in _ABSENT:
        return _absent(_ABSENT[name], answer)
    _require(isinstance(answer, dict) and answer.get("statusCode") == route.status, answer)
    if name.endswith("-api"):
        _require(json.loads(answer["body"]) == {"domain": name.removesuffix("-api"), "status": "ok"}, answer)
        return f"{route.status} ok"
    return f"{route.status} {_read(route, sample, answer)}"


def _absent(code: str, answer: Any) -> str:
    _require(isinstance(answer, dict) and answer.get("statusCode") == 404, answer)
    _require(json.loads(answer["body"]).get("code") == code, answer)
    return f"404 {code}"


def _route(name: str, sample: Sample) -> Route | None:
    domain = name.partition("-")[0]
    return apis()[domain].routes[sample["httpMethod"], sample["resource"]] if "httpMethod" in sample else None


def _read(route: Route, sample: Sample, answer: dict[str, Any]) -> str:
    """The body is exactly what the route's model writes, and repeats what was sent."""
    if route.answers is None or route.body is None:
        raise WrongAnswer(f"{route.operation_id} is no operation with a body and an answer")
    try:
        got = route.answers.model_validate_json(answer["body"])
    except ValidationError as error:
        raise WrongAnswer(f"{answer}\n{error}") from error
    _require(json.loads(got.model_dump_json()) == json.loads(answer["body"]), answer)
    changed = _changed(route.body.model_validate_json(sample["body"]), got)
    if changed:
        raise WrongAnswer(f"{answer}\ndiffers from what was sent in {', '.join(changed)}")
    return type(got).__name__


def _changed(sent: BaseModel, got: BaseModel) -> list[str]:
    """The fields that both have, and that are not the same."""
    mine, theirs = (json.loads(one.model_dump_json()) for one in (sent, got))
    return sorted(name for name in mine.keys() & theirs.keys() if mine[name] != theirs[name])


def _require(right: object, answer: Any) -> None:
    if not right:
        raise WrongAnswer(f"answered {answer}")
