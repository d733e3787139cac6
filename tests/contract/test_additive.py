"""Consumers of v1 take what later producers of v1 may say: more fields anywhere, values nobody had thought of."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from tests.contract.test_contracts import OWN_WORK, SUBSCRIPTIONS, inbox_of
from tests.support.inboxes import left_by
from tools import contracts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hms.rows import Key

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
    if kind not in OWN_WORK and any(widened(str(kind)))
]


@pytest.fixture(autouse=True)
def _one_instant() -> Iterator[None]:
    """Rows that say when they were made are then the same too."""
    with time_machine.travel(datetime(2026, 11, 21, 7, tzinfo=UTC), tick=False):
        yield


@pytest.mark.parametrize(("domain", "kind"), SUBSCRIPTIONS)
def test_more_fields_at_every_level_change_nothing_for_a_consumer(domain: str, kind: str) -> None:
    example = published(kind)["examples"][0]
    richer = enriched(example)
    assert richer["added_text"] == richer["data"]["added_text"] == "more"

    assert effect(domain, richer) == effect(domain, example)


@pytest.mark.parametrize(("domain", "kind"), WIDENED)
def test_a_value_nobody_had_thought_of_does_not_stop_a_consumer(domain: str, kind: str) -> None:
    for _, example in widened(kind):
        effect(domain, example)


def effect(domain: str, event: dict[str, Any]) -> dict[Key, Any]:
    """The rows that an event leaves where the people in it are known, but for the random names of commands.

    What was added to it may be kept or not.
    """
    inbox = inbox_of(domain)
    people = [published(kind)["examples"][0] for kind in inbox.types if kind.endswith(".registered.v1")]
    rows = left_by(inbox, [*people, event])
    return {key: replace(row, body=plain(row.body), state=plain(row.state), done=None) for key, row in rows.items()}


def plain(text: str | None) -> str | None:
    return None if text is None else json.dumps(_plain(json.loads(text)))


def _plain(node: Any) -> Any:
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if isinstance(node, dict):
        return {name: _plain(value) for name, value in node.items() if name not in MORE}
    return node
