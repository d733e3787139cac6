"""Free slots, lists, stranded visits: what the sheets say to those who ask."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from appointments import agenda, service
from appointments.model import AppointmentSummary, Slot
from appointments.query import AvailabilityParams, ListAppointments
from hms import ids
from hms.errors import Problem
from hms.fields import day_of
from hms.pages import sealed
from tests.support.appointments import (
    ANOTHER_PATIENT,
    DAY,
    DOCTOR,
    EMERGENCY,
    NOW,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    PATIENT,
    RECEPTIONIST,
    THE_DOCTOR,
    THE_PATIENT,
    WALK_IN,
    Desk,
    a_doctor,
    a_patient,
    a_period,
    a_principal,
    a_slot,
    at,
    every_day,
)
from tests.unit.appointments.test_service import a_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.auth import Principal

DAYS = timedelta(days=1)


def refusal(work: Callable[[], Any]) -> str | None:
    try:
        work()
    except Problem as problem:
        return problem.code
    return None


def free(desk: Desk, doctor_id: str = DOCTOR, **asked: str) -> list[Slot]:
    span = AvailabilityParams.model_validate(asked or {"from": str(DAY), "to": str(DAY)}).span(day_of(desk.now, "UTC"))
    found = agenda.availability(doctor_id, span, desk.call(), desk.appointments, desk.owners)
    return [Slot(one.slot_start, one.slot_end) for one in found.slots]


def listed(desk: Desk, who: Principal = RECEPTIONIST, **asked: Any) -> list[AppointmentSummary]:
    return page_of(desk, who, **asked)[0]


def page_of(desk: Desk, who: Principal = RECEPTIONIST, **asked: Any) -> tuple[list[AppointmentSummary], str | None]:
    wanted = agenda.wanted_by(ListAppointments.model_validate(asked), desk.call(who))
    items, last = agenda.visits(wanted, desk.appointments)
    return items, sealed(last)


def ids_of(found: list[AppointmentSummary]) -> list[str]:
    return [one.appointment_id for one in found]


def test_a_free_day_offers_every_slot_in_order(desk: Desk) -> None:
    found = free(desk)

    assert found[0] == a_slot("09:00")
    assert found[-1] == a_slot("17:30")
    assert len(found) == 18
    assert found == sorted(found)


def test_slots_come_in_order_however_the_hours_were_published(desk: Desk) -> None:
    desk.knows(a_doctor(schedule=every_day(a_period("15:00", "16:00"), a_period("09:00", "10:00"))))

    assert free(desk) == [a_slot(clock) for clock in ("09:00", "09:30", "15:00", "15:30")]


def test_availability_is_one_read(desk: Desk) -> None:
    assert desk.calls_of(lambda: free(desk, **{"from": "2026-11-23", "to": "2027-01-03"})) == (1, 0)


def test_whatever_is_offered_can_be_booked(desk: Desk) -> None:
    desk.knows(a_doctor(schedule=every_day(a_period("08:40", "18:20", 25), a_period("10:00", "11:00", 20))))
    desk.visit(a_slot("10:00", 60), exemption=WALK_IN)

    offered = free(desk)
    assert len(offered) == 18
    for n, slot in enumerate(offered[:7]):
        patient = a_patient(ids.derived("patient", "new", n))
        desk.knows(patient)
        if slot in free(desk):
            desk.visit(slot, patient_id=patient.patient_id)


def test_a_booked_slot_is_not_offered_and_a_cancelled_one_is_again(desk: Desk) -> None:
    visit = desk.visit()
    assert a_slot() not in free(desk)
    assert len(free(desk)) == 17

    desk.cancel(visit)
    assert a_slot() in free(desk)


def test_a_slot_that_is_taken_in_part_is_not_offered(desk: Desk) -> None:
    desk.visit(a_slot("10:20", 20), exemption=WALK_IN)

    taken = {a_slot("10:00"), a_slot("10:30")}
    assert not taken & set(free(desk))
    assert len(free(desk)) == 16


def test_an_override_and_leave_shape_what_is_offered(desk: Desk) -> None:
    tomorrow = DAY + DAYS
    override = {"date": DAY, "periods": [a_period("15:00", "16:00")]}
    desk.knows(a_doctor(overrides=[override], leave=[{"from": tomorrow, "to": tomorrow}]))

    found = free(desk, **{"from": str(DAY), "to": str(tomorrow)})

    assert found == [a_slot("15:00"), a_slot("15:30")]


def test_a_full_day_offers_nothing(desk: Desk) -> None:
    desk.knows(a_doctor(max_daily_appointments=2))
    desk.visit()
    assert len(free(desk)) == 17
    desk.visit(a_slot("12:00"), patient_id=OTHER_PATIENT)

    assert free(desk) == []
    assert len(free(desk, **{"from": "2026-11-24", "to": "2026-11-24"})) == 18


def test_a_visit_from_the_night_before_counts_for_its_own_day(desk: Desk) -> None:
    desk.knows(a_doctor(max_daily_appointments=1))
    desk.now = NOW - DAYS
    desk.visit(a_slot("23:50", 20, DAY - DAYS), exemption=EMERGENCY)

    assert len(free(desk)) == 18
    assert free(desk, **{"from": "2026-11-22", "to": "2026-11-22"}) == []


@pytest.mark.parametrize(("clock", "first"), [("08:00", "10:00"), ("08:01", "10:30")])
def test_only_what_keeps_the_lead_time_is_offered(desk: Desk, clock: str, first: str) -> None:
    desk.now = at(clock)

    assert free(desk)[0] == a_slot(first)


def test_hours_outside_the_clinics_are_not_offered(desk: Desk) -> None:
    desk.knows(a_doctor(schedule=every_day(a_period("07:00", "20:00"))))

    assert len(free(desk)) == 18


def test_availability_speaks_of_clinic_days_in_the_doctors_zone(desk: Desk) -> None:
    desk.knows(a_doctor(timezone="Pacific/Auckland"))

    found = free(desk, **{"from": "2026-11-25", "to": "2026-11-25"})

    day = date(2026, 11, 25)
    assert found[0] == a_slot("09:00", day=day, zone="Pacific/Auckland")
    assert found[-1] == a_slot("17:30", day=day, zone="Pacific/Auckland")


def test_instants_bound_availability_exactly(desk: Desk) -> None:
    bounds = {"from": "2026-11-23T10:00:00+05:30", "to": "2026-11-23T11:00:00+05:30"}

    assert free(desk, **bounds) == [a_slot("10:00"), a_slot("10:30")]


def test_midnight_is_an_instant_and_no_day(desk: Desk) -> None:
    bounds = {"from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z"}

    found = free(desk, **bounds)

    assert (found[0], found[-1]) == (a_slot("09:00"), a_slot("17:30"))


def test_left_out_bounds_mean_a_week_from_today(desk: Desk) -> None:
    found = free(desk, **{"from": "2026-11-23"})

    assert (found[0], found[-1]) == (a_slot("09:00"), a_slot("17:30", day=date(2026, 11, 29)))


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        ("2026-11-23", "2027-01-03", None),
        ("2026-11-23", "2027-01-04", "INVALID"),
        ("2026-11-23", "2026-11-22", "INVALID"),
        ("2026-11-23T10:00:00Z", "2026-11-23T09:59:00Z", "INVALID"),
        ("2200-12-31", "2200-12-31", None),
        ("1900-01-01", "1900-01-01", None),
    ],
)
def test_a_span_is_at_most_six_weeks_long(desk: Desk, first: str, last: str, code: str | None) -> None:
    assert refusal(lambda: free(desk, **{"from": first, "to": last})) == code


@pytest.mark.parametrize(
    "bound", ["0001-01-01", "9999-12-31", "2026-13-01", "soon", "", "2026-11-23T10:00:00", "1e400"]
)
def test_a_bound_that_is_none_is_refused(bound: str) -> None:
    with pytest.raises(ValueError, match="from"):
        AvailabilityParams.model_validate({"from": bound})


def test_a_refused_bound_is_not_said_again() -> None:
    with pytest.raises(ValidationError) as refused:
        AvailabilityParams.model_validate({"from": "asha"})

    assert "asha" not in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize("name", ["day", "from", "to"])
@pytest.mark.parametrize("digits", ["0", "20261123", "1795409400"])
def test_digits_are_not_a_day(name: str, digits: str) -> None:
    with pytest.raises(ValueError, match=name):
        ListAppointments.model_validate({"doctor_id": DOCTOR, name: digits})


def test_the_owner_is_asked_about_a_doctor_who_is_not_known_here(desk: Desk) -> None:
    new = ids.derived("doctor", "new")
    assert refusal(lambda: free(desk, new)) == "DOCTOR_NOT_FOUND"
    desk.owners.doctors[new] = a_doctor(new)

    assert len(free(desk, new)) == 18
    assert desk.calls_of(lambda: free(desk, new)) == (1, 0)
    desk.owners.down = True
    assert refusal(lambda: free(desk, ids.derived("doctor", "newer"))) == "BUSY"


def test_an_inactive_doctor_offers_nothing(desk: Desk) -> None:
    desk.knows(a_doctor(active=False))
    desk.owners.doctors[DOCTOR] = a_doctor(active=False, version=50)

    assert free(desk) == []


def five_visits(desk: Desk) -> list[str]:
    """Of one patient with one doctor, a day after the other."""
    return [desk.visit(a_slot(day=DAY + n * DAYS)) for n in range(5)]


@pytest.mark.parametrize("owner", [{"patient_id": PATIENT}, {"doctor_id": DOCTOR}])
def test_a_persons_visits_come_by_their_start_in_one_read(desk: Desk, owner: dict[str, Any]) -> None:
    visits = five_visits(desk)
    desk.visit(a_slot("15:00"), patient_id=OTHER_PATIENT, doctor_id=OTHER_DOCTOR)

    assert ids_of(listed(desk, **owner)) == visits
    assert desk.calls_of(lambda: listed(desk, **owner)) == (1, 0)


def test_a_line_of_a_list_says_the_essentials(desk: Desk) -> None:
    booked = desk.book().state

    assert listed(desk, patient_id=PATIENT) == listed(desk, doctor_id=DOCTOR)
    assert listed(desk, patient_id=PATIENT)[0].model_dump() == {
        name: getattr(booked, name) for name in AppointmentSummary.model_fields
    }


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("owner", [{"patient_id": PATIENT}, {"doctor_id": DOCTOR}])
def test_pages_together_are_the_list(desk: Desk, owner: dict[str, Any], limit: int) -> None:
    visits = five_visits(desk)
    found: list[str] = []
    cursor = None
    for _ in range(5 // limit + 1):
        page, cursor = page_of(desk, **owner, limit=limit, cursor=cursor)
        assert len(page) <= limit
        found += ids_of(page)
        if cursor is None:
            break

    assert cursor is None
    assert found == visits


def test_visits_at_one_time_are_told_apart_by_pages(desk: Desk) -> None:
    visits = [desk.visit(), desk.visit(patient_id=OTHER_PATIENT, doctor_id=OTHER_DOCTOR)]

    first, cursor = page_of(desk, day=str(DAY), limit=1)
    second, end = page_of(desk, day=str(DAY), limit=1, cursor=cursor)

    assert sorted(ids_of(first + second)) == sorted(visits)
    assert end is None


def test_lists_are_narrowed_by_status_day_and_person(desk: Desk) -> None:
    first, second, *_, last = five_visits(desk)
    desk.cancel(second)

    assert ids_of(listed(desk, patient_id=PATIENT, status="CANCELLED")) == [second]
    assert ids_of(listed(desk, doctor_id=DOCTOR, day=str(DAY))) == [first]
    since: dict[str, Any] = {"from": str(DAY + 4 * DAYS)}
    between: dict[str, Any] = {"from": str(DAY), "to": str(DAY + DAYS)}
    assert ids_of(listed(desk, doctor_id=DOCTOR, **since)) == [last]
    assert ids_of(listed(desk, patient_id=PATIENT, **between)) == [first, second]
    assert listed(desk, patient_id=PATIENT, doctor_id=OTHER_DOCTOR) == []
    assert listed(desk, patient_id=OTHER_PATIENT) == []


def test_a_visit_over_midnight_is_listed_once_on_the_day_it_starts(desk: Desk) -> None:
    night = desk.visit(a_slot("23:00", 120), exemption=WALK_IN)

    owners: list[dict[str, Any]] = [{"patient_id": PATIENT}, {"doctor_id": DOCTOR}, {}]
    for owner in owners:
        assert ids_of(listed(desk, **owner | {"day": str(DAY)})) == [night]
        assert listed(desk, **owner | {"day": str(DAY + DAYS)}) == []


def test_a_visit_over_midnight_is_listed_once_where_reads_meet(desk: Desk) -> None:
    """The sheets come sixty at a time, and the visit stands on the sixtieth and the one after."""
    visits = [desk.visit(a_slot(day=DAY + n * DAYS)) for n in range(59)]
    night = desk.visit(a_slot("23:00", 120, DAY + 59 * DAYS), exemption=WALK_IN)
    after = desk.visit(a_slot(day=DAY + 61 * DAYS))

    assert ids_of(listed(desk, doctor_id=DOCTOR, limit=100)) == [*visits, night, after]


def test_a_day_over_all_doctors_lists_by_each_doctors_clinic_day(desk: Desk) -> None:
    desk.knows(a_doctor(OTHER_DOCTOR, timezone="America/New_York"))
    here = desk.visit()
    there = desk.visit(a_slot("15:00", zone="America/New_York"), patient_id=OTHER_PATIENT, doctor_id=OTHER_DOCTOR)

    assert ids_of(listed(desk, day=str(DAY))) == [here, there]
    assert listed(desk, day=str(DAY + DAYS)) == []
    assert ids_of(listed(desk, patient_id=OTHER_PATIENT, day=str(DAY))) == [there]


def test_without_a_person_or_a_day_it_is_today(desk: Desk) -> None:
    today, *_ = five_visits(desk)

    assert ids_of(listed(desk)) == [today]


def test_history_of_an_older_system_is_listed(desk: Desk) -> None:
    old = service.record(a_record(), desk.call(), desk.appointments).state

    assert ids_of(listed(desk, patient_id=PATIENT)) == [old.appointment_id]
    assert ids_of(listed(desk, day=str(DAY))) == [old.appointment_id]


@pytest.mark.parametrize(
    "position",
    ["", "zzz", "2026-11-23", "2026-11-23T10:00:00Z#", "2026-11-23T10:00:00Z#x", f"0001-01-01T00:00:00Z#{PATIENT}"],
)
@pytest.mark.parametrize("owner", [{"patient_id": PATIENT}, {"doctor_id": DOCTOR}, {}])
def test_a_forged_cursor_is_refused(desk: Desk, owner: dict[str, Any], position: str) -> None:
    assert refusal(lambda: listed(desk, **owner, cursor=sealed(position))) == "INVALID"


def test_what_is_no_cursor_at_all_is_refused(desk: Desk) -> None:
    assert refusal(lambda: listed(desk, patient_id=PATIENT, cursor="%%%")) == "INVALID"


@pytest.mark.parametrize("position", ["1900-01-01T00:00:00Z", "2200-12-31T23:59:59Z"])
def test_a_cursor_far_away_is_a_cursor(desk: Desk, position: str) -> None:
    assert refusal(lambda: listed(desk, patient_id=PATIENT, cursor=sealed(f"{position}#{PATIENT}"))) is None


@pytest.mark.parametrize(
    "asked",
    [
        {"day": "2026-11-23", "from": "2026-11-23", "patient_id": PATIENT},
        {"from": "2026-11-23"},
        {"status": "BOOKED"},
        {"patient_id": "7"},
        {"limit": "0"},
        {"limit": "101"},
        {"day": "1899-12-31"},
        {"nonsense": "1"},
    ],
)
def test_a_question_without_a_meaning_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="ListAppointments"):
        ListAppointments.model_validate(asked)


def test_those_who_reach_their_own_need_not_say_so(desk: Desk) -> None:
    visit = desk.visit()
    desk.visit(a_slot("15:00"), patient_id=OTHER_PATIENT, doctor_id=OTHER_DOCTOR)

    assert ids_of(listed(desk, THE_PATIENT)) == [visit]
    assert ids_of(listed(desk, THE_DOCTOR)) == [visit]


def test_a_doctor_reads_a_patients_list_as_far_as_it_is_their_own(desk: Desk) -> None:
    visit = desk.visit()
    desk.visit(a_slot("15:00"), doctor_id=OTHER_DOCTOR)

    assert ids_of(listed(desk, THE_DOCTOR, patient_id=PATIENT)) == [visit]


@pytest.mark.parametrize(
    ("who", "asked"),
    [
        (THE_PATIENT, {"patient_id": OTHER_PATIENT}),
        (THE_PATIENT, {"doctor_id": DOCTOR}),
        (ANOTHER_PATIENT, {"patient_id": PATIENT, "doctor_id": DOCTOR}),
        (THE_DOCTOR, {"doctor_id": OTHER_DOCTOR}),
        (THE_DOCTOR, {"patient_id": PATIENT, "doctor_id": OTHER_DOCTOR}),
        (a_principal("guardian"), {}),
    ],
)
def test_nobody_lists_somebody_elses_visits(desk: Desk, who: Principal, asked: dict[str, Any]) -> None:
    assert refusal(lambda: listed(desk, who, **asked)) == "FORBIDDEN"


def reasons(desk: Desk, doctor: Any) -> dict[str, str]:
    found = agenda.stranded(doctor, desk.now, desk.appointments)
    return {one.appointment_id: one.reason for one in found}


def test_leave_strands_the_visits_under_it_until_they_move(desk: Desk) -> None:
    first, second, *_ = five_visits(desk)
    away = a_doctor(leave=[{"from": DAY, "to": DAY + DAYS}])

    assert reasons(desk, away) == {first: "DOCTOR_NOT_AVAILABLE", second: "DOCTOR_NOT_AVAILABLE"}
    desk.reschedule(first, a_slot("12:00", day=DAY + 4 * DAYS))
    desk.cancel(second)
    assert reasons(desk, away) == {}


def test_fewer_hours_strand_what_they_no_longer_cover(desk: Desk) -> None:
    visit, kept = desk.visit(), desk.visit(a_slot("15:00"), patient_id=OTHER_PATIENT)

    assert reasons(desk, a_doctor(schedule=every_day(a_period("10:15", "18:00")))) == {visit: "DOCTOR_NOT_AVAILABLE"}
    assert reasons(desk, a_doctor(schedule=every_day(a_period("09:45", "18:00", 45)))) == {}
    assert kept not in reasons(desk, a_doctor())


def test_deactivation_strands_all_and_another_department_too(desk: Desk) -> None:
    visit = desk.visit()

    assert reasons(desk, a_doctor(active=False)) == {visit: "DOCTOR_INACTIVE"}
    assert reasons(desk, a_doctor(department="Neurology")) == {visit: "DEPARTMENT_MISMATCH"}


def test_an_exempt_visit_is_stranded_only_by_deactivation(desk: Desk) -> None:
    visit = desk.visit(a_slot("20:00"), exemption=WALK_IN)

    assert reasons(desk, a_doctor(schedule=[])) == {}
    assert reasons(desk, a_doctor(active=False)) == {visit: "DOCTOR_INACTIVE"}


def test_a_walk_in_that_was_moved_into_the_schedule_can_be_stranded(desk: Desk) -> None:
    visit = desk.visit(a_slot("20:00"), exemption=WALK_IN)
    desk.reschedule(visit, a_slot("12:00"))

    assert reasons(desk, a_doctor(schedule=[])) == {visit: "DOCTOR_NOT_AVAILABLE"}


def test_the_past_is_not_stranded(desk: Desk) -> None:
    desk.visit()
    desk.now = at("10:00")

    assert reasons(desk, a_doctor(active=False)) == {}
    assert not agenda.has_future_visits(DOCTOR, desk.now, desk.appointments)


def test_a_visit_years_ahead_is_a_future_visit(desk: Desk) -> None:
    visit = desk.visit(a_slot(day=date(2031, 3, 3)))

    assert agenda.has_future_visits(DOCTOR, desk.now, desk.appointments)
    assert reasons(desk, a_doctor(active=False)) == {visit: "DOCTOR_INACTIVE"}
    desk.cancel(visit)
    assert not agenda.has_future_visits(DOCTOR, desk.now, desk.appointments)


def test_a_doctor_reads_their_own_stranded_visits_only(desk: Desk) -> None:
    five_visits(desk)
    desk.knows(a_doctor(leave=[{"from": DAY, "to": DAY}]))

    def asked(who: Principal, doctor_id: str = DOCTOR) -> int:
        return len(agenda.stranded_of(doctor_id, desk.call(who), desk.appointments, desk.owners))

    assert (asked(THE_DOCTOR), asked(RECEPTIONIST)) == (1, 1)
    assert refusal(lambda: asked(THE_DOCTOR, OTHER_DOCTOR)) == "FORBIDDEN"
    assert refusal(lambda: asked(THE_PATIENT)) == "FORBIDDEN"


def test_a_doctor_treats_whom_they_have_or_had_a_visit_with(desk: Desk) -> None:
    def treats(doctor_id: str, patient_id: str) -> bool:
        return agenda.treats(doctor_id, patient_id, desk.appointments)

    assert not treats(DOCTOR, PATIENT)
    visit = desk.visit()
    assert treats(DOCTOR, PATIENT)
    assert not treats(OTHER_DOCTOR, PATIENT)
    assert not treats(DOCTOR, OTHER_PATIENT)
    desk.cancel(visit)
    assert not treats(DOCTOR, PATIENT)
    service.record(a_record(), desk.call(), desk.appointments)
    assert treats(DOCTOR, PATIENT)
