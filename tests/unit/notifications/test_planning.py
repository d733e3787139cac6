"""What is heard of becomes messages: once, to whom it concerns, when they want it, and only while it is true."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from notifications.clinic import clinic
from notifications.model import Preferences, PreferencesChanged, QuietHours
from notifications.rules import Recipient, quiet_until
from tests.support.notifications import NOW, PATIENT, START, a_patient, a_visit

if TYPE_CHECKING:
    from typing import Any

    from tests.support.notifications import PostOffice

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def prefers(post: PostOffice, **wishes: Any) -> None:
    wanted = Preferences.model_validate({"patient_id": PATIENT, "created_at": NOW, "updated_at": NOW, **wishes})
    fact = PreferencesChanged(patient_id=PATIENT, version=1, channels=wanted.channels, muted=wanted.muted)
    post.table.commit(post.notifications.preferences.changes(PATIENT, None, wanted, fact, post.call()))


def test_a_booking_is_told_by_e_mail_and_sms(post: PostOffice) -> None:
    post.happens("booked")

    assert post.told() == [("appointment-booked", "email", "PENDING"), ("appointment-booked", "sms", "PENDING")]


def test_hearing_of_a_change_is_one_read_and_one_transaction(post: PostOffice) -> None:
    reads, commits = post.table.reads, post.table.commits

    post.happens("booked")

    assert (post.table.reads - reads, post.table.commits - commits) == (1, 1)
    assert post.owners.asked == []


def test_what_is_heard_twice_is_told_once(post: PostOffice) -> None:
    visit = post.happens("booked")
    rows = dict(post.table.items)

    post.now += HOUR
    post.hears("booked", visit)

    assert post.table.items == rows


def test_each_change_is_told(post: PostOffice) -> None:
    post.happens("booked")
    post.happens("rescheduled", version=2, start=START + DAY)
    post.happens("cancelled", version=3, start=START + DAY, status="CANCELLED", requested_by="PATIENT", reason=None)

    assert [kind for kind, channel, _ in post.told() if channel == "email"] == [
        "appointment-booked", "appointment-cancelled", "appointment-rescheduled",
    ]  # fmt: skip


def test_who_cancelled_chooses_the_words(post: PostOffice) -> None:
    post.happens("cancelled", version=2, status="CANCELLED", requested_by="DOCTOR", reason="Ill")

    assert {kind for kind, _, _ in post.told()} == {"appointment-cancelled-by-clinic"}


def test_news_that_comes_after_newer_news_is_kept_as_superseded(post: PostOffice) -> None:
    moved = a_visit(version=2, start=START + DAY)
    post.hears("rescheduled", moved)
    post.hears("booked", a_visit())

    assert ("appointment-booked", "email", "SUPERSEDED") in post.told()
    assert ("appointment-rescheduled", "email", "PENDING") in post.told()
    assert post.notifications.latest(moved["appointment_id"]).version == 2  # type: ignore[union-attr]


def test_a_change_nobody_is_told_of_is_remembered(post: PostOffice) -> None:
    post.happens("booked")
    post.happens("checked_in", version=2, status="CHECKED_IN")

    latest = post.notifications.latest(a_visit()["appointment_id"])
    assert latest is not None
    assert latest.data["status"] == "CHECKED_IN"
    assert len(post.messages()) == 2


def test_who_is_not_known_here_is_asked_for(post: PostOffice) -> None:
    post.table.items.clear()
    post.happens("booked")

    assert post.owners.asked == [PATIENT]
    assert len(post.messages()) == 2
    assert post.notifications.patients.read(post.table.get(post.notifications.patients.key(PATIENT))) == a_patient()


def test_who_has_no_address_is_skipped_over_that_channel(post: PostOffice) -> None:
    post.notifications.patients.keep(a_patient(version=2, phone=None))
    post.happens("booked")

    assert ("appointment-booked", "sms", "NO_ADDRESS") in post.told()


def test_channels_and_kinds_that_are_not_wanted_are_skipped(post: PostOffice) -> None:
    prefers(post, channels=["email"], muted=["appointment-rescheduled"])
    post.happens("booked")
    post.happens("rescheduled", version=2, start=START + DAY)

    assert post.told() == [
        ("appointment-booked", "email", "PENDING"),
        ("appointment-booked", "sms", "OPTED_OUT"),
        ("appointment-rescheduled", "email", "OPTED_OUT"),
        ("appointment-rescheduled", "sms", "OPTED_OUT"),
    ]


def test_push_goes_to_those_who_asked_for_it(post: PostOffice) -> None:
    prefers(post, channels=["push"])
    post.happens("booked")

    assert ("appointment-booked", "push", "PENDING") in post.told()


def test_a_cancellation_by_the_clinic_is_told_against_all_preferences(post: PostOffice) -> None:
    prefers(post, channels=[], quiet_hours={"start": "00:00", "end": "23:59"})
    post.happens("cancelled", version=2, status="CANCELLED", requested_by="CLINIC", reason="Closed")

    assert post.told() == [
        ("appointment-cancelled-by-clinic", "email", "PENDING"),
        ("appointment-cancelled-by-clinic", "sms", "PENDING"),
    ]
    assert all(one.not_before is None for one in post.messages())


def test_somebody_inactive_is_told_only_what_is_urgent(post: PostOffice) -> None:
    post.notifications.patients.keep(a_patient(version=2, active=False))
    post.happens("no_show", version=2, status="NO_SHOW")
    post.happens("cancelled", version=3, status="CANCELLED", requested_by="CLINIC", reason="Closed")

    assert {(kind, state) for kind, _, state in post.told()} == {
        ("appointment-no-show", "RECIPIENT_INACTIVE"),
        ("appointment-cancelled-by-clinic", "PENDING"),
    }


# It is 10:00 in Kolkata.
@pytest.mark.parametrize(
    ("start", "end", "until"),
    [
        ("09:00", "11:00", NOW + HOUR),
        ("10:00", "10:01", NOW + timedelta(minutes=1)),
        ("21:00", "10:01", NOW + timedelta(minutes=1)),
        ("09:59", "08:00", NOW + 22 * HOUR),
        ("10:01", "12:00", None),
        ("08:00", "10:00", None),
        ("21:00", "10:00", None),
    ],
)
def test_quiet_hours_put_a_message_off_until_they_end(post: PostOffice, start: str, end: str, until: object) -> None:
    prefers(post, quiet_hours={"start": start, "end": end})
    post.happens("booked")

    assert {one.not_before for one in post.messages()} == {until}


@pytest.mark.parametrize(
    ("now", "until"),
    [
        # Clocks go back at 01:00 UTC, from 03:00 to 02:00: half past two is at 00:30 and at 01:30.
        ("2026-10-25T00:10Z", "2026-10-25T00:30Z"),
        ("2026-10-25T00:40Z", None),
        ("2026-10-25T01:10Z", "2026-10-25T01:30Z"),
        ("2026-10-25T01:30Z", None),
        # They go forward at 01:00 UTC, from 02:00 to 03:00: there is no half past two, the rest is as long as ever.
        ("2026-03-29T00:59Z", "2026-03-29T01:30Z"),
        ("2026-03-29T01:00Z", None),
    ],
)
def test_quiet_hours_end_later_than_now_when_clocks_are_changed(now: str, until: str | None) -> None:
    found = quiet_in_berlin("22:00", "02:30", datetime.fromisoformat(now))

    assert found == (datetime.fromisoformat(until) if until else None)


def quiet_in_berlin(start: str, end: str, now: datetime) -> datetime | None:
    berlin = clinic().model_copy(update={"timezone": "Europe/Berlin", "quiet_hours": QuietHours(start=start, end=end)})
    return quiet_until("appointment-booked", Recipient(a_patient(), None), berlin, now)


@pytest.mark.parametrize("quiet", [("22:00", "02:30"), ("01:30", "02:10"), ("02:30", "02:10"), ("02:00", "03:00")])
@pytest.mark.parametrize("day", ["2026-03-28T12:00Z", "2026-10-24T12:00Z"])
def test_no_end_of_quiet_hours_is_past(day: str, quiet: tuple[str, str]) -> None:
    for minutes in range(24 * 60):
        now = datetime.fromisoformat(day) + timedelta(minutes=minutes)
        until = quiet_in_berlin(*quiet, now)
        assert until is None or until > now


def test_what_was_put_off_is_sent_when_its_time_comes(post: PostOffice) -> None:
    prefers(post, quiet_hours={"start": "09:00", "end": "11:00"})
    post.happens("booked")
    post.sends()
    assert post.sweeps(NOW + HOUR - timedelta(seconds=1)) == 0
    assert post.sweeps(NOW + HOUR) == 2
    assert post.sweeps(NOW + HOUR) == 0
    post.sends()

    assert [one.status for one in post.messages()] == ["SENT", "SENT"]
    assert len(post.email.letters) == len(post.sms.letters) == 1
