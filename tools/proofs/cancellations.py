"""The cancellation table of docs/rules.md "Money", over HTTP: every end of a visit, however it was paid."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.table import Column, Table

from hms.money import wire
from tools.proofs import oracle
from tools.proofs.asked import answered, minor_units, rupees
from tools.proofs.callers import Ask, OverHttp, let_in
from tools.proofs.oracle import End
from tools.proofs.visits import Visits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tools.proofs.accounts import Accounts
    from tools.proofs.callers import Way
    from tools.proofs.oracle import Account
    from tools.proofs.tills import Till
    from tools.proofs.visits import Visit

# Net. Half of it is 250.525, and its taxes are 25.0525 and 12.5265: all three are rounded.
FEE, TOTAL = 50_105, 52_610
_SECOND, _TWO_HOURS = timedelta(seconds=1), timedelta(hours=2)
_AT_ONCE = 4
_SETTLED_SECONDS = 300


class Ending(NamedTuple):
    """How a visit ends, by whom, with which commands and when, from its start."""

    what: str
    end: End
    at: timedelta
    by: str = "reception"
    commands: tuple[str, ...] = ("cancel",)
    reason: str = ""


ENDINGS = (
    Ending("patient, 2 h and 1 s before", End("CANCELLED", "PATIENT", 7201), -_TWO_HOURS - _SECOND, "patient"),
    Ending("patient, exactly 2 h before", End("CANCELLED", "PATIENT", 7200), -_TWO_HOURS, "patient"),
    Ending("patient, 1 s less before", End("CANCELLED", "PATIENT", 7199), -_TWO_HOURS + _SECOND, "patient"),
    Ending("clinic, 1 s before", End("CANCELLED", "CLINIC", 1), -_SECOND, reason="The room is flooded"),
    Ending("doctor, 1 s before", End("CANCELLED", "DOCTOR", 1), -_SECOND, "doctor", reason="Called away"),
    Ending("no-show", End("NO_SHOW"), timedelta(minutes=15), commands=("no-show",)),
    Ending("completed", End("COMPLETED"), timedelta(minutes=10), commands=("check-in", "start", "complete")),
)
# The whole in two payments, so that what goes back is spread over them.
PAID = {"unpaid": (), "paid in part": (30_000,), "paid": (30_000, TOTAL - 30_000)}
PAID_LESS = {"paid less than the fee": (10_000,)}


class Case(NamedTuple):
    ending: Ending
    how: str
    payments: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.ending.what}, {self.how}"

    @property
    def expected(self) -> tuple[Account, tuple[int, ...]]:
        """The bill by the rules, and what of each refund goes back."""
        account = oracle.opened(rupees(FEE))
        for amount in self.payments:
            account = account.reserving(rupees(amount)).paying(rupees(amount))
        account = account.ended(self.ending.end, rupees(FEE))
        newest = [(str(number), rupees(amount)) for number, amount in enumerate(self.payments)][::-1]
        back = [share for _, share in oracle.spread(account.credit, newest)]
        for share in back:
            account = account.giving_back(share).given_back(share)
        return account, tuple(minor_units(share) for share in back)

    @property
    def entries(self) -> list[tuple[str, str]]:
        """What its ledger has by the rules, in whatever order."""
        account, back = self.expected
        fees = [("FEE", minor_units(line.total)) for line in account.lines if line.kind == "FEE"]
        entries = [("CHARGE", TOTAL), *[("PAYMENT", -amount) for amount in self.payments], *fees]
        entries += [("REFUND", amount) for amount in back]
        if self.ending.end.outcome != "COMPLETED":
            entries.append(("REVERSAL" if fees else "VOID", -TOTAL))
        return sorted((kind, wire(amount)) for kind, amount in entries)


class Worked(NamedTuple):
    """What became of a case. `entries` are kind, amount and tax as the API lists them."""

    case: Case
    bill_id: str
    bill: dict[str, Any]
    entries: list[tuple[str, str, str]]


def cases(*, full: bool) -> list[Case]:
    paid = PAID | (PAID_LESS if full else {})
    return [Case(ending, how, payments) for ending in ENDINGS for how, payments in paid.items()]


def worked_through(till: Till, wanted: list[Case]) -> list[Worked]:
    visits = Visits(till, FEE)
    ways = _ways(till, visits)
    booked = visits.book([str(case) for case in wanted])
    with ThreadPoolExecutor(_AT_ONCE) as crew:
        list(crew.map(lambda case, visit: _pay(till, case, visit), wanted, booked))
        list(crew.map(lambda case, visit: _end(visits, ways, case, visit), wanted, booked))
        return list(crew.map(lambda case, visit: _worked(till, case, visit), wanted, booked))


def _ways(till: Till, visits: Visits) -> dict[str, Way]:
    patient = let_in(till.system, till.way, "patient", patient_id=till.patient_id)
    doctor = let_in(till.system, till.way, "doctor", doctor_id=visits.doctor.doctor_id)
    return {
        "patient": OverHttp(till.system, patient),
        "doctor": OverHttp(till.system, doctor),
        "reception": till.way,
    }


def _pay(till: Till, case: Case, visit: Visit) -> None:
    for amount in case.payments:
        till.paid(visit.bill_id, amount)
        # Which payment is the newest is told by the second.
        time.sleep(1)


def _end(visits: Visits, ways: dict[str, Way], case: Case, visit: Visit) -> None:
    ending = case.ending
    said = {"reason": ending.reason} if ending.reason else {}
    if ending.by == "reception" and ending.reason:
        said["requested_by"] = ending.end.by
    for command in ending.commands:
        visits.does(visit, command, visit.start + ending.at, ways[ending.by], **said)


def _worked(till: Till, case: Case, visit: Visit) -> Worked:
    """Once the bill is as it should be, or has been waited for."""
    deadline = time.monotonic() + _SETTLED_SECONDS
    while time.monotonic() < deadline:
        bill = till.agreed(Ask("GET", "/v1/bills/{bill_id}", path={"bill_id": visit.bill_id}))
        if not _off(case, bill):
            break
        time.sleep(1)
    ledger = Ask("GET", "/v1/bills/{bill_id}/ledger", path={"bill_id": visit.bill_id}, query={"limit": "100"})
    postings = till.agreed(ledger)["items"]
    entries = [(one["kind"], one["amount"], one["tax_amount"]) for two in postings for one in two["entries"]]
    return Worked(case, visit.bill_id, bill, entries)


def _off(case: Case, bill: dict[str, Any]) -> list[str]:
    """Where a bill, as it is answered, is not what the rules say."""
    account, _ = case.expected
    wanted = answered(account) | {"provisional": False, "outcome": case.ending.end.outcome, "reserved_amount": "0.00"}
    return [f"{name} {bill[name]}, not {value}" for name, value in wanted.items() if bill[name] != value]


def judged(worked: Iterable[Worked], accounts: Accounts) -> list[str]:
    """What of a bill, its ledger or the processor's statement is not as the rules say."""
    wrong = []
    for one in worked:
        faults = _off(one.case, one.bill)
        entries = sorted((kind, amount) for kind, amount, _ in one.entries)
        if entries != one.case.entries:
            faults.append(f"the ledger has {entries}, not {one.case.entries}")
        moved = _at_processor(one.bill_id, accounts)
        expected = sorted([*one.case.payments, *(-amount for amount in one.case.expected[1])])
        if moved != expected:
            faults.append(f"the processor moved {moved}, not {expected}")
        wrong += [f"{one.case}: {fault}" for fault in faults]
    return wrong


