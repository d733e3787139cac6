"""When the grace is over and the patient is not here, a no-show is proposed; what happens to the visit decides it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appointments import proposals, tasks
from appointments.model import Status
from appointments.query import ListNoShowProposals
from hms.pages import sealed
from hms.rows import Key
from tests.support.appointments import (
    ADMINISTRATOR,
    ANOTHER_DOCTOR,
    DAY,
    NURSE,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    PATIENT,
    RECEPTIONIST,
    THE_DOCTOR,
    WALK_IN,
    Desk,
    a_doctor,
    a_slot,
    at,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.auth import Principal
    from hms.tasks import Payload

TOO_EARLY, GRACE_IS_OVER = at("10:15") - timedelta(seconds=1), at("10:15")
PROPOSED = "appointments.no_show_proposed.v1"


@pytest.fixture(autouse=True)
def _here(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "appointments", desk.appointments)
    monkeypatch.setattr("hms.clock.now", lambda: desk.now)
    monkeypatch.setattr("hms.clock.wall", lambda: desk.now)


def sweep(desk: Desk, now: Any = GRACE_IS_OVER) -> Payload:
    desk.now = now
    return tasks.handler({"task": "sweep"})


def listed(desk: Desk, who: Principal = RECEPTIONIST, **asked: Any) -> list[str]:
    params = ListNoShowProposals.model_validate({"day": DAY} | asked)
    return [one.appointment_id for one in proposals.proposals(params, desk.call(who), desk.appointments)[0]]


def place_of(desk: Desk, visit: str) -> Key | None:
    return desk.table.items[Key(f"appointment#{visit}", "state")].by_b


def test_a_no_show_is_proposed_when_the_grace_is_over_and_not_a_second_before(desk: Desk) -> None:
    visit = desk.visit()

    assert sweep(desk, TOO_EARLY) == {"outcome": "ok", "fired": 0, "failed": 0, "behind_seconds": 0}
    assert (desk.read(visit).version, listed(desk)) == (1, [])
    assert sweep(desk)["fired"] == 1

    found = desk.read(visit)
    assert (found.status, found.version, found.no_show_proposed_at) == (Status.SCHEDULED, 2, GRACE_IS_OVER)
    assert (found.history[-1].action, found.history[-1].by) == ("no-show-proposed", "no-show-sweep")
    assert desk.events(visit)[-1] == PROPOSED
    assert listed(desk) == [visit]


def test_it_is_proposed_once(desk: Desk) -> None:
    visit = desk.visit()
    for minutes in range(5):
        sweep(desk, GRACE_IS_OVER + timedelta(minutes=minutes))

    assert desk.events(visit).count(PROPOSED) == 1


def test_a_proposal_is_no_no_show_and_keeps_the_slot(desk: Desk) -> None:
    visit = desk.visit()
    sweep(desk)

    [line] = desk.appointments.sheets(f"doctor#{desk.read(visit).doctor_id}", DAY, DAY)[0].lines
    assert (line.status, line.occupies_doctor) == (Status.SCHEDULED, True)


COMMANDS: dict[str, Callable[[Desk, str], Any]] = {
    "check in": lambda desk, visit: desk.check_in(visit),
    "cancel": lambda desk, visit: desk.cancel(visit, reason="Called at last"),
    "complete": lambda desk, visit: desk.complete(visit),
    "no-show": lambda desk, visit: desk.no_show(visit),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_happens_next_takes_the_proposal_off_the_list(desk: Desk, command: str) -> None:
    visit = desk.visit()
    sweep(desk)

    COMMANDS[command](desk, visit)

    assert desk.read(visit).no_show_proposed_at is None
    assert (place_of(desk, visit), listed(desk)) == (None, [])
    assert sweep(desk, GRACE_IS_OVER + timedelta(minutes=1))["fired"] == 0


@pytest.mark.parametrize("command", ["check in", "cancel"])
def test_nothing_is_due_where_nobody_is_awaited(desk: Desk, command: str) -> None:
    visit = desk.visit()

    COMMANDS[command](desk, visit)

    assert place_of(desk, visit) is None


def test_a_note_leaves_the_proposal_where_it_is(desk: Desk) -> None:
    visit = desk.visit()
    sweep(desk)
    desk.now = at("10:20")

    desk.note(visit)

    assert desk.read(visit).no_show_proposed_at == GRACE_IS_OVER
    assert listed(desk) == [visit]


def test_a_note_before_the_sweep_puts_nothing_off(desk: Desk) -> None:
    visit = desk.visit()
    desk.now = at("10:20")
    desk.note(visit)

    sweep(desk, at("10:20"))

    assert desk.read(visit).no_show_proposed_at == at("10:20")


def test_a_moved_visit_is_missed_at_its_new_time(desk: Desk) -> None:
    visit = desk.visit()
    desk.reschedule(visit, a_slot("15:00"))

    assert sweep(desk)["fired"] == 0
    assert sweep(desk, at("15:15"))["fired"] == 1
    assert desk.read(visit).no_show_proposed_at == at("15:15")


def test_moving_takes_a_proposal_back(desk: Desk) -> None:
    """A clock that was wrong: no visit is moved after its start."""
    visit = desk.visit()
    sweep(desk)
    desk.now = at("06:00")

    desk.reschedule(visit, a_slot("15:00"))

    assert desk.read(visit).no_show_proposed_at is None
    assert listed(desk) == []
    assert sweep(desk, at("15:15"))["fired"] == 1


def test_a_walk_in_is_awaited_until_it_is_checked_in(desk: Desk) -> None:
    desk.now = at("10:03")
    visit = desk.visit(a_slot("10:05", 15), exemption=WALK_IN)

    assert sweep(desk, at("10:19"))["fired"] == 0
    assert sweep(desk, at("10:20"))["fired"] == 1
    assert desk.check_in(visit).state.status is Status.CHECKED_IN


def test_a_no_show_taken_back_is_not_proposed_again(desk: Desk) -> None:
    visit = desk.visit()
    desk.now = at("10:20")
    desk.no_show(visit)
    desk.check_in(visit)

    assert sweep(desk, at("10:40"))["fired"] == 0


def test_the_index_may_be_late_and_the_visit_has_the_last_word(desk: Desk) -> None:
    visit = desk.visit()
    key = Key(f"appointment#{visit}", "state")
    stale = desk.table.items[key]
    desk.check_in(visit)
    now = desk.table.items[key]
    desk.table.items[key] = replace(now, by_b=stale.by_b)

    assert sweep(desk)["failed"] == 0
    assert desk.read(visit).version == 2


def test_a_lost_race_and_a_lost_answer_lead_to_one_proposal(desk: Desk) -> None:
    visit = desk.visit()
    desk.table.is_contended()
    desk.table.loses_answers(2)

    assert sweep(desk)["failed"] == 0
    assert desk.events(visit).count(PROPOSED) == 1


def test_a_check_in_in_the_meantime_wins(desk: Desk) -> None:
    visit = desk.visit()
    desk.table.before.append(lambda: COMMANDS["check in"](desk, visit))

    sweep(desk)

    found = desk.read(visit)
    assert (found.status, found.no_show_proposed_at) == (Status.CHECKED_IN, None)


def test_a_proposal_writes_two_rows(desk: Desk) -> None:
    desk.visit()
    sweep(desk, TOO_EARLY)
    desk.table.largest = 0

    sweep(desk)

    assert desk.table.largest == 2


def test_the_confirmation_of_a_late_flow_still_stands(desk: Desk) -> None:
    visit = desk.visit()
    sweep(desk)

    confirm = {"task": "confirm", "appointment_id": visit, "version": 1, "correlation_id": "c"}
    assert tasks.handler(confirm) == {"outcome": "ok"}


def test_a_day_is_listed_by_start_in_pages(desk: Desk) -> None:
    desk.knows(a_doctor(max_daily_appointments=100))
    starts = [f"{9 + number // 2}:{number % 2 * 30:02d}".rjust(5, "0") for number in range(7)]
    visits = [desk.visit(a_slot(clock)) for clock in starts]
    sweep(desk, at("18:00"))

    seen: list[str] = []
    cursor = None
    while True:
        params = ListNoShowProposals(day=DAY, limit=3, cursor=cursor)
        page, last = proposals.proposals(params, desk.call(), desk.appointments)
        assert len(page) <= 3
        seen += [one.appointment_id for one in page]
        if last is None:
            break
        cursor = sealed(last)
    assert seen == visits


def test_another_days_proposals_are_not_on_the_list(desk: Desk) -> None:
    desk.visit()
    sweep(desk)

    assert listed(desk, day=DAY + timedelta(days=1)) == []
    assert listed(desk, day=None) != []


def test_doctors_see_their_own_and_the_desk_sees_all(desk: Desk) -> None:
    mine = desk.visit()
    other = desk.visit(a_slot("10:00"), patient_id=OTHER_PATIENT, doctor_id=OTHER_DOCTOR)
    sweep(desk)

    assert listed(desk, THE_DOCTOR) == [mine]
    assert listed(desk, ANOTHER_DOCTOR) == [other]
    for who in (RECEPTIONIST, NURSE, ADMINISTRATOR):
        assert sorted(listed(desk, who)) == sorted([mine, other])


def test_a_line_says_whose_visit_it_is_and_since_when(desk: Desk) -> None:
    visit = desk.visit()
    sweep(desk)

    [line] = proposals.proposals(ListNoShowProposals(day=DAY), desk.call(), desk.appointments)[0]

    assert (line.appointment_id, line.patient_id, line.version) == (visit, PATIENT, 2)
    assert (line.slot_start, line.proposed_at) == (at("10:00"), GRACE_IS_OVER)
