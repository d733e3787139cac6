"""A visit is confirmed, or cancelled by the clinic: once for each time it was booked or moved, whatever is repeated."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from appointments import tasks
from appointments.model import Side, Status
from hms import ids
from tests.support.appointments import PATIENT, WALK_IN, a_slot, at

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.tasks import Payload
    from tests.support.appointments import Desk

REASON = "The doctor is no longer available."
OK, SUPERSEDED = {"outcome": "ok"}, {"outcome": "superseded"}
BOOKED, CANCELLED = "appointments.booked.v1", "appointments.cancelled.v1"


@pytest.fixture(autouse=True)
def _here(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "appointments", desk.appointments)
    monkeypatch.setattr("hms.clock.now", lambda: desk.now)


def confirm(visit: str, version: int = 1) -> Payload:
    return tasks.handler({"task": "confirm", "appointment_id": visit, "version": version, "correlation_id": "c"})


def cancel(visit: str, version: int = 1, reason: str = REASON) -> Payload:
    asked = {"appointment_id": visit, "version": version, "reason": reason, "correlation_id": "c"}
    return tasks.handler({"task": "cancel_for_clinic", **asked})


def last_event(desk: Desk, visit: str) -> Any:
    found = desk.appointments.history(visit, limit=100)
    return json.loads(found.items[-1].body or "")


def test_the_clinic_cancels_with_the_reason_and_says_that_it_was_the_clinic(desk: Desk) -> None:
    visit = desk.visit()

    assert cancel(visit) == OK

    assert desk.read(visit).status is Status.CANCELLED
    event = last_event(desk, visit)
    assert (event["type"], event["actor"], event["correlationid"]) == (CANCELLED, "confirm-appointment", "c")
    assert (event["data"]["requested_by"], event["data"]["reason"]) == ("CLINIC", REASON)
    assert event["data"]["seconds_before_start"] == 4 * 3600


def test_the_slot_of_a_cancelled_visit_is_free_again(desk: Desk) -> None:
    cancel(desk.visit())

    assert desk.book().state.status is Status.SCHEDULED


def test_cancelling_again_says_the_same_and_changes_nothing(desk: Desk) -> None:
    visit = desk.visit()

    assert [cancel(visit), cancel(visit), cancel(visit, reason="Another")] == [OK, OK, OK]
    assert desk.events(visit) == [BOOKED, CANCELLED]


def test_a_lost_answer_is_not_a_second_cancellation(desk: Desk) -> None:
    visit = desk.visit()
    desk.table.loses_answers()

    assert cancel(visit) == OK
    assert desk.events(visit) == [BOOKED, CANCELLED]


def _move(desk: Desk, visit: str) -> None:
    desk.reschedule(visit, a_slot("11:00"))


def _check_in(desk: Desk, visit: str) -> None:
    desk.check_in(visit)


def _cancel_as_the_patient_wishes(desk: Desk, visit: str) -> None:
    desk.cancel(visit)


def _let_it_pass(desk: Desk, _visit: str) -> None:
    desk.now = at("10:30")


@pytest.mark.parametrize("happens", [_move, _check_in, _cancel_as_the_patient_wishes, _let_it_pass])
@pytest.mark.parametrize("decide", [confirm, cancel])
def test_what_has_changed_since_is_not_decided(
    decide: Callable[[str], Payload], happens: Callable[[Desk, str], None], desk: Desk
) -> None:
    visit = desk.visit()
    happens(desk, visit)
    before = desk.read(visit)

    assert decide(visit) == SUPERSEDED
    assert desk.read(visit) == before


@pytest.mark.parametrize("decide", [confirm, cancel])
def test_an_unknown_visit_and_a_version_to_come_are_not_decided(decide: Callable[..., Payload], desk: Desk) -> None:
    assert decide(ids.new()) == SUPERSEDED
    assert decide(desk.visit(), version=2) == SUPERSEDED


@pytest.mark.parametrize("decide", [confirm, cancel])
def test_a_note_supersedes_nothing(decide: Callable[[str], Payload], desk: Desk) -> None:
    visit = desk.visit()
    desk.note(visit)

    assert decide(visit) == OK


def test_what_was_confirmed_is_not_cancelled_by_a_late_repeat(desk: Desk) -> None:
    visit = desk.visit()

    assert [confirm(visit), confirm(visit), cancel(visit)] == [OK, OK, SUPERSEDED]
    assert desk.events(visit) == [BOOKED]


def test_a_move_is_decided_anew(desk: Desk) -> None:
    visit = desk.visit()
    confirm(visit)
    _move(desk, visit)

    assert cancel(visit, version=2) == OK


def test_an_older_confirmation_that_comes_late_does_not_undo_a_newer_one(desk: Desk) -> None:
    visit = desk.visit()
    _move(desk, visit)

    assert [confirm(visit, version=2), confirm(visit, version=1)] == [OK, SUPERSEDED]
    assert cancel(visit, version=2) == SUPERSEDED


def test_a_walk_in_who_is_here_already_can_still_be_refused(desk: Desk) -> None:
    visit = desk.visit(exemption=WALK_IN)
    desk.now = at("10:01")

    assert cancel(visit) == OK
    assert last_event(desk, visit)["data"]["seconds_before_start"] == -60


def test_confirming_is_one_read_and_one_commit_and_so_is_cancelling(desk: Desk) -> None:
    visit = desk.visit()

    assert desk.calls_of(lambda: confirm(visit)) == (1, 1)
    _move(desk, visit)
    assert desk.calls_of(lambda: cancel(visit, version=2)) == (1, 1)


def test_contention_is_decided_again(desk: Desk) -> None:
    visit = desk.visit()
    desk.table.is_contended(2)

    assert cancel(visit) == OK


def test_other_domains_get_a_snapshot(desk: Desk) -> None:
    visit = desk.visit()

    answer = tasks.handler({"task": "snapshot", "appointment_id": visit})

    assert answer["outcome"] == "ok"
    assert (answer["snapshot"]["patient_id"], answer["snapshot"]["version"]) == (PATIENT, 1)
    assert tasks.handler({"task": "snapshot", "appointment_id": ids.new()}) == {"outcome": "absent"}


def test_a_snapshot_says_when_it_was_booked_and_how_it_was_cancelled(desk: Desk) -> None:
    visit = desk.visit()
    booked = tasks.handler({"task": "snapshot", "appointment_id": visit})["snapshot"]
    desk.now = at("08:00")
    desk.cancel(visit, requested_by=Side.CLINIC, reason="The doctor is ill")
    cancelled = tasks.handler({"task": "snapshot", "appointment_id": visit})["snapshot"]

    assert (booked["created_at"], booked["cancellation"]) == ("2026-11-23T00:30:00Z", None)
    assert cancelled["cancellation"] == {"requested_by": "CLINIC", "seconds_before_start": 7200}
