"""The sweep asks insurers until they have decided, less and less often, and never gives up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hms.rows import Conflict
from insurance import asking, tasks
from insurance.claim import ClaimStatus
from tests.support.insurance import LATER, MINUTE, NOW, TOO_LATE

if TYPE_CHECKING:
    import pytest

    from insurance.insurers import Verdict
    from tests.support.insurance import Counter

SUBMITTED, APPROVED = ClaimStatus.SUBMITTED, ClaimStatus.APPROVED
NOTHING_DUE = {"outcome": "ok", "fired": 0, "failed": 0, "behind_seconds": 0}


def due(counter: Counter, claim_id: str) -> datetime:
    place = counter.asked_at(claim_id)
    assert place
    return datetime.fromisoformat(place.sk.partition("#")[0])


def test_it_answers_a_ping() -> None:
    assert tasks.handler({"task": "ping"}) == {"outcome": "ok"}


def test_a_claim_is_asked_about_when_it_is_due_and_not_a_second_before(counter: Counter) -> None:
    claim_id = counter.claim(TOO_LATE).claim_id
    wait = due(counter, claim_id) - NOW

    assert counter.sweep(wait - timedelta(seconds=1)) == NOTHING_DUE
    assert counter.read(claim_id).status is SUBMITTED
    assert counter.sweep(timedelta(seconds=1)) == NOTHING_DUE | {"fired": 1}
    assert counter.read(claim_id).status is APPROVED
    assert counter.sweep(timedelta(hours=1)) == NOTHING_DUE


def test_what_the_sweep_records_is_told_as_its_doing(counter: Counter) -> None:
    claim_id = counter.claim(TOO_LATE).claim_id
    counter.sweep(MINUTE)

    decided = counter.events("claim", claim_id)[-1]

    assert (decided["type"], decided["actor"]) == ("insurance.claim_decided.v1", "insurance-sweep")
    assert decided["data"]["status"] == "APPROVED"


def test_a_claim_that_is_decided_later_is_asked_about_until_then(counter: Counter) -> None:
    claim_id = counter.claim(LATER).claim_id
    for _ in range(4):
        counter.sweep(MINUTE)

    assert counter.read(claim_id).status is APPROVED
    assert counter.read(claim_id).version == 2


def test_a_silent_insurer_is_asked_for_ever_and_less_and_less_often(counter: Counter) -> None:
    claim_id = counter.claim(LATER).claim_id
    waits = []
    for _ in range(40):
        counter.now = due(counter, claim_id)
        counter.insurer.loses.append("question")
        counter.sweep()
        waits.append((due(counter, claim_id) - counter.now).total_seconds())

    longest = [min(3600, 60 * 2**tried) for tried in range(1, 41)]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    counter.sweep(timedelta(hours=1))
    assert counter.read(claim_id).status is APPROVED


def test_an_answer_that_is_lost_once_more_is_found_the_next_time(counter: Counter) -> None:
    claim_id = counter.claim(TOO_LATE).claim_id
    counter.insurer.loses += ["answer", "answer"]
    for _ in range(5):
        counter.sweep(2 * MINUTE)

    assert counter.read(claim_id).status is APPROVED


def test_two_sweeps_at_once_decide_once(counter: Counter) -> None:
    claim_id = counter.claim(TOO_LATE).claim_id
    counter.table.before.append(lambda: _ignore(counter.sweep(MINUTE)))
    counter.sweep(MINUTE)

    assert counter.types(claim_id) == ["claim_submitted", "claim_decided"]


def test_two_sweeps_at_once_put_off_once(counter: Counter) -> None:
    claim_id = counter.claim(LATER).claim_id
    counter.now = due(counter, claim_id)
    counter.table.before.append(lambda: _ignore(counter.sweep()))

    assert counter.sweep()["failed"] == 0
    waiting = counter.claims.waiting(claim_id)
    assert waiting
    assert waiting.asking.version == 2


def _ignore(_answer: object) -> None:
    return None


def test_a_claim_that_was_decided_while_it_was_put_off_stays_so(counter: Counter) -> None:
    claim_id = counter.claim(LATER).claim_id
    counter.table.before.append(lambda: _ignore(counter.cancel(claim_id)))

    assert counter.sweep(MINUTE)["failed"] == 0
    assert counter.read(claim_id).status is ClaimStatus.CANCELLED
    assert counter.asked_at(claim_id) is None


def test_what_the_index_shows_late_asks_nobody(counter: Counter) -> None:
    claim_id = counter.claim(TOO_LATE).claim_id
    counter.sweep(MINUTE)
    asked = list(counter.insurer.asked)

    asking.ask_again(claim_id, counter.call(), counter.office)

    assert counter.insurer.asked == asked
    assert counter.types(claim_id) == ["claim_submitted", "claim_decided"]


def test_one_claim_that_fails_does_not_stop_the_others(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, sound = counter.claim("AB-05").claim_id, counter.claim("AC-05", bill=2).claim_id
    look = counter.insurer.look
    monkeypatch.setattr(counter.insurer, "look", lambda key: look(key) if key == sound else _fail())

    assert counter.sweep(MINUTE)["failed"] == 1
    assert (counter.read(sound).status, counter.read(broken).status) == (APPROVED, SUBMITTED)
    assert counter.asked_at(broken)


def _fail() -> Verdict:
    raise ZeroDivisionError


def test_a_table_that_refuses_to_put_off_is_no_lost_claim(counter: Counter) -> None:
    claim_id = counter.claim(LATER).claim_id
    before = counter.asked_at(claim_id)
    counter.table.before.append(lambda: _raise(Conflict(())))

    counter.sweep(MINUTE)

    assert counter.asked_at(claim_id) == before


def _raise(error: Exception) -> None:
    raise error
