"""Whatever order changes and requests come in, however often, and wherever a consumer dies on the way: each message is
made once, the last word is told, and only a death between the provider's word and the record tells it twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hms.errors import Busy
from notifications import rules, service
from notifications.kinds import kinds
from notifications.model import Channel, Status
from notifications.sending import Unavailable
from tests.support.notifications import DOCTOR, PATIENT, START, VISIT, Box, PostOffice, a_visit, an_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hms.events import Event
    from hms.rows import Change
    from notifications.model import NotificationRequested
    from notifications.sending import Letter

pytestmark = pytest.mark.proof
CHANNELS = (Channel.EMAIL, Channel.SMS)
LATER = timedelta(seconds=90)
# A lease and the longest wait are over after so many times LATER.
MOST_ROUNDS = 200


class Died(Exception):
    pass


@dataclass
class MortalBox(Box):
    """Takes a letter and its sender dies before it hears so, as often as it is told to."""

    deaths: int = 0

    def send(self, letter: Letter) -> str:
        said = super().send(letter)
        if self.deaths:
            self.deaths -= 1
            raise Died
        return said


class Office(PostOffice):
    """Whose consumers die at the commits they are told to: `(number of the commit, whether it is carried out)`."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes = {Channel.EMAIL: MortalBox("email"), Channel.SMS: MortalBox("sms")}
        self.desk = replace(self.desk, providers=self.boxes)
        self.fate: tuple[int, bool] | None = None
        # How often a provider had taken a message when its sender died and nothing said so.
        self.unrecorded: Counter[str] = Counter()
        self._commit = self.table.commit
        self.table.commit = self._mortal  # type: ignore[method-assign]

    def _mortal(self, changes: Sequence[Change]) -> None:
        number, carried_out = self.fate or (-1, False)
        self.fate = (number - 1, carried_out) if self.fate else None
        if number != 0:
            self._commit(changes)
            return
        self.fate = None
        if carried_out:
            self._commit(changes)
        raise Died

    def taken(self) -> Counter[str]:
        return Counter(letter.notification_id for box in self.boxes.values() for letter in box.letters)

    def send(self, asked: NotificationRequested) -> Status | None:
        name = asked.notification_id
        before = self.taken()[name]
        try:
            return super().send(asked)
        except Died:
            stored = self.notifications.load(name)
            if stored and stored.state.status is Status.PENDING and self.taken()[name] > before:
                self.unrecorded[name] += 1
            raise

    def takes(self, work: Callable[[], object]) -> bool:
        """False where the message has to come again."""
        try:
            work()
        except (Died, Busy):
            return False
        finally:
            self.fate = None
        return True

    def work(self) -> list[Callable[[], object]]:
        return [partial(self.send, asked) for asked in self.requests()]

    def works_off(self) -> None:
        for _ in range(MOST_ROUNDS):
            self.now += LATER
            self.takes(self.sweeps)
            for one in self.work():
                self.takes(one)
            if all(message.status is not Status.PENDING for message in self.messages()):
                return


def history(moves: int, *, cancelled: bool) -> list[Event]:
    """A visit that is booked, moved so many times and perhaps cancelled."""
    starts = [START + timedelta(hours=number) for number in range(moves + 1)]
    events = [an_event("booked", a_visit(start=starts[0]))]
    for number, (before, start) in enumerate(pairwise(starts), start=2):
        moved = a_visit(start=start, version=number, previous_slot_start=before.isoformat(), previous_doctor_id=DOCTOR)
        events.append(an_event("rescheduled", moved))
    if cancelled:
        gone = a_visit(start=starts[-1], version=moves + 2, status="CANCELLED", requested_by="PATIENT", reason=None)
        events.append(an_event("cancelled", gone))
    return events


fates = st.one_of(st.none(), st.tuples(st.integers(0, 2), st.booleans()))


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    moves=st.integers(0, 2),
    cancelled=st.booleans(),
    deaths=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    throttled=st.integers(0, 2),
)
def test_every_message_is_made_once_and_the_last_word_is_told(
    data: st.DataObject, moves: int, cancelled: bool, deaths: tuple[int, int], throttled: int
) -> None:
    office, events = Office(), history(moves, cancelled=cancelled)
    for box, number in zip(office.boxes.values(), deaths, strict=True):
        box.deaths = number
        box.moods = [Unavailable("THROTTLED")] * throttled
    left = list(events)
    for event, repeated in data.draw(st.permutations([(event, n) for event in events for n in range(2)])):
        office.fate = data.draw(fates)
        if office.takes(partial(heard, office, event)) and event in left:
            left.remove(event)
        asked = office.work()
        if asked and repeated:
            office.fate = data.draw(fates)
            office.takes(asked[data.draw(st.integers(0, 99)) % len(asked)])
    for event in left:
        assert office.takes(partial(heard, office, event))
    office.works_off()

    messages = {message.notification_id: message for message in office.messages()}
    assert set(messages) == set(expected(events))
    assert {message.status for message in messages.values()} <= {Status.SENT, Status.SKIPPED}
    taken = office.taken()
    assert all(number <= 1 + office.unrecorded[name] for name, number in taken.items())
    assert set(taken) >= {name for name, message in messages.items() if message.status is Status.SENT}
    last = max(message.subject_version for message in messages.values())
    assert [one.status for one in messages.values() if one.subject_version == last] == [Status.SENT, Status.SENT]


def heard(office: Office, event: Event) -> None:
    service.hear(event, office.call(), office.office)


def expected(events: Sequence[Event]) -> list[str]:
    return [
        rules.notification_id(rules.Occurrence("visit", VISIT, event.version, event.data), name, PATIENT, channel)
        for event in events
        for name in kinds().following(event.type, event.data)
        for channel in CHANNELS
    ]
