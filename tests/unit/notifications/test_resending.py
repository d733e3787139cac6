"""A message is repeated as a new attempt; preferences are kept; lists show each reader what is theirs."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hms.errors import Forbidden, Invalid, StaleVersion
from notifications import listing, preferences, service
from notifications.model import Channel, Notification, SetPreferences
from notifications.query import ListNotifications
from notifications.rules import NotificationNotFound, RecipientNotFound, StillPending
from tests.support.notifications import (
    ADMINISTRATOR,
    ANOTHER_PATIENT,
    NOW,
    OTHER_PATIENT,
    PATIENT,
    RECEPTIONIST,
    START,
    THE_PATIENT,
    VISIT,
    a_principal,
)

if TYPE_CHECKING:
    from hms.auth import Principal
    from hms.call import Outcome
    from tests.support.notifications import PostOffice

DAY = timedelta(days=1)
THE_LAST_DAY: dict[str, Any] = {"from": str(date.max)}


@pytest.fixture
def sent(post: PostOffice) -> Notification:
    post.happens("booked")
    post.sends()
    return next(one for one in post.messages() if one.channel is Channel.EMAIL)


def resend(post: PostOffice, one: Notification, who: Principal = RECEPTIONIST, **call: Any) -> Outcome[Notification]:
    return service.resend(one.notification_id, post.call(who, **call), post.notifications)


def test_a_resent_message_is_a_new_attempt_and_goes_out(post: PostOffice, sent: Notification) -> None:
    again = resend(post, sent).state
    post.sends()

    assert (again.attempt, again.first_id) == (2, sent.notification_id)
    assert again.notification_id != sent.notification_id
    assert [letter.text for letter in post.email.letters] == [sent.text, sent.text]


def test_an_attempt_of_an_attempt_counts_on(post: PostOffice, sent: Notification) -> None:
    second = resend(post, sent).state
    post.sends()
    third = resend(post, second).state
    post.sends()

    assert (third.attempt, third.first_id) == (3, sent.notification_id)
    assert len(post.email.letters) == 3


def test_the_same_request_again_answers_the_same_attempt(post: PostOffice, sent: Notification) -> None:
    first = resend(post, sent, token="once")
    again = resend(post, sent, token="once")
    post.sends()

    assert again.replayed
    assert again.state.notification_id == first.state.notification_id
    assert len(post.email.letters) == 2


def test_what_has_not_gone_out_is_not_repeated(post: PostOffice) -> None:
    post.happens("booked")

    with pytest.raises(StillPending):
        resend(post, post.messages()[0])


def test_while_an_attempt_is_on_its_way_there_is_no_further_one(post: PostOffice, sent: Notification) -> None:
    resend(post, sent)

    with pytest.raises(StillPending):
        resend(post, sent)
    post.sends()
    assert resend(post, sent).state.attempt == 3


def test_only_those_who_may_repeat_a_message(post: PostOffice, sent: Notification) -> None:
    for who in (THE_PATIENT, a_principal("nurse")):
        with pytest.raises(Forbidden):
            resend(post, sent, who)
    with pytest.raises(NotificationNotFound):
        service.resend(VISIT, post.call(), post.notifications)


def test_a_patient_reads_their_own_messages_only(post: PostOffice, sent: Notification) -> None:
    assert service.read(sent.notification_id, post.call(THE_PATIENT), post.notifications) == sent
    for who, unknown in ((ANOTHER_PATIENT, sent.notification_id), (THE_PATIENT, VISIT)):
        with pytest.raises(Forbidden):
            service.read(unknown, post.call(who), post.notifications)


def put(post: PostOffice, who: Principal = THE_PATIENT, **call: Any) -> Outcome[Any]:
    command = SetPreferences(channels=(Channel.EMAIL,))
    return preferences.put(PATIENT, command, post.call(who, **call), post.office)


def test_preferences_are_the_defaults_until_they_are_set(post: PostOffice) -> None:
    unset = preferences.read(PATIENT, post.call(THE_PATIENT), post.notifications)
    assert (unset.version, unset.channels) == (0, ("email", "sms"))

    assert put(post, if_match=0).state.version == 1
    assert preferences.read(PATIENT, post.call(), post.notifications).channels == ("email",)


def test_preferences_follow_the_version_the_caller_saw(post: PostOffice) -> None:
    put(post)
    with pytest.raises(StaleVersion):
        put(post, if_match=0)
    assert put(post, if_match=1).state.version == 2


def test_the_same_setting_again_changes_nothing(post: PostOffice) -> None:
    put(post, token="once")
    rows = dict(post.table.items)

    assert put(post, token="once").replayed
    assert post.table.items == rows


def test_preferences_are_ones_own(post: PostOffice) -> None:
    with pytest.raises(Forbidden):
        put(post, ANOTHER_PATIENT)
    with pytest.raises(Forbidden):
        preferences.read(PATIENT, post.call(ANOTHER_PATIENT), post.notifications)


def test_nobody_sets_preferences_of_somebody_unknown(post: PostOffice) -> None:
    with pytest.raises(RecipientNotFound):
        preferences.put(OTHER_PATIENT, SetPreferences(), post.call(), post.office)


def test_a_kind_that_there_is_not_cannot_be_muted(post: PostOffice) -> None:
    with pytest.raises(Invalid):
        preferences.put(PATIENT, SetPreferences(muted=("gossip",)), post.call(), post.office)


def listed(post: PostOffice, who: Principal = ADMINISTRATOR, /, **asked: Any) -> list[tuple[str, str]]:
    page = listing.listed(ListNotifications.model_validate(asked), post.call(who), post.notifications)
    return [(one.kind, one.channel) for one in page.items]


@pytest.fixture
def three_changes(post: PostOffice) -> PostOffice:
    post.happens("booked")
    post.now += timedelta(minutes=1)
    post.happens("rescheduled", version=2, start=START + DAY)
    post.now += timedelta(minutes=1)
    post.happens("no_show", version=3, start=START + DAY, status="NO_SHOW")
    return post


@pytest.mark.parametrize("asked", [{"patient_id": PATIENT}, {"appointment_id": VISIT}, {"day": str(NOW.date())}, {}])
def test_lists_are_newest_first(three_changes: PostOffice, asked: dict[str, Any]) -> None:
    kinds = [kind for kind, _ in listed(three_changes, **asked)]

    assert kinds[::2] == kinds[1::2] == ["appointment-no-show", "appointment-rescheduled", "appointment-booked"]


@pytest.mark.parametrize("asked", [{"patient_id": PATIENT}, {"day": str(NOW.date())}])
def test_a_list_is_read_page_by_page(three_changes: PostOffice, asked: dict[str, Any]) -> None:
    whole = listed(three_changes, **asked)
    seen: list[tuple[str, str]] = []
    cursor = None
    for _ in range(len(whole)):
        params = ListNotifications.model_validate({**asked, "limit": 1, "cursor": cursor})
        page = listing.listed(params, three_changes.call(ADMINISTRATOR), three_changes.notifications)
        seen += [(one.kind, one.channel) for one in page.items]
        cursor = page.next_cursor

    assert (seen, cursor) == (whole, None)


def test_a_filter_fills_its_page(three_changes: PostOffice) -> None:
    """However few of the messages meet it, and wherever they are."""
    for version in range(4, 60):
        three_changes.now += timedelta(seconds=1)
        three_changes.happens("rescheduled", version=version, start=START + DAY)

    for asked in ({"patient_id": PATIENT}, {"day": str(NOW.date())}):
        first, cursor = booked(three_changes, asked)
        second, end = booked(three_changes, {**asked, "cursor": cursor})
        assert {*first, *second} == {"email", "sms"}
        assert (len(first), len(second), end) == (1, 1, None)


def booked(post: PostOffice, asked: dict[str, Any]) -> tuple[list[str], str | None]:
    params = ListNotifications.model_validate({**asked, "kind": "appointment-booked", "limit": 1})
    page = listing.listed(params, post.call(ADMINISTRATOR), post.notifications)
    return [one.channel for one in page.items], page.next_cursor


def test_filters_hold_together(three_changes: PostOffice) -> None:
    assert listed(three_changes, patient_id=PATIENT, channel="sms", kind="appointment-booked") == [
        ("appointment-booked", "sms")
    ]
    assert listed(three_changes, status="SENT") == []
    assert listed(three_changes, patient_id=PATIENT, **THE_LAST_DAY) == []
    assert listed(three_changes, day=str(NOW.date() - DAY)) == []


def test_patients_see_their_own_list(three_changes: PostOffice) -> None:
    assert len(listed(three_changes, THE_PATIENT)) == 6
    assert listed(three_changes, THE_PATIENT, appointment_id=OTHER_PATIENT) == []
    assert listed(three_changes, ANOTHER_PATIENT) == []
    with pytest.raises(Forbidden):
        listed(three_changes, ANOTHER_PATIENT, patient_id=PATIENT)


def test_the_list_of_somebody_elses_visit_is_empty(three_changes: PostOffice) -> None:
    assert listed(three_changes, ANOTHER_PATIENT, appointment_id=VISIT) == []
