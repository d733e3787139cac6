"""The rounds of the load: requests that start together, and what their answers must have in common."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from tools.proofs.callers import Ask
from tools.proofs.world import CANCELLED, MINUTE, MOST_MOVES, SLOT, Doctor, Span, Visit

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from tools.proofs.callers import Answer
    from tools.proofs.world import World

_BOOK = "/v1/appointments"
_RESCHEDULE = "/v1/appointments/{appointment_id}/reschedule"
_CANCEL = "/v1/appointments/{appointment_id}/cancel"
_EXEMPT = {"kind": "EMERGENCY", "reason": "Chest pain"}


class Round(NamedTuple):
    """`broken` says what is wrong with the answers, and nothing where nothing is."""

    kind: str
    asks: list[Ask]
    broken: Callable[[list[Answer]], str]


def booking(patient_id: str, doctor: Doctor, span: Span, *, exempt: bool = False) -> Ask:
    body = {"patient_id": patient_id, "doctor_id": doctor.doctor_id, **span.fields()}
    return Ask("POST", _BOOK, body | ({"exemption": _EXEMPT} if exempt else {}))


def move(visit: Visit, doctor: Doctor, span: Span) -> Ask:
    body = {"doctor_id": doctor.doctor_id, **span.fields()}
    return Ask("POST", _RESCHEDULE, body, {"appointment_id": visit.appointment_id})


def cancelling(visit: Visit) -> Ask:
    return Ask("POST", _CANCEL, {"reason": "Feeling better"}, {"appointment_id": visit.appointment_id})


def slot_contest(world: World, callers: int) -> Round:
    """All want the same half hour of one doctor: by booking it, by moving there, by an emergency of odd length."""
    doctor, span = _free_slot(world)
    around = Span(span.start - 2 * SLOT, span.end + 2 * SLOT)
    moving = _movers(world, span, callers // 4)
    taken = {visit.patient_id for visit in moving}
    patients = [one for one in world.free_patients(around, callers) if one not in taken][: callers - len(moving)]
    asks = [move(visit, doctor, span) for visit in moving]
    asks += [
        booking(one, doctor, _odd(world, span), exempt=True) if n % 6 == 5 else booking(one, doctor, span)
        for n, one in enumerate(patients)
    ]
    return Round("slot", asks, _one_winner)


def patient_contest(world: World, callers: int) -> Round:
    """One patient at every doctor's at once, over a midnight of one of the places."""
    patient_id = world.luck.choice(world.patients)
    midnight = datetime.combine(world.fresh_day(), world.luck.choice([time(0), time(18, 30), time(5)]), UTC)
    middle = Span(midnight - 5 * MINUTE, midnight + 5 * MINUTE)
    doctors = list(world.doctors.values())
    asks = [booking(patient_id, doctors[n % len(doctors)], _odd(world, middle), exempt=True) for n in range(callers)]
    return Round("patient", asks, _one_winner)


def cap_contest(world: World, callers: int) -> Round:
    """More callers than a day has places, each with a slot of their own as far as there are slots."""
    doctor, day = world.any_doctor(), world.fresh_day()
    grid = doctor.grid(day)
    patients = world.free_patients(Span(grid[0].start, grid[-1].end), callers)
    asks = [booking(one, doctor, grid[n % len(grid)]) for n, one in enumerate(patients)]
    places = min(doctor.cap, len(grid), len(patients))

    def broken(answers: list[Answer]) -> str:
        won, unsure = _won(answers), sum(answer.status in (0, 503) for answer in answers)
        return "" if places - unsure <= won <= places else f"{won} visits on a day with {places} places"

    return Round("cap", asks, broken)


def visit_contest(world: World, callers: int) -> Round:
    """One visit, cancelled and moved by all at once."""
    visits = world.movable()
    if not visits:
        return slot_contest(world, callers)
    visit = world.luck.choice(visits)
    hot = _hot_slots(world)
    asks = [cancelling(visit) if n % 2 else move(visit, *world.luck.choice(hot)) for n in range(callers)]

    def broken(answers: list[Answer]) -> str:
        states = Counter(answer.body["status"] for answer in answers if answer.done)
        cancelled, moved = states[CANCELLED], states.total() - states[CANCELLED]
        fine = cancelled <= 1 and moved <= MOST_MOVES - visit.moves
        return "" if fine else f"one visit was cancelled {cancelled} times and moved {moved} times"

    return Round("visit", asks, broken)


def mixed(world: World, callers: int) -> Round:
    """Everybody does something on the same few days."""
    hot = _hot_slots(world)
    movable = world.movable()
    return Round("mixed", [_anything(world, hot, movable) for _ in range(callers)], lambda _answers: "")


KINDS = (slot_contest, slot_contest, mixed, cap_contest, mixed, slot_contest, visit_contest, patient_contest, mixed)


def _anything(world: World, hot: list[tuple[Doctor, Span]], movable: list[Visit]) -> Ask:
    doctor, span = world.luck.choice(hot)
    dice = world.luck.random()
    if movable and dice < 0.35:
        return move(world.luck.choice(movable), doctor, span)
    if movable and dice < 0.55:
        return cancelling(world.luck.choice(movable))
    patient_id = world.luck.choice(world.patients)
    if dice < 0.65:
        return booking(patient_id, doctor, _odd(world, span), exempt=True)
    return booking(patient_id, doctor, span)


def _hot_slots(world: World) -> list[tuple[Doctor, Span]]:
    """The slots of a few sheets that are in use: two doctors, on days on which something is moving."""
    doctors = world.luck.sample(list(world.doctors.values()), 2)
    days = [_busy_day(world, doctor) for doctor in doctors]
    return [(doctor, span) for doctor, day in zip(doctors, days, strict=True) for span in doctor.grid(day)] + [
        (doctors[0], span) for span in doctors[0].grid(days[0] + timedelta(days=1))
    ]


def _busy_day(world: World, doctor: Doctor) -> date:
    days = sorted({doctor.day_of(visit.span.start) for visit in world.of(doctor.doctor_id)})
    return world.luck.choice(days[-5:]) if days else world.fresh_day()


def _free_slot(world: World) -> tuple[Doctor, Span]:
    """A slot that the doctor has, on a day that takes one more: a day in use while it has room, else a new one."""
    doctor = world.any_doctor()
    for day in (_busy_day(world, doctor), world.fresh_day()):
        free = [span for span in doctor.grid(day) if world.free(doctor.doctor_id, span)]
        if free and len(world.on_day(doctor, day)) < doctor.cap:
            return doctor, world.luck.choice(free)
    message = "a day on which nobody has anything has no free slot"
    raise AssertionError(message)


def _movers(world: World, span: Span, wanted: int) -> list[Visit]:
    """Visits of different patients who could come then."""
    found: dict[str, Visit] = {}
    for visit in world.luck.sample(movable := world.movable(), len(movable)):
        if len(found) == wanted:
            break
        if world.free(visit.patient_id, span):
            found.setdefault(visit.patient_id, visit)
    return list(found.values())


def _odd(world: World, span: Span) -> Span:
    """Some length on five minutes that holds all of the span."""
    before, after = (world.luck.randrange(0, 25, 5) * MINUTE for _ in range(2))
    return Span(span.start - before, span.end + after)


def _won(answers: list[Answer]) -> int:
    return sum(answer.done for answer in answers)


def _one_winner(answers: list[Answer]) -> str:
    won = _won(answers)
    return "" if won == 1 else f"{won} winners"
