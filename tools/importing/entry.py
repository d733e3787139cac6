"""A row on its way in: what it says, what is wrong with it, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from tools.importing.reasons import Reason, ordered

if TYPE_CHECKING:
    from pydantic import BaseModel

    from tools.importing.reading import Row, Sheet


class Outcome(StrEnum):
    TAKEN = "taken"
    THERE = "already there"
    QUARANTINED = "quarantined"


@dataclass
class Entry[M: BaseModel]:
    """`said` is the row as the domain understands it, None where it cannot be told."""

    row: Row
    said: M | None = None
    reasons: set[str] = field(default_factory=set)
    arrived: Outcome | None = None

    @property
    def right(self) -> bool:
        return self.said is not None and not self.reasons

    @property
    def outcome(self) -> Outcome | None:
        """None while it is still on its way."""
        return Outcome.QUARANTINED if self.reasons else self.arrived

    @property
    def ordered_reasons(self) -> list[str]:
        return ordered(self.reasons)

    def value(self, column: str) -> str:
        return (self.row.values or {}).get(column, "")


@dataclass
class Batch[M: BaseModel]:
    """All rows of one file."""

    sheet: Sheet
    entries: list[Entry[M]]

    @property
    def right(self) -> list[Entry[M]]:
        return [entry for entry in self.entries if entry.right]

    @property
    def quarantined(self) -> list[Entry[M]]:
        return [entry for entry in self.entries if entry.outcome is Outcome.QUARANTINED]

    def count(self, outcome: Outcome) -> int:
        return sum(entry.outcome is outcome for entry in self.entries)

    def mark_repeated(self, column: str) -> None:
        """The first row with an id keeps it, right or wrong: what others refer to is never a guess."""
        seen: set[str] = set()
        for entry in self.entries:
            value = entry.value(column)
            if value and value in seen:
                entry.reasons.add(Reason.DUPLICATE_ID)
            seen.add(value)
