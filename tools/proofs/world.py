"""What the prover knows of the hospital it works on: its people, and every visit as the last answer told it."""

from __future__ import annotations

import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from hms import ids
from tools.proofs.callers import Ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tools.proofs.callers import Answer, Way

ZONES = ("Asia/Kolkata", "America/New_York")
WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
DEPARTMENT = "Cardiology"
MINUTE = timedelta(minutes=1)
SLOT = 30 * MINUTE
MOST_MOVES = 2
SCHEDULED, CANCELLED = "SCHEDULED", "CANCELLED"
_OPENS, _CLOSES = time(9), time(18)
_CAPS = (8, 5, 12, 3, 8, 6)
_PATIENTS_AT_ONCE = 4
_SETTING_UP_TRIES = 4


class Span(NamedTuple):
    start: datetime
    end: datetime

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end

    def fields(self) -> dict[str, str]:
        return {"slot_start": self.start.isoformat(), "slot_end": self.end.isoformat()}


class Doctor(NamedTuple):
    doctor_id: str
    zone: str
    cap: int

    @property
    def place(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def grid(self, day: date) -> list[Span]:
        """The slots of a clinic day. Clocks change in the night, outside of these hours."""
        start = datetime.combine(day, _OPENS, self.place).astimezone(UTC)
        end = datetime.combine(day, _CLOSES, self.place).astimezone(UTC)
        return [Span(start + n * SLOT, start + (n + 1) * SLOT) for n in range((end - start) // SLOT)]

    def day_of(self, instant: datetime) -> date:
        return instant.astimezone(self.place).date()


@dataclass(frozen=True)
class Visit:
    appointment_id: str
    patient_id: str
    doctor_id: str
    span: Span
    status: str
    version: int
    moves: int

    @classmethod
    def told(cls, body: dict[str, Any]) -> Visit:
        span = Span(datetime.fromisoformat(body["slot_start"]), datetime.fromisoformat(body["slot_end"]))
        people = body["patient_id"], body["doctor_id"]
        return cls(
            body["appointment_id"], *people, span, body["status"], body["version"], body.get("reschedule_count", 0)
        )

    @property
    def active(self) -> bool:
        return self.status != CANCELLED


class World:
    """`luck` is seeded, so that a run asks the same things again; who wins is up to the hospital."""

    def __init__(self, doctors: Sequence[Doctor], patients: Sequence[str], seed: int = 1) -> None:
        self.doctors = {doctor.doctor_id: doctor for doctor in doctors}
        self.patients = list(patients)
        self.luck = random.Random(seed)  # noqa: S311  (a load that can be repeated, not a secret)
        self.visits: dict[str, Visit] = {}
        self._of_person: dict[str, set[str]] = defaultdict(set)
        self._days = count(step=2)
        self._first_day = datetime.now(UTC).date() + timedelta(days=10)

    def hears(self, answer: Answer) -> None:
        """Answers come in any order: the highest version stands."""
        if not answer.done:
            return
        visit = Visit.told(answer.body)
        known = self.visits.get(visit.appointment_id)
        if known and known.version >= visit.version:
            return
        self.visits[visit.appointment_id] = visit
        self._of_person[visit.patient_id].add(visit.appointment_id)
        self._of_person[visit.doctor_id].add(visit.appointment_id)

    def of(self, person_id: str) -> Iterator[Visit]:
        """Active visits of a patient or a doctor, as far as is known."""
        for appointment_id in self._of_person[person_id]:
            visit = self.visits[appointment_id]
            if visit.active and person_id in (visit.patient_id, visit.doctor_id):
                yield visit

    def free(self, person_id: str, span: Span) -> bool:
        return not any(visit.span.overlaps(span) for visit in self.of(person_id))

    def free_patients(self, span: Span, wanted: int) -> list[str]:
        """Up to so many patients, in random order, who have nothing else then."""
        shuffled = self.luck.sample(self.patients, len(self.patients))
        return [one for one in shuffled if self.free(one, span)][:wanted]

    def on_day(self, doctor: Doctor, day: date) -> list[Visit]:
        return [visit for visit in self.of(doctor.doctor_id) if doctor.day_of(visit.span.start) == day]

    def fresh_day(self) -> date:
        """A day on which nobody has anything yet, nor on the next."""
        return self._first_day + timedelta(days=next(self._days))

    def any_doctor(self) -> Doctor:
        return self.luck.choice(list(self.doctors.values()))

    def movable(self) -> list[Visit]:
        return [visit for visit in self.visits.values() if visit.status == SCHEDULED and visit.moves < MOST_MOVES]


def populated(way: Way, patients: int, seed: int = 1) -> World:
    """Registers doctors in two zones, each with a cap of their own, and so many patients."""
    doctors = [registered_doctor(way, ZONES[n % len(ZONES)], cap) for n, cap in enumerate(_CAPS)]
    with ThreadPoolExecutor(_PATIENTS_AT_ONCE) as pool:
        registered = list(pool.map(lambda _: registered_patient(way).body["patient_id"], range(patients)))
    return World(doctors, registered, seed)


def registered_doctor(way: Way, zone: str, cap: int, **more: Any) -> Doctor:
    person = {"name": "Dr. Meera Iyer", "department": DEPARTMENT, "specialization": "Cardiologist"}
    asked = {**person, "timezone": zone, "max_daily_appointments": cap, **more}
    body = _agreed(way, Ask("POST", "/v1/doctors", asked)).body
    hours = {"start": f"{_OPENS:%H:%M}", "end": f"{_CLOSES:%H:%M}", "slot_duration": SLOT // MINUTE}
    periods = [{"weekday": weekday, **hours} for weekday in WEEKDAYS]
    path = {"doctor_id": body["doctor_id"]}
    _agreed(way, Ask("PUT", "/v1/doctors/{doctor_id}/schedule", {"periods": periods}, path))
    return Doctor(body["doctor_id"], zone, cap)


def registered_patient(way: Way) -> Answer:
    surname = "".join(random.choices(ascii_lowercase, k=10)).title()  # noqa: S311  (or they all look like duplicates)
    person = {"name": f"Asha {surname}", "dob": "1990-04-23", "email": f"asha-{ids.new()}@example.com"}
    return _agreed(way, Ask("POST", "/v1/patients", person))


def _agreed(way: Way, ask: Ask) -> Answer:
    """What it answers, in the end: the first requests wait for functions to start."""
    for _ in range(_SETTING_UP_TRIES):
        answer = way.send(ask)
        if answer.status not in (0, 502, 503, 504):
            break
    if not answer.done:
        message = f"{ask.method} {ask.resource}: {answer.status} {answer.body}"
        raise RuntimeError(message)
    return answer
