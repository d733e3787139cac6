"""How an aggregate is kept: its state, and beside it one immutable event row for every version it ever had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict

from hms.call import Done, Outcome, recalled, remembered
from hms.events import told
from hms.money import AT_REST
from hms.rows import Insert, Item, Key, Query, Replace, starting

if TYPE_CHECKING:
    from hms.call import Call
    from hms.events import Fact
    from hms.rows import Change, Found, Table


class Entity(BaseModel):
    """Something with an identity and a history. `version` grows by one with every change."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    version: int = 1
    created_at: AwareDatetime
    updated_at: AwareDatetime


@dataclass(frozen=True, slots=True)
class Stored[E: Entity]:
    state: E
    done: tuple[Done, ...] = ()


class Aggregates[E: Entity]:
    """The rows of one kind of aggregate: `<kind>#<id>` / `state`, and `event#<version>` for each change."""

    def __init__(self, table: Table, kind: str, model: type[E]) -> None:
        self.table = table
        self.kind = kind
        self._model = model

    def key(self, entity_id: str) -> Key:
        return Key(f"{self.kind}#{entity_id}", "state")

    def load(self, entity_id: str) -> Stored[E] | None:
        return self.read(self.table.get(self.key(entity_id)))

    def read(self, item: Item | None) -> Stored[E] | None:
        """A state row that was read along with others."""
        if item is None:
            return None
        return Stored(self._model.model_validate_json(item.body or "", context=AT_REST), recalled(item.done))

    def earlier(self, stored: Stored[E] | None, entity_id: str, call: Call) -> Outcome[E] | None:
        """What this very call led to when it came before; None where it is new.

        Raises `IdempotencyKeyReused` where the key came with another request.
        """
        done = next((one for one in (stored.done if stored else ()) if one.token == call.token), None)
        if stored is None or done is None:
            return None
        call.check_same(done)
        if done.version == stored.state.version:
            return Outcome(stored.state, replayed=True)
        row = self.table.get(self._event_key(entity_id, done.version))
        return Outcome(self._model.model_validate_json((row and row.state) or "", context=AT_REST), replayed=True)

    def changes(
        self,
        entity_id: str,
        before: Stored[E] | None,
        after: E,
        fact: Fact,
        call: Call,
        *,
        by_a: Key | None = None,
        by_b: Key | None = None,
    ) -> list[Change]:
        """The two rows that every change writes: the new state over the old version, and its event."""
        key, body = self.key(entity_id), after.model_dump_json(context=AT_REST)
        done = remembered(before.done if before else (), Done(call.token, call.digest, after.version))
        state = Item(*key, version=after.version, body=body, done=done, by_a=by_a, by_b=by_b)
        event = told(fact, entity_id, after.version, call)
        row = Item(
            *self._event_key(entity_id, after.version),
            version=after.version,
            body=event.model_dump_json(),
            event_id=event.id,
            state=body,
        )
        return [Replace(state) if before else Insert(state), Insert(row)]

    def history(self, entity_id: str, limit: int, after: str | None = None) -> Found:
        """Event rows, oldest first."""
        return self.table.query(Query(self.key(entity_id).pk, *starting("event#"), limit=limit, after=after))

    def _event_key(self, entity_id: str, version: int) -> Key:
        return Key(self.key(entity_id).pk, f"event#{version:08d}")
