"""`gateway.yaml` is what the code says, and no two domains claim one route."""

from __future__ import annotations

import pytest
import yaml

from hms.api import PUBLIC, Response, Route
from tests.support.http import sent
from tests.support.template import template
from tools import gateway
from tools.routes import Operation, RouteError, apis, check, operations


def _operation(domain: str, method: str, path: str, name: str) -> Operation:
    def handle() -> Response:
        return Response()

    handle.__name__ = name
    return Operation(domain, Route(method, path, PUBLIC, handle, summary=name))


def test_the_committed_gateway_is_the_generated_one() -> None:
    assert gateway.FILE.read_text() == gateway.render(), "run `make openapi`"


def test_every_method_is_explicit_and_goes_to_the_live_version_of_its_domain() -> None:
    for path, methods in yaml.safe_load(gateway.render())["paths"].items():
        for method, operation in methods.items():
            integration = operation["x-amazon-apigateway-integration"]
            assert method in {"get", "post", "put", "patch", "delete"}, path
            assert integration["uri"]["Fn::Sub"].endswith("Api.Arn}:live/invocations")
            assert integration["httpMethod"] == "POST"


def test_what_is_answered_as_bytes_is_said_in_both_places() -> None:
    """SAM writes what the template says over what the generated file says; MiniStack reads the former only."""
    assert gateway.document()["x-amazon-apigateway-binary-media-types"] == gateway.BINARY
    assert template()["Resources"]["Gateway"]["Properties"]["BinaryMediaTypes"] == gateway.BINARY
    answered = {one.route.media_type for one in operations()}
    assert {kind for kind in answered if kind.startswith("application/")} <= {"application/json", *gateway.BINARY}


def test_what_no_route_serves_is_told_by_a_function() -> None:
    answer = sent(apis()["system"], "DELETE", "/{proxy+}", path={"proxy+": "v1/nothing"})

    assert (answer.status, answer.json["code"]) == (404, "NOT_FOUND")
    assert set(gateway.document()["paths"]["/{proxy+}"]) == {"get", "post", "put", "patch", "delete"}


def test_what_the_gateway_refuses_itself_is_a_problem() -> None:
    for kind, response in gateway.document()["x-amazon-apigateway-gateway-responses"].items():
        problem = yaml.safe_load(response["responseTemplates"]["application/json"])
        assert response["responseParameters"]["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert {"type", "title", "detail", "code", "correlation_id"} <= set(problem), kind


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(("b", "GET", "/v1/things/{thing_id}", "read_thing"), id="the same route"),
        pytest.param(("b", "GET", "/v1/things/{id}/parts", "list_parts"), id="another name for one place"),
        pytest.param(("b", "POST", "/v1/others", "get_thing"), id="the same operation id"),
    ],
)
def test_two_operations_that_collide_are_refused(other: tuple[str, str, str, str]) -> None:
    first = _operation("a", "GET", "/v1/things/{thing_id}", "get_thing")

    with pytest.raises(RouteError):
        check([first, _operation(*other)])
