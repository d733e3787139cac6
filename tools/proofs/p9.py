"""P9: read your own writes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools.progress import console
from tools.proofs import Report
from tools.proofs.callers import Administrator, Ask, OverHttp
from tools.proofs.rounds import booking, cancelling, move
from tools.proofs.world import SLOT, Visit, populated, registered_doctor, registered_patient

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
    reader = Reader(way, world)
    wanted = _FULL if full else _SMALL
    with console.status("") as status, ThreadPoolExecutor(_READERS) as crew:
        while reader.tally.writes < wanted:
            status.update(f"write {reader.tally.writes + 1} of {wanted}, each read back at once")
            _write(reader, crew, way, world)
    tally = reader.tally
    for miss in tally.misses[:10]:
        console.print(f"  [red]{miss}[/]")
    figure = f"{len(tally.misses)} misses in {tally.reads:,} reads right after {tally.writes:,} writes"
    return Report("P9", "read your own writes", figure, _TARGET, not tally.misses)


class Reader:
    """Reads at once what was just written, wherever it must show, and counts where it does not."""

    def __init__(self, way: Way, world: World) -> None:
        self._way = way
        self._world = world
        self.tally = Tally()

    def all_show(self, crew: ThreadPoolExecutor, reads: Sequence[Callable[[], str]]) -> None:
        self.tally.writes += 1
        self.tally.reads += len(reads)
        self.tally.misses += [miss for miss in crew.map(lambda read: read(), reads) if miss]

    def by_id(self, written: Answer, resource: str = _ONE, name: str = "appointment_id") -> str:
        answer = self._way.send(Ask("GET", resource, path={name: written.body[name]}))
        return "" if answer.body == written.body else f"by id: {answer.status} {answer.body}, not {written.body}"

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


def _write(reader: Reader, crew: ThreadPoolExecutor, way: Way, world: World) -> None:
    """A visit is booked, moved and cancelled; now and then with somebody new, or with other hours."""
    doctor, patient_id = world.any_doctor(), world.luck.choice(world.patients)
    if reader.tally.writes % _EVERY == 0:
        doctor, patient_id = _somebody_new(reader, crew, way, world)
    if reader.tally.writes % _EVERY == 3:
        _change_hours(reader, crew, way, world)
    day = world.fresh_day()
    first, second = world.luck.sample(doctor.grid(day), 2)
    visit = _visit(reader, crew, way, world, booking(patient_id, doctor, first))
    visit = _visit(reader, crew, way, world, move(visit, doctor, second))
    _visit(reader, crew, way, world, cancelling(visit))


def _visit(reader: Reader, crew: ThreadPoolExecutor, way: Way, world: World, ask: Ask) -> Visit:
    answer = way.send(ask)
    if not answer.done:
        message = f"{ask.resource}: {answer.status} {answer.body}"
        raise RuntimeError(message)
    world.hears(answer)
    visit = Visit.told(answer.body)
    doctor = world.doctors[visit.doctor_id]
    reads: list[Callable[[], str]] = [
        lambda: reader.by_id(answer),
        lambda: reader.free(doctor, doctor.day_of(visit.span.start)),
        lambda: reader.in_list(visit, patient_id=visit.patient_id),
        lambda: reader.in_list(visit, doctor_id=visit.doctor_id),
        lambda: reader.of_day(visit),
    ]
    reader.all_show(crew, reads)
    return visit


def _somebody_new(reader: Reader, crew: ThreadPoolExecutor, way: Way, world: World) -> tuple[Doctor, str]:
    doctor = registered_doctor(way, "Asia/Kolkata", 8)
    world.doctors[doctor.doctor_id] = doctor
    day = world.fresh_day()
    reader.all_show(crew, [lambda: reader.free(doctor, day)])
    registered = registered_patient(way)
    reader.all_show(crew, [lambda: reader.by_id(registered, "/v1/patients/{patient_id}", "patient_id")])
    patient_id: str = registered.body["patient_id"]
    return doctor, patient_id


def _change_hours(reader: Reader, crew: ThreadPoolExecutor, way: Way, world: World) -> None:
    doctor, day = world.any_doctor(), world.fresh_day()
    path = {"doctor_id": doctor.doctor_id, "date": str(day)}
    grid = doctor.grid(day)[2:4]
    start = grid[0].start.astimezone(doctor.place)
    periods = [{"start": f"{start:%H:%M}", "end": f"{start + 2 * SLOT:%H:%M}", "slot_duration": 30}]
    answer = way.send(Ask("PUT", _OVERRIDE, {"periods": periods}, path))
    if not answer.done:
        message = f"{_OVERRIDE}: {answer.status} {answer.body}"
        raise RuntimeError(message)
    reader.all_show(crew, [lambda: reader.free(doctor, day, grid)])
