"""REST proxy events as API Gateway sends them, and what came back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hms.api import Api


class Answer:
    def __init__(self, proxied: Mapping[str, Any]) -> None:
        self.status: int = proxied["statusCode"]
        self.headers: Mapping[str, str] = proxied["headers"]
        self.text: str = proxied["body"]

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def event(
    method: str,
    resource: str,
    body: Any = None,
    *,
    raw: str | None = None,
    headers: Mapping[str, str] | None = None,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, str | list[str]] | None = None,
    base64_encoded: bool = False,
) -> dict[str, Any]:
    """`raw` is a body as it stands, `body` one to be written as JSON."""
    text = raw if raw is not None else None if body is None else json.dumps(body)
    multi = {name: value if isinstance(value, list) else [value] for name, value in (query or {}).items()}
    place = resource.format(**path) if path else resource
    return {
        "httpMethod": method,
        "resource": resource,
        "path": place,
        "requestContext": {"path": f"/prod{place}"},
        "pathParameters": dict(path) if path else None,
        "headers": {"Content-Type": "application/json"} | dict(headers or {}),
        "multiValueQueryStringParameters": multi or None,
        "body": text,
        "isBase64Encoded": base64_encoded,
    }


def sent(app: Api, method: str, resource: str, body: Any = None, **details: Any) -> Answer:
    return Answer(app.handler(event(method, resource, body, **details)))
