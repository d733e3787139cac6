"""Whatever order a history of events comes in, and however often, a consumer ends with the same rows."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.inboxes import left_by
from tools import contracts
from tools.replay.rebuild import models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hms.events import Event
    from hms.inbox import Consumer, Inbox
    from hms.rows import Item, Key

DOMAINS = ("appointments", "patients")


@cache
def inbox_of(domain: str) -> Inbox:
    inbox: Inbox = import_module(f"{domain}.inbox").inbox
    return inbox


def histories(domain: str) -> dict[str, list[Event]]:
    """For each consumer the life of one aggregate: its types as the versions 1, 2, 3 …"""
    kinds: defaultdict[Consumer, list[str]] = defaultdict(list)
    inbox = inbox_of(domain)
    for kind in inbox.types:
        kinds[inbox.consumer(kind)].append(kind)
    return {one.__name__: [_at(kind, n) for n, kind in enumerate(of, start=1)] for one, of in kinds.items()}


def _at(kind: str, version: int) -> Event:
    event = contracts.example_of(kind)
    # What a later version says differs from what an earlier one said.
    told = {"version": version, "name": f"Name {version}"}
    told = {name: value for name, value in told.items() if name in event.data}
    return event.model_copy(update={"version": version, "data": event.data | told})


def left(domain: str, events: Sequence[Event]) -> dict[Key, Item]:
    return left_by(inbox_of(domain), [event.model_dump(mode="json") for event in events])


CONSUMERS = [pytest.param(domain, name, id=f"{domain}-{name}") for domain in DOMAINS for name in histories(domain)]


@pytest.mark.parametrize(("domain", "consumer"), CONSUMERS)
def test_repeats_and_late_events_leave_the_same_rows(domain: str, consumer: str) -> None:
    history = histories(domain)[consumer]
    expected = left(domain, history)
    assert expected

    @settings(max_examples=100, deadline=None)
    @given(st.permutations(history * 2))
    def holds(events: list[Event]) -> None:
        assert left(domain, events) == expected

    holds()


@pytest.mark.parametrize(("domain", "consumer"), CONSUMERS)
def test_a_whole_history_replayed_changes_nothing(domain: str, consumer: str) -> None:
    history = histories(domain)[consumer]

    assert left(domain, history * 3) == left(domain, history)


def test_the_histories_differ_from_version_to_version() -> None:
    """Else a late event that wins would look the same."""
    for event in histories("appointments")["keep_patient"]:
        assert json.dumps(event.data).count(f"Name {event.version}") == 1


def copying() -> list[Any]:
    return [
        pytest.param(domain, prefix, kind, id=f"{domain}-{kind}")
        for domain in models()
        for prefix, kinds in inbox_of(domain).copies.items()
        for kind in kinds
    ]


@pytest.mark.parametrize(("domain", "prefix", "kind"), copying())
def test_a_consumer_that_copies_keeps_nothing_but_its_copies(domain: str, prefix: str, kind: str) -> None:
    """Else a rebuild would leave something behind, or send what is no copy's."""
    rows = left(domain, [_at(kind, 1)])

    assert rows
    assert all(key.sk.startswith(prefix) for key in rows)
    assert not any(item.event_id for item in rows.values())
