"""Fifteen minutes after the start the sweep proposes a no-show, and reception says what came of it.

A sweep by a moved clock meets every visit that is due until then: these lie on days before anybody else's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import agreed, eventually, refused
from tests.support.hospital import MONDAY, TUESDAY, instant, slot

if TYPE_CHECKING:
    from tests.support.client import Client
    from tests.support.hospital import Hospital

FRIDAY = MONDAY - timedelta(days=3)
GRACE_IS_OVER = instant("10:15", FRIDAY)
LIST = "/v1/appointments/no-show-proposals"
SECONDS_TO_BE_SWEPT = 150


@pytest.fixture
def visit(hospital: Hospital) -> dict[str, Any]:
    return hospital.visit(slot("10:00", FRIDAY))


def of(visit: dict[str, Any], command: str = "") -> str:
    return f"/v1/appointments/{visit['appointment_id']}{command}"


def sweep(hospital: Hospital, now: datetime = GRACE_IS_OVER) -> dict[str, Any]:
    return hospital.ask("appointments", {"task": "sweep", "x-test-clock": now.astimezone(UTC).isoformat()})


def now_of(visit: dict[str, Any], by: Client) -> dict[str, Any]:
    found: dict[str, Any] = agreed(by.get(of(visit)))
    return found


def listed(visit: dict[str, Any], by: Client) -> dict[str, Any] | None:
    """The visit's line on the list of its day, through all its pages."""
    cursor: str | None = None
    while True:
        query = {"day": str(FRIDAY), "limit": 3} | ({"cursor": cursor} if cursor else {})
        page = agreed(by.get(LIST, query=query))
        assert page["as_of"]
        for line in page["items"]:
            if line["appointment_id"] == visit["appointment_id"]:
                found: dict[str, Any] = line
                return found
        cursor = page["next_cursor"]
        if cursor is None:
            return None


def test_who_does_not_come_is_proposed_once_and_reception_confirms(hospital: Hospital, visit: dict[str, Any]) -> None:
    assert sweep(hospital)["outcome"] == "ok"
    proposed = now_of(visit, hospital.reception)
    assert (proposed["status"], proposed["version"]) == ("SCHEDULED", 2)
    assert proposed["no_show_proposed_at"]
    assert proposed["history"][-1]["action"] == "no-show-proposed"
    line = eventually(lambda: listed(visit, hospital.reception), bool)
    assert line
    assert (line["version"], line["patient_id"], line["slot_start"]) == (2, visit["patient_id"], visit["slot_start"])

    sweep(hospital)
    assert now_of(visit, hospital.reception)["version"] == 2
    reception = hospital.reception.at(GRACE_IS_OVER)
    refused(reception.post(of(visit, "/no-show"), if_match=1), 412, "STALE_VERSION")
    confirmed = agreed(reception.post(of(visit, "/no-show"), if_match=2))

    assert (confirmed["status"], confirmed["no_show_proposed_at"]) == ("NO_SHOW", None)
    assert eventually(lambda: listed(visit, hospital.reception), lambda line: line is None) is None


def test_who_comes_late_is_taken_off_the_list(hospital: Hospital, visit: dict[str, Any]) -> None:
    sweep(hospital)
    assert eventually(lambda: listed(visit, hospital.reception), bool)

    came = agreed(hospital.reception.at(GRACE_IS_OVER).post(of(visit, "/check-in")))

    assert (came["status"], came["no_show_proposed_at"]) == ("CHECKED_IN", None)
    assert eventually(lambda: listed(visit, hospital.reception), lambda line: line is None) is None


@pytest.mark.parametrize("command", ["check-in", "cancel"])
def test_nothing_is_proposed_where_nobody_is_awaited(hospital: Hospital, visit: dict[str, Any], command: str) -> None:
    changed = agreed(hospital.reception.post(of(visit, f"/{command}")))

    sweep(hospital)

    assert now_of(visit, hospital.reception)["version"] == changed["version"]


def test_a_visit_that_was_moved_is_not_missed_at_its_old_time(hospital: Hospital, visit: dict[str, Any]) -> None:
    moved = agreed(hospital.reception.post(of(visit, "/reschedule"), slot("10:00", TUESDAY)))

    sweep(hospital)

    now = now_of(visit, hospital.reception)
    assert (now["version"], now["no_show_proposed_at"]) == (moved["version"], None)


def test_doctors_see_proposals_of_their_own_visits_and_patients_none(hospital: Hospital, visit: dict[str, Any]) -> None:
    sweep(hospital)
    assert eventually(lambda: listed(visit, hospital.reception), bool)

    doctor = hospital.user("doctor", doctor_id=visit["doctor_id"])
    assert eventually(lambda: listed(visit, doctor), bool)
    assert listed(visit, hospital.role("doctor")) is None
    refused(hospital.role("patient").get(LIST), 403, "FORBIDDEN")


def test_every_minute_a_sweep_runs_by_itself(hospital: Hospital) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    start = now - timedelta(minutes=20 + now.minute % 5)
    wanted = {"slot_start": start.isoformat(), "slot_end": (start + timedelta(minutes=10)).isoformat()}
    walk_in = {"kind": "WALK_IN", "reason": "Came with a fever"}
    booked = hospital.book(
        hospital.patient(), hospital.doctor(), wanted, by=hospital.reception.at(start), exemption=walk_in
    )
    visit = agreed(booked, 201)

    seen = eventually(
        lambda: now_of(visit, hospital.reception),
        lambda found: found["no_show_proposed_at"] is not None,
        SECONDS_TO_BE_SWEPT,
    )

    assert seen["no_show_proposed_at"], "nobody swept"
