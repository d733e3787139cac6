"""A domain's copies of others, dropped and told again."""

from __future__ import annotations

import time
from importlib import import_module
from itertools import batched
from typing import TYPE_CHECKING, Any

from tools.paths import ROOT
from tools.replay.place import ReplayError
from tools.replay.republish import republish_span
from tools.replay.rows import SEGMENTS, Wanted, in_segments
from tools.replay.sending import to_queue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hms.inbox import Inbox
    from tools.replay.place import Place

type Advance = Callable[[int], None]

_DELETES = 25


class Model:
    """Raises ReplayError where the domain copies nothing."""

    def __init__(self, place: Place, domain: str) -> None:
        self._place = place
        self._copies = _inbox(domain).copies
        self._table = place.resource(f"{domain.capitalize()}Table")
        self._queue = place.resource(f"{domain.capitalize()}Queue")
        self._dynamodb = place.client("dynamodb")

    def drop(self, advance: Advance = lambda _rows: None) -> int:
        """Takes the copies away; says how many. One that comes back meanwhile may go too: its event is told again."""

        def segment(number: int) -> int:
            dropped = 0
            for keys in self._keys(number):
                self._delete([{"DeleteRequest": {"Key": key}} for key in keys])
                advance(len(keys))
                dropped += len(keys)
            return dropped

        return in_segments(segment)

    def tell_again(self, advance: Advance = lambda _events: None) -> int:
        """Has the owners' events sent to this domain alone; says how many."""
        types = {kind for kinds in self._copies.values() for kind in kinds}
        send = to_queue(self._place, self._queue)
        sent = 0
        for owner in sorted({kind.partition(".")[0] for kind in types}):
            of_owner = frozenset(kind for kind in types if kind.startswith(f"{owner}."))
            sent += republish_span(self._place, owner, Wanted(types=of_owner), send, advance)
        return sent

    def _keys(self, segment: int) -> Iterator[list[dict[str, Any]]]:
        prefixes = {f":p{number}": {"S": prefix} for number, prefix in enumerate(self._copies)}
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table,
            Segment=segment,
            TotalSegments=SEGMENTS,
            FilterExpression=" OR ".join(f"begins_with(sk, {name})" for name in prefixes),
            ExpressionAttributeValues=prefixes,
            ProjectionExpression="pk, sk",
            ConsistentRead=True,
        )
        for page in pages:
            yield from map(list, batched(page["Items"], _DELETES, strict=False))

    def _delete(self, requests: list[dict[str, Any]]) -> None:
        while requests:
            answer = self._dynamodb.batch_write_item(RequestItems={self._table: requests})
            requests = answer.get("UnprocessedItems", {}).get(self._table, [])
            time.sleep(0.5 if requests else 0)


def models() -> list[str]:
    """The domains that have copies to rebuild."""
    inboxes = sorted(path.parent.name for path in ROOT.glob("functions/*/inbox.py"))
    return [domain for domain in inboxes if import_module(f"{domain}.inbox").inbox.copies]


def _inbox(domain: str) -> Inbox:
    if domain not in models():
        raise ReplayError(f"{domain} copies nothing; {', '.join(models())} do")
    inbox: Inbox = import_module(f"{domain}.inbox").inbox
    return inbox
