"""The simulated insurer does what its table says, and remembers what it has said."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hms import numbers
from insurance.claim import ClaimStatus
from insurance.insurers import Question, Unanswered
from insurance.simulator import SimulatedInsurer
from tests.support.insurance import (
    APPROVES,
    DAY,
    DENIES,
    IN_PART,
    LATER,
    MINUTE,
    TOO_LATE,
    UNKNOWN,
    a_demand,
    a_membership,
)

if TYPE_CHECKING:
    from insurance.insurers import Eligibility
    from tests.support.insurance import Counter

APPROVED, PARTLY, DENIED = ClaimStatus.APPROVED, ClaimStatus.PARTIALLY_APPROVED, ClaimStatus.DENIED
SECOND = timedelta(seconds=1)
FIRST_DAY, LAST_DAY = date(2026, 4, 1), date(2027, 3, 31)
A_DAY = timedelta(days=1)


@pytest.fixture
def insurer(counter: Counter) -> SimulatedInsurer:
    return SimulatedInsurer(counter.table)


def asked(
    insurer: SimulatedInsurer, number: str = APPROVES, amount: int | None = 52500, on: date = DAY, **terms: Any
) -> Eligibility:
    return insurer.eligible(Question(a_membership(number, **terms), on, amount))


@pytest.mark.parametrize(
    ("number", "status", "approved", "code"),
    [
        (APPROVES, APPROVED, 42000, None),
        ("SH-2291-00417", APPROVED, 42000, None),
        (IN_PART, PARTLY, 21000, "PARTLY_COVERED"),
        (DENIES, DENIED, 0, "NOT_COVERED"),
        (LATER, "PENDING", 0, None),
        (UNKNOWN, DENIED, 0, "UNKNOWN_MEMBER"),
    ],
)
def test_it_rules_as_the_member_number_ends(
    insurer: SimulatedInsurer, number: str, status: str, approved: int, code: str | None
) -> None:
    verdict = insurer.submit(a_demand(number=number))

    assert (verdict.status, verdict.approved, verdict.code) == (status, approved, code)
    assert verdict.reference
    assert numbers.is_right(verdict.reference.removeprefix("SIM-"))
    assert insurer.look("claim-1") == verdict


def test_what_it_does_not_answer_in_time_it_has_taken(insurer: SimulatedInsurer) -> None:
    with pytest.raises(Unanswered):
        insurer.submit(a_demand(number=TOO_LATE))

    assert (insurer.look("claim-1").status, insurer.look("claim-1").approved) == (APPROVED, 42000)


def test_what_it_decides_later_it_decides_two_minutes_later(insurer: SimulatedInsurer, counter: Counter) -> None:
    insurer.submit(a_demand(number=LATER))

    counter.now += 2 * MINUTE - SECOND
    assert insurer.look("claim-1").status == "PENDING"
    counter.now += SECOND
    assert (insurer.look("claim-1").status, insurer.look("claim-1").approved) == (APPROVED, 42000)


def test_what_it_was_never_told_it_does_not_know(insurer: SimulatedInsurer) -> None:
    assert insurer.look("claim-1").status == "ABSENT"


@pytest.mark.parametrize("number", [APPROVES, IN_PART, DENIES, LATER, UNKNOWN])
def test_the_same_key_is_the_same_claim(insurer: SimulatedInsurer, counter: Counter, number: str) -> None:
    first = insurer.submit(a_demand(number=number))

    assert insurer.submit(a_demand(number=number)) == first
    assert insurer.submit(a_demand(number=number, amount=1)) == first


@pytest.mark.parametrize(("copay", "approved"), [(0, 101), (5000, 51), (3333, 67), (9999, 0), (10_000, 0)])
def test_the_copayment_is_the_patients_rounded_half_up(insurer: SimulatedInsurer, copay: int, approved: int) -> None:
    verdict = insurer.submit(a_demand(amount=101, copay_percent=copay))

    assert (verdict.status, verdict.approved) == (APPROVED if approved else DENIED, approved)
    assert verdict.code == (None if approved else "NOTHING_COVERED")


@pytest.mark.parametrize(
    ("limit", "status", "approved", "code"),
    [
        (42000, APPROVED, 42000, None),
        (41999, PARTLY, 41999, "ANNUAL_LIMIT"),
        (1, PARTLY, 1, "ANNUAL_LIMIT"),
    ],
)
def test_it_grants_no_more_than_the_annual_limit(
    insurer: SimulatedInsurer, limit: int, status: str, approved: int, code: str | None
) -> None:
    verdict = insurer.submit(a_demand(annual_limit=limit))

    assert (verdict.status, verdict.approved, verdict.code) == (status, approved, code)


def test_all_claims_of_a_calendar_year_share_the_limit(insurer: SimulatedInsurer) -> None:
    verdicts = [
        insurer.submit(a_demand(f"claim-{number}", annual_limit=100_000, on=on))
        for number, on in enumerate([date(2026, 4, 1), date(2026, 11, 23), date(2026, 12, 31), date(2026, 12, 31)])
    ]

    assert [verdict.approved for verdict in verdicts] == [42000, 42000, 16000, 0]
    assert (verdicts[3].status, verdicts[3].code) == (DENIED, "ANNUAL_LIMIT")
    assert insurer.submit(a_demand("next", annual_limit=100_000, on=date(2027, 1, 1))).approved == 42000


def test_the_limit_is_the_members_whatever_the_case_of_the_number(insurer: SimulatedInsurer) -> None:
    insurer.submit(a_demand("one", "ab-1", annual_limit=42000))

    assert insurer.submit(a_demand("two", "AB-1", annual_limit=42000)).approved == 0
    assert insurer.submit(a_demand("three", "AB-2", annual_limit=42000)).approved == 42000


def test_two_claims_at_once_do_not_share_out_more_than_the_limit(insurer: SimulatedInsurer, counter: Counter) -> None:
    insurer.submit(a_demand("first", annual_limit=100_000))
    faster = a_demand("faster", annual_limit=100_000)
    counter.table.before.append(lambda: _ignore(insurer.submit(faster)))

    slower = insurer.submit(a_demand("slower", annual_limit=100_000))

    assert (insurer.look("faster").approved, slower.approved) == (42000, 16000)


def _ignore(_verdict: object) -> None:
    return None


@pytest.mark.parametrize(
    ("on", "is_covered"), [(FIRST_DAY - A_DAY, False), (FIRST_DAY, True), (LAST_DAY, True), (LAST_DAY + A_DAY, False)]
)
def test_it_pays_within_the_period_both_days_included(insurer: SimulatedInsurer, on: date, is_covered: bool) -> None:
    answer, verdict = asked(insurer, on=on), insurer.submit(a_demand(on=on))

    assert (answer.eligible, answer.code) == ((True, "COVERED") if is_covered else (False, "NOT_IN_FORCE"))
    assert verdict.status == (APPROVED if is_covered else DENIED)


def test_it_says_what_it_pays_of_an_amount(insurer: SimulatedInsurer, counter: Counter) -> None:
    answer = asked(insurer)

    assert answer == (True, 8000, 42000, "COVERED", "Covered.", counter.now)
    assert asked(insurer, amount=None).covered_amount is None
    assert asked(insurer, annual_limit=41999).covered_amount == 41999


def test_it_knows_no_such_member(insurer: SimulatedInsurer) -> None:
    answer = asked(insurer, UNKNOWN)

    assert (answer.eligible, answer.covered_percent, answer.covered_amount) == (False, 0, 0)
    assert answer.code == "UNKNOWN_MEMBER"
    assert asked(insurer, UNKNOWN, amount=None).covered_amount is None


def test_it_does_not_answer_about_a_member_in_time(insurer: SimulatedInsurer) -> None:
    with pytest.raises(Unanswered):
        asked(insurer, TOO_LATE)


def test_a_member_whose_limit_is_used_up_is_not_covered(insurer: SimulatedInsurer) -> None:
    insurer.submit(a_demand(annual_limit=42000))

    answer = asked(insurer, annual_limit=42000)

    assert (answer.eligible, answer.code, answer.covered_amount) == (False, "ANNUAL_LIMIT", 0)
    assert asked(insurer, annual_limit=42001).covered_amount == 1


def test_what_is_withdrawn_is_never_decided_and_gives_back_what_it_took(
    insurer: SimulatedInsurer, counter: Counter
) -> None:
    insurer.submit(a_demand(number=LATER, annual_limit=42000))

    assert insurer.withdraw("claim-1").status == "WITHDRAWN"
    counter.now += 5 * MINUTE
    assert insurer.withdraw("claim-1").status == "WITHDRAWN"
    assert insurer.look("claim-1").status == "WITHDRAWN"
    assert asked(insurer, LATER, annual_limit=42000).covered_amount == 42000


def test_what_is_withdrawn_before_it_comes_is_not_taken(insurer: SimulatedInsurer) -> None:
    assert insurer.withdraw("claim-1").status == "WITHDRAWN"

    assert insurer.submit(a_demand()).status == "WITHDRAWN"


@pytest.mark.parametrize(("number", "status"), [(APPROVES, APPROVED), (IN_PART, PARTLY), (DENIES, DENIED)])
def test_what_is_decided_is_not_withdrawn(insurer: SimulatedInsurer, number: str, status: str) -> None:
    decided = insurer.submit(a_demand(number=number))

    assert insurer.withdraw("claim-1") == decided
    assert decided.status == status


@pytest.mark.parametrize("number", [APPROVES, LATER])
def test_an_answer_of_its_table_that_is_lost_takes_nothing_twice(
    insurer: SimulatedInsurer, counter: Counter, number: str
) -> None:
    counter.table.loses_answers()
    insurer.submit(a_demand(number=number, annual_limit=84000))

    assert asked(insurer, number, amount=84000, annual_limit=84000).covered_amount == 42000


def test_a_table_that_does_not_answer_is_an_insurer_that_does_not(insurer: SimulatedInsurer, counter: Counter) -> None:
    counter.table.is_contended(times=100)

    with pytest.raises(Unanswered):
        insurer.submit(a_demand())
