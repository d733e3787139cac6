"""Reminders: planned when a visit is confirmed, one live pair, void as soon as the visit is not what it was."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from notifications import service, tasks
from tests.support.notifications import NOW, START, VISIT, a_visit

if TYPE_CHECKING:
    from hms.rows import Item
    from tests.support.notifications import PostOffice

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def planned(post: PostOffice) -> list[str]:
    return [item.sk for item in post.table.items.values() if item.sk.startswith("reminder#")]


def reminders(post: PostOffice) -> list[tuple[str, str, str]]:
    return [told for told in post.told() if told[0].startswith("reminder")]


def test_a_confirmed_visit_has_two_reminders(post: PostOffice) -> None:
    post.happens("booked")

    assert post.confirmed()
    assert sorted(planned(post)) == ["reminder#reminder-24h", "reminder#reminder-2h"]


def test_each_goes_out_at_its_time_and_once(post: PostOffice) -> None:
    post.happens("booked")
    post.confirmed()

    assert post.sweeps(START - DAY - MINUTE) == 0
    assert post.sweeps(START - DAY) == 1
    post.sends()
    assert post.sweeps(START - DAY + MINUTE) == 0
    assert post.sweeps(START - 2 * HOUR) == 1
    post.sends()

    assert reminders(post) == [
        ("reminder-24h", "email", "SENT"), ("reminder-24h", "sms", "SENT"),
        ("reminder-2h", "email", "SENT"), ("reminder-2h", "sms", "SENT"),
    ]  # fmt: skip
    assert planned(post) == []


def test_two_moves_leave_one_live_pair(post: PostOffice) -> None:
    post.happens("booked")
    post.confirmed(1)
    for version in (2, 3):
        post.happens("rescheduled", version=version, start=START + version * DAY)
        post.confirmed(version)

    for hours in range(-48, 96):
        post.sweeps(START + hours * HOUR)
        post.sends()

    assert [(kind, state) for kind, channel, state in reminders(post) if channel == "email"] == [
        ("reminder-24h", "SENT"), ("reminder-2h", "SENT"),
    ]  # fmt: skip
    assert planned(post) == []


def test_a_late_confirmation_of_an_older_slot_moves_nothing(post: PostOffice) -> None:
    post.happens("booked")
    post.happens("rescheduled", version=2, start=START + DAY)
    post.confirmed(2)

    assert post.confirmed(1) is False
    assert post.sweeps(START - DAY) == 0
    assert post.sweeps(START) == 1


def test_a_cancelled_visit_is_not_reminded_of_even_where_the_cancellation_was_not_heard(post: PostOffice) -> None:
    post.happens("booked")
    post.confirmed()
    post.owners.visits[VISIT] = a_visit(version=2, status="CANCELLED")

    assert post.sweeps(START - DAY) == 1
    assert post.sweeps(START) == 1
    assert reminders(post) == []
    assert planned(post) == []


def test_a_visit_that_was_moved_is_not_reminded_of_at_its_old_time(post: PostOffice) -> None:
    post.happens("booked")
    post.confirmed()
    post.owners.visits[VISIT] = a_visit(version=2, start=START + DAY)

    post.sweeps(START - DAY)

    assert reminders(post) == []


def test_a_visit_that_is_near_has_no_reminder_for_a_time_that_is_past(post: PostOffice) -> None:
    post.happens("booked", start=NOW + 2 * HOUR)
    post.confirmed()

    assert planned(post) == []


def test_a_reminder_that_came_due_while_the_visit_was_being_confirmed_goes_out(post: PostOffice) -> None:
    post.happens("booked", start=NOW + DAY + 5 * MINUTE)
    post.now = NOW + 10 * MINUTE
    post.confirmed(made_at=NOW)

    assert sorted(planned(post)) == ["reminder#reminder-24h", "reminder#reminder-2h"]
    assert post.sweeps() == 1
    post.sends()
    assert reminders(post) == [("reminder-24h", "email", "SENT"), ("reminder-24h", "sms", "SENT")]


def test_a_reminder_that_was_past_when_the_visit_was_booked_does_not_go_out(post: PostOffice) -> None:
    post.happens("booked", start=NOW + 23 * HOUR)
    post.now = NOW + 10 * MINUTE
    post.confirmed(made_at=NOW)

    assert planned(post) == ["reminder#reminder-2h"]


def test_a_reminder_that_came_due_before_the_newest_move_does_not_go_out(post: PostOffice) -> None:
    """The late confirmation of an older version does not know when the newest was made."""
    post.happens("booked")
    post.now = NOW + 10 * MINUTE
    post.happens("rescheduled", version=2, start=NOW + DAY + 5 * MINUTE)
    post.confirmed(1, made_at=NOW)

    assert planned(post) == ["reminder#reminder-2h"]


def test_confirmations_that_come_days_late_are_caught_up_with(post: PostOffice) -> None:
    """The days between are closed: no sweep reads them again."""
    post.happens("booked")
    post.sweeps(NOW + 2 * DAY + HOUR)
    for _ in range(2):
        post.confirmed(made_at=NOW)
        assert post.sweeps(START - 3 * HOUR) == 1
        post.sends()

    assert reminders(post) == [("reminder-24h", "email", "SENT"), ("reminder-24h", "sms", "SENT")]


@pytest.mark.parametrize(("told", "placed"), [({"time": "2026-11-21T04:30:00Z"}, 2), ({}, 1)])
def test_the_flow_says_when_the_visit_was_booked(
    post: PostOffice, monkeypatch: pytest.MonkeyPatch, told: dict[str, str], placed: int
) -> None:
    monkeypatch.setattr(tasks, "office", post.office)
    monkeypatch.setattr("hms.clock.now", lambda: NOW + 10 * MINUTE)
    post.happens("booked", start=NOW + DAY + 5 * MINUTE)

    asked = {"task": "plan_reminders", "appointment_id": VISIT, "version": 1, "correlation_id": "c", **told}
    assert tasks.handler(asked) == {"outcome": "ok"}
    assert len(planned(post)) == placed


def test_after_an_outage_only_what_is_still_of_use_goes_out(post: PostOffice) -> None:
    post.happens("booked")
    post.confirmed()

    post.sweeps(START - HOUR)
    post.sends()

    assert reminders(post) == [
        ("reminder-24h", "email", "LAPSED"), ("reminder-24h", "sms", "LAPSED"),
        ("reminder-2h", "email", "SENT"), ("reminder-2h", "sms", "SENT"),
    ]  # fmt: skip


def test_two_sweeps_at_once_remind_once(post: PostOffice) -> None:
    post.happens("booked")
    post.confirmed()
    post.now = START - DAY
    seen: list[Item] = []
    post.notifications.timers.sweep(post.now, seen.append, 30)
    for due in (*seen, *seen):
        service.fire(due, post.call(), post.office)

    assert len(reminders(post)) == 2


def test_a_replayed_confirmation_after_the_reminder_reminds_no_more(post: PostOffice) -> None:
    post.happens("booked")
    post.confirmed()
    post.sweeps(START - DAY)
    post.confirmed()

    assert planned(post) == ["reminder#reminder-2h"]
    assert post.sweeps(START - DAY) == 0


def test_a_moved_visit_is_reminded_of_though_the_move_was_not_heard_yet(post: PostOffice) -> None:
    post.happens("booked")
    post.owners.visits[VISIT] = a_visit(version=2, start=START + DAY)
    post.confirmed(2)

    post.sweeps(START)
    post.sends()

    assert reminders(post) == [("reminder-24h", "email", "SENT"), ("reminder-24h", "sms", "SENT")]


def test_a_reminder_that_a_newer_move_has_overtaken_is_not_sent(post: PostOffice) -> None:
    post.happens("booked")
    post.owners.visits[VISIT] = a_visit(version=2, start=START + DAY)
    post.confirmed(2)
    post.sweeps(START)

    post.happens("rescheduled", version=3, start=START + 2 * DAY)
    post.sends()

    assert reminders(post) == [("reminder-24h", "email", "SUPERSEDED"), ("reminder-24h", "sms", "SUPERSEDED")]


def test_the_owner_is_asked_where_the_visit_was_not_heard_of(post: PostOffice) -> None:
    post.owners.visits[VISIT] = a_visit()

    assert post.confirmed()
    assert len(planned(post)) == 2


def test_a_visit_that_nobody_knows_has_no_reminders(post: PostOffice) -> None:
    assert post.confirmed() is False
    assert planned(post) == []
