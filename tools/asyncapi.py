"""`asyncapi.json`: every event in AsyncAPI 3.0 with who publishes and who receives it, from contracts and inboxes."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tools import contracts, flows
from tools.paths import DOMAINS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hms.events import Fact

type Node = dict[str, Any]

FILE = ROOT / "functions" / "system" / "asyncapi.json"
_INFO = {
    "title": "HMS events",
    "version": "1",
    "description": (
        "What the domains tell each other, as CloudEvents 1.0. Events come at least once and in any order; `id` is "
        "derived from aggregate, version and type, so a repeat has the same one. Within a version of a type, fields "
        "are only added."
    ),
}
_SERVER = {
    "host": "sns.{region}.amazonaws.com",
    "protocol": "sns",
    "description": "One topic. Each receiver has an SQS queue of its own and filters by the message attribute `type`.",
    "variables": {"region": {"default": "ap-south-1"}},
}
_JSON_SCHEMA = "application/schema+json;version=draft-07"


def write() -> None:
    FILE.write_text(render())


def render() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def document() -> Node:
    facts = contracts.facts()
    return {
        "asyncapi": "3.0.0",
        "info": _INFO,
        "defaultContentType": "application/json",
        "servers": {"events": _SERVER},
        "channels": {fact.type: _channel(fact) for fact in facts},
        "operations": dict(_operations()),
        "components": {"messages": {fact.type: _message(fact) for fact in facts}},
    }


def receivers() -> dict[str, list[str]]:
    """The domains that consume each type of event, and the flows that it starts."""
    domains = [domain for domain in DOMAINS if (ROOT / "functions" / domain / "inbox.py").exists()]
    heard = {domain: import_module(f"{domain}.inbox").inbox.types for domain in domains}
    heard |= flows.STARTED_BY
    return {fact.type: [one for one in heard if fact.type in heard[one]] for fact in contracts.facts()}


def _channel(fact: type[Fact]) -> Node:
    return {
        "address": fact.type,
        "description": "The value of the message attribute `type`.",
        "servers": [_ref("servers", "events")],
        "messages": {fact.type: _ref("components", "messages", fact.type)},
    }


def _operations() -> Iterator[tuple[str, Node]]:
    for kind, domains in receivers().items():
        publisher = kind.partition(".")[0]
        yield f"{publisher}.publishes.{kind}", _operation(kind, publisher, "send")
        for domain in domains:
            yield f"{domain}.receives.{kind}", _operation(kind, domain, "receive")


def _operation(kind: str, domain: str, action: str) -> Node:
    return {
        "action": action,
        "channel": _ref("channels", kind),
        "messages": [_ref("channels", kind, "messages", kind)],
        "tags": [{"name": domain}],
    }


def _message(fact: type[Fact]) -> Node:
    contract = contracts.contract(fact)
    examples = contract.pop("examples")
    description = contract.pop("description")
    whole = {name: value for name, value in contract.items() if not name.startswith("$")}
    schema = _inlined(whole, contract.get("$defs", {}))
    return {
        "name": fact.type,
        "title": fact.type,
        "description": description,
        "contentType": "application/json",
        "headers": {"type": "object", "properties": {"type": {"const": fact.type}}, "required": ["type"]},
        "correlationId": {"location": "$message.payload#/correlationid"},
        "payload": {"schemaFormat": _JSON_SCHEMA, "schema": schema},
        "examples": [{"payload": example} for example in examples],
    }


def _inlined(node: Any, definitions: Node) -> Any:
    """Without references, which would be looked for in the document and not in the contract."""
    if isinstance(node, list):
        return [_inlined(one, definitions) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        found = definitions[node["$ref"].rpartition("/")[2]]
        return _inlined(found | {name: value for name, value in node.items() if name != "$ref"}, definitions)
    return {name: _inlined(value, definitions) for name, value in node.items()}


def _ref(*path: str) -> Node:
    return {"$ref": "#/" + "/".join(path)}
