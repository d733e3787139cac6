"""Whatever is booked, moved, cancelled, missed and taken back, in any order, under conflicts and lost answers:
every command answers as the plain ledger says, and sheets, lists and visits agree with it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from appointments import agenda
from appointments.model import Slot
from appointments.query import ListAppointments
from hms import ids
from hms.errors import Problem
from tests.support.appointments import (
    ADMINISTRATOR,
    DAY,
    DOCTOR,
    NOW,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    PATIENT,
    THE_PATIENT,
    WALK_IN,
    Desk,
    a_doctor,
    a_patient,
    a_period,
    a_principal,
    every_day,
)
from tests.support.ledger import Hours, Ledger, Place, Visit

if TYPE_CHECKING:
    from collections.abc import Callable

    from appointments.model import Appointment
    from hms.call import Outcome

pytestmark = pytest.mark.proof

THIRD_PATIENT, THIRD_DOCTOR = ids.derived("patient", 3), ids.derived("doctor", 3)
PATIENTS = (PATIENT, OTHER_PATIENT, THIRD_PATIENT)
# Slots of different lengths that overlap each other, and a doctor far away whose night crosses midnight in UTC too.
DOCTORS = {
    DOCTOR: Hours("Asia/Kolkata", 10 * 60, 13 * 60, 30, cap=3),
    OTHER_DOCTOR: Hours("Asia/Kolkata", 10 * 60, 12 * 60 + 30, 25, cap=2),
    THIRD_DOCTOR: Hours("Africa/Lagos", 9 * 60, 12 * 60, 60, cap=2),
}
FAULTS = (None, None, None, "loses_answers", "is_contended")
MINUTE = timedelta(minutes=1)


class Aim(NamedTuple):
    """`step` is a number of the doctor's grid, or a minute of the day and a thousand; no minutes means a slot's."""

    doctor: str
    day: int
    step: int
    minutes: int
    exempt: bool

    def place(self, patient: str) -> Place:
        hours = DOCTORS[self.doctor]
        minute = self.step - 1000 if self.step >= 1000 else hours.start + self.step * hours.length
        midnight = datetime.combine(DAY + timedelta(days=self.day), datetime.min.time(), ZoneInfo(hours.zone))
        start = midnight.astimezone(UTC) + minute * MINUTE
        return Place(patient, self.doctor, start, start + (self.minutes or hours.length) * MINUTE, self.exempt)


doctors, days = st.sampled_from(sorted(DOCTORS)), st.integers(0, 1)
on_grid = st.builds(Aim, doctors, days, st.integers(0, 3), st.just(0), st.just(False))
odd_minutes = st.sampled_from([8 * 60, 10 * 60 + 5, 11 * 60, 23 * 60 + 30]).map(lambda minute: minute + 1000)
odd = st.builds(Aim, doctors, days, odd_minutes, st.sampled_from([0, 20, 60, 240]), st.booleans())
squeezed_in = st.builds(Aim, doctors, days, st.integers(0, 5), st.sampled_from([0, 20, 60]), st.just(True))
aims = st.one_of(on_grid, on_grid, on_grid, squeezed_in, odd)


class Bookings(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.desk, self.ledger = Desk(), Ledger(DOCTORS)
        self.last: tuple[Any, Any] | None = None
        for doctor_id, hours in DOCTORS.items():
            period = a_period(clock(hours.start), clock(hours.end), hours.length)
            facts = {"timezone": hours.zone, "max_daily_appointments": hours.cap, "schedule": every_day(period)}
            self.desk.knows(a_doctor(doctor_id, **facts))
        self.desk.knows(a_patient(THIRD_PATIENT))

    @initialize(bookings=st.lists(st.tuples(st.sampled_from(PATIENTS), on_grid), min_size=4, max_size=8))
    def a_morning_of_bookings(self, bookings: list[tuple[str, Aim]]) -> None:
        for patient, aim in bookings:
            self.book_one(patient, aim, None)

    @rule(patient=st.sampled_from(PATIENTS), aim=aims, fault=st.sampled_from(FAULTS))
    def book(self, patient: str, aim: Aim, fault: str | None) -> None:
        self.book_one(patient, aim, fault)

    def book_one(self, patient: str, aim: Aim, fault: str | None) -> None:
        place = aim.place(patient)
        call = self.desk.call(token=ids.new())

        def command() -> Outcome[Appointment]:
            return self.desk.book(
                Slot(place.start, place.end),
                call=call,
                patient_id=place.patient,
                doctor_id=place.doctor,
                exemption=WALK_IN if place.exempt else None,
            )

        outcome = self.done(command, self.ledger.refusal(place, self.desk.now), fault)
        if outcome:
            name = outcome.state.appointment_id
            self.ledger.visits.append(Visit(name, patient, place.doctor, place.start, place.end, exempt=place.exempt))
            self.last = (command, outcome.state)

    @precondition(lambda self: self.last)
    @rule()
    def book_again_with_the_same_key(self) -> None:
        assert self.last
        command, first = self.last

        again = command()

        assert again.replayed
        assert again.state == first

    @precondition(lambda self: self.ledger.visits)
    @rule(number=st.integers(0, 99), aim=aims, fault=st.sampled_from(FAULTS))
    def reschedule(self, number: int, aim: Aim, fault: str | None) -> None:
        visit = self.chosen(number)
        place, now = aim.place(visit.patient), self.desk.now
        refusal = self.ledger.refusal(place, now, own=visit.name)
        if visit.status != "SCHEDULED":
            refusal = "INVALID_TRANSITION"
        elif visit.moves >= 2:
            refusal = "RESCHEDULE_LIMIT"
        elif visit.start - now < 60 * MINUTE:
            refusal = "TOO_LATE_TO_RESCHEDULE"
        exemption = WALK_IN if place.exempt else None

        def command() -> Outcome[Appointment]:
            slot = Slot(place.start, place.end)
            return self.desk.reschedule(visit.name, slot, doctor_id=place.doctor, exemption=exemption)

        if self.done(command, refusal, fault):
            visit.doctor, visit.start, visit.end = place.doctor, place.start, place.end
            visit.exempt, visit.moves, visit.changes = place.exempt, visit.moves + 1, visit.changes + 1

    @precondition(lambda self: self.ledger.visits)
    @rule(number=st.integers(0, 99), by_patient=st.booleans(), fault=st.sampled_from(FAULTS))
    def cancel(self, number: int, by_patient: bool, fault: str | None) -> None:
        visit = self.chosen(number)
        refusal = None if visit.status in ("SCHEDULED", "CHECKED_IN") else "INVALID_TRANSITION"
        if by_patient and visit.patient != PATIENT:
            refusal = "FORBIDDEN"
        elif by_patient and self.desk.now > visit.start:
            refusal = refusal or "TOO_LATE_TO_CANCEL"
        who = THE_PATIENT if by_patient else ADMINISTRATOR
        self.turned(visit, "CANCELLED", lambda: self.desk.cancel(visit.name, who), refusal, fault)

    @precondition(lambda self: self.ledger.visits)
    @rule(number=st.integers(0, 99), fault=st.sampled_from(FAULTS))
    def check_in_or_take_back(self, number: int, fault: str | None) -> None:
        visit = self.chosen(number)
        refusal = None if visit.status == "SCHEDULED" else "INVALID_TRANSITION"
        if visit.status == "NO_SHOW":
            zone = DOCTORS[visit.doctor].zone
            same_day = self.desk.now.astimezone(ZoneInfo(zone)).date() in visit.touches(zone)
            refusal = self.ledger.free_again(visit) if same_day else "INVALID_TRANSITION"
        self.turned(visit, "CHECKED_IN", lambda: self.desk.check_in(visit.name), refusal, fault)

    @precondition(lambda self: self.ledger.visits)
    @rule(number=st.integers(0, 99), fault=st.sampled_from(FAULTS))
    def miss(self, number: int, fault: str | None) -> None:
        visit = self.chosen(number)
        refusal = None if self.desk.now >= visit.start + 15 * MINUTE else "TOO_EARLY_FOR_NO_SHOW"
        refusal = refusal if visit.status == "SCHEDULED" else "INVALID_TRANSITION"
        self.turned(visit, "NO_SHOW", lambda: self.desk.no_show(visit.name), refusal, fault)

    @precondition(lambda self: self.ledger.visits)
    @rule(number=st.integers(0, 99), fault=st.sampled_from(FAULTS))
    def complete(self, number: int, fault: str | None) -> None:
        visit = self.chosen(number)
        refusal = None if self.desk.now >= visit.start else "NOT_STARTED"
        refusal = refusal if visit.status in ("SCHEDULED", "CHECKED_IN", "IN_CONSULTATION") else "INVALID_TRANSITION"
        doctor = a_principal("doctor", doctor_id=visit.doctor)
        self.turned(visit, "COMPLETED", lambda: self.desk.complete(visit.name, doctor), refusal, fault)

    @rule(minutes=st.sampled_from([5, 10, 15, 60, 120, 240]))
    def pass_time(self, minutes: int) -> None:
        if self.desk.now < NOW + timedelta(days=3):
            self.desk.now += minutes * MINUTE

    def chosen(self, number: int) -> Visit:
        visits = self.ledger.visits
        return visits[number % len(visits)]

    def turned(
        self,
        visit: Visit,
        status: str,
        command: Callable[[], Outcome[Appointment]],
        refusal: str | None,
        fault: str | None,
    ) -> None:
        if self.done(command, refusal, fault):
            visit.status, visit.changes = status, visit.changes + 1

    def done(
        self, command: Callable[[], Outcome[Appointment]], refusal: str | None, fault: str | None
    ) -> Outcome[Appointment] | None:
        """Runs a command that must end as the ledger says, whatever happens on the way."""
        event(refusal or "done")
        if fault and refusal is None:
            getattr(self.desk.table, fault)()
        if refusal is None:
            return command()
        with pytest.raises(Problem) as told:
            command()
        assert told.value.code == refusal
        return None

    @invariant()
    def nobody_is_at_two_places(self) -> None:
        assert self.ledger.overlaps() == []
        assert self.ledger.above_cap() == []

    @invariant()
    def sheets_say_what_the_visits_say(self) -> None:
        owners = [f"doctor#{one}" for one in DOCTORS] + [f"patient#{one}" for one in PATIENTS]
        sheets = [sheet for owner in owners for sheet in self.desk.appointments.sheets(owner, date.min, date.max)]
        found = {sheet.id: {line.appointment_id: line.status.value for line in sheet.lines} for sheet in sheets}
        assert {place: lines for place, lines in found.items() if lines} == self.ledger.sheets()

    @invariant()
    def lists_say_what_the_visits_say(self) -> None:
        for question, owner in (("doctor_id", DOCTORS), ("patient_id", PATIENTS)):
            for one in owner:
                params = ListAppointments.model_validate({question: one, "limit": 100})
                wanted = agenda.wanted_by(params, self.desk.call(ADMINISTRATOR))
                items, _ = agenda.visits(wanted, self.desk.appointments)
                found = [(item.slot_start, item.appointment_id, item.status) for item in items]
                assert found == self.expected(question, one)

    def expected(self, question: str, person: str) -> list[tuple[datetime, str, str]]:
        theirs = [
            visit
            for visit in self.ledger.visits
            if person == (visit.doctor if question == "doctor_id" else visit.patient)
        ]
        return sorted((visit.start, visit.name, visit.status) for visit in theirs)

    @invariant()
    def every_change_was_told_once(self) -> None:
        for visit in self.ledger.visits:
            assert self.desk.read(visit.name, ADMINISTRATOR).version == visit.changes
            assert len(self.desk.events(visit.name)) == visit.changes


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


TestBookings = Bookings.TestCase
if settings.get_current_profile_name() != "large":
    TestBookings.settings = settings(
        max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
