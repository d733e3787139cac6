"""Which event rows a replay takes, and how an aggregate's rows are found by its id."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tools import contracts
from tools.replay.rows import Span, Wanted, kinds

SPAN = Span(datetime(2026, 11, 21, 6, tzinfo=UTC), datetime(2026, 11, 21, 9, tzinfo=UTC))


def body(time: str, kind: str = "things.made.v1") -> str:
    return json.dumps({"type": kind, "time": time})


@pytest.mark.parametrize("time", ["2026-11-21T06:00:00Z", "2026-11-21T12:30:00+05:30", "2026-11-21T09:00:00Z"])
def test_both_ends_of_a_time_belong_to_it(time: str) -> None:
    assert body(time) in Wanted(SPAN)


@pytest.mark.parametrize("time", ["2026-11-21T05:59:59.999Z", "2026-11-21T09:00:00.001Z", "2026-11-21T06:30:00+05:30"])
def test_what_was_told_before_or_after_does_not(time: str) -> None:
    assert body(time) not in Wanted(SPAN)


def test_types_are_taken_where_some_are_named() -> None:
    wanted = Wanted(types=frozenset({"things.made.v1"}))

    assert body("2020-01-01T00:00:00Z") in wanted
    assert body("2020-01-01T00:00:00Z", "things.lost.v1") not in wanted


@pytest.mark.parametrize(
    "text", ["", "no event", "[]", "{}", '{"time": 1, "type": "x"}', '{"time": "then", "type": "x"}']
)
def test_a_row_that_holds_no_event_is_passed_over(text: str) -> None:
    assert text not in Wanted()


@pytest.mark.parametrize("domain", sorted({fact.type.partition(".")[0] for fact in contracts.facts()}))
def test_whoever_publishes_has_aggregates_to_look_for(domain: str) -> None:
    assert kinds(domain)


def test_an_aggregate_is_looked_for_under_every_kind_of_its_domain() -> None:
    assert kinds("doctors") == ("department", "doctor")
    assert kinds("patients") == ("patient",)
    assert kinds("payments") == ("payment", "refund")
    assert kinds("billing") == ("bill", "charge-item", "exception")
