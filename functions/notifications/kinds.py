"""What is told about which events: a table (`kinds.json`), so that another domain's messages need no code here."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Subject(_Row):
    """What messages are about.

    `id` is the field of its events that names it, `people` the fields that name who has to do with it, `owner` the
    setting with the function that has the last word on it, `events` those that show its state.
    """

    id: str
    people: dict[str, str]
    owner: str
    events: tuple[str, ...]


class Stands(_Row):
    """A message is true as long as the subject's fields are `among` these values and the `same` as when it was due."""

    among: dict[str, tuple[str, ...]] = {}
    same: tuple[str, ...] = ()

    def hold(self, then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        among = all(now.get(name) in values for name, values in self.among.items())
        return among and all(then.get(name) == now.get(name) for name in self.same)


class Before(_Row):
    """Due some minutes before the instant in a field; of no use from `lapses` minutes before it on."""

    field: str
    minutes: int
    lapses: int

    def due(self, data: Mapping[str, Any]) -> datetime:
        return datetime.fromisoformat(data[self.field]) - timedelta(minutes=self.minutes)

    def lapse(self, data: Mapping[str, Any]) -> datetime:
        return datetime.fromisoformat(data[self.field]) - timedelta(minutes=self.lapses)


class Kind(_Row):
    """A message that an event brings about (`on`), where its fields are `when` says, or that is due `before` something.

    `until` names the instant from which it is of no use; `urgent` goes out against preferences and quiet hours;
    with `invitation` the e-mail carries a calendar entry.
    """

    subject: str
    on: str | None = None
    when: dict[str, tuple[str, ...]] = {}
    before: Before | None = None
    stands: Stands = Stands()
    until: str | None = None
    urgent: bool = False
    invitation: bool = False

    def follows(self, event_type: str, data: Mapping[str, Any]) -> bool:
        return self.on == event_type and all(data.get(name) in values for name, values in self.when.items())

    def useful_until(self, data: Mapping[str, Any]) -> datetime | None:
        if self.before:
            return self.before.lapse(data)
        return datetime.fromisoformat(data[self.until]) if self.until else None


class Kinds(_Row):
    subjects: dict[str, Subject]
    kinds: dict[str, Kind]

    def subject_of(self, event_type: str) -> str:
        """The subject that an event is about."""
        return next(name for name, subject in self.subjects.items() if event_type in subject.events)

    def following(self, event_type: str, data: Mapping[str, Any]) -> tuple[str, ...]:
        """The kinds that an event brings about."""
        return tuple(name for name, kind in self.kinds.items() if kind.follows(event_type, data))

    def reminders(self, subject: str) -> dict[str, Before]:
        """The kinds that are due before something, by name."""
        return {name: kind.before for name, kind in self.kinds.items() if kind.subject == subject and kind.before}

    @property
    def event_types(self) -> tuple[str, ...]:
        return tuple(event for subject in self.subjects.values() for event in subject.events)


@cache
def kinds() -> Kinds:
    return Kinds.model_validate_json(Path(__file__).with_name("kinds.json").read_text())
