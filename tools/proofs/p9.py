"""P9: read your own writes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools.progress import console
from tools.proofs import Report
from tools.proofs.callers import Administrator, Ask, OverHttp
from tools.proofs.rounds import booking, cancelling, move
from tools.proofs.world import MINUTE, SLOT, Visit, populated, registered_doctor, registered_patient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from tools.proofs.callers import Answer, Way
    from tools.proofs.world import Doctor, Span, World
    from tools.system import System

NEEDS_SYSTEM = True
_TARGET = "0 misses; lists from an index say as_of"
_FULL, _SMALL = 500, 30
_READERS = 5
_PATIENTS = 12
_LIST, _ONE = "/v1/appointments", "/v1/appointments/{appointment_id}"
_AVAILABILITY = "/v1/doctors/{doctor_id}/availability"
_OVERRIDE = "/v1/doctors/{doctor_id}/overrides/{date}"
# Each tenth write brings somebody new, each tenth changes a doctor's hours.
_EVERY = 10


@dataclass
class Tally:
    writes: int = 0
    reads: int = 0
    misses: list[str] = field(default_factory=list)


def prove(system: System, full: bool) -> Report:
    way = OverHttp(system, Administrator(system))
    world = populated(way, _PATIENTS)
    wanted = _FULL if full else _SMALL
    with console.status("") as status, ThreadPoolExecutor(_READERS) as crew:
        writer = Writer(way, world, Reader(way, world, crew))
        tally = writer.reader.tally
        while tally.writes < wanted:
            status.update(f"write {tally.writes + 1} of {wanted}, each read back at once")
            writer.write()
    for miss in tally.misses[:10]:
        console.print(f"  [red]{miss}[/]")
    figure = f"{len(tally.misses)} misses in {tally.reads:,} reads right after {tally.writes:,} writes"
    return Report("P9", "read your own writes", figure, _TARGET, not tally.misses)


class Reader:
    """Reads at once what was just written, wherever it must show, and counts where it does not."""

    def __init__(self, way: Way, world: World, crew: ThreadPoolExecutor) -> None:
        self._way = way
        self._world = world
        self._crew = crew
        self.tally = Tally()

    def all_show(self, *reads: Callable[[], str]) -> None:
        self.tally.writes += 1
        self.tally.reads += len(reads)
        self.tally.misses += [miss for miss in self._crew.map(lambda read: read(), reads) if miss]

    def by_id(self, written: Answer, resource: str = _ONE, name: str = "appointment_id") -> str:
        answer = self._way.send(Ask("GET", resource, path={name: written.body[name]}))
        # What is only said once, at registration, is not read again.
        same = answer.done and answer.body.items() <= written.body.items()
        return "" if same else f"by id: {answer.status} {answer.body}, not {written.body}"

    def in_list(self, visit: Visit, **owner: str) -> str:
        day = str(self._world.doctors[visit.doctor_id].day_of(visit.span.start))
        answer = self._way.send(Ask("GET", _LIST, query={**owner, "day": day, "limit": "100"}))
        found = [one for one in answer.body.get("items", ()) if one["appointment_id"] == visit.appointment_id]
        shown = [(one["status"], Visit.told(one | {"version": 0}).span) for one in found]
        return "" if shown == [(visit.status, visit.span)] else f"list of {owner}: {answer.status} {found}"

    def of_day(self, visit: Visit) -> str:
        """The list that an index answers may be late, and says as of when it is."""
        day = str(self._world.doctors[visit.doctor_id].day_of(visit.span.start))
        answer = self._way.send(Ask("GET", _LIST, query={"day": day}))
        return "" if answer.done and answer.body.get("as_of") else f"list of a day: {answer.status} without as_of"

    def free(self, doctor: Doctor, day: date, grid: Sequence[Span] | None = None) -> str:
        """Just the slots that are free by what was answered so far."""
        taken = self._world.on_day(doctor, day)
        room = len(taken) < doctor.cap
        spans = doctor.grid(day) if grid is None else grid
        expected = [span for span in spans if room and self._world.free(doctor.doctor_id, span)]
        query = {"from": str(day), "to": str(day)}
        answer = self._way.send(Ask("GET", _AVAILABILITY, path={"doctor_id": doctor.doctor_id}, query=query))
        slots = [_span(one) for one in answer.body.get("slots", ())]
        return "" if slots == expected else f"availability: {answer.status}, {len(slots)} slots, not {len(expected)}"


def _span(slot: dict[str, Any]) -> Span:
    return Visit.told({"appointment_id": "", "patient_id": "", "doctor_id": "", "status": "", "version": 0} | slot).span


class Writer:
    def __init__(self, way: Way, world: World, reader: Reader) -> None:
        self._way = way
        self._world = world
        self.reader = reader

    def write(self) -> None:
        """A visit is booked, moved and cancelled; now and then with somebody new, or after a change of hours."""
        world, number = self._world, self.reader.tally.writes
        doctor, patient_id = world.any_doctor(), world.luck.choice(world.patients)
        if number % _EVERY == 0:
            doctor, patient_id = self._somebody_new()
        if number % _EVERY == _EVERY // 2:
            self._change_hours()
        first, second = world.luck.sample(doctor.grid(world.fresh_day()), 2)
        visit = self._visit(booking(patient_id, doctor, first))
        visit = self._visit(move(visit, doctor, second))
        self._visit(cancelling(visit))

    def _visit(self, ask: Ask) -> Visit:
        answer = self._agreed(ask)
        self._world.hears(answer)
        visit, reader = Visit.told(answer.body), self.reader
        doctor = self._world.doctors[visit.doctor_id]
        reader.all_show(
            lambda: reader.by_id(answer),
            lambda: reader.free(doctor, doctor.day_of(visit.span.start)),
            lambda: reader.in_list(visit, patient_id=visit.patient_id),
            lambda: reader.in_list(visit, doctor_id=visit.doctor_id),
            lambda: reader.of_day(visit),
        )
        return visit

    def _somebody_new(self) -> tuple[Doctor, str]:
        doctor = registered_doctor(self._way, "Asia/Kolkata", 8)
        self._world.doctors[doctor.doctor_id] = doctor
        day = self._world.fresh_day()
        self.reader.all_show(lambda: self.reader.free(doctor, day))
        registered = registered_patient(self._way)
        self.reader.all_show(lambda: self.reader.by_id(registered, "/v1/patients/{patient_id}", "patient_id"))
        return doctor, str(registered.body["patient_id"])

    def _change_hours(self) -> None:
        """On one day the doctor works for an hour only."""
        doctor, day = self._world.any_doctor(), self._world.fresh_day()
        grid = doctor.grid(day)[2:4]
        start, end = grid[0].start.astimezone(doctor.place), grid[-1].end.astimezone(doctor.place)
        periods = [{"start": f"{start:%H:%M}", "end": f"{end:%H:%M}", "slot_duration": SLOT // MINUTE}]
        path = {"doctor_id": doctor.doctor_id, "date": str(day)}
        self._agreed(Ask("PUT", _OVERRIDE, {"periods": periods}, path))
        self.reader.all_show(lambda: self.reader.free(doctor, day, grid))

    def _agreed(self, ask: Ask) -> Answer:
        answer = self._way.send(ask)
        if not answer.done:
            message = f"{ask.resource}: {answer.status} {answer.body}"
            raise RuntimeError(message)
        return answer
