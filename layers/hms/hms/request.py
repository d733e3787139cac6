"""What a request says, read with suspicion: its ids, its body or query, its key, its version."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pydantic import BaseModel, ValidationError

from hms import ids
from hms.errors import (
    FieldError,
    IdempotencyKeyRequired,
    Invalid,
    Malformed,
    NotFound,
    Problem,
    TooLarge,
    UnsupportedMediaType,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails

    from hms.api import Route

MAX_BODY_BYTES = 256 * 1024
_HEADER_VALUE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_ETAG = re.compile(r'(?:W/)?"?(\d{1,9})"?')


def path_of(event: Mapping[str, Any]) -> dict[str, str]:
    """The path's parameters; what is named an id and is none leads nowhere (404)."""
    path = {name: unquote(value) for name, value in (event.get("pathParameters") or {}).items()}
    for name, value in path.items():
        if name.endswith("_id"):
            path[name] = value.lower()
            if not ids.is_id(path[name]):
                raise NotFound
    return path


def payload_of(route: Route, event: Mapping[str, Any], headers: Mapping[str, str]) -> BaseModel | None:
    """The command or the question, checked; None for an operation that takes neither."""
    query = _single(event.get("multiValueQueryStringParameters") or {})
    if route.body is None:
        return _checked(route.query or _Nothing, query) if route.query or query else None
    text = _text(event, headers)
    _require_plain_json(text or b"{}")
    if query:
        text = _with_query(route, text, query)
    try:
        return route.body.model_validate_json(text or b"{}")
    except ValidationError as error:
        raise _invalid(error, "body") from error
    except RecursionError as error:
        raise Malformed from error


class _Nothing(BaseModel, extra="forbid", defer_build=True):
    """Query parameters of an operation that takes none."""


def _checked(model: type[BaseModel], values: Mapping[str, str]) -> BaseModel:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _invalid(error, "query") from error


def _single(multi: Mapping[str, list[str]]) -> dict[str, str]:
    repeated = [name for name, values in multi.items() if len(values) > 1]
    if repeated:
        raise Invalid(errors=tuple(FieldError(name, "repeated", "give this parameter once") for name in repeated))
    return {name: values[0] for name, values in multi.items()}


def _text(event: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    body = event.get("body") or ""
    if len(body) > MAX_BODY_BYTES * 2:
        raise TooLarge
    try:
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
        decoded = raw.decode()
    except ValueError as error:
        raise Malformed("The body is not UTF-8.") from error
    if len(raw) > MAX_BODY_BYTES:
        raise TooLarge
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if raw and media_type != "application/json":
        raise UnsupportedMediaType
    if "\ufffd" in decoded:
        # Some gateways put the replacement character where a body was not UTF-8.
        raise Malformed("The body is not UTF-8.")
    return raw


def _require_plain_json(text: bytes) -> None:
    """What parsers disagree on is refused: one name twice, NaN, Infinity."""
    try:
        json.loads(text.decode(), object_pairs_hook=_distinct, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Malformed("The body is not JSON.") from error


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        message = "a name is there twice"
        raise ValueError(message)


def _no_number(text: str) -> None:
    raise ValueError(text)


def _with_query(route: Route, text: bytes, query: Mapping[str, str]) -> bytes:
    from pydantic_core import from_json, to_json

    unknown = [name for name in query if name not in route.query_aliases]
    if unknown:
        raise Invalid(errors=tuple(FieldError(name, "extra_forbidden", "unknown parameter") for name in unknown))
    try:
        body = from_json(text or b"{}")
    except ValueError as error:
        raise Malformed("The body is not JSON.") from error
    if not isinstance(body, dict):
        raise Malformed("The body is a JSON object.")
    renamed = {route.query_aliases[name]: value for name, value in query.items()}
    return to_json(renamed | body)


def _invalid(error: ValidationError, whole: str) -> Problem:
    """`whole` is what to call it where no single field is wrong."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    if details[0]["type"] == "json_invalid":
        return Malformed("The body is not JSON.")
    fields = tuple(
        FieldError(".".join(map(str, detail["loc"])) or whole, detail["type"], _sentence(detail["msg"]))
        for detail in details
        if not _follows(detail, details)
    )
    return Invalid(errors=fields)


def _follows(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """A list whose members are wrong has too few right ones: that says nothing more."""
    place = detail["loc"]
    return detail["type"] == "too_short" and any(one["loc"][: len(place)] == place != one["loc"] for one in details)


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")


def identity_of(
    route: Route, event: Mapping[str, Any], headers: Mapping[str, str], user_id: str, payload: BaseModel | None
) -> dict[str, str]:
    """The `token` and `digest` of the call: who asks what, so that a retry is recognised."""
    if route.method == "GET":
        return {}
    asked = payload.model_dump_json(exclude_unset=True) if payload else ""
    digest = hashlib.sha256(asked.encode()).hexdigest()[:32]
    key = headers.get("idempotency-key")
    if key is None:
        if route.key_required:
            raise IdempotencyKeyRequired
        return {"digest": digest}
    if not _KEY.fullmatch(key):
        raise Malformed("An Idempotency-Key is 1 to 255 visible ASCII characters.")
    return {"digest": digest, "token": ids.derived(user_id, route.method, event["path"].lower(), key)}


def key_of(event: Mapping[str, Any]) -> str | None:
    """The Idempotency-Key as it was sent."""
    return _header(event, "idempotency-key")


def base_url(event: Mapping[str, Any]) -> str:
    """Where the caller found the API: what stands before `/v1` in its addresses.

    `BASE_PATH` says what the gateway keeps to itself; without it that is the stage or the path of a custom domain.
    """
    before, _, _ = event["requestContext"]["path"].partition("/v1/")
    scheme = _header(event, "x-forwarded-proto") or "http"
    return f"{scheme}://{_header(event, 'host')}{os.environ.get('BASE_PATH') or before}"


def _header(event: Mapping[str, Any], name: str) -> str | None:
    return next((value for given, value in (event.get("headers") or {}).items() if given.lower() == name), None)


def version_of(if_match: str | None) -> int | None:
    """The version that If-Match names; -1, which nothing ever has, for what is not one of our ETags."""
    if if_match is None or if_match.strip() == "*":
        return None
    match = _ETAG.fullmatch(if_match.strip())
    return int(match[1]) if match else -1


def token_of(value: str | None) -> str | None:
    """A correlation or request id that is fit to be logged and echoed."""
    return value if value and _HEADER_VALUE.fullmatch(value) else None
