"""Coverages and eligibility checks: what is written, answered and told, and who may."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from hms.errors import Problem
from hms.policy import ROLES
from hms.rows import Key
from insurance import service
from insurance.commands import CancelCoverage
from insurance.insurers import Eligibility
from insurance.query import ListChecks, ListCoverages
from tests.support.insurance import (
    ANOTHER_PATIENT,
    CLERK,
    DAY,
    NOW,
    OTHER_PATIENT,
    PATIENT,
    POLICY,
    THE_PATIENT,
    TOO_LATE,
    UNKNOWN,
    a_principal,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.auth import Principal
    from insurance.model import Coverage
    from tests.support.insurance import Counter

NOBODY = "01930d2a-6f00-7000-8000-00000000dead"


def refusal(work: Callable[[], Any]) -> str | None:
    try:
        work()
    except Problem as problem:
        return problem.code
    return None


def listed(counter: Counter, who: Principal = CLERK, patient_id: str | None = PATIENT, **asked: Any) -> list[Coverage]:
    params = ListCoverages(patient_id=patient_id, **asked)
    return service.list_coverages(params, counter.call(who), counter.office).items


def test_a_coverage_is_one_read_and_one_transaction(counter: Counter) -> None:
    reads, commits = counter.table.reads, counter.table.commits
    coverage = counter.add().state

    assert (counter.table.reads - reads, counter.table.commits - commits) == (1, 1)
    assert service.get_coverage(coverage.coverage_id, counter.call(), counter.office) == coverage
    assert (coverage.copay_percent, coverage.annual_limit, coverage.status) == (2000, None, "ACTIVE")


def test_amounts_come_back_as_they_were_given(counter: Counter) -> None:
    coverage_id = counter.coverage(annual_limit="500000.00", copay_percent="12.50")

    kept = service.get_coverage(coverage_id, counter.call(), counter.office)

    assert (kept.annual_limit, kept.copay_percent) == (50_000_000, 1250)


@pytest.mark.parametrize("code", ["PATIENT_NOT_FOUND", "PATIENT_INACTIVE"])
def test_the_owner_of_patients_has_the_last_word(counter: Counter, code: str) -> None:
    counter.owners.refuses = code

    assert refusal(counter.add) == code
    assert counter.table.items == {}


def test_nothing_is_written_where_the_owner_does_not_answer(counter: Counter) -> None:
    counter.owners.down = True

    assert refusal(counter.add) == "BUSY"
    assert counter.table.items == {}


def test_a_member_number_belongs_to_one_active_coverage_of_a_payer(counter: Counter) -> None:
    first = counter.coverage("ab-1")

    assert refusal(lambda: counter.add("AB-1", patient_id=OTHER_PATIENT)) == "MEMBER_NUMBER_TAKEN"
    assert refusal(lambda: counter.add("AB-1", payer={"code": "star", "name": "Star"})) == "MEMBER_NUMBER_TAKEN"
    assert refusal(lambda: counter.add("AB-1", payer={"code": "NIVA", "name": "Niva"})) is None
    assert refusal(lambda: counter.add("AB-2")) is None
    counter.cancel_coverage(first)
    assert refusal(lambda: counter.add("AB-1", patient_id=OTHER_PATIENT)) is None


def test_of_two_that_take_a_number_at_once_one_is_refused(counter: Counter) -> None:
    counter.table.before.append(lambda: _ignore(counter.add(patient_id=OTHER_PATIENT)))

    assert refusal(counter.add) == "MEMBER_NUMBER_TAKEN"
    assert (len(listed(counter)), len(listed(counter, patient_id=OTHER_PATIENT))) == (0, 1)


def _ignore(_answer: object) -> None:
    return None


def test_a_repeated_request_answers_as_the_first_even_when_the_owner_is_silent(counter: Counter) -> None:
    call = counter.call(token=ids.new(), digest="d")
    first = counter.add(call=call)
    counter.cancel_coverage(first.state.coverage_id)
    counter.owners.down = True

    again = counter.add(call=call)

    assert (again.state, again.replayed) == (first.state, True)
    assert refusal(lambda: counter.add(call=replace(call, digest="other"))) == "IDEMPOTENCY_KEY_REUSED"


def test_a_lost_answer_is_no_second_coverage(counter: Counter) -> None:
    counter.table.loses_answers()
    counter.add()

    assert len(listed(counter)) == 1


def test_a_cancelled_coverage_is_kept_with_its_reason_and_cancelled_once(counter: Counter) -> None:
    coverage_id = counter.coverage()
    counter.table.loses_answers()
    counter.cancel_coverage(coverage_id, reason="Mistyped")

    [kept] = listed(counter)
    assert (kept.status, kept.cancellation_reason, kept.version) == ("CANCELLED", "Mistyped", 2)
    assert refusal(lambda: counter.cancel_coverage(coverage_id)) == "INVALID_TRANSITION"


def test_cancelling_late_does_not_take_the_number_from_who_has_it_now(counter: Counter) -> None:
    first = counter.coverage()
    call = counter.call(token=ids.new())
    counter.cancel_coverage(first, call=call)
    second = counter.coverage()

    assert counter.cancel_coverage(first, call=call).replayed
    assert counter.table.items[Key("member#STAR", "sh-00")].body == second


def test_a_stale_version_cancels_nothing(counter: Counter) -> None:
    coverage_id = counter.coverage()

    assert refusal(lambda: counter.cancel_coverage(coverage_id, call=counter.call(if_match=2))) == "STALE_VERSION"
    assert refusal(lambda: counter.cancel_coverage(coverage_id, call=counter.call(if_match=1))) is None


def test_events_hold_ids_and_amounts_and_nothing_of_the_card(counter: Counter) -> None:
    coverage_id = counter.coverage("SECRET-NUMBER", annual_limit="500000.00")
    check = counter.check(coverage_id).state
    counter.cancel_coverage(coverage_id, reason="SECRET-REASON")

    told = counter.events("coverage", coverage_id) + counter.events("check", check.check_id)

    assert [event["type"] for event in told] == [
        "insurance.coverage_added.v1",
        "insurance.coverage_cancelled.v1",
        "insurance.eligibility_checked.v1",
    ]
    assert told[0]["data"]["annual_limit"] == {"amount": "500000.00", "currency": "INR"}
    assert told[2]["data"]["covered"] == {"amount": "420.00", "currency": "INR"}
    assert not any(word in str(told) for word in ("SECRET", "Star", "STAR", "Optima", "2026-04-01"))


def test_a_patients_coverages_are_listed_newest_first_in_pages(counter: Counter) -> None:
    added = []
    for number in range(5):
        counter.now = NOW.replace(second=number)
        added.append(counter.coverage(f"AB-1{number}"))
    counter.coverage("AB-99", patient_id=OTHER_PATIENT)

    first = service.list_coverages(ListCoverages(patient_id=PATIENT, limit=3), counter.call(), counter.office)
    reads = counter.table.reads
    rest = counter.coverages.listed(f"patient#{PATIENT}", 3, first.last)

    assert counter.table.reads - reads == 2
    assert [one.coverage_id for one in (*first.items, *rest.items)] == added[::-1]
    assert (len(first.items), rest.last) == (3, None)


def test_a_list_shows_the_state_of_now(counter: Counter) -> None:
    counter.cancel_coverage(counter.coverage())

    assert [one.status for one in listed(counter)] == ["CANCELLED"]


def test_staff_say_whose_coverages_they_want(counter: Counter) -> None:
    assert refusal(lambda: listed(counter, patient_id=None)) == "INVALID"


def test_patients_need_not_say_whose_and_reach_nobody_elses(counter: Counter) -> None:
    coverage_id = counter.coverage()

    assert [one.coverage_id for one in listed(counter, THE_PATIENT, None)] == [coverage_id]
    assert [one.coverage_id for one in listed(counter, THE_PATIENT)] == [coverage_id]
    assert listed(counter, ANOTHER_PATIENT, None) == []
    assert refusal(lambda: listed(counter, ANOTHER_PATIENT)) == "FORBIDDEN"
    assert refusal(lambda: listed(counter, a_principal("patient"), None)) == "FORBIDDEN"


READS: dict[str, Callable[[Counter, str, Principal], Any]] = {
    "one": lambda counter, coverage, who: service.get_coverage(coverage, counter.call(who), counter.office),
    "checks": lambda counter, coverage, who: service.list_checks(
        coverage, ListChecks(), counter.call(who), counter.office
    ),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_what_is_unknown_looks_to_patients_like_somebody_elses(
    counter: Counter, read: Callable[[Counter, str, Principal], Any]
) -> None:
    coverage_id = counter.coverage()

    assert refusal(lambda: read(counter, coverage_id, THE_PATIENT)) is None
    assert refusal(lambda: read(counter, coverage_id, ANOTHER_PATIENT)) == "FORBIDDEN"
    assert refusal(lambda: read(counter, NOBODY, THE_PATIENT)) == "FORBIDDEN"
    assert refusal(lambda: read(counter, NOBODY, CLERK)) == "COVERAGE_NOT_FOUND"


COMMANDS: dict[str, tuple[str, Callable[[Counter, str, Principal], Any]]] = {
    "add": ("insurance:cover", lambda counter, _coverage, who: counter.add("NEW-1", call=counter.call(who))),
    "cancel": (
        "insurance:cover",
        lambda counter, coverage, who: service.cancel_coverage(
            coverage, CancelCoverage(), counter.call(who), counter.office
        ),
    ),
    "check": ("insurance:check", lambda counter, coverage, who: counter.check(coverage, call=counter.call(who))),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_role_reaches_as_far_as_the_policy_says(counter: Counter, command: str, role: str) -> None:
    permission, work = COMMANDS[command]
    who = a_principal(role, patient_id=PATIENT if role in ("patient", "guardian") else None)
    coverage_id = counter.coverage()

    allowed = POLICY.table[permission].get(role) == "any"

    assert refusal(lambda: work(counter, coverage_id, who)) == (None if allowed else "FORBIDDEN")


def test_what_the_insurer_says_is_kept_as_it_was_said(counter: Counter) -> None:
    coverage_id = counter.coverage()

    check = counter.check(coverage_id).state

    assert (check.eligible, check.covered_percent, check.amount, check.covered_amount) == (True, 8000, 52500, 42000)
    assert (check.code, check.on, check.as_of, check.insurer) == ("COVERED", DAY, NOW, "simulator")
    [kept] = service.list_checks(coverage_id, ListChecks(), counter.call(), counter.office).items
    assert kept == check


def test_a_no_is_kept_with_its_reason(counter: Counter) -> None:
    check = counter.check(counter.coverage(UNKNOWN), None).state

    assert (check.eligible, check.code, check.covered_percent, check.covered_amount) == (
        False,
        "UNKNOWN_MEMBER",
        0,
        None,
    )


def test_an_insurer_that_does_not_answer_leaves_no_record(counter: Counter) -> None:
    coverage_id = counter.coverage(TOO_LATE)
    before = dict(counter.table.items)

    assert refusal(lambda: counter.check(coverage_id)) == "INSURER_UNANSWERED"
    assert counter.table.items == before


def test_an_answer_that_cannot_be_meant_leaves_no_record(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    coverage_id = counter.coverage()
    before = dict(counter.table.items)
    too_much = Eligibility(True, 8000, 52501, "COVERED", "Covered.", NOW)
    monkeypatch.setattr(counter.insurer, "eligible", lambda _question: too_much)

    assert refusal(lambda: counter.check(coverage_id)) == "INSURER_UNANSWERED"
    assert counter.table.items == before


def test_a_check_is_one_record_whatever_is_repeated_or_lost(counter: Counter) -> None:
    coverage_id = counter.coverage()
    call = counter.call(token=ids.new())
    counter.table.loses_answers()
    first = counter.check(coverage_id, call=call).state
    counter.cancel_coverage(coverage_id)

    assert counter.check(coverage_id, call=call).state == first
    assert len(service.list_checks(coverage_id, ListChecks(), counter.call(), counter.office).items) == 1


def test_a_cancelled_or_unknown_coverage_is_not_asked_about(counter: Counter) -> None:
    coverage_id = counter.coverage()
    counter.cancel_coverage(coverage_id)

    assert refusal(lambda: counter.check(coverage_id)) == "COVERAGE_CANCELLED"
    assert refusal(lambda: counter.check(NOBODY)) == "COVERAGE_NOT_FOUND"
    assert counter.insurer.asked == []
