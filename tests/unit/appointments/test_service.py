"""Commands on visits: what they write, what they answer, who may give them, what happens when others are faster."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments import service
from appointments.commands import RecordAppointment
from appointments.model import Side
from hms import ids
from hms.errors import Forbidden, Problem
from tests.support.appointments import (
    ADMINISTRATOR,
    ANOTHER_DOCTOR,
    ANOTHER_PATIENT,
    DAY,
    DOCTOR,
    NURSE,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    PATIENT,
    POLICY,
    RECEPTIONIST,
    THE_DOCTOR,
    THE_PATIENT,
    WALK_IN,
    Desk,
    a_call,
    a_doctor,
    a_patient,
    a_principal,
    a_slot,
    at,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.auth import Principal

SECOND, MINUTE, DAYS = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
NOBODY = "01930d2a-6f00-7000-8000-00000000dead"


def refusal(work: Callable[[], Any]) -> str | None:
    try:
        work()
    except Problem as problem:
        return problem.code
    return None


def test_a_booking_is_one_batch_read_and_one_transaction(desk: Desk) -> None:
    assert desk.calls_of(desk.book) == (1, 1)
    assert desk.owners.asked == []


def test_a_booked_visit_is_read_by_its_id_in_one_read(desk: Desk) -> None:
    booked = desk.book().state

    assert desk.calls_of(lambda: desk.read(booked.appointment_id)) == (1, 0)
    assert desk.read(booked.appointment_id) == booked


@pytest.mark.parametrize("command", ["cancel", "check_in"])
def test_a_change_of_state_is_one_read_and_one_transaction(desk: Desk, command: str) -> None:
    visit = desk.visit()

    assert desk.calls_of(lambda: getattr(desk, command)(visit)) == (1, 1)


def test_moving_is_two_reads_and_one_transaction(desk: Desk) -> None:
    visit = desk.visit()

    assert desk.calls_of(lambda: desk.reschedule(visit, a_slot("11:00"))) == (2, 1)


def test_a_whole_visit_is_told_step_by_step(desk: Desk) -> None:
    visit = desk.visit()
    desk.reschedule(visit, a_slot("11:00"))
    desk.check_in(visit)
    desk.start(visit)
    desk.now = at("11:00")
    desk.note(visit)
    desk.complete(visit)

    assert desk.events(visit) == [
        "appointments.booked.v1",
        "appointments.rescheduled.v1",
        "appointments.checked_in.v1",
        "appointments.started.v1",
        "appointments.note_added.v1",
        "appointments.completed.v1",
    ]
    actions = [step.action for step in desk.read(visit).history]
    assert actions == ["booked", "rescheduled", "checked-in", "started", "noted", "completed"]


def event_of(desk: Desk, visit: str, number: int) -> dict[str, Any]:
    found = desk.appointments.history(visit, limit=100).items[number]
    data: dict[str, Any] = json.loads(found.body or "")["data"]
    return data


def test_a_cancellation_tells_billing_what_it_needs(desk: Desk) -> None:
    visit = desk.visit()
    desk.now = at("08:00")
    desk.cancel(visit, requested_by=Side.CLINIC, reason="The doctor is ill")

    told = event_of(desk, visit, 1)

    assert (told["requested_by"], told["reason"]) == ("CLINIC", "The doctor is ill")
    assert told["seconds_before_start"] == 7200
    assert told["consultation_fee"] == {"amount": "500.00", "currency": "INR"}
    assert (told["status"], told["version"]) == ("CANCELLED", 2)


def test_a_move_tells_where_the_visit_was(desk: Desk) -> None:
    visit = desk.visit()
    desk.reschedule(visit, a_slot("11:00"), doctor_id=OTHER_DOCTOR)

    told = event_of(desk, visit, 1)

    assert (told["previous_doctor_id"], told["doctor_id"]) == (DOCTOR, OTHER_DOCTOR)
    assert (told["previous_slot_start"], told["slot_start"]) == ("2026-11-23T04:30:00Z", "2026-11-23T05:30:00Z")
    assert told["seconds_before_start"] == 4 * 3600


def test_a_walk_in_is_booked_now_and_the_reason_is_kept(desk: Desk) -> None:
    desk.now = at("20:02")

    booked = desk.book(a_slot("20:00", 20), exemption=WALK_IN).state

    assert booked.exemption == WALK_IN
    assert event_of(desk, booked.appointment_id, 0)["exemption"] == "WALK_IN"


def test_a_walk_in_never_skips_the_overlap(desk: Desk) -> None:
    desk.book()

    taken = refusal(lambda: desk.book(a_slot("10:10", 10), patient_id=OTHER_PATIENT, exemption=WALK_IN))
    double = refusal(lambda: desk.book(a_slot("10:10", 10), doctor_id=OTHER_DOCTOR, exemption=WALK_IN))

    assert (taken, double) == ("SLOT_TAKEN", "PATIENT_DOUBLE_BOOKED")


@pytest.mark.parametrize("who", [THE_PATIENT, THE_DOCTOR])
def test_an_exemption_needs_the_permission(desk: Desk, who: Principal) -> None:
    visit = desk.visit()

    assert refusal(lambda: desk.book(a_slot("12:00"), who, exemption=WALK_IN)) == "FORBIDDEN"
    assert refusal(lambda: desk.reschedule(visit, a_slot("12:00"), who, exemption=WALK_IN)) == "FORBIDDEN"


PATHS: dict[str, Callable[[Desk, str, Principal], Any]] = {
    "book": lambda desk, _visit, who: desk.book(a_slot("15:00"), who),
    "reschedule": lambda desk, visit, who: desk.reschedule(visit, a_slot("15:00"), who),
    "cancel": lambda desk, visit, who: desk.cancel(visit, who, reason="Reasons"),
    "check_in": lambda desk, visit, who: desk.check_in(visit, who),
    "start": lambda desk, visit, who: desk.start(visit, who),
    "no_show": lambda desk, visit, who: desk.no_show(visit, who),
    "note": lambda desk, visit, who: desk.note(visit, who),
    "read": lambda desk, visit, who: desk.read(visit, who),
}
SCOPED = [
    (command, role, POLICY.table[f"appointments:{command}"].get(role))
    for command in PATHS
    for role in ("patient", "guardian", "receptionist", "nurse", "doctor", "billing_clerk", "auditor", "administrator")
]


@pytest.mark.parametrize(("command", "role", "scope"), SCOPED)
def test_a_role_reaches_as_far_as_the_policy_says(desk: Desk, command: str, role: str, scope: str | None) -> None:
    visit = desk.visit()
    own = a_principal(role, patient_id=PATIENT if role == "patient" else None, doctor_id=_doctor_if(role, DOCTOR))
    foreign = a_principal(
        role, patient_id=OTHER_PATIENT if role == "patient" else None, doctor_id=_doctor_if(role, OTHER_DOCTOR)
    )
    _prepare(desk, visit, command)

    assert refusal(lambda: PATHS[command](desk, visit, foreign)) == (None if scope == "any" else "FORBIDDEN")
    if scope == "own" and role != "guardian":
        assert refusal(lambda: PATHS[command](desk, visit, own)) is None


def _prepare(desk: Desk, visit: str, command: str) -> None:
    if command == "start":
        desk.check_in(visit)
    if command == "no_show":
        desk.now = at("10:20")


def _doctor_if(role: str, doctor_id: str) -> str | None:
    return doctor_id if role == "doctor" else None


@pytest.mark.parametrize("command", ["check_in", "start", "no_show", "note"])
def test_a_doctor_does_nothing_to_the_visit_where_they_are_the_patient(desk: Desk, command: str) -> None:
    visit = desk.visit()
    _prepare(desk, visit, command)
    who = a_principal("doctor", "patient", doctor_id=OTHER_DOCTOR, patient_id=PATIENT)

    assert refusal(lambda: PATHS[command](desk, visit, who)) == "FORBIDDEN"
    assert desk.read(visit, who).appointment_id == visit


def test_a_doctor_who_moved_a_visit_to_a_colleague_hears_so_again(desk: Desk) -> None:
    visit, key = desk.visit(), ids.new()

    def move(token: str) -> Any:
        call = desk.call(THE_DOCTOR, token=token)
        return desk.reschedule(visit, a_slot("15:00"), call=call, doctor_id=OTHER_DOCTOR)

    desk.table.loses_answers()
    assert move(key).state.doctor_id == OTHER_DOCTOR
    assert move(key).replayed
    assert refusal(lambda: move(ids.new())) == "FORBIDDEN"
    assert refusal(lambda: desk.read(visit, THE_DOCTOR)) == "FORBIDDEN"


def test_an_unknown_visit_looks_like_somebody_elses(desk: Desk) -> None:
    assert refusal(lambda: desk.read(NOBODY)) == "APPOINTMENT_NOT_FOUND"
    assert refusal(lambda: desk.read(NOBODY, THE_PATIENT)) == "FORBIDDEN"
    assert refusal(lambda: desk.cancel(NOBODY, ANOTHER_PATIENT)) == "FORBIDDEN"


def test_a_stranger_learns_nothing_about_a_visit(desk: Desk) -> None:
    visit = desk.visit()

    with pytest.raises(Forbidden):
        desk.read(visit, ANOTHER_PATIENT)
    with pytest.raises(Forbidden):
        desk.read(visit, ANOTHER_DOCTOR)


def test_nobody_is_asked_whether_a_foreign_patient_exists(desk: Desk) -> None:
    code = refusal(lambda: desk.book(who=THE_PATIENT, patient_id=NOBODY))

    assert (code, desk.owners.asked) == ("FORBIDDEN", [])


def test_a_missed_visit_of_today_is_taken_back_by_reception(desk: Desk) -> None:
    visit = desk.visit()
    desk.now = at("10:15")
    desk.no_show(visit)

    outcome = desk.check_in(visit)

    assert outcome.state.status == "CHECKED_IN"
    assert desk.events(visit)[-1] == "appointments.reinstated.v1"
    assert refusal(lambda: desk.book(patient_id=OTHER_PATIENT, exemption=WALK_IN)) == "LEAD_TIME"
    assert refusal(lambda: desk.book(a_slot("10:15", 15), patient_id=OTHER_PATIENT, exemption=WALK_IN)) == "SLOT_TAKEN"


def test_a_nurse_does_not_take_back_a_no_show(desk: Desk) -> None:
    visit = desk.visit()
    desk.now = at("10:15")
    desk.no_show(visit)

    assert refusal(lambda: desk.check_in(visit, NURSE)) == "FORBIDDEN"


def test_a_missed_visit_of_yesterday_stays_missed(desk: Desk) -> None:
    visit = desk.visit()
    desk.now = at("10:15")
    desk.no_show(visit)
    desk.now = at("00:00", DAY + DAYS)

    assert refusal(lambda: desk.check_in(visit)) == "INVALID_TRANSITION"


@pytest.mark.parametrize(
    ("other", "code"),
    [({"patient_id": OTHER_PATIENT}, "SLOT_TAKEN"), ({"doctor_id": OTHER_DOCTOR}, "PATIENT_DOUBLE_BOOKED")],
)
def test_a_slot_that_was_given_away_is_not_taken_back(desk: Desk, other: dict[str, str], code: str) -> None:
    visit = desk.visit()
    desk.now = at("10:15")
    desk.no_show(visit)
    desk.visit(a_slot("10:15", 15), exemption=WALK_IN, **other)

    assert refusal(lambda: desk.check_in(visit)) == code
    assert desk.read(visit).status == "NO_SHOW"


def test_a_cancelled_slot_can_be_booked_again(desk: Desk) -> None:
    desk.cancel(desk.visit())

    assert desk.book(patient_id=OTHER_PATIENT).state.status == "SCHEDULED"


def test_a_moved_visit_frees_its_old_slot_and_counts_on_its_new_day(desk: Desk) -> None:
    desk.knows(a_doctor(max_daily_appointments=1))
    tomorrow = DAY + DAYS
    visit = desk.visit()
    desk.reschedule(visit, a_slot(day=tomorrow))

    assert refusal(lambda: desk.book(a_slot("12:00", day=tomorrow), patient_id=OTHER_PATIENT)) == "DAY_FULL"
    assert desk.book(patient_id=OTHER_PATIENT).state.status == "SCHEDULED"


def test_a_visit_moves_to_another_doctor_of_the_department(desk: Desk) -> None:
    visit = desk.visit()

    moved = desk.reschedule(visit, a_slot(), doctor_id=OTHER_DOCTOR).state

    assert (moved.doctor_id, moved.version, moved.reschedule_count) == (OTHER_DOCTOR, 2, 1)
    assert desk.book(patient_id=OTHER_PATIENT).state.doctor_id == DOCTOR


def test_a_visit_does_not_move_to_another_department(desk: Desk) -> None:
    desk.knows(a_doctor(OTHER_DOCTOR, department="Neurology"))
    visit = desk.visit()

    assert refusal(lambda: desk.reschedule(visit, a_slot(), doctor_id=OTHER_DOCTOR)) == "DEPARTMENT_MISMATCH"


def test_a_visit_does_not_move_to_a_doctor_who_charges_in_another_currency(desk: Desk) -> None:
    desk.knows(a_doctor(OTHER_DOCTOR, consultation_fee={"amount": "20.00", "currency": "USD"}))
    visit = desk.visit()

    assert refusal(lambda: desk.reschedule(visit, a_slot(), doctor_id=OTHER_DOCTOR)) == "CURRENCY_MISMATCH"


def test_moving_keeps_every_booking_rule(desk: Desk) -> None:
    visit = desk.visit()
    desk.visit(a_slot("11:00"), patient_id=OTHER_PATIENT)
    desk.visit(a_slot("12:00"), doctor_id=OTHER_DOCTOR)

    def moved_to(clock: str, minutes: int = 30) -> str | None:
        return refusal(lambda: desk.reschedule(visit, a_slot(clock, minutes)))

    assert moved_to("18:00") == "OUTSIDE_CLINIC_HOURS"
    assert moved_to("10:10") == "SLOT_NOT_ON_GRID"
    assert moved_to("11:00") == "SLOT_TAKEN"
    assert moved_to("12:00") == "PATIENT_DOUBLE_BOOKED"
    desk.now = at("08:59")
    assert moved_to("10:30") == "LEAD_TIME"


def test_a_visit_over_two_midnights_moves_to_another_in_ten_changes(desk: Desk) -> None:
    """Clocks in Lagos show UTC and an hour: 22:30 to 02:00 there crosses midnight in both zones."""
    desk.knows(a_doctor(timezone="Africa/Lagos"), a_doctor(OTHER_DOCTOR, timezone="Africa/Lagos"))
    night = a_slot("22:30", 210, zone="Africa/Lagos")
    visit = desk.visit(night, exemption=WALK_IN)
    later = a_slot("22:30", 210, DAY + 3 * DAYS, "Africa/Lagos")

    desk.reschedule(visit, later, doctor_id=OTHER_DOCTOR, exemption=WALK_IN)

    assert desk.table.largest == 10
    assert desk.book(night, exemption=WALK_IN).state.status == "SCHEDULED"


def key(token: str = "key-1", digest: str = "body-1", who: Principal = RECEPTIONIST, **details: Any) -> Any:
    return a_call(who, token=token, digest=digest, **details)


def test_a_repeated_booking_is_the_same_booking(desk: Desk) -> None:
    first = desk.book(call=key())
    again = desk.book(call=key())

    assert (first.replayed, again.replayed) == (False, True)
    assert again.state == first.state
    assert desk.events(first.state.appointment_id) == ["appointments.booked.v1"]


def test_a_replay_gives_the_first_answer_after_later_changes(desk: Desk) -> None:
    first = desk.book(call=key())
    desk.reschedule(first.state.appointment_id, a_slot("11:00"))
    desk.cancel(first.state.appointment_id)

    assert desk.book(call=key()).state == first.state


def test_a_replay_answers_before_any_rule(desk: Desk) -> None:
    first = desk.book(call=key())
    desk.knows(a_doctor(active=False, schedule=[]))

    assert desk.book(call=replace(key(), now=at("09:59"))).state == first.state


def test_a_create_is_remembered_however_much_happens_later(desk: Desk) -> None:
    first = desk.book(call=key())
    for _ in range(20):
        desk.note(first.state.appointment_id)

    assert desk.book(call=key()).state == first.state


def test_a_key_with_another_request_is_refused(desk: Desk) -> None:
    desk.book(call=key())

    code = refusal(lambda: desk.book(a_slot("11:00"), call=key(digest="body-2")))

    assert code == "IDEMPOTENCY_KEY_REUSED"


def test_a_refusal_is_not_remembered(desk: Desk) -> None:
    visit = desk.visit(patient_id=OTHER_PATIENT)
    assert refusal(lambda: desk.book(call=key())) == "SLOT_TAKEN"
    desk.cancel(visit)

    assert desk.book(call=key()).replayed is False


def test_a_repeated_cancellation_is_the_same_cancellation(desk: Desk) -> None:
    visit = desk.visit()
    first = desk.cancel(visit, call=key())

    again = desk.cancel(visit, call=key())

    assert (again.replayed, again.state) == (True, first.state)
    assert refusal(lambda: desk.cancel(visit)) == "INVALID_TRANSITION"
    assert refusal(lambda: desk.cancel(visit, call=key(digest="body-2"))) == "IDEMPOTENCY_KEY_REUSED"


def test_a_repeated_move_gives_its_own_answer_after_another(desk: Desk) -> None:
    visit = desk.visit()
    first = desk.reschedule(visit, a_slot("11:00"), call=key())
    desk.reschedule(visit, a_slot("12:00"))

    again = desk.reschedule(visit, a_slot("11:00"), call=key())

    assert (again.replayed, again.state) == (True, first.state)
    assert desk.read(visit).slot == a_slot("12:00")


def test_a_stale_version_changes_nothing(desk: Desk) -> None:
    visit = desk.visit()
    desk.note(visit)

    assert refusal(lambda: desk.cancel(visit, call=a_call(if_match=1))) == "STALE_VERSION"
    assert refusal(lambda: desk.reschedule(visit, a_slot("11:00"), call=a_call(if_match=1))) == "STALE_VERSION"
    assert desk.cancel(visit, call=a_call(if_match=2)).state.version == 3


CHANGES: dict[str, Callable[[Desk, str], Any]] = {
    "reschedule": lambda desk, visit: desk.reschedule(visit, a_slot("11:00")),
    "cancel": lambda desk, visit: desk.cancel(visit),
    "check_in": lambda desk, visit: desk.check_in(visit),
    "note": lambda desk, visit: desk.note(visit),
}


@pytest.mark.parametrize("fault", ["loses_answers", "is_contended"])
@pytest.mark.parametrize("command", CHANGES)
def test_a_lost_answer_or_a_lost_race_neither_refuses_nor_doubles(desk: Desk, command: str, fault: str) -> None:
    visit = desk.visit()
    getattr(desk.table, fault)(3 if fault == "is_contended" else 1)

    CHANGES[command](desk, visit)

    assert len(desk.events(visit)) == 2
    assert desk.read(visit).version == 2


@pytest.mark.parametrize("fault", ["loses_answers", "is_contended"])
def test_a_booking_survives_lost_answers_and_conflicts(desk: Desk, fault: str) -> None:
    getattr(desk.table, fault)(1)

    booked = desk.book().state

    assert desk.events(booked.appointment_id) == ["appointments.booked.v1"]
    owner = [sheet.lines for sheet in desk.appointments.sheets(f"doctor#{DOCTOR}", DAY, DAY)]
    assert [len(lines) for lines in owner] == [1]


def test_a_reinstatement_survives_a_lost_answer(desk: Desk) -> None:
    visit = desk.visit()
    desk.now = at("10:15")
    desk.no_show(visit)
    desk.table.loses_answers()

    assert desk.check_in(visit).state.status == "CHECKED_IN"
    assert desk.events(visit)[-1] == "appointments.reinstated.v1"
    assert len(desk.events(visit)) == 3


def test_endless_contention_ends_in_busy(desk: Desk) -> None:
    desk.table.is_contended(100)

    assert refusal(desk.book) == "BUSY"


def test_who_loses_the_race_for_a_slot_is_told_so(desk: Desk) -> None:
    desk.table.before.append(lambda: void(desk.book(patient_id=OTHER_PATIENT)))

    assert refusal(desk.book) == "SLOT_TAKEN"


def test_who_loses_the_race_for_another_slot_still_gets_theirs(desk: Desk) -> None:
    desk.table.before.append(lambda: void(desk.book(a_slot("15:00"), patient_id=OTHER_PATIENT)))

    assert desk.book().state.status == "SCHEDULED"
    lines = desk.appointments.sheets(f"doctor#{DOCTOR}", DAY, DAY)[0].lines
    assert len(lines) == 2


def test_a_visit_that_is_cancelled_while_it_is_moved_stays_cancelled(desk: Desk) -> None:
    visit = desk.visit()
    desk.table.before.append(lambda: void(desk.cancel(visit)))

    assert refusal(lambda: desk.reschedule(visit, a_slot("11:00"))) == "INVALID_TRANSITION"
    assert desk.book(a_slot("11:00"), patient_id=OTHER_PATIENT).state.status == "SCHEDULED"


def test_the_last_place_of_a_day_is_given_once(desk: Desk) -> None:
    desk.knows(a_doctor(max_daily_appointments=1))
    desk.table.before.append(lambda: void(desk.book(a_slot("15:00"), patient_id=OTHER_PATIENT)))

    assert refusal(desk.book) == "DAY_FULL"


def void(_outcome: object) -> None:
    """What the rival got does not matter here."""


NEWCOMER, NEW_DOCTOR = "01930d2a-6f00-7000-8000-000000000009", "01930d2a-6f00-7000-8000-00000000000a"


def test_an_unknown_patient_and_doctor_are_asked_for_and_remembered(desk: Desk) -> None:
    desk.owners.patients[NEWCOMER] = a_patient(NEWCOMER)
    desk.owners.doctors[NEW_DOCTOR] = a_doctor(NEW_DOCTOR)

    desk.book(patient_id=NEWCOMER, doctor_id=NEW_DOCTOR)
    desk.book(a_slot("11:00"), patient_id=NEWCOMER, doctor_id=NEW_DOCTOR)

    assert desk.owners.asked == [NEWCOMER, NEW_DOCTOR]


def test_whom_nobody_knows_is_not_found(desk: Desk) -> None:
    assert refusal(lambda: desk.book(patient_id=NOBODY, doctor_id=NOBODY)) == "PATIENT_NOT_FOUND"
    assert refusal(lambda: desk.book(doctor_id=NOBODY)) == "DOCTOR_NOT_FOUND"


def test_an_inactive_copy_is_not_an_answer(desk: Desk) -> None:
    desk.knows(a_patient(active=False), a_doctor(active=False))
    desk.owners.patients[PATIENT] = a_patient(version=50)
    desk.owners.doctors[DOCTOR] = a_doctor(version=50)

    assert desk.book().state.status == "SCHEDULED"
    assert desk.calls_of(lambda: desk.book(a_slot("11:00"))) == (1, 1)


def test_that_somebody_is_inactive_rests_on_the_owners_word(desk: Desk) -> None:
    desk.knows(a_patient(active=False), a_doctor(active=False))
    desk.owners.patients[PATIENT] = a_patient(active=False, version=50)
    desk.owners.doctors[DOCTOR] = a_doctor(active=False, version=50)

    assert refusal(desk.book) == "PATIENT_INACTIVE"
    assert refusal(lambda: desk.book(patient_id=OTHER_PATIENT)) == "DOCTOR_INACTIVE"


def test_a_silent_owner_is_no_refusal(desk: Desk) -> None:
    desk.owners.down = True

    assert refusal(lambda: desk.book(patient_id=NEWCOMER)) == "BUSY"
    assert refusal(lambda: desk.book(doctor_id=NEW_DOCTOR)) == "BUSY"
    assert desk.book().state.status == "SCHEDULED"


def test_an_older_word_does_not_replace_a_newer_one(desk: Desk) -> None:
    desk.appointments.doctors.keep(a_doctor(version=7))
    desk.appointments.doctors.keep(a_doctor(version=6, schedule=[]))

    assert desk.book().state.status == "SCHEDULED"


def a_record(**changes: Any) -> RecordAppointment:
    start, end = a_slot()
    facts = {
        "external_id": "legacy-17",
        "patient_id": PATIENT,
        "doctor_id": DOCTOR,
        "department": "Cardiology",
        "timezone": "Asia/Kolkata",
        "status": "COMPLETED",
        "slot_start": start,
        "slot_end": end,
        "created_at": start - DAYS,
    }
    return RecordAppointment.model_validate(facts | changes)


def test_an_older_systems_visit_is_recorded_once_and_blocks_nothing(desk: Desk) -> None:
    first = service.record(a_record(status="SCHEDULED"), desk.call(), desk.appointments)
    again = service.record(a_record(status="SCHEDULED"), desk.call(), desk.appointments)

    assert (first.replayed, again.replayed) == (False, True)
    assert again.state == first.state
    assert (first.state.historical, first.state.external_id) == (True, "legacy-17")
    assert desk.book().state.status == "SCHEDULED"
    assert refusal(lambda: desk.cancel(first.state.appointment_id)) == "INVALID_TRANSITION"
    assert refusal(lambda: desk.note(first.state.appointment_id)) == "INVALID_TRANSITION"


def test_no_slot_is_read_for_that_no_visit_can_have(desk: Desk) -> None:
    start = a_slot().start

    with pytest.raises(ValueError, match="at most 24 hours"):
        desk.book(slot_end=start + DAYS + SECOND)


def test_an_administrator_completes_a_consultation(desk: Desk) -> None:
    visit = desk.visit()
    desk.check_in(visit)
    desk.start(visit)
    desk.now = at("10:30")

    assert desk.complete(visit, ADMINISTRATOR).state.status == "COMPLETED"
