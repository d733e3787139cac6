"""`events/contracts`: for every event type a JSON Schema of the whole envelope, with an example."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hms.auth import Principal
from hms.call import Call
from hms.events import Event, told
from tools.compatibility import breaking
from tools.examples import Examples
from tools.paths import ROOT
from tools.untitled import Untitled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hms.events import Fact

FOLDER = ROOT / "events" / "contracts"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ADVICE = "publish the new form as .v2 beside it; a contract that nobody has seen yet may be deleted first"
_CALL = Call(
    Principal("01931c2e-7b1f-7c39-9d54-3b1c2a4f5e6e", ("receptionist",)),
    datetime(2026, 11, 21, 6, 30, tzinfo=UTC),
    "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e6f",
)


class BreakingChange(Exception):
    """A published contract would no longer hold; the message says where."""


def write() -> None:
    """Raises BreakingChange, and writes nothing, where a contract that is there would be broken."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = files()
    if broken := list(_broken(wanted)):
        raise BreakingChange("\n  ".join(["published contracts would be broken:", *broken, _ADVICE]))
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)


def _broken(wanted: dict[str, str]) -> Iterator[str]:
    for path in sorted(FOLDER.glob("*.json")):
        if path.name not in wanted:
            yield f"{path.stem}: is not published any more"
            continue
        faults = breaking(json.loads(path.read_text()), json.loads(wanted[path.name]))
        yield from (f"{path.stem}: {fault}" for fault in faults)


def files() -> dict[str, str]:
    """Each contract by its file's name."""
    return {f"{fact.type}.json": json.dumps(contract(fact), indent=1) + "\n" for fact in facts()}


@cache
def facts() -> tuple[type[Fact], ...]:
    """What the domains publish, by type. Raises ValueError where two publish one type."""
    domains = sorted(path.parent.name for path in ROOT.glob("functions/*/model.py"))
    found = [fact for domain in domains for fact in getattr(import_module(f"{domain}.model"), "FACTS", ())]
    by_type = {fact.type: fact for fact in found}
    if len(by_type) != len(found):
        raise ValueError("an event type is published twice")
    return tuple(by_type[kind] for kind in sorted(by_type))


def contract(fact: type[Fact]) -> dict[str, Any]:
    envelope = Event.model_json_schema(mode="serialization", schema_generator=Untitled)
    data = _schema(fact)
    definitions = data.pop("$defs", {})
    fixed = {"type": {"const": fact.type}, "specversion": {"const": "1.0"}, "data": data}
    return {
        "$schema": _DIALECT,
        "$id": f"urn:hms:event:{fact.type}",
        "title": fact.type,
        "description": (fact.__doc__ or "").strip() or fact.type,
        "type": "object",
        "properties": envelope["properties"] | fixed,
        "required": sorted(envelope["properties"]),
        **({"$defs": definitions} if definitions else {}),
        "examples": [example(fact).model_dump(mode="json")],
    }


def example(fact: type[Fact]) -> Event:
    """An envelope as it is published; its subject is the first id of the fact."""
    schema = _schema(fact)
    data = Examples(schema.get("$defs", {})).of(schema)
    subject = next(data[name] for name in fact.model_fields if name.endswith("_id"))
    return told(fact.model_validate_json(json.dumps(data)), subject, data.get("version", 1), _CALL)


def example_of(kind: str) -> Event:
    """Raises ValueError where no domain publishes such events."""
    published = {fact.type: fact for fact in facts()}
    if kind not in published:
        raise ValueError(f"no domain publishes {kind}: it is in the FACTS of no functions/*/model.py")
    return example(published[kind])


def _schema(fact: type[Fact]) -> dict[str, Any]:
    return fact.model_json_schema(mode="serialization", schema_generator=Untitled)
