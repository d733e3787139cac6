"""An operator sees which event it is and nothing that is somebody's."""

from __future__ import annotations

import json

import pytest

from tools import contracts
from tools.replay.masked import masked_event


def shown(data: object) -> object:
    return masked_event({"type": "things.made.v1", "data": data})["data"]


@pytest.mark.parametrize("kept", ["01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60", "2026-11-23T04:30:00Z"])
def test_ids_and_instants_stay(kept: str) -> None:
    assert shown({"it": kept, "many": [kept]}) == {"it": kept, "many": [kept]}


@pytest.mark.parametrize("kept", ["SCHEDULED", "NO_SHOW"])
def test_a_state_stays_where_states_are(kept: str) -> None:
    assert shown({"status": kept, "name": kept}) == {"status": kept, "name": f"{kept[:2]}***"}


@pytest.mark.parametrize("kept", [7, 999, 1.5, True, None])
def test_a_short_number_stays(kept: object) -> None:
    assert shown({"it": kept}) == {"it": kept}


@pytest.mark.parametrize("number", [1990, 9876543210, -1990, 12.9716])
def test_a_number_that_may_be_somebodys_is_masked(number: float) -> None:
    assert shown({"it": number}) == {"it": "***"}


@pytest.mark.parametrize(
    ("name", "told"), [("Asha Verma", "As***"), ("9876543210", "******3210"), ("a@example.com", "a****@example.com")]
)
def test_what_is_no_fields_name_is_masked(name: str, told: str) -> None:
    assert shown({name: 1, "slot_start": 2}) == {told: 1, "slot_start": 2}


def test_what_is_nested_too_deeply_is_not_shown() -> None:
    nested: object = "Asha Verma"
    for _ in range(900):
        nested = [nested]
    assert json.dumps(shown(nested)).strip("[]") == '"***"'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Asha Verma", "As***"),
        ("john.doe@example.com", "jo****@example.com"),
        ("+919227680402", "*********0402"),
        ("1990-04-23", "19***"),
        ("9876543210", "******3210"),
        ("ASHA", "AS***"),
        ("Chest pain since Monday", "Ch***"),
        ("ask @ Asha Verma", "as***"),
        ("A", "A***"),
        ("", "***"),
    ],
)
def test_everything_else_is_masked(text: str, told: str) -> None:
    assert shown({"a": {"b": [text]}}) == {"a": {"b": [told]}}


def test_what_is_no_part_of_an_envelope_is_masked_too() -> None:
    assert masked_event({"id": "Asha Verma", "name": "Asha Verma"}) == {"id": "Asha Verma", "name": "As***"}


@pytest.mark.parametrize("kind", ["patients.registered.v1", "doctors.registered.v1"])
def test_no_name_address_or_number_of_a_published_event_is_left(kind: str) -> None:
    event = contracts.example_of(kind).model_dump(mode="json")
    text = json.dumps(masked_event(event))

    for field in ("name", "email", "phone"):
        assert not event["data"].get(field) or event["data"][field] not in text
    assert masked_event(event)["id"] == event["id"]
