"""Bills as they lie in the table: what their ledgers add up to, and whatever of them the ledger does not explain.

Nothing here is taken from `billing`: rows are judged without the code that wrote them. Amounts are minor units.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

type Row = Mapping[str, Any]
type Body = dict[str, Any]

_LINES = ("CHARGE", "FEE", "DISCOUNT", "REVERSAL", "VOID")


class Balance(NamedTuple):
    """What ledger entries add up to."""

    charged: int = 0
    tax: int = 0
    written_off: int = 0
    paid: int = 0
    refunded: int = 0
    voided: bool = False

    def after(self, entries: Iterable[Body]) -> Balance:
        balance = self
        for entry in entries:
            balance = balance._after(entry)
        return balance

    def _after(self, entry: Body) -> Balance:
        kind, amount = entry["kind"], entry["amount"]
        if kind == "WRITE_OFF":
            return self._replace(written_off=self.written_off - amount)
        if kind == "PAYMENT":
            return self._replace(paid=self.paid - amount)
        if kind == "REFUND":
            return self._replace(refunded=self.refunded + amount)
        if kind not in _LINES:
            message = f"no entry is called {kind}"
            raise ValueError(message)
        voided = kind == "VOID" or (self.voided and kind in ("DISCOUNT", "REVERSAL"))
        charged, tax = self.charged + amount, self.tax + entry["tax_amount"]
        return self._replace(charged=charged, tax=tax, voided=voided)

    @property
    def outstanding(self) -> int:
        return self.charged - self.written_off - self.paid + self.refunded

    @property
    def status(self) -> str:
        """docs/rules.md "Money"."""
        kept = self.paid - self.refunded
        if self.outstanding > 0:
            return "PARTIALLY_PAID" if kept > 0 else "OPEN"
        if self.voided and not self.charged and not self.paid:
            return "VOID"
        if self.refunded:
            return "PARTIALLY_REFUNDED" if kept > 0 else "REFUNDED"
        return "PAID"


@dataclass
class Kept:
    """The rows of one bill: its state, its ledger and its history by version, and the money on its way."""

    state: Body = field(default_factory=dict)
    ledger: dict[int, Body] = field(default_factory=dict)
    history: dict[int, tuple[Body, Body]] = field(default_factory=dict)
    allocations: dict[str, Body] = field(default_factory=dict)

    @property
    def entries(self) -> Iterator[Body]:
        for _, posting in sorted(self.ledger.items()):
            yield from posting["entries"]

    @property
    def balance(self) -> Balance:
        return Balance().after(self.entries)


def bills_of(rows: Iterable[Row]) -> dict[str, Kept]:
    """The bills of billing's table by id."""
    found: dict[str, Kept] = defaultdict(Kept)
    for row in rows:
        kind, _, name = row["pk"].partition("#")
        if kind == "bill" and row.get("body"):
            _keep(found[name], row)
    return dict(found)


def _keep(kept: Kept, row: Row) -> None:
    what, _, named = row["sk"].partition("#")
    if what == "done":
        return
    body = json.loads(row["body"])
    if what == "state":
        kept.state = body
    elif what == "ledger":
        kept.ledger[int(named)] = body
    elif what == "event":
        kept.history[int(named)] = body["data"], json.loads(row["state"])
    elif what == "allocation":
        kept.allocations[named] = body


def unexplained(kept: Kept) -> list[str]:
    """Whatever of a bill its ledger does not explain, at any version that it ever had."""
    return [
        *_gaps(kept),
        *(fault for version, (told, state) in kept.history.items() for fault in _off(kept, version, told, state)),
        *_lines_off(kept),
    ]


def _gaps(kept: Kept) -> Iterator[str]:
    version = kept.state.get("version", 0)
    if set(kept.history) != set(range(1, version + 1)):
        yield f"at version {version} with the history of {sorted(kept.history)}"
    elif kept.history and kept.history[version][1] != kept.state:
        yield f"the state is not that of version {version}"
    names = Counter(entry["entry_id"] for entry in kept.entries)
    yield from (f"entry {name} is there {count} times" for name, count in names.items() if count > 1)


def _off(kept: Kept, version: int, told: Body, state: Body) -> Iterator[str]:
    """What a version says of itself, and what the ledger says until then."""
    until = {number: posting for number, posting in kept.ledger.items() if number <= version}
    ledger = Kept(ledger=until).balance
    sums = {name: state["sums"][name] for name in Balance._fields}
    if sums != ledger._asdict():
        yield f"version {version}: the sums are {sums}, the ledger's {ledger._asdict()}"
    told_sums = {name: _minor(told[name]) for name in ("total", "paid", "refunded", "outstanding")}
    ledger_sums = {"total": ledger.charged, "paid": ledger.paid, "refunded": ledger.refunded}
    if told_sums != ledger_sums | {"outstanding": max(0, ledger.outstanding)}:
        yield f"version {version}: its event tells {told_sums}"
    if told["status"] != ledger.status:
        yield f"version {version}: its event says {told['status']}, the ledger {ledger.status}"


def _minor(money: Body) -> int:
    return int(money["amount"].replace(".", ""))


def _lines_off(kept: Kept) -> Iterator[str]:
    """The lines on a bill are those that the ledger put on and did not take off, each with its own tax."""
    standing: dict[str, tuple[int, int]] = {}
    for entry in kept.entries:
        if line := entry["line_id"]:
            amount, tax = standing.get(line, (0, 0))
            standing[line] = amount + entry["amount"], tax + entry["tax_amount"]
    on_bill = {line["line_id"]: (line["line_total"], line["tax_amount"]) for line in kept.state.get("items", ())}
    there = {name: sums for name, sums in on_bill.items() if any(sums)}
    if there != {name: sums for name, sums in standing.items() if any(sums)}:
        yield f"the lines come to {on_bill}, those of the ledger to {standing}"
