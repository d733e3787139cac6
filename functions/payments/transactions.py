"""Money that was asked for and is not decided: what is kept of payments and of refunds alike.

The row `<kind>#<id>` / `pending` lies beside the state until that is decided, and is due when the sweep is to look at
it. Who asks the gateway and who gives up both write it, so that neither does unknown to the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from hms import timers
from hms.aggregate import Aggregates, Stored
from hms.call import Done
from hms.rows import Contention, Insert, Item, Key, Remove, Replace
from payments import changes
from payments.model import Pending, Status, Transaction
from payments.rules import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from hms.call import Call
    from hms.events import Fact
    from hms.rows import Change


class Held(NamedTuple):
    """The row of what is on its way; it changes only over the version that was read."""

    version: int
    pending: Pending
    due: Key | None


class Opened[T: Transaction](NamedTuple):
    """Money that was asked for; `held` until it is decided."""

    stored: Stored[T]
    held: Held | None

    @property
    def state(self) -> T:
        return self.stored.state

    def asked_by(self, call: Call) -> Self:
        """Itself. Raises `IdempotencyKeyReused` where the key of `call` came with another request."""
        call.check_same(self.stored.done[0])
        return self


class Transactions[T: Transaction](Aggregates[T]):
    def opened(self, transaction_id: str) -> Opened[T] | None:
        """One read."""
        return self.found(transaction_id, self.table.get_many(self.keys(transaction_id)))

    def keys(self, transaction_id: str) -> list[Key]:
        return [self.key(transaction_id), self._pending(transaction_id)]

    def found(self, transaction_id: str, rows: Mapping[Key, Item]) -> Opened[T] | None:
        """Out of rows that were read along with others."""
        stored = self.read(rows.get(self.key(transaction_id)))
        if stored is None:
            return None
        if stored.state.status is not Status.PENDING:
            return Opened(stored, None)
        item = rows.get(self._pending(transaction_id))
        if item is None:
            raise Contention("it was decided between the reading of the two rows")
        return Opened(stored, Held(item.version, Pending.model_validate_json(item.body or ""), item.by_b))

    def hold(self, transaction_id: str, held: Held, pending: Pending, due: datetime | None = None) -> Held:
        """Keeps what is known of money on its way, and when it is looked at again."""
        key = self._pending(transaction_id)
        after = Held(held.version + 1, pending, timers.place(due, key) if due else held.due)
        self.table.commit([Replace(_pending_row(key, after))])
        return after

    def decide(self, before: Opened[T], after: T, call: Call) -> None:
        """State, event, and nothing on its way any more, in one transaction."""
        assert before.held  # noqa: S101  (who decides has read that it is not decided)
        rows = self._written(before.stored, after, changes.fact_of(after), call)
        gone = Remove(self._pending(after.transaction_id), before.held.version)
        self.table.commit([*rows, gone, *self._settled(after)])

    def _open(self, new: T, pending: Pending, fact: Fact, call: Call, more: Sequence[Change]) -> Opened[T]:
        key = self._pending(new.transaction_id)
        held = Held(1, pending, timers.place(call.now + PATIENCE, key))
        rows = self._written(None, new, fact, call)
        self.table.commit([*rows, Insert(_pending_row(key, held)), *more])
        return Opened(Stored(new, (Done(call.token, call.digest, new.version),)), held)

    def _written(self, before: Stored[T] | None, after: T, fact: Fact, call: Call) -> list[Change]:
        return self.changes(after.transaction_id, before, after, fact, call, by_a=self._place(after))

    def _place(self, transaction: T) -> Key | None:  # noqa: ARG002  (of payments only there is a list by day)
        return None

    def _settled(self, after: T) -> list[Change]:  # noqa: ARG002  (of refunds more than themselves is decided)
        return []

    def _pending(self, transaction_id: str) -> Key:
        return Key(f"{self.kind}#{transaction_id}", "pending")


def _pending_row(key: Key, held: Held) -> Item:
    return Item(*key, version=held.version, body=held.pending.model_dump_json(), by_b=held.due)
