"""Every rule of booking and changing at its exact edge."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments import changes, rules
from appointments.clinic import clinic
from appointments.commands import CancelAppointment
from appointments.hours import days_of, possible_days
from appointments.model import (
    Appointment,
    Side,
    Slot,
    Status,
)
from appointments.rules import Wish
from appointments.sheets import Sheet, SheetId, sheets_of, text_of
from hms import ids
from hms.errors import Problem
from tests.support.appointments import (
    ADMINISTRATOR,
    ANOTHER_DOCTOR,
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
    a_doctor,
    a_patient,
    a_period,
    a_principal,
    a_slot,
    an_appointment,
    at,
    every_day,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.auth import Principal

SECOND, MINUTE, DAYS = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
OWN = ids.derived("appointment", "own")
ALL_DAY = every_day(a_period("00:00", "23:30"))


def a_sheet_for_each_day(slot: Slot, *visits: Appointment) -> dict[SheetId, Sheet]:
    wanted = [SheetId(f"doctor#{DOCTOR}", day) for day in possible_days(slot)]
    wanted += [SheetId(f"patient#{PATIENT}", day) for day in days_of(slot, "UTC")]
    entries: dict[SheetId, dict[str, str]] = {one: {} for one in wanted}
    for visit in visits:
        for sheet_id in sheets_of(visit):
            if sheet_id in entries:
                entries[sheet_id][visit.appointment_id] = text_of(visit, sheet_id.owner)
    return {one: Sheet(one, lines, version=1) for one, lines in entries.items()}


def a_wish(slot: Slot | None = None, *visits: Appointment, **changes: Any) -> Wish:
    wanted = slot or a_slot()
    facts: dict[str, Any] = {
        "appointment_id": OWN,
        "patient": a_patient(),
        "doctor": a_doctor(),
        "department": "Cardiology",
        "slot": wanted,
        "exemption": None,
        "sheets": a_sheet_for_each_day(wanted, *visits),
    }
    return Wish(**facts | changes)


def refusal(work: Callable[[], Any]) -> str | None:
    try:
        work()
    except Problem as problem:
        return problem.code
    return None


def booking(wish: Wish, now: datetime = NOW) -> str | None:
    return refusal(lambda: rules.check_booking(wish, clinic(), now))


@pytest.mark.parametrize(
    ("clock", "minutes", "code"),
    [
        ("08:30", 30, "OUTSIDE_CLINIC_HOURS"),
        ("08:59", 30, "OUTSIDE_CLINIC_HOURS"),
        ("09:00", 30, None),
        ("17:30", 30, None),
        ("17:31", 30, "OUTSIDE_CLINIC_HOURS"),
        ("17:30", 31, "OUTSIDE_CLINIC_HOURS"),
        ("18:00", 30, "OUTSIDE_CLINIC_HOURS"),
        ("23:45", 30, "OUTSIDE_CLINIC_HOURS"),
    ],
)
def test_a_visit_lies_wholly_inside_the_clinics_hours(clock: str, minutes: int, code: str | None) -> None:
    assert booking(a_wish(a_slot(clock, minutes), doctor=a_doctor(schedule=ALL_DAY))) == code


def test_the_clinics_hours_are_those_of_the_doctors_zone() -> None:
    doctor = a_doctor(timezone="America/New_York")

    assert booking(a_wish(a_slot("09:00", zone="America/New_York"), doctor=doctor)) is None
    assert booking(a_wish(a_slot("08:30", zone="America/New_York"), doctor=doctor)) == "OUTSIDE_CLINIC_HOURS"


@pytest.mark.parametrize(
    ("clock", "minutes", "code"),
    [
        ("09:30", 30, "DOCTOR_NOT_AVAILABLE"),
        ("09:59", 30, "DOCTOR_NOT_AVAILABLE"),
        ("10:00", 30, None),
        ("12:30", 30, None),
        ("12:31", 30, "DOCTOR_NOT_AVAILABLE"),
        ("12:30", 60, "DOCTOR_NOT_AVAILABLE"),
        ("13:00", 30, "SLOT_NOT_ON_GRID"),
        ("13:00", 60, None),
    ],
)
def test_a_visit_lies_wholly_inside_one_period_of_the_doctor(clock: str, minutes: int, code: str | None) -> None:
    doctor = a_doctor(schedule=every_day(a_period("10:00", "13:00"), a_period("13:00", "15:00", 60)))

    assert booking(a_wish(a_slot(clock, minutes), doctor=doctor)) == code


def test_a_doctor_without_hours_is_not_available() -> None:
    assert booking(a_wish(doctor=a_doctor(schedule=[]))) == "DOCTOR_NOT_AVAILABLE"


def test_hours_of_another_weekday_do_not_help() -> None:
    tuesdays = [{"weekday": "TUESDAY", **a_period()}]

    assert booking(a_wish(doctor=a_doctor(schedule=tuesdays))) == "DOCTOR_NOT_AVAILABLE"
    assert booking(a_wish(a_slot(day=DAY + DAYS), doctor=a_doctor(schedule=tuesdays))) is None


@pytest.mark.parametrize(
    ("clock", "code"), [("10:00", "DOCTOR_NOT_AVAILABLE"), ("15:00", None), ("16:00", "DOCTOR_NOT_AVAILABLE")]
)
def test_an_override_replaces_the_weekly_schedule(clock: str, code: str | None) -> None:
    doctor = a_doctor(overrides=[{"date": DAY, "periods": [a_period("15:00", "16:00")]}])

    assert booking(a_wish(a_slot(clock), doctor=doctor)) == code
    assert booking(a_wish(a_slot(clock, day=DAY + DAYS), doctor=doctor)) is None


def test_an_override_without_periods_is_a_day_off() -> None:
    assert booking(a_wish(doctor=a_doctor(overrides=[{"date": DAY}]))) == "DOCTOR_NOT_AVAILABLE"


@pytest.mark.parametrize(
    ("shift", "code"), [(-1, None), (0, "DOCTOR_NOT_AVAILABLE"), (2, "DOCTOR_NOT_AVAILABLE"), (3, None)]
)
def test_leave_takes_its_first_and_last_day(shift: int, code: str | None) -> None:
    doctor = a_doctor(leave=[{"from": DAY, "to": DAY + 2 * DAYS}])

    assert booking(a_wish(a_slot(day=DAY + shift * DAYS), doctor=doctor), NOW - 2 * DAYS) == code


def test_leave_is_stronger_than_an_override() -> None:
    doctor = a_doctor(overrides=[{"date": DAY, "periods": [a_period()]}], leave=[{"from": DAY, "to": DAY}])

    assert booking(a_wish(doctor=doctor)) == "DOCTOR_NOT_AVAILABLE"


@pytest.mark.parametrize(
    ("clock", "minutes", "code"),
    [
        ("10:00", 30, None),
        ("10:15", 30, "SLOT_NOT_ON_GRID"),
        ("10:00", 25, "SLOT_NOT_ON_GRID"),
        ("10:00", 60, "SLOT_NOT_ON_GRID"),
        ("10:30", 30, None),
        ("11:00", 30, "DOCTOR_NOT_AVAILABLE"),
        ("10:50", 20, "SLOT_NOT_ON_GRID"),
    ],
)
def test_a_visit_is_one_slot_of_the_grid(clock: str, minutes: int, code: str | None) -> None:
    doctor = a_doctor(schedule=every_day(a_period("09:30", "11:10")))

    assert booking(a_wish(a_slot(clock, minutes), doctor=doctor)) == code


def test_a_fraction_of_a_second_is_off_the_grid() -> None:
    slot = Slot(*(instant + timedelta(microseconds=1) for instant in a_slot()))

    assert booking(a_wish(slot)) == "SLOT_NOT_ON_GRID"
    assert booking(a_wish(slot, exemption=WALK_IN)) == "SLOT_NOT_ON_GRID"


def test_two_hours_of_lead_time_are_enough_and_a_second_less_is_not() -> None:
    start = a_slot("10:00").start

    assert booking(a_wish(), start - timedelta(hours=2)) is None
    assert booking(a_wish(), start - timedelta(hours=2) + SECOND) == "LEAD_TIME"
    assert booking(a_wish(), start + DAYS) == "LEAD_TIME"


OVERLAPS = pytest.mark.parametrize(
    ("clock", "minutes", "overlaps"),
    [
        ("09:30", 30, False),
        ("09:30", 35, True),
        ("10:00", 30, True),
        ("10:10", 5, True),
        ("09:00", 180, True),
        ("10:25", 30, True),
        ("10:30", 30, False),
    ],
)


@OVERLAPS
def test_a_doctor_cannot_be_booked_twice(clock: str, minutes: int, overlaps: bool) -> None:
    wish = a_wish(a_slot(clock, minutes), an_appointment(patient_id=OTHER_PATIENT), exemption=EMERGENCY)

    assert booking(wish) == ("SLOT_TAKEN" if overlaps else None)


@OVERLAPS
def test_a_patient_cannot_be_at_two_places(clock: str, minutes: int, overlaps: bool) -> None:
    wish = a_wish(a_slot(clock, minutes), an_appointment(doctor_id=OTHER_DOCTOR), exemption=EMERGENCY)

    assert booking(wish) == ("PATIENT_DOUBLE_BOOKED" if overlaps else None)


@pytest.mark.parametrize("status", Status)
def test_a_cancelled_or_missed_visit_frees_the_doctor(status: Status) -> None:
    wish = a_wish(a_slot(), an_appointment(patient_id=OTHER_PATIENT, status=status))

    assert booking(wish) == (None if status in ("CANCELLED", "NO_SHOW") else "SLOT_TAKEN")


@pytest.mark.parametrize("status", Status)
def test_a_visit_that_is_over_frees_the_patient(status: Status) -> None:
    wish = a_wish(a_slot(), an_appointment(doctor_id=OTHER_DOCTOR, status=status))
    active = status in ("SCHEDULED", "CHECKED_IN", "IN_CONSULTATION")

    assert booking(wish) == ("PATIENT_DOUBLE_BOOKED" if active else None)


def test_history_of_an_older_system_blocks_nothing() -> None:
    old = an_appointment(historical=True, status="SCHEDULED")

    assert booking(a_wish(a_slot(), old, doctor=a_doctor(max_daily_appointments=1))) is None


def test_a_visit_does_not_stand_in_its_own_way() -> None:
    assert booking(a_wish(a_slot("10:30"), an_appointment(appointment_id=OWN), exemption=WALK_IN)) is None
    assert booking(a_wish(a_slot(), an_appointment(appointment_id=OWN))) is None


def visits(count: int, **changes: Any) -> list[Appointment]:
    return [
        an_appointment(shifted(n), **{"appointment_id": ids.derived("other", n), "patient_id": OTHER_PATIENT} | changes)
        for n in range(count)
    ]


def shifted(n: int) -> Slot:
    first = a_slot("11:00")
    return Slot(first.start + n * 30 * MINUTE, first.end + n * 30 * MINUTE)


def test_the_daily_cap_is_exact() -> None:
    assert booking(a_wish(a_slot(), *visits(7))) is None
    assert booking(a_wish(a_slot(), *visits(8))) == "DAY_FULL"
    assert booking(a_wish(a_slot(), *visits(8), doctor=a_doctor(max_daily_appointments=9))) is None


@pytest.mark.parametrize("status", Status)
def test_all_but_cancelled_count_towards_the_cap(status: Status) -> None:
    assert booking(a_wish(a_slot(), *visits(8, status=status))) == (None if status == "CANCELLED" else "DAY_FULL")


def test_visits_of_another_day_do_not_count() -> None:
    tomorrow = [an_appointment(a_slot("10:00", day=DAY + DAYS), appointment_id=ids.new()) for _ in range(8)]

    assert booking(a_wish(a_slot(), *tomorrow)) is None


def test_a_visit_counts_on_the_day_it_starts_on() -> None:
    over_midnight = an_appointment(a_slot("23:50", 20, DAY - DAYS), patient_id=OTHER_PATIENT)
    doctor = a_doctor(max_daily_appointments=1)

    assert booking(a_wish(a_slot(), over_midnight, doctor=doctor)) is None
    assert booking(a_wish(a_slot("10:00", day=DAY - DAYS), over_midnight, doctor=doctor), NOW - DAYS) == "DAY_FULL"


def test_a_moved_visit_does_not_count_twice_on_its_own_day() -> None:
    own = an_appointment(a_slot("15:00"), appointment_id=OWN)

    assert booking(a_wish(a_slot(), own, *visits(7))) is None


@pytest.mark.parametrize("exemption", [WALK_IN, EMERGENCY])
def test_an_exemption_skips_hours_grid_and_cap(exemption: Any) -> None:
    doctor = a_doctor(schedule=[], max_daily_appointments=1)

    assert booking(a_wish(a_slot("03:05", 20), *visits(1), doctor=doctor, exemption=exemption), at("03:05")) is None


@pytest.mark.parametrize(
    ("clock", "code"), [("10:00", None), ("09:55", "LEAD_TIME"), ("10:01", "SLOT_NOT_ON_GRID"), ("10:05", None)]
)
def test_an_exempt_visit_starts_now_at_the_earliest_on_five_minutes(clock: str, code: str | None) -> None:
    assert booking(a_wish(a_slot(clock, 20), exemption=WALK_IN), at("10:04") + 59 * SECOND) == code


def test_an_exempt_visit_ends_on_five_minutes_too() -> None:
    assert booking(a_wish(a_slot("10:00", 12), exemption=WALK_IN)) == "SLOT_NOT_ON_GRID"


def test_a_visit_is_at_most_four_hours_long() -> None:
    assert booking(a_wish(a_slot("10:00", 240), exemption=EMERGENCY)) is None
    assert booking(a_wish(a_slot("10:00", 245), exemption=EMERGENCY)) == "INVALID"


def test_a_department_is_compared_without_case() -> None:
    assert booking(a_wish(department="cardiology")) is None
    assert booking(a_wish(department="Neurology")) == "DEPARTMENT_MISMATCH"


def test_of_several_refusals_the_first_of_the_table_answers() -> None:
    outside, inside = a_slot("08:40", 40), a_slot("09:10", 40)
    late = inside.start
    taken = an_appointment(a_slot("08:00", 180), patient_id=OTHER_PATIENT)
    busy = an_appointment(a_slot("08:00", 180), doctor_id=OTHER_DOCTOR, appointment_id=ids.new())
    full: dict[str, Any] = {"max_daily_appointments": 0}
    off: dict[str, Any] = {"schedule": []}
    on: dict[str, Any] = {"schedule": ALL_DAY}
    fitting = a_slot("09:00")
    ladder = [
        (a_wish(outside, taken, busy, doctor=a_doctor(**full, **off), department="Neurology"), late),
        (a_wish(outside, taken, busy, doctor=a_doctor(**full, **off)), late),
        (a_wish(inside, taken, busy, doctor=a_doctor(**full, **off)), late),
        (a_wish(inside, taken, busy, doctor=a_doctor(**full, **on)), late),
        (a_wish(fitting, taken, busy, doctor=a_doctor(**full, **on)), late),
        (a_wish(fitting, taken, busy, doctor=a_doctor(**full, **on)), NOW),
        (a_wish(fitting, busy, doctor=a_doctor(**full, **on)), NOW),
        (a_wish(fitting, doctor=a_doctor(**full, **on)), NOW),
        (a_wish(fitting, doctor=a_doctor(**on)), NOW),
    ]

    assert [booking(wish, now) for wish, now in ladder] == [
        "DEPARTMENT_MISMATCH",
        "OUTSIDE_CLINIC_HOURS",
        "DOCTOR_NOT_AVAILABLE",
        "SLOT_NOT_ON_GRID",
        "LEAD_TIME",
        "SLOT_TAKEN",
        "PATIENT_DOUBLE_BOOKED",
        "DAY_FULL",
        None,
    ]


def test_a_booked_visit_takes_fee_zone_and_department_from_the_doctor() -> None:
    doctor = a_doctor(consultation_fee={"amount": "750.00", "currency": "INR"})
    wish = a_wish(doctor=doctor, department="CARDIOLOGY")

    visit = changes.booked(wish, clinic(), RECEPTIONIST, NOW)

    assert (visit.consultation_fee.amount, visit.timezone, visit.department) == (75000, "Asia/Kolkata", "Cardiology")
    assert [(step.action, step.by, step.roles) for step in visit.history] == [
        ("booked", "user-receptionist", ("receptionist",))
    ]


def test_where_no_fee_is_set_the_clinics_holds() -> None:
    assert changes.booked(a_wish(), clinic(), RECEPTIONIST, NOW).consultation_fee.amount == 50000


LATER = at("10:15")
COMMANDS: dict[str, Callable[[Appointment, Principal], Any]] = {
    "reschedule": lambda visit, _who: changes.check_reschedule(visit, clinic(), NOW),
    "cancel": lambda visit, who: changes.cancelled(visit, CancelAppointment(), who, LATER),
    "check_in": lambda visit, who: changes.checked_in(visit, who, LATER),
    "reinstate": lambda visit, _who: changes.check_reinstate(visit, LATER),
    "start": lambda visit, who: changes.started(visit, who, LATER),
    "complete": lambda visit, who: changes.completed(visit, who, LATER),
    "no_show": lambda visit, who: changes.missed(visit, clinic(), who, LATER),
}
ALLOWED = {
    ("SCHEDULED", "reschedule"),
    ("SCHEDULED", "cancel"),
    ("SCHEDULED", "check_in"),
    ("SCHEDULED", "no_show"),
    ("CHECKED_IN", "cancel"),
    ("CHECKED_IN", "start"),
    ("IN_CONSULTATION", "complete"),
    ("NO_SHOW", "reinstate"),
}
BY_THEIR_DOCTOR = {("SCHEDULED", "complete"), ("CHECKED_IN", "complete")}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("status", Status)
def test_only_the_moves_of_the_table_are_made(status: Status, command: str) -> None:
    code = refusal(lambda: COMMANDS[command](an_appointment(status=status), ADMINISTRATOR))

    assert code == (None if (status, command) in ALLOWED else "INVALID_TRANSITION")


@pytest.mark.parametrize("command", ["start", "complete"])
@pytest.mark.parametrize("status", Status)
def test_a_doctor_completes_from_scheduled_on(status: Status, command: str) -> None:
    code = refusal(lambda: COMMANDS[command](an_appointment(status=status), THE_DOCTOR))

    assert code == (None if (status, command) in ALLOWED | BY_THEIR_DOCTOR else "INVALID_TRANSITION")


def test_only_the_doctor_of_the_visit_skips_steps() -> None:
    assert refusal(lambda: changes.completed(an_appointment(), ANOTHER_DOCTOR, LATER)) == "INVALID_TRANSITION"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("status", Status)
def test_history_of_an_older_system_never_changes(status: Status, command: str) -> None:
    old = an_appointment(status=status, historical=True)

    assert refusal(lambda: COMMANDS[command](old, THE_DOCTOR)) in ("INVALID_TRANSITION", "INVALID")
    assert refusal(lambda: changes.noted(old, "late", THE_DOCTOR, NOW)) == "INVALID_TRANSITION"


@pytest.mark.parametrize(("count", "code"), [(0, None), (1, None), (2, "RESCHEDULE_LIMIT")])
def test_a_visit_is_moved_twice_at_most(count: int, code: str | None) -> None:
    visit = an_appointment(reschedule_count=count)

    assert refusal(lambda: changes.check_reschedule(visit, clinic(), NOW)) == code


def test_a_visit_is_moved_an_hour_before_its_start_at_the_latest() -> None:
    visit = an_appointment()
    hour_before = visit.slot_start - timedelta(hours=1)

    assert refusal(lambda: changes.check_reschedule(visit, clinic(), hour_before)) is None
    assert refusal(lambda: changes.check_reschedule(visit, clinic(), hour_before + SECOND)) == "TOO_LATE_TO_RESCHEDULE"


def test_of_several_refusals_to_move_the_first_answers() -> None:
    visit = an_appointment(reschedule_count=2, status="CHECKED_IN")
    scheduled = visit.model_copy(update={"status": Status.SCHEDULED})

    assert refusal(lambda: changes.check_reschedule(visit, clinic(), visit.slot_end)) == "INVALID_TRANSITION"
    assert refusal(lambda: changes.check_reschedule(scheduled, clinic(), visit.slot_end)) == "RESCHEDULE_LIMIT"


def test_a_moved_visit_loses_the_exemption_that_its_old_slot_needed() -> None:
    visit = an_appointment(exemption=WALK_IN)

    moved = changes.rescheduled(visit, a_wish(a_slot("11:00")), clinic(), RECEPTIONIST, NOW)

    assert (moved.exemption, moved.reschedule_count, moved.version) == (None, 1, 2)


def cancelling(who: Principal, now: datetime, status: str = "SCHEDULED", **asked: Any) -> str | None:
    command = CancelAppointment.model_validate(asked)
    return refusal(lambda: changes.cancelled(an_appointment(status=status), command, who, now))


def test_a_patient_cancels_up_to_the_start() -> None:
    start = a_slot().start

    assert cancelling(THE_PATIENT, start) is None
    assert cancelling(THE_PATIENT, start + SECOND) == "TOO_LATE_TO_CANCEL"
    assert cancelling(RECEPTIONIST, start + SECOND) is None


def test_the_status_is_looked_at_before_the_time() -> None:
    assert cancelling(THE_PATIENT, at("12:00"), "COMPLETED") == "INVALID_TRANSITION"


@pytest.mark.parametrize("side", [Side.CLINIC, Side.DOCTOR])
def test_a_patient_does_not_speak_for_the_clinic(side: Side) -> None:
    assert cancelling(THE_PATIENT, NOW, requested_by=side, reason="free of charge") == "FORBIDDEN"


@pytest.mark.parametrize("side", [Side.CLINIC, Side.DOCTOR])
def test_the_clinic_and_the_doctor_give_a_reason(side: Side) -> None:
    assert cancelling(RECEPTIONIST, NOW, requested_by=side) == "INVALID"
    assert cancelling(RECEPTIONIST, NOW, requested_by=side, reason="Ill") is None


def test_a_doctor_who_is_the_patient_is_a_patient_like_any_other() -> None:
    who = a_principal("doctor", "patient", doctor_id=OTHER_DOCTOR, patient_id=PATIENT)

    assert cancelling(who, NOW, requested_by=Side.DOCTOR, reason="free of charge") == "FORBIDDEN"
    assert cancelling(who, a_slot().start + SECOND) == "TOO_LATE_TO_CANCEL"
    assert cancelling(who, NOW) is None


@pytest.mark.parametrize(
    ("who", "asked", "side"),
    [
        (THE_PATIENT, None, Side.PATIENT),
        (THE_PATIENT, Side.PATIENT, Side.PATIENT),
        (RECEPTIONIST, None, Side.PATIENT),
        (RECEPTIONIST, Side.CLINIC, Side.CLINIC),
        (THE_DOCTOR, None, Side.DOCTOR),
        (THE_DOCTOR, Side.PATIENT, Side.PATIENT),
    ],
)
def test_a_cancellation_is_somebodys_wish(who: Principal, asked: Side | None, side: Side) -> None:
    assert changes.side_of(an_appointment(), who, asked) is side


def test_a_cancellation_says_how_long_before_the_start_it_came() -> None:
    two_hours = changes.cancelled(an_appointment(), CancelAppointment(), THE_PATIENT, at("08:00"))
    after_start = changes.cancelled(an_appointment(), CancelAppointment(), RECEPTIONIST, at("10:01"))

    assert two_hours.cancellation
    assert two_hours.cancellation.seconds_before_start == 7200
    assert after_start.cancellation
    assert after_start.cancellation.seconds_before_start == -60


def test_a_no_show_is_one_from_fifteen_minutes_after_the_start() -> None:
    quarter_past = a_slot().start + 15 * MINUTE

    assert changes.missed(an_appointment(), clinic(), RECEPTIONIST, quarter_past).status == "NO_SHOW"
    early = refusal(lambda: changes.missed(an_appointment(), clinic(), RECEPTIONIST, quarter_past - SECOND))
    assert early == "TOO_EARLY_FOR_NO_SHOW"


def test_nothing_is_completed_before_its_start() -> None:
    visit, start = an_appointment(status="IN_CONSULTATION"), a_slot().start

    assert changes.completed(visit, ADMINISTRATOR, start).status == "COMPLETED"
    assert refusal(lambda: changes.completed(visit, ADMINISTRATOR, start - SECOND)) == "NOT_STARTED"


@pytest.mark.parametrize(
    ("status", "steps"),
    [
        ("SCHEDULED", ["checked-in", "started", "completed"]),
        ("CHECKED_IN", ["started", "completed"]),
        ("IN_CONSULTATION", ["completed"]),
    ],
)
def test_the_steps_that_a_doctor_skips_are_recorded(status: str, steps: list[str]) -> None:
    visit = changes.completed(an_appointment(status=status), THE_DOCTOR, LATER)

    assert [step.action for step in visit.history] == steps
    assert {step.by for step in visit.history} == {"user-doctor"}
    assert visit.version == 2


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (at("00:00") - SECOND, "INVALID_TRANSITION"),
        (at("00:00"), None),
        (at("23:59"), None),
        (at("00:00", DAY + DAYS), "INVALID_TRANSITION"),
    ],
)
def test_a_no_show_is_taken_back_on_its_clinic_day_only(now: datetime, code: str | None) -> None:
    assert refusal(lambda: changes.check_reinstate(an_appointment(status="NO_SHOW"), now)) == code


def test_the_clinic_day_is_that_of_the_doctors_zone() -> None:
    visit = an_appointment(a_slot("17:00", zone="America/New_York"), status="NO_SHOW", timezone="America/New_York")

    assert refusal(lambda: changes.check_reinstate(visit, at("23:59", zone="America/New_York"))) is None
    midnight = at("00:00", DAY + DAYS, "America/New_York")
    assert refusal(lambda: changes.check_reinstate(visit, midnight)) == "INVALID_TRANSITION"


def test_a_visit_takes_fifty_notes() -> None:
    visit = an_appointment()
    for _ in range(50):
        visit = changes.noted(visit, "again", RECEPTIONIST, NOW)

    assert len(visit.notes) == 50
    assert refusal(lambda: changes.noted(visit, "once too often", RECEPTIONIST, NOW)) == "TOO_MANY_NOTES"


def test_notes_in_any_script_leave_room_in_the_row() -> None:
    visit = an_appointment()
    for _ in range(16):
        visit = changes.noted(visit, "न" * 4000, RECEPTIONIST, NOW)

    assert refusal(lambda: changes.noted(visit, "न" * 4000, RECEPTIONIST, NOW)) == "TOO_MANY_NOTES"
    assert changes.noted(visit, "short", RECEPTIONIST, NOW).notes[-1].text == "short"


@pytest.mark.parametrize(("doctor_id", "fee"), [(DOCTOR, 50000), (OTHER_DOCTOR, 90000)])
def test_a_visit_keeps_its_fee_until_it_moves_to_another_doctor(doctor_id: str, fee: int) -> None:
    doctor = a_doctor(doctor_id, consultation_fee={"amount": "900.00", "currency": "INR"})
    wish = a_wish(a_slot("11:00"), doctor=doctor)

    moved = changes.rescheduled(an_appointment(), wish, clinic(), RECEPTIONIST, NOW)

    assert moved.consultation_fee.amount == fee


def test_every_change_raises_the_version_and_says_who_and_when() -> None:
    visit = changes.checked_in(an_appointment(), RECEPTIONIST, LATER)

    assert (visit.version, visit.updated_at) == (2, LATER)
    step = visit.history[-1]
    assert (step.action, step.by, step.at, step.roles) == (
        "checked-in",
        "user-receptionist",
        LATER,
        ("receptionist",),
    )
