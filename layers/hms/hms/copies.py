"""Copies of what other domains own: no more than this one needs, and replaced only by newer ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from hms.rows import Conflict, Item, Key, Refresh

if TYPE_CHECKING:
    from hms.rows import Table


class Copy(BaseModel):
    """A snapshot with the version that its owner gave it."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    version: int


class Copies[C: Copy]:
    """The rows `<kind>#<id>` / `profile` of one table."""

    def __init__(self, table: Table, kind: str, model: type[C]) -> None:
        self._table = table
        self._kind = kind
        self._model = model

    def key(self, owned_id: str) -> Key:
        return Key(f"{self._kind}#{owned_id}", "profile")

    def read(self, item: Item | None) -> C | None:
        """A copy that was read along with others."""
        return self._model.model_validate_json(item.body or "") if item else None

    def keep(self, copy: C) -> None:
        """An older or the same version changes nothing: events may come twice and in any order."""
        key = self.key(getattr(copy, f"{self._kind}_id"))
        try:
            self._table.commit([Refresh(Item(*key, version=copy.version, body=copy.model_dump_json(by_alias=True)))])
        except Conflict:
            return
