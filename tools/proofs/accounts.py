"""The auditor: the ledger, the payments and the processor's own statement, read from outside and held together."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tools.proofs.ledgers import Balance, Kept, bills_of, unexplained

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Set

    from tools.proofs.ledgers import Body, Row

_MONEY = ("PAYMENT", "REFUND")
# What a processor moves; it knows nothing of what the desk takes.
_BY_GATEWAY = ("CARD", "UPI")


class Line(NamedTuple):
    """Money that moved, as the processor's statement tells it: PAYMENT or REFUND, by our own id of it."""

    kind: str
    key: str
    amount: int
    currency: str = "INR"


@dataclass
class Accounts:
    """All that is known of money. `given_back` is what of each payment was or is being paid back."""

    bills: dict[str, Kept]
    exceptions: dict[str, Body]
    payments: dict[str, Body]
    refunds: dict[str, Body]
    pending: set[str]
    given_back: dict[str, int]
    statement: list[Line]

    @classmethod
    def of(cls, billing: Iterable[Row], payments: Iterable[Row], statement: Iterable[Line]) -> Accounts:
        """Out of the rows of both tables, and the statement."""
        of_billing, of_payments = list(billing), list(payments)
        found = cls(bills_of(of_billing), {}, {}, {}, set(), {}, list(statement))
        states = {"exception": found.exceptions, "payment": found.payments, "refund": found.refunds}
        for row in (*of_billing, *of_payments):
            kind, _, name = row["pk"].partition("#")
            if row["sk"] == "state" and kind in states:
                states[kind][name] = json.loads(row["body"])
            elif row["sk"] == "pending":
                found.pending.add(name)
            elif (kind, row["sk"]) == ("payment", "refunds"):
                found.given_back[name] = json.loads(row["body"])
        return found

    def moved(self, kind: str) -> dict[str, Body]:
        """The payments or refunds that there are, by id."""
        return self.payments if kind == "PAYMENT" else self.refunds


@dataclass
class Findings:
    """What is wrong, by kind; the numbers are of what was looked at.

    `doubled`: money that moved twice, or more than was asked for. `lost`: what one side has and another has not.
    `stuck`: what is not decided. `off`: what its ledger does not explain. `unreasoned`: a person is needed without
    a reason, or is needed and was not told.
    """

    bills: int = 0
    captures: int = 0
    refunds: int = 0
    doubled: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    off: list[str] = field(default_factory=list)
    unreasoned: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[str]:
        return [*self.doubled, *self.lost, *self.stuck, *self.off, *self.unreasoned]

    def __str__(self) -> str:
        kinds = ("doubled", "lost", "stuck", "off", "unreasoned")
        return ", ".join(f"{len(getattr(self, kind))} {kind}" for kind in kinds)


def judged(accounts: Accounts, bills: Set[str]) -> Findings:
    """Judges the money on these bills, now that everything should be still."""
    ours = {name: accounts.bills.get(name, Kept()) for name in bills}
    moving = [one for kind in _MONEY for one in _of(accounts, kind, bills)]
    found = Findings(len(bills))
    found.captures = sum(one.kind == "PAYMENT" and one.moved for one in moving)
    found.refunds = sum(one.kind == "REFUND" and one.moved for one in moving)
    for name, kept in ours.items():
        found.off += [f"bill {name}: {fault}" for fault in unexplained(kept) or _absent(kept)]
        found.doubled += [f"bill {name}: {fault}" for fault in _above(kept)]
        found.stuck += [f"bill {name}: {fault}" for fault in _held(kept)]
    for one in moving:
        found.doubled += one.doubled()
        found.lost += one.lost(accounts)
        found.stuck += one.stuck(accounts)
    found.lost += _of_nobody(accounts)
    found.unreasoned = [*_without_reason(accounts, bills), *_untold(accounts, ours)]
    return found


