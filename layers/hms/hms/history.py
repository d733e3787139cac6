"""Who did what to an aggregate, as its event rows tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AwareDatetime

from hms.events import Event
from hms.fields import View
from hms.pages import sealed

if TYPE_CHECKING:
    from hms.rows import Found, Item


class HistoryEntry(View):
    """One change: what, when, by whom."""

    version: int
    type: str
    at: AwareDatetime
    by: str
    correlation_id: str


class History(View):
    """A page of changes, oldest first."""

    items: list[HistoryEntry]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Found) -> History:
        return cls(items=[_entry(item) for item in found.items], next_cursor=sealed(found.last))


def _entry(row: Item) -> HistoryEntry:
    event = Event.model_validate_json(row.body or "")
    return HistoryEntry(
        version=event.version, type=event.type, at=event.at, by=event.actor, correlation_id=event.correlationid
    )
