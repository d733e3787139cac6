"""Visits from booking to their end, by callers who ask again with the same key until they are answered."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from hms import ids
from tools.proofs.callers import Ask
from tools.proofs.rounds import booking, cancelling, move
from tools.proofs.world import Visit, registered_doctor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.proofs.callers import Answer, Way
    from tools.proofs.world import Doctor, Span

_ZONES = ("Asia/Kolkata", "America/New_York")
_DOCTORS, _CAP = 6, 8
_TRIES = 8
_TRIES_WITH_FAULTS = 2
_FIRST_DAY = 10
# A patient has one visit at a time, and as many doctors as this work at the same time.
_FEWEST_PATIENTS = 2 * _DOCTORS


class Stubborn:
    """`told` says of each change that was answered, by aggregate and version, when its caller heard of it."""

    def __init__(self, way: Way, faults: str = "") -> None:
        self._way = way
        self.faults = faults
        self.told: dict[tuple[str, int], float] = {}

    def send(self, ask: Ask) -> Answer:
        key = {"Idempotency-Key": ids.new()}
        for tried in range(_TRIES):
            unlucky = {"X-Test-Fault": self.faults} if self.faults and tried < _TRIES_WITH_FAULTS else {}
            answer = self._way.send(replace(ask, headers=key | unlucky))
            if 200 <= answer.status < 500:
                break
        if answer.done:
            self._hears(answer)
        return answer

    def _hears(self, answer: Answer) -> None:
        names = (name for name in ("appointment_id", "patient_id", "doctor_id") if name in answer.body)
        if name := next(names, None):
            self.told[answer.body[name], answer.body["version"]] = time.time()


class Lives:
    """Doctors, patients who can be reached by e-mail and phone at any hour, and the visits that they come to have."""

    def __init__(self, way: Way, patients: int) -> None:
        self._way = way
        self.addresses: set[str] = set()
        self.doctors = [registered_doctor(way, _ZONES[number % 2], _CAP) for number in range(_DOCTORS)]
        self.patients = [self._reachable() for _ in range(max(patients, _FEWEST_PATIENTS))]
        self._places, self._visits = count(), count()
        self._today = datetime.now(UTC).date()

    def book(self) -> Visit | None:
        doctor, span = self._next_place()
        patient_id = self.patients[next(self._visits) % len(self.patients)]
        return _visit(self._way.send(booking(patient_id, doctor, span)))

    def live(self, number: int) -> None:
        """Booked; every second one moved, every third cancelled, and now and then somebody has a new name."""
        visit = self.book()
        if visit and number % 2:
            doctor, span = self._next_place()
            visit = _visit(self._way.send(move(visit, doctor, span))) or visit
        if visit and number % 3 == 0:
            self._way.send(cancelling(visit))
        if number % 5 == 0:
            path = {"patient_id": self.patients[number % len(self.patients)]}
            self._way.send(Ask("PATCH", "/v1/patients/{patient_id}", {"name": f"Asha {_surname()}"}, path))
            path = {"doctor_id": self.doctors[number % _DOCTORS].doctor_id}
            self._way.send(Ask("PATCH", "/v1/doctors/{doctor_id}", {"name": f"Dr. {_surname()}"}, path))

    def _reachable(self) -> str:
        digits = random.randrange(10**6)  # noqa: S311
        contact = {"email": f"asha-{ids.new()}@example.com", "phone": f"+919752{digits:06d}"}
        self.addresses.update(contact.values())
        person = {"name": f"Asha {_surname()}", "dob": "1990-04-23", **contact}
        patient_id: str = self._agreed(Ask("POST", "/v1/patients", person))["patient_id"]
        # Far from now: what is proved does not wait for the morning.
        later = datetime.now(UTC) + timedelta(hours=12)
        quiet = {"start": f"{later:%H}:00", "end": f"{later:%H}:01"}
        path = {"patient_id": patient_id}
        self._agreed(Ask("PUT", "/v1/patients/{patient_id}/notification-preferences", {"quiet_hours": quiet}, path))
        return patient_id

    def _agreed(self, ask: Ask) -> dict[str, str]:
        answer = self._way.send(ask)
        if not answer.done:
            message = f"{ask.method} {ask.resource}: {answer.status} {answer.body}"
            raise RuntimeError(message)
        return answer.body

    def _next_place(self) -> tuple[Doctor, Span]:
        """Each slot once, those at the same time one after the other."""
        days, place = divmod(next(self._places), _DOCTORS * _CAP)
        slot, number = divmod(place, _DOCTORS)
        doctor = self.doctors[number]
        return doctor, doctor.grid(self._today + timedelta(days=_FIRST_DAY + days))[slot]


def live_all(lives: Lives, numbers: Sequence[int], callers: int) -> None:
    with ThreadPoolExecutor(callers) as crew:
        list(crew.map(lives.live, numbers))


def book_all(lives: Lives, bookings: int, callers: int) -> int:
    """How many of so many bookings at once were made."""
    with ThreadPoolExecutor(callers) as crew:
        return sum(visit is not None for visit in crew.map(lambda _: lives.book(), range(bookings)))


def _visit(answer: Answer) -> Visit | None:
    return Visit.told(answer.body) if answer.done else None


def _surname() -> str:
    return "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=10)).title()  # noqa: S311
