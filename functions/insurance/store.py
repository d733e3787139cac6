"""Where coverages, checks and claims are kept.

| row | pk | sk | index |
|---|---|---|---|
| coverage, its events | `coverage#<id>` | `state`, `event#<version>` | |
| who has a member number | `member#<payer>` | `<number>` | |
| check, its event | `check#<id>` | `state`, `event#<version>` | |
| claim, its events | `claim#<id>` | `state`, `event#<version>` | |
| its insurer is to be asked | `claim#<id>` | `asking`; the version counts how often it was | `by_b` timers |
| the claim that holds a bill | `bill#<id>` | `live` | |
| lines of lists | `patient#<id>`, `coverage#<id>`, `bill#<id>` | `<kind>#<instant>#<id>` | |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from hms import timers
from hms.aggregate import Aggregates, Entity, Stored
from hms.fields import rfc3339
from hms.rows import Insert, Item, Key, Query, Remove, Replace, starting
from insurance.claim import LIVE, Claim
from insurance.model import Coverage, EligibilityCheck

if TYPE_CHECKING:
    from datetime import datetime

    from hms.call import Call, Outcome
    from hms.events import Fact
    from hms.rows import Change, Table


class Page[E: Entity](NamedTuple):
    """Newest first; `last` is where to go on."""

    items: list[E]
    last: str | None


class _Kept[E: Entity](Aggregates[E]):
    """Aggregates that stand in lists of others: a line there is written once, and their state is read with the list."""

    def listed(self, owner: str, limit: int, after: str | None) -> Page[E]:
        """Two reads, both consistent."""
        lines = self.table.query(Query(owner, *starting(f"{self.kind}#"), limit=limit, after=after, forward=False))
        keys = [self.key(line.sk.rpartition("#")[2]) for line in lines.items]
        rows = self.table.get_many(keys)
        return Page([stored.state for key in keys if (stored := self.read(rows.get(key)))], lines.last)

    def line(self, owner: str, entity_id: str, at: datetime) -> Change:
        return Insert(Item(owner, f"{self.kind}#{rfc3339(at)}#{entity_id}"))


class Coverages(_Kept[Coverage]):
    def __init__(self, table: Table) -> None:
        super().__init__(table, "coverage", Coverage)

    def known(self, coverage_id: str, payer: str, number: str) -> tuple[Stored[Coverage] | None, bool]:
        """The coverage, and whether the member number is taken; one read."""
        own, member = self.key(coverage_id), _member(payer, number)
        found = self.table.get_many([own, member])
        return self.read(found.get(own)), member in found

    def add(self, coverage: Coverage, fact: Fact, call: Call) -> None:
        claim = Item(*_member(coverage.payer.code, coverage.member_number), body=coverage.coverage_id)
        line = self.line(f"patient#{coverage.patient_id}", coverage.coverage_id, coverage.created_at)
        self.table.commit([*self.changes(coverage.coverage_id, None, coverage, fact, call), Insert(claim), line])

    def cancel(self, before: Stored[Coverage], after: Coverage, fact: Fact, call: Call) -> None:
        """The member number is free again."""
        claim = Remove(_member(after.payer.code, after.member_number))
        self.table.commit([*self.changes(after.coverage_id, before, after, fact, call), claim])


class Checks(_Kept[EligibilityCheck]):
    def __init__(self, table: Table) -> None:
        super().__init__(table, "check", EligibilityCheck)
        self._coverages = Coverages(table)

    def scene(self, check_id: str, coverage_id: str) -> tuple[Stored[EligibilityCheck] | None, Coverage | None]:
        """The check and the coverage that it is about; one read."""
        own, about = self.key(check_id), self._coverages.key(coverage_id)
        found = self.table.get_many([own, about])
        coverage = self._coverages.read(found.get(about))
        return self.read(found.get(own)), coverage.state if coverage else None

    def add(self, check: EligibilityCheck, fact: Fact, call: Call) -> None:
        line = self.line(f"coverage#{check.coverage_id}", check.check_id, check.created_at)
        self.table.commit([*self.changes(check.check_id, None, check, fact, call), line])


@dataclass(frozen=True, slots=True)
class Scene:
    """All that the decision about a new claim rests on here, from one read."""

    stored: Stored[Claim] | None
    coverage: Coverage | None
    is_claimed: bool


class Waiting(NamedTuple):
    """A claim whose insurer has not decided, and the row that says when it is asked next."""

    claim: Claim
    asking: Item


class Claims(_Kept[Claim]):
    def __init__(self, table: Table) -> None:
        super().__init__(table, "claim", Claim)
        self._coverages = Coverages(table)

    def earlier(self, stored: Stored[Claim] | None, entity_id: str, call: Call) -> Outcome[Claim] | None:
        """The last of what the call led to: a claim that is decided at once has two changes of one call."""
        return super().earlier(stored and replace(stored, done=stored.done[::-1]), entity_id, call)

    def scene(self, claim_id: str, bill_id: str, coverage_id: str) -> Scene:
        own, about, live = self.key(claim_id), self._coverages.key(coverage_id), _live(bill_id)
        found = self.table.get_many([own, about, live])
        coverage = self._coverages.read(found.get(about))
        return Scene(self.read(found.get(own)), coverage.state if coverage else None, live in found)

    def open(self, claim: Claim, fact: Fact, call: Call, due: datetime) -> None:
        """Six rows: the claim with its event, its hold on the bill, two lines, and when its insurer is asked."""
        claim_id, at = claim.claim_id, claim.created_at
        asking = _asking(claim_id)
        owners = (f"patient#{claim.patient_id}", f"bill#{claim.bill_id}")
        self.table.commit(
            [
                *self.changes(claim_id, None, claim, fact, call),
                Insert(Item(*_live(claim.bill_id), body=claim_id)),
                *(self.line(owner, claim_id, at) for owner in owners),
                Insert(Item(*asking, by_b=timers.place(due, asking))),
            ]
        )

    def settle(self, before: Stored[Claim], after: Claim, fact: Fact, call: Call) -> None:
        """Nobody asks any more; and the bill is free where the claim came to nothing."""
        changes = [*self.changes(after.claim_id, before, after, fact, call), Remove(_asking(after.claim_id))]
        if after.status not in LIVE:
            changes.append(Remove(_live(after.bill_id)))
        self.table.commit(changes)

    def waiting(self, claim_id: str) -> Waiting | None:
        """None where nobody is to be asked; one read."""
        own, asking = self.key(claim_id), _asking(claim_id)
        found = self.table.get_many([own, asking])
        stored = self.read(found.get(own))
        return Waiting(stored.state, found[asking]) if stored and asking in found else None

    def put_off(self, waiting: Waiting, due: datetime) -> None:
        """Asked once more, and again later."""
        asking = waiting.asking
        later = Item(*asking.key, version=asking.version + 1, by_b=timers.place(due, asking.key))
        self.table.commit([Replace(later)])


def _member(payer: str, number: str) -> Key:
    return Key(f"member#{payer}", number.casefold())


def _live(bill_id: str) -> Key:
    return Key(f"bill#{bill_id}", "live")


def _asking(claim_id: str) -> Key:
    return Key(f"claim#{claim_id}", "asking")
