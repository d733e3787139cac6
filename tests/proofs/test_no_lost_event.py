"""P4 at a small size, and that what judges it has teeth."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.notifications import PATIENT, PostOffice
from tools.proofs import p4
from tools.proofs.effects import Change, World, _unrecorded, judged

if TYPE_CHECKING:
    from tools.system import System

pytestmark = pytest.mark.proof


@pytest.mark.e2e
@pytest.mark.chaos
def test_every_change_is_seen_by_every_subscriber(failing_system: System) -> None:
    report = p4.prove(failing_system, full=False)

    assert report.met, report.figure


@pytest.fixture
def world() -> World:
    """A visit that is booked, and told of by e-mail and text message."""
    office, world = PostOffice(), World()
    visit = office.happens("booked")
    office.confirmed()
    office.sends()
    for item in office.table.items.values():
        row = {"pk": item.pk, "sk": item.sk, "version": item.version, "body": item.body}
        world.rows["notifications"][item.pk, item.sk] = row
    world.rows["patients"][f"patient#{PATIENT}", f"treated_by#{visit['doctor_id']}"] = {}
    world.changes.append(Change("e", "appointments.booked.v1", visit["appointment_id"], 1, visit))
    return world


def taken(world: World) -> Counter[tuple[str, str]]:
    texts = [one for one in world.rows["notifications"].values() if '"channel":"sms"' in (one["body"] or "")]
    said = next(one["body"] for one in texts if one["sk"] == "state")
    text = json.loads(said)["text"]
    return Counter([("ses", "email-1"), ("+919227680402", text)])


def without(world: World, start: str) -> World:
    """Less the rows whose key starts so."""
    rows = world.rows["notifications"]
    for key in [key for key in rows if key[0].startswith(start)]:
        del rows[key]
    return world


def test_what_is_as_it_should_be_is_judged_so(world: World) -> None:
    found = judged(world, taken(world))

    assert (found.missing, found.doubled, dict(found.told)) == ([], [], {"SENT": 2})


def test_a_message_that_was_not_made_is_missing(world: World) -> None:
    assert len(judged(without(world, "notification#"), Counter()).missing) == 2


def test_a_change_that_was_not_heard_of_is_missing(world: World) -> None:
    providers = taken(world)

    assert len(judged(without(world, "subject#"), providers).missing) == 3


def test_a_reminder_that_was_not_planned_is_missing(world: World) -> None:
    del world.rows["notifications"][f"subject#{world.changes[0].subject}", "reminder#reminder-2h"]

    assert len(judged(world, taken(world)).missing) == 1


def test_a_treatment_that_is_not_known_is_missing(world: World) -> None:
    world.rows["patients"].clear()

    assert len(judged(world, taken(world)).missing) == 1


def test_a_message_that_no_provider_has_is_missing_and_one_it_has_twice_is_doubled(world: World) -> None:
    providers = taken(world)
    first: Any = next(iter(providers))

    assert len(judged(world, providers - Counter([first])).missing) == 1
    assert len(judged(world, providers + Counter([first])).doubled) == 1


PROVIDER = {"level": "TEST", "point": "ses.SendRawEmail#1:after"}
TOOK, LOST = PROVIDER | {"fault": "trace"}, PROVIDER | {"fault": "lose"}
DONE, FAILED, END = {"message": "consumed"}, {"message": "not consumed"}, {"message": "END"}
AGAIN = {"message": "comes again"}


@pytest.mark.parametrize(
    ("lines", "unrecorded"),
    [
        ([TOOK, DONE, END], 0),
        ([DONE, FAILED, END], 0),
        ([TOOK, FAILED, DONE, END], 1),
        ([TOOK, AGAIN, DONE, END], 1),
        ([TOOK, LOST, DONE, END], 1),
        ([TOOK, END], 1),
        ([TOOK], 1),
        ([TOOK, DONE, TOOK, END, TOOK, LOST, DONE], 2),
    ],
)
def test_a_message_that_was_taken_and_not_recorded_is_counted(lines: list[dict[str, Any]], unrecorded: int) -> None:
    assert _unrecorded(lines) == unrecorded
