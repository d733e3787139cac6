"""A message on its way: who sends it, what becomes of it, and what is said in it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hms.errors import Busy
from hms.rows import Contention
from notifications import inbox, preferences
from notifications.clinic import clinic
from notifications.model import Channel, QuietHours, SetPreferences
from notifications.rules import put_off
from notifications.sending import LEASE, Refused, Unavailable
from tests.support.notifications import PATIENT, START, a_patient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hms.rows import Change
    from notifications.model import Notification, NotificationRequested
    from tests.support.notifications import PostOffice

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def of(post: PostOffice, channel: Channel = Channel.EMAIL) -> Notification:
    return next(one for one in post.messages() if one.channel is channel)


def request_of(post: PostOffice, channel: Channel = Channel.EMAIL) -> NotificationRequested:
    return next(one for one in post.requests() if one.channel is channel)


def test_an_e_mail_says_who_when_and_where(post: PostOffice) -> None:
    post.happens("booked")
    post.sends()

    (letter,) = post.email.letters
    assert letter.address == "asha.rao@example.com"
    for words in ("Asha Rao", "Dr. Meera Iyer", "Cardiology", "24 November 2026", "10:00"):
        assert words in f"{letter.title}\n{letter.text}"
    assert letter.invitation is not None


def test_what_was_sent_is_recorded_with_its_words_and_a_masked_address(post: PostOffice) -> None:
    post.happens("booked")
    post.sends()

    sent = of(post)
    assert (sent.status, sent.provider, sent.provider_message_id) == ("SENT", "email", "email-1")
    assert sent.text == post.email.letters[0].text
    assert (sent.destination, sent.language, sent.sent_at) == ("as****@example.com", "en", post.now)
    assert of(post, Channel.SMS).destination == "*********0402"


def test_a_request_that_comes_again_sends_nothing(post: PostOffice) -> None:
    post.happens("booked")
    for _ in range(3):
        post.sends()

    assert len(post.email.letters) == len(post.sms.letters) == 1


def test_sending_is_three_reads_and_two_transactions(post: PostOffice) -> None:
    post.happens("booked")
    reads, commits = post.table.reads, post.table.commits

    post.send(request_of(post))

    assert (post.table.reads - reads, post.table.commits - commits) == (3, 2)
    assert post.owners.asked == []


def test_what_is_no_longer_true_is_not_sent(post: PostOffice) -> None:
    post.happens("booked")
    post.happens("rescheduled", version=2, start=START + DAY)
    post.sends()

    assert ("appointment-booked", "email", "SUPERSEDED") in post.told()
    assert [letter.title for letter in post.email.letters] == [one.title for one in post.messages() if one.title][:1]


def test_what_comes_after_the_visit_is_not_sent(post: PostOffice) -> None:
    post.happens("booked")
    post.now = START + HOUR
    post.sends()

    assert {state for _, _, state in post.told()} == {"LAPSED"}


def test_words_are_in_the_language_of_the_recipient(post: PostOffice) -> None:
    post.notifications.patients.keep(a_patient(version=2, preferred_language="hi-IN"))
    post.happens("booked")
    post.sends()

    assert of(post).language == "hi"
    assert "नवंबर" in post.email.letters[0].text


def test_a_missing_value_fails_the_message(post: PostOffice) -> None:
    post.happens("booked", department="  ")
    post.sends()

    assert of(post).status == "FAILED"
    assert "MISSING_VALUE: visit.department" in (of(post).reason or "")
    assert post.email.letters == []


def test_a_provider_that_is_busy_is_tried_again_later_and_later(post: PostOffice) -> None:
    post.email.moods = [Unavailable("Throttling"), Unavailable("Throttling")]
    post.happens("booked")
    waits = []
    for retries in (1, 2):
        post.sends()
        waiting = of(post)
        assert (waiting.status, waiting.reason, waiting.retry_count) == ("PENDING", "Throttling", retries)
        assert waiting.not_before is not None
        waits.append((waiting.not_before - post.now).total_seconds())
        assert post.sweeps(waiting.not_before) == 1
    post.sends()

    assert 30 <= waits[0] <= 60 <= waits[1] <= 120
    assert (of(post).status, of(post).retry_count) == ("SENT", 2)
    assert len(post.email.letters) == 1


def test_a_provider_that_stays_busy_fails_the_message_in_the_end(post: PostOffice) -> None:
    post.email.moods = [Unavailable("Throttling")] * 50
    post.happens("booked")
    for _ in range(clinic().retries + 1):
        post.sends()
        post.sweeps(of(post).not_before or post.now)

    assert (of(post).status, of(post).reason) == ("FAILED", "Throttling")
    assert len(post.email.moods) == 50 - clinic().retries - 1


def tried(post: PostOffice, *moods: Exception) -> int:
    """How often an e-mail is given to its provider, which is in these moods and then well."""
    post.email.moods = list(moods)
    post.happens("booked")
    for _ in range(clinic().retries + 1):
        post.sends()
        post.sweeps(of(post).not_before or post.now)
    return len(moods) - len(post.email.moods) + len(post.email.letters)


def test_a_message_whose_answers_are_lost_is_given_up_soon(post: PostOffice) -> None:
    """Each of these tries may have reached the recipient."""
    lost = Unavailable("ReadTimeoutError", unheard=True)

    assert tried(post, *[lost] * 50) == clinic().unheard_retries + 1
    assert (of(post).status, of(post).reason, of(post).not_before) == ("FAILED", "NO_ANSWER", None)
    assert (of(post).retry_count, of(post).unheard) == (clinic().unheard_retries, clinic().unheard_retries + 1)


def test_lost_answers_are_counted_among_others(post: PostOffice) -> None:
    busy, lost = Unavailable("Throttling"), Unavailable("ReadTimeoutError", unheard=True)
    moods = [busy, *[lost, busy] * (clinic().unheard_retries + 1)]

    assert tried(post, *moods) == len(moods) - 1
    assert of(post).reason == "NO_ANSWER"


def test_a_message_whose_answer_was_lost_once_is_sent_again(post: PostOffice) -> None:
    assert tried(post, Unavailable("ReadTimeoutError", unheard=True)) == 1 + 1
    assert (of(post).status, of(post).unheard) == ("SENT", 1)


def test_no_wait_is_longer_than_its_ceiling(post: PostOffice) -> None:
    post.happens("booked")
    waiting = of(post).model_copy(update={"retry_count": clinic().retries - 1})

    later = put_off(waiting, "Throttling", clinic(), post.now).not_before
    assert later is not None
    assert timedelta(seconds=clinic().longest_retry_seconds / 2 - 1) <= later - post.now
    assert later - post.now <= timedelta(seconds=clinic().longest_retry_seconds)


def test_a_refusal_is_final(post: PostOffice) -> None:
    post.email.moods = [Refused("MessageRejected")]
    post.happens("booked")
    post.sends()
    post.sends()

    assert (of(post).status, of(post).reason, of(post).retry_count) == ("FAILED", "MessageRejected", 0)
    assert post.email.letters == []


def test_a_number_that_asked_to_stop_is_not_written_to_again(post: PostOffice) -> None:
    post.sms.moods = [Refused("OptedOut", suppress=True)]
    post.happens("booked")
    post.sends()
    post.happens("rescheduled", version=2, start=START + DAY)
    post.sends()

    assert ("appointment-booked", "sms", "OptedOut") in post.told()
    assert ("appointment-rescheduled", "sms", "ADDRESS_SUPPRESSED") in post.told()
    assert len(post.email.letters) == 2


def test_two_senders_at_once_send_once(post: PostOffice) -> None:
    post.happens("booked")
    asked = request_of(post)
    found = post.notifications.sending(asked.notification_id, asked.subject_id, asked.patient_id, asked.doctor_id)
    post.notifications.take(asked.notification_id, found.lease, post.now + LEASE)

    with pytest.raises(Busy):
        post.send(asked)
    assert post.email.letters == []


def test_who_died_while_sending_is_replaced_when_the_lease_is_over(post: PostOffice) -> None:
    post.happens("booked")
    asked = request_of(post)
    post.notifications.take(asked.notification_id, None, post.now + LEASE)

    post.now += LEASE
    post.send(asked)

    assert of(post).status == "SENT"
    assert len(post.email.letters) == 1


def test_a_lost_answer_to_the_record_sends_nothing_again(post: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    post.happens("booked")
    asked = request_of(post)
    commit, answers = post.table.commit, iter([True, False, True, True])

    def commit_unheard(changes: Sequence[Change]) -> None:
        commit(changes)
        if not next(answers):
            raise Contention

    monkeypatch.setattr(post.table, "commit", commit_unheard)
    post.send(asked)
    post.send(asked)

    assert of(post).status == "SENT"
    assert len(post.email.letters) == 1


def test_the_owner_is_asked_for_people_who_are_not_known_here(post: PostOffice) -> None:
    post.happens("booked")
    for key in [key for key in post.table.items if key.sk == "profile"]:
        del post.table.items[key]
    post.sends()

    assert PATIENT in post.owners.asked
    assert of(post).status == "SENT"


def test_who_was_deactivated_meanwhile_is_not_written_to(post: PostOffice) -> None:
    post.happens("booked")
    post.notifications.patients.keep(a_patient(version=2, active=False))
    post.sends()

    assert {state for _, _, state in post.told()} == {"RECIPIENT_INACTIVE"}


def test_who_has_opted_out_meanwhile_is_not_written_to(post: PostOffice) -> None:
    post.happens("booked")
    preferences.put(PATIENT, SetPreferences(channels=(Channel.SMS,)), post.call(), post.office)
    post.sends()

    assert post.told() == [("appointment-booked", "email", "OPTED_OUT"), ("appointment-booked", "sms", "SENT")]


def test_a_retry_in_quiet_hours_waits_for_their_end(post: PostOffice) -> None:
    post.happens("booked")
    quiet = QuietHours(start="09:00", end="11:00")
    preferences.put(PATIENT, SetPreferences(quiet_hours=quiet), post.call(), post.office)
    post.sends()

    assert (of(post).not_before, of(post).retry_count) == (post.now + HOUR, 0)
    assert post.email.letters == []


def test_between_lost_answers_there_is_time_for_a_report(post: PostOffice) -> None:
    post.happens("booked")
    first = put_off(of(post), "ReadTimeoutError", clinic(), post.now, unheard=True)
    second = put_off(first, "ReadTimeoutError", clinic(), post.now, unheard=True)

    waits = [one.not_before - post.now for one in (first, second) if one.not_before]
    assert timedelta(minutes=5) <= waits[0] <= timedelta(minutes=10) <= waits[1] <= timedelta(minutes=20)


def test_a_message_that_waits_for_the_end_of_quiet_hours_troubles_nobody(post: PostOffice) -> None:
    """No alarm rings for it: it is counted neither as put off nor as anything else."""
    post.happens("booked")
    asked = request_of(post)
    quiet = QuietHours(start="09:00", end="11:00")
    preferences.put(PATIENT, SetPreferences(quiet_hours=quiet), post.call(), post.office)
    post.send(asked)
    by_provider = put_off(of(post), "Throttling", clinic(), post.now)

    assert inbox.is_quiet(of(post), asked)
    assert not inbox.is_quiet(by_provider, asked)
