"""Every rule of changing a visit, on both sides of its edge, and the whole table of states."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import agreed, refused
from tests.support.hospital import MONDAY, TUESDAY, WEDNESDAY, instant, slot

if TYPE_CHECKING:
    from tests.support.client import Client
    from tests.support.hospital import Hospital

pytestmark = pytest.mark.any_engine

SECOND = timedelta(seconds=1)
START = instant("10:00")
AFTER = START + timedelta(minutes=20)
NEXT_DAY = START + timedelta(days=1)
COMMANDS = ("check-in", "start", "complete", "no-show", "cancel", "reschedule")
# How a visit comes to a state, and what staff may do to it there.
WAYS: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "SCHEDULED": ((), {"check-in", "no-show", "cancel", "reschedule"}),
    "CHECKED_IN": (("check-in",), {"start", "cancel"}),
    "IN_CONSULTATION": (("check-in", "start"), {"complete"}),
    "COMPLETED": (("check-in", "start", "complete"), set()),
    "CANCELLED": (("cancel",), set()),
    "NO_SHOW": (("no-show",), {"check-in"}),
}
FORBIDDEN_MOVES = [
    (state, move) for state, (_, open_moves) in WAYS.items() for move in COMMANDS if move not in open_moves
]


def of(visit: dict[str, Any], command: str) -> str:
    return f"/v1/appointments/{visit['appointment_id']}/{command}"


def patient_of(visit: dict[str, Any], hospital: Hospital) -> Client:
    return hospital.user("patient", patient_id=visit["patient_id"])


def doctor_of(visit: dict[str, Any], hospital: Hospital) -> Client:
    return hospital.user("doctor", doctor_id=visit["doctor_id"])


@pytest.mark.parametrize("state", WAYS)
def test_a_visit_goes_its_way(hospital: Hospital, state: str) -> None:
    visit, staff = hospital.visit(), hospital.admin.at(AFTER)
    way = WAYS[state][0]

    for command in way:
        visit = agreed(staff.post(of(visit, command)))

    assert visit["status"] == state
    assert visit["version"] == 1 + len(way)
    steps = {"check-in": "checked-in", "start": "started", "complete": "completed", "cancel": "cancelled"}
    assert [step["action"] for step in visit["history"]] == ["booked", *(steps.get(one, one) for one in way)]


@pytest.fixture(scope="module")
def visits(hospital: Hospital) -> dict[str, dict[str, Any]]:
    """One visit in each state; they stay as they are, since whatever is tried on them is refused."""
    made = {}
    for state, (way, _) in WAYS.items():
        made[state] = hospital.visit()
        for command in way:
            made[state] = agreed(hospital.admin.at(AFTER).post(of(made[state], command)))
    return made


@pytest.mark.parametrize(("state", "move"), FORBIDDEN_MOVES)
def test_any_other_move_is_refused(
    hospital: Hospital, visits: dict[str, dict[str, Any]], state: str, move: str
) -> None:
    visit, staff = visits[state], hospital.admin.at(AFTER)
    body = slot("10:00", WEDNESDAY) if move == "reschedule" else {}

    refused(staff.post(of(visit, move), body), 409, "INVALID_TRANSITION")

    assert agreed(staff.get(f"/v1/appointments/{visit['appointment_id']}")) == visit


def test_a_visit_is_moved_twice_and_no_more(hospital: Hospital) -> None:
    visit, staff = hospital.visit(), hospital.reception
    agreed(staff.post(of(visit, "reschedule"), slot("11:00")))
    moved = agreed(staff.post(of(visit, "reschedule"), slot("10:00", TUESDAY)))
    assert (moved["reschedule_count"], moved["version"]) == (2, 3)

    refused(staff.post(of(visit, "reschedule"), slot("12:00")), 409, "RESCHEDULE_LIMIT")


def test_an_hour_before_the_start_is_soon_enough_to_move_and_a_second_less_is_not(hospital: Hospital) -> None:
    visit = hospital.visit()
    latest = START - timedelta(hours=1)
    wanted = slot("15:00")

    late = hospital.reception.at(latest + SECOND)
    refused(late.post(of(visit, "reschedule"), wanted), 409, "TOO_LATE_TO_RESCHEDULE")
    agreed(hospital.reception.at(latest).post(of(visit, "reschedule"), wanted))


def test_the_new_slot_meets_every_booking_rule(hospital: Hospital) -> None:
    visit, patient = hospital.visit(), hospital.patient()
    doctor = {"doctor_id": visit["doctor_id"]}
    agreed(hospital.book(patient, doctor, slot("11:00")), 201)
    elsewhere = hospital.doctor()
    agreed(hospital.book({"patient_id": visit["patient_id"]}, elsewhere, slot("15:00")), 201)
    staff = hospital.reception.at(START - timedelta(hours=1))

    for wanted, status, code in (
        (slot("18:00"), 422, "OUTSIDE_CLINIC_HOURS"),
        (slot("10:00", MONDAY + timedelta(days=6)), 422, "DOCTOR_NOT_AVAILABLE"),
        (slot("12:10"), 422, "SLOT_NOT_ON_GRID"),
        (slot("10:30"), 422, "LEAD_TIME"),
        (slot("15:00"), 409, "PATIENT_DOUBLE_BOOKED"),
    ):
        refused(staff.post(of(visit, "reschedule"), wanted), status, code)
    early = hospital.reception
    refused(early.post(of(visit, "reschedule"), slot("11:00")), 409, "SLOT_TAKEN")
    assert agreed(early.get(f"/v1/appointments/{visit['appointment_id']}")) == visit


def test_a_visit_may_be_moved_to_a_slot_it_overlaps_itself(hospital: Hospital) -> None:
    hours = [{"weekday": "MONDAY", "start": "09:00", "end": "18:00", "slot_duration": 60}]
    patient, doctor = hospital.patient(), hospital.doctor()
    visit = agreed(hospital.book(patient, doctor, slot("10:30")), 201)
    agreed(hospital.admin.put(f"/v1/doctors/{doctor['doctor_id']}/schedule", {"periods": hours}))

    moved = agreed(hospital.reception.post(of(visit, "reschedule"), slot("10:00", minutes=60)))

    assert moved["reschedule_count"] == 1


def test_a_visit_changes_doctor_within_the_department_only(hospital: Hospital) -> None:
    visit = hospital.visit()
    colleague, stranger = hospital.doctor(), hospital.doctor(department="Dermatology")
    staff = hospital.reception
    elsewhere = {**slot("11:00"), "doctor_id": stranger["doctor_id"]}
    refused(staff.post(of(visit, "reschedule"), elsewhere), 422, "DEPARTMENT_MISMATCH")

    moved = agreed(staff.post(of(visit, "reschedule"), {**slot("10:00"), "doctor_id": colleague["doctor_id"]}))

    assert moved["doctor_id"] == colleague["doctor_id"]
    assert "10:00" in hospital.free({"doctor_id": visit["doctor_id"]})
    assert "10:00" not in hospital.free(colleague)


def test_a_patient_cancels_until_the_start_and_staff_after_it(hospital: Hospital) -> None:
    one, other = hospital.visit(), hospital.visit()

    in_time = agreed(patient_of(one, hospital).at(START).post(of(one, "cancel")))
    assert in_time["cancellation"] == {"requested_by": "PATIENT", "reason": None, "seconds_before_start": 0}
    refused(patient_of(other, hospital).at(START + SECOND).post(of(other, "cancel")), 409, "TOO_LATE_TO_CANCEL")
    late = agreed(hospital.reception.at(START + SECOND).post(of(other, "cancel")))
    assert late["cancellation"]["seconds_before_start"] == -1


def test_the_clinic_gives_a_reason_when_it_cancels(hospital: Hospital) -> None:
    visit = hospital.visit()
    herself = patient_of(visit, hospital)
    wish = {"requested_by": "CLINIC", "reason": "The lift is out of order"}

    refused(herself.post(of(visit, "cancel"), wish), 403, "FORBIDDEN")
    missing = refused(hospital.reception.post(of(visit, "cancel"), {"requested_by": "CLINIC"}), 422, "INVALID")
    assert [error["field"] for error in missing["errors"]] == ["reason"]
    cancelled = agreed(hospital.reception.post(of(visit, "cancel"), wish))
    assert cancelled["cancellation"]["requested_by"] == "CLINIC"


def test_a_no_show_is_told_from_a_quarter_of_an_hour_on_and_never_by_the_patient(hospital: Hospital) -> None:
    visit = hospital.visit()
    quarter = START + timedelta(minutes=15)

    refused(hospital.reception.at(quarter - SECOND).post(of(visit, "no-show")), 409, "TOO_EARLY_FOR_NO_SHOW")
    refused(patient_of(visit, hospital).at(quarter).post(of(visit, "no-show")), 403, "FORBIDDEN")
    assert agreed(hospital.reception.at(quarter).post(of(visit, "no-show")))["status"] == "NO_SHOW"


def test_a_visit_is_not_complete_before_it_starts(hospital: Hospital) -> None:
    visit = hospital.visit()
    doctor = doctor_of(visit, hospital)

    refused(doctor.at(START - SECOND).post(of(visit, "complete")), 409, "NOT_STARTED")
    completed = agreed(doctor.at(START).post(of(visit, "complete")))

    assert completed["status"] == "COMPLETED"
    assert [step["action"] for step in completed["history"]] == ["booked", "checked-in", "started", "completed"]
    assert {step["by"] for step in completed["history"][1:]} == {doctor.user["user_id"]}


def test_only_their_own_doctor_completes_a_visit_that_nobody_checked_in(hospital: Hospital) -> None:
    visit = hospital.visit()
    other = hospital.user("doctor", doctor_id=hospital.doctor()["doctor_id"])

    refused(other.at(START).post(of(visit, "complete")), 403, "FORBIDDEN")
    refused(hospital.admin.at(START).post(of(visit, "complete")), 409, "INVALID_TRANSITION")


def test_reception_takes_a_no_show_back_the_same_day(hospital: Hospital) -> None:
    one, other = hospital.visit(), hospital.visit()
    staff = hospital.reception
    for visit in (one, other):
        agreed(staff.at(AFTER).post(of(visit, "no-show")))

    refused(doctor_of(one, hospital).at(AFTER).post(of(one, "check-in")), 403, "FORBIDDEN")
    refused(staff.at(instant("00:00", TUESDAY)).post(of(one, "check-in")), 409, "INVALID_TRANSITION")
    assert agreed(staff.at(instant("23:59")).post(of(one, "check-in")))["status"] == "CHECKED_IN"
    assert agreed(staff.at(AFTER).post(of(other, "check-in")))["history"][-1]["action"] == "reinstated"


def test_a_no_show_does_not_come_back_into_a_slot_that_was_given_away(hospital: Hospital) -> None:
    visit, staff = hospital.visit(), hospital.reception.at(AFTER)
    agreed(staff.post(of(visit, "no-show")))
    walk_in = {"kind": "WALK_IN", "reason": "Came instead"}
    doctor = {"doctor_id": visit["doctor_id"]}
    agreed(hospital.book(hospital.patient(), doctor, slot("10:20", minutes=10), staff, exemption=walk_in), 201)

    refused(staff.post(of(visit, "check-in")), 409, "SLOT_TAKEN")


def test_notes_are_kept_with_their_writer_and_hidden_from_the_patient(hospital: Hospital) -> None:
    visit = hospital.visit()
    noted = agreed(hospital.reception.post(of(visit, "notes"), {"text": "Needs a wheelchair"}), 201)

    assert [note["text"] for note in noted["notes"]] == ["Needs a wheelchair"]
    assert noted["notes"][0]["by"] == hospital.reception.user["user_id"]
    path = f"/v1/appointments/{visit['appointment_id']}"
    assert agreed(patient_of(visit, hospital).get(path))["notes"] == []
    refused(patient_of(visit, hospital).post(of(visit, "notes"), {"text": "Thanks"}), 403, "FORBIDDEN")
