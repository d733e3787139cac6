"""The vocabulary: what goes into a row and out of it."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest

from doctors.hours import Leave, Override
from doctors.model import FACTS, Doctor
from hms.money import AT_REST
from tests.support.doctors import a_doctor, a_weekly_period

if TYPE_CHECKING:
    from hms.events import Fact


def test_a_doctor_survives_the_row() -> None:
    doctor = a_doctor(
        schedule=(a_weekly_period(),),
        overrides=(Override(date=date(2026, 12, 7)),),
        leave=(Leave(leave_id="one", first=date(2026, 12, 24), last=date(2026, 12, 31), reason="rest"),),
        consultation_fee={"amount": "800.00"},
    )

    assert Doctor.model_validate_json(doctor.model_dump_json(context=AT_REST), context=AT_REST) == doctor


@pytest.mark.parametrize("fact", FACTS)
def test_the_example_of_an_event_is_one(fact: type[Fact]) -> None:
    extra = fact.model_config["json_schema_extra"]
    assert isinstance(extra, dict)
    examples = extra["examples"]
    assert isinstance(examples, list)
    told = fact.model_validate_json(json.dumps(examples[0]))
    assert told.model_dump(mode="json") == examples[0]


def test_event_types_are_named_once() -> None:
    assert len({fact.type for fact in FACTS}) == len(FACTS)
    assert all(fact.type.startswith("doctors.") for fact in FACTS)
