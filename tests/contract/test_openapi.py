"""`openapi.json` is what the code says, valid, and its examples are true."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from tools import openapi
from tools.routes import Operation, operations

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATIONS = [pytest.param(one, id=one.route.operation_id) for one in operations()]


@cache
def document() -> dict[str, Any]:
    return openapi.document()


def described(one: Operation) -> dict[str, Any]:
    found: dict[str, Any] = document()["paths"][one.route.path][one.route.method.lower()]
    return found


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found: Any = document()
    for key in node["$ref"].split("/")[1:]:
        found = found[key]
    return resolved(found)


def is_valid(instance: Any, schema: dict[str, Any]) -> None:
    whole = {"components": document()["components"], **schema}
    Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(instance)


def contents(one: Operation) -> Iterator[dict[str, Any]]:
    operation = described(one)
    for part in (operation.get("requestBody", {}), *map(resolved, operation["responses"].values())):
        yield from (content for content in part.get("content", {}).values() if "schema" in content)


def examples(content: dict[str, Any]) -> Iterator[Any]:
    if "example" in content:
        yield content["example"]
    for named in content.get("examples", {}).values():
        yield resolved(named)["value"]


def test_the_committed_description_is_the_generated_one() -> None:
    assert openapi.FILE.read_text() == openapi.render(), "run `make openapi`"


def test_the_description_is_valid_openapi() -> None:
    validate(document())


@pytest.mark.parametrize("one", OPERATIONS)
def test_every_body_has_an_example_that_its_schema_takes(one: Operation) -> None:
    for content in contents(one):
        shown = list(examples(content))
        assert shown
        for example in shown:
            is_valid(example, content["schema"])


@pytest.mark.parametrize("one", OPERATIONS)
def test_the_code_takes_the_examples_of_the_description(one: Operation) -> None:
    operation, route = described(one), one.route

    if route.body:
        route.body.model_validate_json(json.dumps(operation["requestBody"]["content"]["application/json"]["example"]))
    if route.answers:
        answer = operation["responses"][str(route.status)]["content"][route.media_type]["example"]
        route.answers.model_validate_json(json.dumps(answer))


@pytest.mark.parametrize("one", OPERATIONS)
def test_an_operation_says_who_may_do_it_and_what_can_go_wrong(one: Operation) -> None:
    operation = described(one)

    assert operation["x-permission"] == one.route.permission
    assert {"500", "503"} <= set(operation["responses"])
    if operation["security"]:
        assert "401" in operation["responses"]
    if one.route.body:
        assert {"400", "413", "415", "422"} <= set(operation["responses"])


@pytest.mark.parametrize("one", OPERATIONS)
def test_an_operation_id_is_a_verb_and_a_noun(one: Operation) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", one.route.operation_id)
    assert one.route.summary


@pytest.mark.parametrize("one", OPERATIONS)
def test_a_command_takes_an_idempotency_key_and_a_read_does_not(one: Operation) -> None:
    parameters = map(resolved, described(one)["parameters"])
    headers = {taken["name"]: taken for taken in parameters if taken["in"] == "header"}

    assert ("Idempotency-Key" in headers) == (one.route.method != "GET")
    if one.route.key_required:
        assert headers["Idempotency-Key"]["required"] is True
