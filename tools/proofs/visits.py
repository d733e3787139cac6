"""Visits of a patient to a doctor, each with its bill, and how they end."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from hms import ids
from hms.fields import rfc3339
from hms.money import wire
from tools.proofs.callers import Ask
from tools.proofs.rounds import booking
from tools.proofs.world import registered_doctor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.proofs.callers import Way
    from tools.proofs.tills import Till
    from tools.proofs.world import Span

_ZONE = "Asia/Kolkata"
_FIRST_DAY = 10
_AT_ONCE = 4
_BILL_SECONDS = 300


class Visit(NamedTuple):
    appointment_id: str
    bill_id: str
    start: datetime


class Visits:
    """`fee` is the doctor's, net; the bills are among those of the till."""

    def __init__(self, till: Till, fee: int) -> None:
        self._till = till
        money = {"amount": wire(fee), "currency": "INR"}
        # As many as there are slots on a day.
        self.doctor = registered_doctor(till.way, _ZONE, 18, consultation_fee=money)
        self._free = self._slots()

    def book(self, whats: list[str]) -> list[Visit]:
        """A visit for each, once its bill is open; `whats` are what they are booked for."""
        spans = [next(self._free) for _ in whats]
        with ThreadPoolExecutor(_AT_ONCE) as crew:
            booked = list(crew.map(self._booked, spans))
            return list(crew.map(self._billed, booked, spans, whats))

    def _slots(self) -> Iterator[Span]:
        today = datetime.now(UTC).date()
        for day in count(_FIRST_DAY):
            yield from self.doctor.grid(today + timedelta(days=day))

    def _booked(self, span: Span) -> str:
        ask = replace(booking(self._till.patient_id, self.doctor, span), headers={"Idempotency-Key": ids.new()})
        appointment_id: str = self._till.agreed(ask)["appointment_id"]
        return appointment_id

    def _billed(self, appointment_id: str, span: Span, what: str) -> Visit:
        """The flow that confirms the visit opens its bill."""
        deadline = time.monotonic() + _BILL_SECONDS
        while time.monotonic() < deadline:
            found = self._till.agreed(Ask("GET", "/v1/bills", query={"appointment_id": appointment_id}))["items"]
            if found:
                bill_id: str = found[0]["bill_id"]
                self._till.bills[bill_id] = what
                return Visit(appointment_id, bill_id, span.start)
            time.sleep(0.5)
        message = f"no bill for visit {appointment_id} ({what})"
        raise RuntimeError(message)

    def does(self, visit: Visit, command: str, at: datetime, by: Way | None = None, **said: str) -> None:
        """Somebody does something about a visit at an instant: `cancel`, `no-show`, `complete` …"""
        headers = {"Idempotency-Key": ids.new(), "X-Test-Clock": rfc3339(at)}
        path = {"appointment_id": visit.appointment_id}
        ask = Ask("POST", f"/v1/appointments/{{appointment_id}}/{command}", said, path, headers=headers)
        self._till.agreed(ask, by)

    def events(self) -> list[dict[str, Any]]:
        """All that was told of visits, whoever's."""
        rows = self._till.rows("AppointmentsTable")
        return [json.loads(row["body"]) for row in rows if row["sk"].startswith("event#")]