def _at_processor(bill_id: str, accounts: Accounts) -> list[int]:
    """What the processor took for a bill, and with a minus what it gave back."""
    ours = {
        (kind, key)
        for kind in ("PAYMENT", "REFUND")
        for key, one in accounts.moved(kind).items()
        if one["bill_id"] == bill_id
    }
    lines = [line for line in accounts.statement if (line.kind, line.key) in ours]
    return sorted(line.amount if line.kind == "PAYMENT" else -line.amount for line in lines)


def shown(worked: Iterable[Worked], accounts: Accounts) -> Table:
    """Every bill with its ledger, entry by entry; on a narrow terminal only how the visit ended is broken."""
    numbers = [Column(name, justify="right", no_wrap=True) for name in ("amount", "its tax")]
    rest = [Column(name, no_wrap=True) for name in ("the bill", "processor")]
    table = Table("the visit", Column("ledger", no_wrap=True), *numbers, *rest)
    for one in worked:
        columns = ["\n".join(column) for column in zip(*one.entries, strict=True)]
        bill = f"{one.bill['status']}\n{one.bill['total_amount']}\ndue {one.bill['outstanding_amount']}"
        moved = "\n".join(wire(amount) for amount in _at_processor(one.bill_id, accounts))
        table.add_row(f"{one.case.ending.what}\n{one.case.how}", *columns, bill, moved, end_section=True)
    return table
