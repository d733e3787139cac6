"""Visits whose bills are settled while functions die, and whose events come again, three times and in any order."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from hms import ids
from tools import flows
from tools.proofs.consumers import redelivering, wait_until_quiet
from tools.proofs.deaths import ends
from tools.proofs.machines import OffThePath, machines
from tools.proofs.tills import TOTAL, physical
from tools.proofs.visits import Visits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.proofs.accounts import Accounts
    from tools.proofs.machines import Machine, Point
    from tools.proofs.tills import Till
    from tools.proofs.visits import Visit

_FEE = 50_000
_AT_ONCE = 2
_EARLY = timedelta(hours=-3)
_TIMES = 3
_QUIET_SECONDS = 600
# A message that failed comes again: soon, but not while its flow may be at work.
_AGAIN_SECONDS = 25
_FLOW = "settle-appointment"
_TRIES = 5
# What is asked of the flow where the card takes its money back, and where it does not.
_PATHS = {"tok_ok": ("Settle", "RefundBill"), "tok_refund_declined": ("Settle", "RefundBill", "Unsettle")}
# Visits of which only the events come again, and what their bills are then: whether final, as what, whether flagged.
_OTHERS = {
    "COMPLETED": ("check-in", "start", "complete"),
    "NO_SHOW": ("no-show",),
    "": ("no-show", "check-in"),
}
# What a cancellation comes to. What a card does not take back is a case for a person: the bill is put back for them,
# but not where it is the sweep that heard of it.
_FLAGGED = "flagged"
_ENDS = {"tok_ok": ("CANCELLED",), "tok_refund_declined": (_FLAGGED, "CANCELLED")}


class Dying(NamedTuple):
    """A visit, and where a function dies while its bill is settled; nowhere where that is traced."""

    what: str
    source: str
    point: Point | None = None
    tries: int = 0


class Settling:
    """Every visit was paid in full and is cancelled in time, so that all goes back."""

    def __init__(self, till: Till, *, full: bool) -> None:
        self._till = till
        self._full = full
        self._visits = Visits(till, _FEE)
        self._ours: dict[str, tuple[str, ...]] = {}
        self.deaths = 0
        self.redelivered = 0

    def all_happen(self) -> None:
        """What a death leaves undone, the event of the visit does when it comes; it comes late."""
        with redelivering(self._till.system, _AGAIN_SECONDS):
            self._all_die()
            self._others()
            self.comes_to_rest()

    def _all_die(self) -> None:
        with machines(self._till.system, _FLOW) as (machine,), _held_back(self._till):
            dying = [one for source in _PATHS for one in self._dying(source, self._points(machine, source))]
            with ThreadPoolExecutor(_AT_ONCE) as crew:
                list(crew.map(partial(_dies, machine), dying, self._cancelled(dying)))
            self.deaths = len(dying)

    def _points(self, machine: Machine, source: str) -> list[Point]:
        for _ in range(_TRIES):
            (visit,) = self._cancelled([Dying(f"{source}, traced", source)])
            with suppress(OffThePath):
                return machine.points(_given(visit), _PATHS[source])
        message = f"no {source} goes through {_PATHS[source]}"
        raise RuntimeError(message)

    def _dying(self, source: str, points: list[Point]) -> Iterator[Dying]:
        """At every point once, so that the next try makes it good, and at every try, so that the event has to."""
        for point in points if self._full else ends(points):
            for tries in (1, 3) if self._full else (3,):
                yield Dying(f"{source}, {point}, {tries} ×", source, point, tries)

    def _cancelled(self, wanted: list[Dying]) -> list[Visit]:
        booked = self._book([(one.what, _ENDS[one.source]) for one in wanted])
        with ThreadPoolExecutor(_AT_ONCE) as crew:
            list(crew.map(self._cancel, booked, wanted))
        return booked

    def _cancel(self, visit: Visit, dying: Dying) -> None:
        self._till.paid(visit.bill_id, TOTAL, dying.source)
        self._visits.does(visit, "cancel", visit.start + _EARLY)

    def _others(self) -> None:
        booked = self._book([(end or "came after all", (end,)) for end in _OTHERS])
        for visit, commands in zip(booked, _OTHERS.values(), strict=True):
            self._till.paid(visit.bill_id, TOTAL // 2)
            for number, command in enumerate(commands):
                self._visits.does(visit, command, visit.start + timedelta(minutes=15 + number))

    def _book(self, wanted: list[tuple[str, tuple[str, ...]]]) -> list[Visit]:
        """Visits for these purposes, and what each may end as."""
        booked = self._visits.book([what for what, _ in wanted])
        self._ours |= {visit.appointment_id: end for visit, (_, end) in zip(booked, wanted, strict=True)}
        return booked

    def events_come_again(self, accounts: Accounts) -> list[str]:
        """Every message of the flows of money, three times and in any order: the bills that changed by that.

        Where the sweep heard that a card takes nothing back, the bill may only now be put back for a person.
        """
        before = {name: accounts.bills[name].state for name in self._bills(accounts)}
        told = [one for one in self._visits.events() if one["subject"] in self._ours]
        sqs, queues = self._till.system.client("sqs"), {flow: self._queue(flow) for flow in flows.STARTED_BY}
        messages = [
            (flow, event) for flow, kinds in flows.STARTED_BY.items() for event in told if event["type"] in kinds
        ]
        again = messages * _TIMES
        random.shuffle(again)
        self.redelivered = len(again)
        with redelivering(self._till.system, _AGAIN_SECONDS):
            for flow, event in again:
                sqs.send_message(QueueUrl=queues[flow], MessageBody=json.dumps(event))
            self.comes_to_rest()
        after = self._till.accounts()
        changed = [name for name, state in before.items() if after.bills[name].state != state]
        failed = {one["bill_id"] for one in after.refunds.values() if one["status"] == "FAILED"}
        return [f"bill {name} changed when events came again" for name in changed if name not in failed]

    def _queue(self, flow: str) -> str:
        return physical(self._till.system, flow.title().replace("-", "") + "Queue")

    def judged(self, accounts: Accounts) -> list[str]:
        """Bills that are not what their visits' ends make them."""
        wrong = []
        for name in self._bills(accounts):
            state = accounts.bills[name].state
            end = _FLAGGED if state["flagged"] else (state["settlement"] or {"outcome": ""})["outcome"]
            expected = self._ours[state["appointment_id"]]
            if end not in expected or state["provisional"] != (end in ("", _FLAGGED)):
                wrong.append(f"bill {name} is {end or 'open'}, not {expected} ({self._till.bills[name]})")
        return wrong

    def _bills(self, accounts: Accounts) -> list[str]:
        return [name for name, kept in accounts.bills.items() if kept.state.get("appointment_id") in self._ours]

    def comes_to_rest(self) -> None:
        if left := wait_until_quiet(self._till.system, _QUIET_SECONDS):
            message = f"still waiting to be consumed: {left}"
            raise RuntimeError(message)
        self._till.comes_to_rest()


def _dies(machine: Machine, dying: Dying, visit: Visit) -> None:
    if dying.point:
        machine.runs(_given(visit), {dying.point.task: [f"die@{dying.point.place}"] * dying.tries})


def _given(visit: Visit) -> dict[str, str | int]:
    """What the flow gets of a visit that was booked and cancelled."""
    return {"appointment_id": visit.appointment_id, "version": 2, "correlation_id": ids.new()}


@contextmanager
def _held_back(till: Till) -> Iterator[None]:
    """For the length of a `with` block no event settles anything."""
    client = till.system.client("lambda")
    function = f"{till.system.stack}-{_FLOW}-starter"
    (mapping,) = client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
