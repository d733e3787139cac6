"""`asyncapi.json` is what the code says, and whole: references lead somewhere, every event has its one publisher."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft7Validator

from tests.contract.test_contracts import INBOXES, inbox_of
from tools import asyncapi, contracts, flows

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = [fact.type for fact in contracts.facts()]
# What AsyncAPI 3.0 allows as a key of channels, operations and components.
KEY = re.compile(r"[\w.\-]+")


@cache
def document() -> dict[str, Any]:
    return asyncapi.document()


def found(reference: str) -> Any:
    assert reference.startswith("#/")
    node: Any = document()
    for key in reference.removeprefix("#/").split("/"):
        node = node[key]
    return node


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from ([node["$ref"]] if "$ref" in node else [])
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from references(one)


def operations(action: str, kind: str) -> set[str]:
    """The domains that send or receive an event, the flows that it starts."""
    return {
        operation["tags"][0]["name"]
        for operation in document()["operations"].values()
        if operation["action"] == action and operation["channel"] == {"$ref": f"#/channels/{kind}"}
    }


def test_the_committed_document_is_the_generated_one() -> None:
    assert asyncapi.FILE.read_text() == asyncapi.render(), "run `make openapi`"


def test_it_has_the_parts_of_an_asyncapi_document() -> None:
    assert document()["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(document()["info"])
    for part in (document()["channels"], document()["operations"], document()["components"]["messages"]):
        assert part
        assert all(KEY.fullmatch(key) for key in part)


def test_every_reference_leads_somewhere() -> None:
    for reference in references(document()):
        assert found(reference)


def test_an_operation_is_about_a_message_of_its_channel() -> None:
    for name, operation in document()["operations"].items():
        assert operation["action"] in {"send", "receive"}, name
        channel = found(operation["channel"]["$ref"])
        for message in operation["messages"]:
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")
            assert found(message["$ref"]) in channel["messages"].values()


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_has_one_publisher_and_all_its_receivers(kind: str) -> None:
    assert operations("send", kind) == {kind.partition(".")[0]}
    domains = {domain for domain in INBOXES if kind in inbox_of(domain).types}
    assert operations("receive", kind) == domains | {flow for flow, heard in flows.STARTED_BY.items() if kind in heard}


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_message_meets_its_payload(kind: str) -> None:
    message = document()["components"]["messages"][kind]
    schema = message["payload"]["schema"]

    Draft7Validator.check_schema(schema)
    assert message["examples"]
    for example in message["examples"]:
        Draft7Validator(schema).validate(example["payload"])
        assert message["correlationId"]["location"].rpartition("/")[2] in example["payload"]
