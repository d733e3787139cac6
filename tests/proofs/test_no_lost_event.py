"""P4 at a small size, and that what judges it has teeth."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from notifications.clinic import clinic
from tests.support.notifications import NOW, PATIENT, PostOffice
from tools.proofs import effects, p4
from tools.proofs.effects import Change, Effects, Heard, World, _unrecorded

if TYPE_CHECKING:
    from datetime import datetime

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


def judged(world: World, taken: Counter[tuple[str, str]], now: datetime = NOW) -> Effects:
    return effects.judged(world, taken, now)


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

    assert found == Effects([], [], [], [], Counter({"SENT": 2}))


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
    found = judged(world, providers + Counter([first]))
    assert (len(found.again), found.doubled) == (1, [])


def test_a_message_that_was_made_twice_is_doubled(world: World) -> None:
    providers = taken(world)
    world.changes.clear()
    world.changes.append(Change("e", "appointments.checked_in.v1", subject_of(world), 1, {}))

    found = judged(world, providers)
    assert (len(found.doubled), found.again) == (2, [])


def subject_of(world: World) -> str:
    return next(pk.removeprefix("subject#") for pk, sk in world.rows["notifications"] if sk == "latest")


def with_email(world: World, *, due: bool = False, **changes: Any) -> World:
    """The e-mail is as told, and has a timer or none; its provider has nothing of it."""
    rows = world.rows["notifications"]
    for (pk, sk), row in list(rows.items()):
        body = json.loads(row["body"] or "{}")
        if sk == "state" and body.get("channel") == "email":
            rows[pk, sk] = row | {"body": json.dumps(body | {"provider": None, "provider_message_id": None} | changes)}
            if due:
                rows[pk, "due"] = {"pk": pk, "sk": "due"}
    return world


def at(minutes: int) -> str:
    return (NOW + timedelta(minutes=minutes)).isoformat()


@pytest.mark.parametrize(
    ("email", "missing"),
    [
        ({"retry_count": 0, "not_before": None}, 1),
        ({"retry_count": 1, "not_before": None, "updated_at": at(-10)}, 1),
        ({"retry_count": 1, "not_before": at(-10), "due": True}, 1),
        ({"retry_count": 1, "not_before": at(30), "due": False}, 1),
        ({"retry_count": 1, "not_before": at(30), "due": True}, 0),
        ({"retry_count": 1, "not_before": at(-1), "due": True}, 0),
        ({"retry_count": 1, "not_before": None, "updated_at": at(-1)}, 0),
    ],
)
def test_a_message_that_waits_for_nothing_is_missing(world: World, email: dict[str, Any], missing: int) -> None:
    providers = taken(world) - Counter([("ses", "email-1")])
    found = judged(with_email(world, status="PENDING", **email), providers)

    assert len(found.missing) == missing
    assert (found.doubled, found.again, found.unanswered) == ([], [], [])


@pytest.mark.parametrize(
    ("reason", "provider", "missing", "unanswered"),
    [("Throttling", None, 1, 0), ("MessageRejected", "ses", 0, 0), ("NO_ANSWER", None, 0, 1)],
)
def test_a_message_that_failed_and_was_not_refused_is_missing(
    world: World, reason: str, provider: str | None, missing: int, unanswered: int
) -> None:
    providers = taken(world) - Counter([("ses", "email-1")])
    found = judged(with_email(world, status="FAILED", reason=reason, provider=provider), providers)

    assert (len(found.missing), len(found.unanswered)) == (missing, unanswered)


def test_a_message_that_is_known_by_its_report_alone_was_doubled_by_its_provider_at_most(world: World) -> None:
    found = judged(with_email(world, status="SENT", provider="ses"), taken(world))

    assert (found.missing, found.doubled, len(found.again)) == ([], [], 1)


NOTHING = Effects([], [], [], [], Counter())


def is_met(found: Effects, unrecorded: int = 0, lost: int = 0) -> bool:
    """What P4 says where consumers failed: so many senders died at a provider, so many of its answers were lost."""
    size, lag = p4.Size(lives=1, burst=1), p4.Lag(1, 1, 1)
    faults = Counter({("lose", "ses.SendRawEmail#1:after"): lost, ("lose", "dynamodb.GetItem#1:before"): 99})
    burst = p4.Phase(1, 1, 0, [], NOTHING, Heard(), lag)
    failing = p4.Phase(2, 2, 0, found.missing, found, Heard(faults=faults, unrecorded=unrecorded), lag)
    return p4._report(1, size, burst, failing).met


def test_only_what_a_provider_has_again_is_excused_by_senders_that_failed_there() -> None:
    again, doubled = NOTHING._replace(again=["a", "b"]), NOTHING._replace(doubled=["a"])

    assert is_met(NOTHING)
    assert is_met(again, unrecorded=2)
    assert not is_met(again, unrecorded=1)
    assert not is_met(doubled, unrecorded=2)
    assert not is_met(NOTHING._replace(missing=["a"]), unrecorded=2)


def test_a_message_without_an_answer_is_excused_by_as_many_answers_that_were_lost() -> None:
    tries = clinic().unheard_retries + 1

    assert is_met(NOTHING._replace(unanswered=["a", "b"]), lost=2 * tries)
    assert not is_met(NOTHING._replace(unanswered=["a", "b"]), lost=2 * tries - 1)
    assert not is_met(NOTHING._replace(unanswered=["a"]))


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
