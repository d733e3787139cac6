"""Events of an aggregate or of a time, sent again from their owner's table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.replay.place import ReplayError
from tools.replay.rows import EventRows, in_segments

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.replay.place import Place
    from tools.replay.rows import Wanted
    from tools.replay.sending import Send


def republish_aggregate(place: Place, domain: str, aggregate_id: str, send: Send) -> int:
    """All events of one aggregate, oldest first; says how many.

    Raises ReplayError where it has none.
    """
    events = EventRows(place, domain).of(aggregate_id)
    if not events:
        raise ReplayError(f"{domain} has no events of {aggregate_id}")
    return send(events)


def republish_span(
    place: Place, domain: str, wanted: Wanted, send: Send, advance: Callable[[int], None] = lambda _events: None
) -> int:
    """All events of a domain that are wanted; says how many."""
    owner = EventRows(place, domain)

    def segment(number: int) -> int:
        sent = 0
        for page in owner.wanted(wanted, number):
            sent += send(page) if page else 0
            advance(len(page))
        return sent

    return in_segments(segment)