@dataclass
class _Moving:
    """A payment or a refund: what payments say, what the ledger of its bill has, and what the processor moved."""

    kind: str
    key: str
    state: Body
    entries: list[int]
    allocation: str | None
    lines: list[Line]

    def __str__(self) -> str:
        return f"{self.kind.lower()} {self.key} of bill {self.state['bill_id']}"

    @property
    def moved(self) -> bool:
        return str(self.state["status"]) == "COMPLETED"

    @property
    def by_gateway(self) -> bool:
        return str(self.state["method"]) in _BY_GATEWAY

    def doubled(self) -> Iterator[str]:
        if len(self.lines) > 1:
            yield f"{self}: the processor moved it {len(self.lines)} times"
        if len(self.entries) > 1:
            yield f"{self}: it is in the ledger {len(self.entries)} times"

    def lost(self, accounts: Accounts) -> Iterator[str]:
        """All sides tell the same, to the cent."""
        amount = self.state["amount"]
        if self.entries[:1] != ([amount] if self.moved else []):
            yield f"{self}: {self.state['status']} over {amount}, in the ledger {self.entries}"
        expected = [(amount, self.state["currency"])] if self.moved and self.by_gateway else []
        if [(line.amount, line.currency) for line in self.lines[:1]] != expected:
            yield f"{self}: {self.state['status']} over {amount}, at the processor {self.lines}"
        if self.kind == "PAYMENT":
            refunds = accounts.refunds.values()
            own = (one for one in refunds if one["payment_id"] == self.key and one["status"] != "FAILED")
            back, counted = sum(one["amount"] for one in own), accounts.given_back.get(self.key, 0)
            if back != counted or back > amount:
                yield f"{self}: {back} of {amount} is or was being paid back, {counted} is said to be"

    def stuck(self, accounts: Accounts) -> Iterator[str]:
        if self.state["status"] == "PENDING" or self.key in accounts.pending:
            yield f"{self}: {self.state['status']} and not decided"
        elif self.allocation not in ((None, "RELEASED"), ("APPLIED",))[self.moved]:
            yield f"{self}: {self.state['status']} and {self.allocation} on its bill"


def _of(accounts: Accounts, kind: str, bills: Set[str]) -> Iterator[_Moving]:
    lines: dict[str, list[Line]] = defaultdict(list)
    for line in accounts.statement:
        if line.kind == kind:
            lines[line.key].append(line)
    for key, state in accounts.moved(kind).items():
        if state["bill_id"] in bills:
            kept = accounts.bills.get(state["bill_id"], Kept())
            entries = [abs(one["amount"]) for one in kept.entries if one["transaction_id"] == key]
            allocation = kept.allocations.get(key, {}).get("state")
            yield _Moving(kind, key, state, entries, allocation, lines[key])


def _absent(kept: Kept) -> list[str]:
    return [] if kept.state else ["it is not there"]


def _above(kept: Kept) -> Iterator[str]:
    """A payment is never more than what was asked for at that moment, a refund never more than what was paid."""
    balance = Balance()
    for version, posting in sorted(kept.ledger.items()):
        balance = balance.after(posting["entries"])
        kinds = {entry["kind"] for entry in posting["entries"]}
        if "PAYMENT" in kinds and balance.outstanding < 0:
            yield f"version {version}: {-balance.outstanding} more was taken than was asked for"
        if "REFUND" in kinds and balance.refunded > balance.paid:
            yield f"version {version}: {balance.refunded} was refunded of {balance.paid}"


def _held(kept: Kept) -> Iterator[str]:
    sums = kept.state.get("sums", {})
    held = {name: sums[name] for name in ("reserved", "refund_reserved") if sums.get(name)}
    if held:
        yield f"{held} is still held"
    for name, one in kept.allocations.items():
        if one["state"] == "RESERVED":
            yield f"{one['kind'].lower()} {name} is still reserved"


def _of_nobody(accounts: Accounts) -> Iterator[str]:
    """Money that moved under a key that no payment or refund has."""
    for line in accounts.statement:
        if line.key not in accounts.moved(line.kind):
            yield f"{line.kind.lower()} {line.key}: the processor moved {line.amount}, and nobody asked for it"


def _without_reason(accounts: Accounts, bills: Set[str]) -> Iterator[str]:
    """Only a refund that the processor will not make is a case for a person."""
    for name, one in accounts.exceptions.items():
        if one["bill_id"] not in bills:
            continue
        failed = [two for two in accounts.refunds.values() if _failed(two) and two["bill_id"] == one["bill_id"]]
        if one["kind"] == "REFUND_FAILED":
            failed = [two for two in failed if two["refund_id"] == one["transaction_id"]]
        if one["kind"] == "UNRESERVED_CAPTURE" or one["code"] not in {two["failure"]["code"] for two in failed}:
            yield f"exception {name} of bill {one['bill_id']}: {one['kind']}, {one['code']}"


def _untold(accounts: Accounts, ours: Mapping[str, Kept]) -> Iterator[str]:
    """What was paid too much and does not go back, a person knows of; and a bill that waits, waits for a person."""
    waited_for = {one["bill_id"] for one in accounts.exceptions.values() if one["status"] == "OPEN"}
    for name, kept in ours.items():
        owed = -kept.balance.outstanding
        if owed > 0 and name not in waited_for:
            yield f"bill {name}: {owed} too much was paid, and nobody knows"
        if kept.state.get("flagged") and name not in waited_for:
            yield f"bill {name}: it waits for nobody"


def _failed(refund: Body) -> bool:
    return bool(refund["status"] == "FAILED" and refund["failure"])
