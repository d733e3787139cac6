"""Consumers of v1 take what later producers of v1 may say: more fields anywhere, values nobody had thought of."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.test_contracts import SUBSCRIPTIONS, inbox_of
from tests.support.inboxes import left_by
from tools import contracts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MORE: dict[str, Any] = {
    "added_text": "more",
    "added_number": 1.5,
    "added_nothing": None,
    "added_list": [{"deep": [1]}],
    "added_object": {"deep": {"deeper": True}},
}


def published(kind: str) -> dict[str, Any]:
    contract: dict[str, Any] = json.loads((contracts.FOLDER / f"{kind}.json").read_text())
    return contract


def enriched(node: Any) -> Any:
    """With more fields in every object, the envelope's too."""
    if isinstance(node, list):
        return [enriched(one) for one in node]
    if isinstance(node, dict):
        return {name: enriched(value) for name, value in node.items()} | MORE
    return node


def widened(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The example with each of its fields that has a fixed set of values in turn at a value outside that set."""
    contract = published(kind)
    for path in _choices(contract["properties"]["data"], contract["examples"][0]["data"], contract):
        example = copy.deepcopy(contract["examples"][0])
        node = example["data"]
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = "A_LATER_VALUE"
        yield "/".join(map(str, path)), example


def _choices(schema: Any, value: Any, whole: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    if "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        yield ()
    for one in schema.get("anyOf", ()):
        yield from _choices(one, value, whole)
    for key, within in _parts(value):
        part = schema.get("items") if isinstance(key, int) else schema.get("properties", {}).get(key)
        if part:
            yield from ((key, *rest) for rest in _choices(part, within, whole))


def _parts(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


WIDENED = [
    pytest.param(domain, kind, id=f"{domain}-{kind}")
    for domain, kind in (one.values for one in SUBSCRIPTIONS)
    if any(widened(str(kind)))
]


@pytest.mark.parametrize(("domain", "kind"), SUBSCRIPTIONS)
def test_more_fields_at_every_level_change_nothing_for_a_consumer(domain: str, kind: str) -> None:
    example = published(kind)["examples"][0]
    richer = enriched(example)
    assert richer["added_text"] == richer["data"]["added_text"] == "more"

    assert left_by(inbox_of(domain), [richer]) == left_by(inbox_of(domain), [example])


@pytest.mark.parametrize(("domain", "kind"), WIDENED)
def test_a_value_nobody_had_thought_of_does_not_stop_a_consumer(domain: str, kind: str) -> None:
    for _, example in widened(kind):
        left_by(inbox_of(domain), [example])
