"""What lies in a queue of failures is told apart by what it holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tools import contracts
from tools.replay.command import _age
from tools.replay.letters import Letter

EVENT = contracts.example_of("patients.registered.v1").model_dump(mode="json")
LETTERS: dict[str, dict[str, Any]] = {
    "row": {"table": "hms-Patients", "pk": "patient#1", "sk": "event#00000001", "event_id": "e", "error": "TypeError"},
    "position": {
        "DDBStreamBatchInfo": {
            "streamArn": "arn:aws:dynamodb:r:1:table/hms-Patients/stream/x",
            "approximateArrivalOfFirstRecord": "2026-11-21T06:00:00Z",
            "approximateArrivalOfLastRecord": "2026-11-21T06:00:01Z",
            "batchSize": 3,
        }
    },
    "pointer": {
        "pointer": "event",
        "id": "e",
        "type": "patients.registered.v1",
        "source": "/hms/patients",
        "subject": "1",
        "version": 1,
    },
    "event": EVENT,
}


def letter(text: str) -> Letter:
    return Letter("m", "r", text, datetime(2026, 11, 21, tzinfo=UTC), None, 1)


@pytest.mark.parametrize("kind", LETTERS)
def test_a_letter_is_known_by_what_it_holds(kind: str) -> None:
    assert letter(json.dumps(LETTERS[kind])).kind == kind


@pytest.mark.parametrize("text", ["", "no json", "[]", "null", "{}", '{"pointer": "unreadable"}', '{"type": "x"}'])
def test_everything_else_is_unreadable(text: str) -> None:
    assert letter(text).kind == "unreadable"


@pytest.mark.parametrize("kind", ["row", "position", "pointer"])
def test_what_holds_ids_only_is_shown_whole(kind: str) -> None:
    assert letter(json.dumps(LETTERS[kind])).shown()["content"] == LETTERS[kind]


@pytest.mark.parametrize("kind", ["row", "position", "pointer"])
def test_of_what_holds_ids_only_nothing_else_is_shown(kind: str) -> None:
    assert letter(json.dumps(LETTERS[kind] | {"note": "Asha Verma"})).shown()["content"] == LETTERS[kind]


def test_the_envelope_of_what_is_no_event_is_masked_too() -> None:
    assert letter('{"id": "Asha Verma", "type": 1}').shown()["content"] == {"id": "As***", "type": 1}


@pytest.mark.parametrize("text", [json.dumps(EVENT), '{"name": "Asha Verma"}', "Asha Verma", '["Asha Verma"]'])
def test_nobodys_name_is_shown(text: str) -> None:
    assert "Asha Verma" not in json.dumps(letter(text).shown())


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(seconds=30), "0 h 0 min"),
        (timedelta(minutes=75), "1 h 15 min"),
        (timedelta(hours=47, minutes=59), "47 h 59 min"),
        (timedelta(hours=50), "2 d 2 h"),
    ],
)
def test_an_age_is_told_in_days_hours_and_minutes(age: timedelta, told: str) -> None:
    assert _age(age) == told
