"""`gateway.yaml`: the routes as API Gateway imports them, and its own refusals as problems."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from tools.paths import ROOT
from tools.routes import operations

if TYPE_CHECKING:
    from tools.routes import Operation

FILE = ROOT / "gateway.yaml"
_HEADER = "# Written by `make openapi` from the routes of the code.\n"
_FUNCTION = (
    "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${%sApi.Arn}:live/invocations"
)
# What functions answer in base64 and who accepts just that gets as bytes. MiniStack reads it in the template only.
BINARY = ["application/pdf"]
_METHODS = ("get", "post", "put", "patch", "delete")
_REFUSALS = {
    "BAD_REQUEST_BODY": (400, "MALFORMED", "The request could not be read."),
    "BAD_REQUEST_PARAMETERS": (400, "MALFORMED", "The request could not be read."),
    "MISSING_AUTHENTICATION_TOKEN": (404, "NOT_FOUND", "There is nothing here."),
    "RESOURCE_NOT_FOUND": (404, "NOT_FOUND", "There is nothing here."),
    "ACCESS_DENIED": (403, "FORBIDDEN", "This is not allowed."),
    "WAF_FILTERED": (403, "FORBIDDEN", "This is not allowed."),
    "UNAUTHORIZED": (401, "UNAUTHENTICATED", "A valid access token is needed."),
    "REQUEST_TOO_LARGE": (413, "TOO_LARGE", "The body is too large."),
    "UNSUPPORTED_MEDIA_TYPE": (415, "UNSUPPORTED_MEDIA_TYPE", "The body must be application/json."),
    "QUOTA_EXCEEDED": (429, "TOO_MANY_REQUESTS", "Too many requests; send it again later."),
    "THROTTLED": (429, "TOO_MANY_REQUESTS", "Too many requests; send it again later."),
    "INTEGRATION_TIMEOUT": (504, "TIMEOUT", "The answer did not come in time; send the request again."),
    "INTEGRATION_FAILURE": (503, "BUSY", "The request could not be decided in time; send it again."),
    "DEFAULT_4XX": (None, "REFUSED", "The request was refused."),
    "DEFAULT_5XX": (None, "INTERNAL", "Something went wrong on our side."),
}

_REFUSAL_HEADERS = {
    "gatewayresponse.header.Content-Type": "'application/problem+json'",
    "gatewayresponse.header.X-Correlation-ID": "context.requestId",
    "gatewayresponse.header.Cache-Control": "'no-store'",
}


def write() -> None:
    FILE.write_text(render())


def render() -> str:
    return _HEADER + yaml.safe_dump(document(), sort_keys=False, width=200)


def document() -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for one in operations():
        paths.setdefault(one.route.path, {})[one.route.method.lower()] = _method(one)
    paths["/{proxy+}"] = {method: _nothing(method) for method in _METHODS}
    return {
        "openapi": "3.0.1",
        "info": {"title": "hms", "version": "1"},
        "paths": paths,
        "x-amazon-apigateway-binary-media-types": BINARY,
        "x-amazon-apigateway-gateway-responses": {kind: _refusal(*said) for kind, said in _REFUSALS.items()},
    }


def _method(one: Operation) -> dict[str, Any]:
    names = [part.strip("{}") for part in one.route.path.split("/") if part.startswith("{")]
    return {"operationId": one.route.operation_id, **_parameters(names), **_served(one.domain)}


def _nothing(method: str) -> dict[str, Any]:
    """Emulators know no gateway responses: what no route serves goes to a function that says 404."""
    return {"operationId": f"{method}_nothing", **_parameters(["proxy"]), **_served("system")}


def _parameters(names: list[str]) -> dict[str, Any]:
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    return {"parameters": parameters} if parameters else {}


def _served(domain: str) -> dict[str, Any]:
    return {
        "responses": {"default": {"description": "What the function answers"}},
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "passthroughBehavior": "when_no_match",
            "uri": {"Fn::Sub": _FUNCTION % domain.title().replace("_", "")},
        },
    }


def _refusal(status: int | None, code: str, detail: str) -> dict[str, Any]:
    """A problem like those of the functions. Without a status, API Gateway's own stands and the body has none."""
    problem = {
        "type": f"urn:hms:problem:{code.lower().replace('_', '-')}",
        "title": code.replace("_", " ").capitalize(),
        **({"status": status} if status else {}),
        "detail": detail,
        "instance": "$context.resourcePath",
        "code": code,
        "correlation_id": "$context.requestId",
        "errors": [],
    }
    retry = {"gatewayresponse.header.Retry-After": "'1'"} if status in (429, 503) else {}
    return {
        **({"statusCode": str(status)} if status else {}),
        "responseParameters": _REFUSAL_HEADERS | retry,
        "responseTemplates": {"application/json": json.dumps(problem)},
    }
