"""The event rows of a domain: one, those of an aggregate, those of a time."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hms.aggregate import Aggregates
from hms.events import Event
from tools.paths import DOMAINS, ROOT
from tools.replay.place import NoOwner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.replay.place import Place

SEGMENTS = 4
_MODULES = ("api", "tasks", "inbox")


@dataclass(frozen=True, slots=True)
class Span:
    """From one instant to another, both included."""

    start: datetime
    end: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant <= self.end


@dataclass(frozen=True, slots=True)
class Wanted:
    """Events of a time and of some types; of all times or types where none is named."""

    span: Span | None = None
    types: frozenset[str] = frozenset()

    def __contains__(self, body: str) -> bool:
        try:
            event = json.loads(body)
            at, kind = datetime.fromisoformat(event["time"]).astimezone(UTC), event["type"]
        except (ValueError, LookupError, TypeError):
            return False  # No event: the relay has put it aside.
        return (self.span is None or at in self.span) and (not self.types or kind in self.types)


class EventRows:
    """Raises NoOwner where the domain has no table."""

    def __init__(self, place: Place, domain: str) -> None:
        table = f"{domain.capitalize()}Table"
        if table not in place.of_type("AWS::DynamoDB::Table"):
            raise NoOwner(f"{domain} has no table; {', '.join(owners(place))} have")
        self._table = place.resource(table)
        self._dynamodb = place.client("dynamodb")
        self._kinds = kinds(domain)

    def at(self, pk: str, sk: str) -> str | None:
        """The event of one row, as JSON text."""
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        row = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {})
        return _body(row)

    def told(self, subject: str, version: int, event_id: str) -> str | None:
        """The event that an aggregate told at a version."""
        bodies = (self.at(f"{kind}#{subject}", f"event#{version:08d}") for kind in self._kinds)
        return next((body for body in bodies if body and _id_of(body) == event_id), None)

    def of(self, aggregate_id: str) -> list[str]:
        """All events of an aggregate, oldest first."""
        return [body for kind in self._kinds for body in self._queried(f"{kind}#{aggregate_id}")]

    def _queried(self, pk: str) -> Iterator[str]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :event)",
            ExpressionAttributeValues={":pk": {"S": pk}, ":event": {"S": "event#"}},
            ConsistentRead=True,
        )
        yield from (body for page in pages for row in page["Items"] if (body := _body(row)))

    def wanted(self, wanted: Wanted, segment: int) -> Iterator[list[str]]:
        """A quarter of the table, page by page. Events of one aggregate come in their order.

        This scans: it is for the operator's tool, never for a function (docs/adr/0018).
        """
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table,
            Segment=segment,
            TotalSegments=SEGMENTS,
            FilterExpression="attribute_exists(event_id)",
            ProjectionExpression="body",
            ConsistentRead=True,
        )
        for page in pages:
            yield [body for row in page["Items"] if (body := _body(row)) and body in wanted]


def in_segments(work: Callable[[int], int]) -> int:
    """Works on all segments of a table at once; the sum of what each says."""
    with ThreadPoolExecutor(SEGMENTS) as threads:
        return sum(threads.map(work, range(SEGMENTS)))


def owners(place: Place) -> list[str]:
    """The domains that have a table. The simulated processor's tells nothing."""
    named = {name.removesuffix("Table").lower() for name in place.of_type("AWS::DynamoDB::Table")}
    return sorted(named.intersection(DOMAINS))


@cache
def kinds(domain: str) -> tuple[str, ...]:
    """What a domain's aggregates are called in their keys: `appointment` in `appointment#<id>`."""
    for module in _MODULES:
        if (ROOT / "functions" / domain / f"{module}.py").exists():
            import_module(f"{domain}.{module}")
    own = [one for one in _descendants(Aggregates) if one.__module__.startswith(f"{domain}.")]
    no_table: Any = None
    stores = [one(no_table) for one in own if not one.__subclasses__()]
    beside = [one for store in stores for one in vars(store).values() if isinstance(one, Aggregates)]
    return tuple(sorted({store.kind for store in (*stores, *beside)}))


def _descendants(kind: type[Any]) -> Iterator[type[Any]]:
    for one in kind.__subclasses__():
        yield one
        yield from _descendants(one)


def domain_of(place: Place, table_name: str) -> str:
    """Whose table it is. Raises NoOwner where it is nobody's."""
    for logical, physical in place.of_type("AWS::DynamoDB::Table").items():
        if physical == table_name:
            return logical.removesuffix("Table").lower()
    raise NoOwner(f"the stack {place.stack} has no table {Path(table_name).name}")


def _id_of(body: str) -> str | None:
    try:
        return Event.model_validate_json(body).id
    except ValidationError:
        return None  # No event: the relay has put it aside.


def _body(row: dict[str, Any]) -> str | None:
    body: str | None = row.get("body", {}).get("S")
    return body
