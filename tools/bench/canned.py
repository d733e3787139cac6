"""A DynamoDB that answers from memory below botocore's HTTP session: no socket, all of the client's own work."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session

if TYPE_CHECKING:
    from collections.abc import Callable

calls: list[str] = []


class _Raw(io.BytesIO):
    def stream(self, *_: object, **__: object) -> Any:
        yield self.read()


def install(answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]]) -> None:
    """`answers` maps an operation (`BatchGetItem`) to what it answers to a request."""

    def send(_session: URLLib3Session, request: Any) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        calls.append(operation)
        body = json.dumps(answers[operation](json.loads(request.body))).encode()
        headers = HTTPHeaders()
        headers["content-type"] = "application/x-amz-json-1.0"
        return AWSResponse(request.url, 200, headers, _Raw(body))

    setattr(URLLib3Session, "send", send)  # noqa: B010  (the one seam below everything that is measured)
