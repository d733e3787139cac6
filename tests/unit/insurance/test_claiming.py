"""Claims: written before the insurer hears of them, decided once, and cancelled only where the insurer says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from hms import ids
from hms.errors import Problem
from hms.policy import ROLES
from hms.rows import Contention, Key
from insurance import claiming
from insurance.claim import ClaimStatus
from insurance.insurers import Verdict
from insurance.query import ListClaims
from tests.support.insurance import (
    ANOTHER_PATIENT,
    APPROVES,
    CLERK,
    DENIES,
    IN_PART,
    LATER,
    MINUTE,
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
    from insurance.claim import Claim
    from tests.support.insurance import Counter, Loss

SUBMITTED, APPROVED, CANCELLED = ClaimStatus.SUBMITTED, ClaimStatus.APPROVED, ClaimStatus.CANCELLED
APPROVED_IT: Final = ClaimStatus.APPROVED
DENIED_IT: Final = ClaimStatus.DENIED
NOBODY = "01930d2a-6f00-7000-8000-00000000dead"


def refusal(work: Callable[[], Any]) -> str | None:
    try:
        work()
    except Problem as problem:
        return problem.code
    return None


def told(claim: Claim) -> tuple[str, int | None, int | None]:
    return claim.status, claim.approved_amount, claim.patient_share


def at_insurer(counter: Counter, claim_id: str) -> str:
    return counter.insurer.insurer.look(claim_id).status


def lose_the_answer_of_commit(counter: Counter, number: int) -> None:
    def fail() -> None:
        raise Contention("injected")

    counter.table.after += [lambda: None] * (number - 1) + [fail]


@pytest.mark.parametrize(
    ("number", "decided", "code"),
    [
        (APPROVES, ("APPROVED", 42000, 10500), None),
        (IN_PART, ("PARTIALLY_APPROVED", 21000, 31500), "PARTLY_COVERED"),
        (DENIES, ("DENIED", 0, 52500), "NOT_COVERED"),
        (UNKNOWN, ("DENIED", 0, 52500), "UNKNOWN_MEMBER"),
    ],
)
def test_what_the_insurer_decides_at_once_is_the_answer(
    counter: Counter, number: str, decided: tuple[str, int, int], code: str | None
) -> None:
    claim = counter.claim(number)

    assert told(claim) == decided
    assert (claim.claimed_amount, claim.currency, claim.bill_number, claim.bill_version) == (52500, "INR", "B1", 3)
    assert claim.decision
    assert (claim.decision.code, claim.decision.at) == (code, NOW)
    assert counter.read(claim.claim_id) == claim
    assert counter.types(claim.claim_id) == ["claim_submitted", "claim_decided"]
    assert counter.asked_at(claim.claim_id) is None


@pytest.mark.parametrize("number", [LATER, TOO_LATE])
def test_what_is_not_decided_at_once_is_submitted_and_will_be_asked_about(counter: Counter, number: str) -> None:
    claim = counter.claim(number)

    assert told(claim) == (SUBMITTED, None, None)
    assert claim.decision is None
    due = counter.asked_at(claim.claim_id)
    assert due
    assert str(NOW + MINUTE / 2)[11:19] <= due.sk[11:19] <= str(NOW + MINUTE)[11:19]


def test_events_hold_ids_and_amounts_only(counter: Counter) -> None:
    claim = counter.claim(IN_PART)

    [submitted, decided] = [event["data"] for event in counter.events("claim", claim.claim_id)]

    names = {"claim_id", "version", "bill_id", "coverage_id", "patient_id", "status"}
    assert set(submitted) == set(decided) == names | {"claimed", "approved", "patient_share"}
    assert (submitted["claimed"], submitted["approved"]) == ({"amount": "525.00", "currency": "INR"}, None)
    assert decided["approved"] == {"amount": "210.00", "currency": "INR"}
    assert decided["patient_share"] == {"amount": "315.00", "currency": "INR"}


def test_a_claim_decided_at_once_is_few_calls(counter: Counter) -> None:
    bill, coverage = counter.bill(), counter.coverage()
    reads, commits = counter.table.reads, counter.table.commits
    counter.submit(bill, coverage)

    # The simulated insurer's own are two reads and one transaction.
    assert (counter.table.reads - reads - 2, counter.table.commits - commits - 1) == (2, 2)
    assert counter.table.largest == 6


BILLS: list[tuple[dict[str, Any], str]] = [
    ({"patient_id": OTHER_PATIENT}, "PATIENT_MISMATCH"),
    ({"status": "VOID"}, "BILL_VOID"),
    ({"provisional": True}, "BILL_PROVISIONAL"),
    ({"total": {"amount": "0.00", "currency": "INR"}}, "NOTHING_TO_CLAIM"),
    ({"total": {"amount": "525.00", "currency": "USD"}}, "CURRENCY_MISMATCH"),
]


@pytest.mark.parametrize(("changes", "code"), BILLS)
def test_a_bill_that_cannot_be_claimed_writes_nothing_and_asks_no_insurer(
    counter: Counter, changes: dict[str, Any], code: str
) -> None:
    bill, coverage = counter.bill(**changes), counter.coverage()
    before = dict(counter.table.items)

    assert refusal(lambda: counter.submit(bill, coverage)) == code
    assert (counter.table.items, counter.insurer.asked) == (before, [])


def test_coverage_and_bill_have_to_be_there(counter: Counter) -> None:
    bill, coverage = counter.bill(), counter.coverage()

    assert refusal(lambda: counter.submit(bill, NOBODY)) == "COVERAGE_NOT_FOUND"
    assert refusal(lambda: counter.submit(NOBODY, coverage)) == "BILL_NOT_FOUND"
    counter.owners.down = True
    assert refusal(lambda: counter.submit(bill, coverage)) == "BUSY"
    counter.cancel_coverage(coverage)
    assert refusal(lambda: counter.submit(bill, coverage)) == "COVERAGE_CANCELLED"


@pytest.mark.parametrize("number", [APPROVES, IN_PART, LATER])
def test_a_bill_has_one_live_claim(counter: Counter, number: str) -> None:
    claim = counter.claim(number)
    other = counter.coverage("AB-1")

    assert refusal(lambda: counter.submit(claim.bill_id, other)) == "ALREADY_CLAIMED"
    assert refusal(lambda: counter.submit(counter.bill(2), other)) is None


def test_a_denied_claim_frees_its_bill(counter: Counter) -> None:
    denied = counter.claim(DENIES)

    again = counter.submit(denied.bill_id, counter.coverage("AB-1")).state

    assert told(again) == (APPROVED, 42000, 10500)
    assert refusal(lambda: counter.submit(denied.bill_id, counter.coverage("AB-2"))) == "ALREADY_CLAIMED"


def test_of_two_claims_at_once_for_one_bill_one_is_refused(counter: Counter) -> None:
    bill, one, other = counter.bill(), counter.coverage("AB-1"), counter.coverage("AB-2")
    counter.table.before.append(lambda: _ignore(counter.submit(bill, other)))

    assert refusal(lambda: counter.submit(bill, one)) == "ALREADY_CLAIMED"
    assert counter.insurer.asked == ["submit"]


def _ignore(_answer: object) -> None:
    return None


@pytest.mark.parametrize("number", [APPROVES, DENIES, LATER, TOO_LATE])
def test_a_repeated_request_answers_as_the_first_and_asks_nobody(counter: Counter, number: str) -> None:
    bill, coverage = counter.bill(), counter.coverage(number)
    call = counter.call(token=ids.new(), digest="d")
    first = counter.submit(bill, coverage, call=call)
    counter.sweep(5 * MINUTE)
    counter.owners.down = True
    asked = list(counter.insurer.asked)

    again = counter.submit(bill, coverage, call=call)

    assert (again.state, again.replayed, first.replayed) == (first.state, True, False)
    assert counter.insurer.asked == asked
    with pytest.raises(Problem, match="IDEMPOTENCY_KEY_REUSED"):
        counter.submit(bill, coverage, call=replace(call, digest="other"))


@pytest.mark.parametrize("number", [APPROVES, IN_PART, DENIES, LATER, TOO_LATE, UNKNOWN])
@pytest.mark.parametrize("commit", [1, 2, 3])
def test_an_answer_of_the_table_that_is_lost_changes_nothing_in_the_end(
    counter: Counter, number: str, commit: int
) -> None:
    bill, coverage = counter.bill(), counter.coverage(number)
    lose_the_answer_of_commit(counter, commit)
    claim_id = counter.submit(bill, coverage).state.claim_id
    for _ in range(4):
        counter.sweep(5 * MINUTE)

    claim = counter.read(claim_id)
    assert claim.status == at_insurer(counter, claim_id)
    assert counter.types(claim_id) == ["claim_submitted", "claim_decided"]
    assert counter.asked_at(claim_id) is None


LOSSES: list[Loss] = ["question", "answer"]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_submit_that_is_not_answered_is_resolved_by_looking(counter: Counter, loss: Loss) -> None:
    counter.insurer.loses.append(loss)
    claim = counter.claim()
    assert told(claim) == (SUBMITTED, None, None)

    counter.sweep(MINUTE)

    assert told(counter.read(claim.claim_id)) == (APPROVED, 42000, 10500)
    assert counter.insurer.asked == ["submit", "look", *(["submit"] if loss == "question" else [])]


def test_a_process_that_dies_before_the_insurer_hears_loses_no_claim(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(counter.insurer, "submit", lambda _demand: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            counter.claim()
    [claim] = counter.claims.listed(f"patient#{PATIENT}", 10, None).items
    assert claim.status is SUBMITTED

    counter.sweep(MINUTE)

    assert told(counter.read(claim.claim_id)) == (APPROVED, 42000, 10500)


@pytest.mark.parametrize(
    "verdict",
    [Verdict(APPROVED_IT, 52501), Verdict(APPROVED_IT, 0), Verdict(DENIED_IT, 1), Verdict("ABSENT")],
)
def test_a_verdict_that_cannot_be_meant_decides_nothing(counter: Counter, verdict: Verdict) -> None:
    counter.insurer.says.append(verdict)
    claim = counter.claim(DENIES)

    assert told(claim) == (SUBMITTED, None, None)
    counter.sweep(MINUTE)
    assert told(counter.read(claim.claim_id)) == (DENIED_IT, 0, 52500)


def test_a_claim_is_cancelled_while_the_insurer_has_not_decided(counter: Counter) -> None:
    claim = counter.claim(LATER)

    cancelled = counter.cancel(claim.claim_id, reason="The wrong coverage").state

    assert (cancelled.status, cancelled.cancellation_reason) == (CANCELLED, "The wrong coverage")
    assert told(cancelled) == (CANCELLED, None, None)
    assert at_insurer(counter, claim.claim_id) == "WITHDRAWN"
    assert counter.asked_at(claim.claim_id) is None
    assert counter.types(claim.claim_id) == ["claim_submitted", "claim_cancelled"]
    assert refusal(lambda: counter.submit(claim.bill_id, counter.coverage("AB-1"))) is None


@pytest.mark.parametrize("number", [APPROVES, IN_PART, DENIES])
def test_a_decided_claim_is_not_cancelled(counter: Counter, number: str) -> None:
    claim = counter.claim(number)

    assert refusal(lambda: counter.cancel(claim.claim_id)) == "INVALID_TRANSITION"
    assert counter.read(claim.claim_id) == claim
    assert counter.insurer.asked == ["submit"]


def test_what_the_insurer_decided_meanwhile_stands_and_is_recorded(counter: Counter) -> None:
    claim = counter.claim(TOO_LATE)
    call = counter.call(token=ids.new())

    assert refusal(lambda: counter.cancel(claim.claim_id, call=call)) == "INVALID_TRANSITION"
    assert told(counter.read(claim.claim_id)) == (APPROVED, 42000, 10500)
    assert refusal(lambda: counter.cancel(claim.claim_id, call=call)) == "INVALID_TRANSITION"


@pytest.mark.parametrize("loss", LOSSES)
def test_a_withdrawal_that_is_not_answered_is_busy_and_may_be_repeated(counter: Counter, loss: Loss) -> None:
    claim = counter.claim(LATER)
    call = counter.call(token=ids.new())
    counter.insurer.loses.append(loss)

    assert refusal(lambda: counter.cancel(claim.claim_id, call=call)) == "INSURER_UNANSWERED"
    assert counter.read(claim.claim_id) == claim
    assert counter.cancel(claim.claim_id, call=call, reason="Again").state.status is CANCELLED


def test_a_withdrawal_whose_answer_was_lost_is_found_by_the_sweep(counter: Counter) -> None:
    claim = counter.claim(LATER)
    counter.insurer.loses.append("answer")
    refusal(lambda: counter.cancel(claim.claim_id))

    counter.sweep(MINUTE)

    assert counter.read(claim.claim_id).status is CANCELLED
    assert counter.asked_at(claim.claim_id) is None


def test_a_cancellation_that_overtakes_the_submission_holds(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the claim's record and the insurer somebody takes it back."""
    submit = counter.insurer.submit

    def slowly(demand: Any) -> Verdict:
        assert counter.cancel(demand.key).state.status is CANCELLED
        return submit(demand)

    monkeypatch.setattr(counter.insurer, "submit", slowly)
    claim = counter.claim()

    assert claim.status is CANCELLED
    assert at_insurer(counter, claim.claim_id) == "WITHDRAWN"
    assert counter.types(claim.claim_id) == ["claim_submitted", "claim_cancelled"]


def test_a_repeated_cancellation_answers_as_the_first(counter: Counter) -> None:
    claim = counter.claim(LATER)
    call = counter.call(token=ids.new())
    counter.table.loses_answers(2)
    first = counter.cancel(claim.claim_id, call=call)
    again = counter.cancel(claim.claim_id, call=call)

    assert (again.state, again.replayed) == (first.state, True)
    assert refusal(lambda: counter.cancel(claim.claim_id)) == "INVALID_TRANSITION"
    assert counter.types(claim.claim_id) == ["claim_submitted", "claim_cancelled"]


def test_a_stale_version_cancels_nothing(counter: Counter) -> None:
    claim = counter.claim(LATER)

    assert refusal(lambda: counter.cancel(claim.claim_id, call=counter.call(if_match=2))) == "STALE_VERSION"
    assert at_insurer(counter, claim.claim_id) == "PENDING"
    assert refusal(lambda: counter.cancel(claim.claim_id, call=counter.call(if_match=1))) is None


def test_claims_go_on_when_their_coverage_is_cancelled(counter: Counter) -> None:
    counter.insurer.loses.append("question")
    claim = counter.claim()
    counter.cancel_coverage(claim.coverage_id)

    counter.sweep(MINUTE)

    assert told(counter.read(claim.claim_id)) == (APPROVED, 42000, 10500)


def listed(counter: Counter, who: Principal = CLERK, **asked: Any) -> list[str]:
    return [one.claim_id for one in claiming.list_claims(ListClaims(**asked), counter.call(who), counter.office).items]


def test_claims_are_listed_by_patient_and_by_bill_newest_first(counter: Counter) -> None:
    first = counter.claim(DENIES)
    counter.now += timedelta(seconds=1)
    second = counter.submit(first.bill_id, counter.coverage("AB-1")).state
    counter.now += timedelta(seconds=1)
    third = counter.claim("AB-2", bill=2)
    in_order = [third.claim_id, second.claim_id, first.claim_id]

    assert listed(counter, patient_id=PATIENT) == in_order
    assert listed(counter, bill_id=first.bill_id) == in_order[1:]
    assert listed(counter, bill_id=first.bill_id, patient_id=PATIENT) == in_order[1:]
    assert listed(counter, bill_id=first.bill_id, patient_id=OTHER_PATIENT) == []
    assert refusal(lambda: listed(counter)) == "INVALID"


def test_patients_see_their_own_claims_only(counter: Counter) -> None:
    claim = counter.claim()

    def read(who: Principal, claim_id: str = claim.claim_id) -> Claim:
        return claiming.get_claim(claim_id, counter.call(who), counter.office)

    assert read(THE_PATIENT) == claim
    assert refusal(lambda: read(ANOTHER_PATIENT)) == "FORBIDDEN"
    assert refusal(lambda: read(THE_PATIENT, NOBODY)) == "FORBIDDEN"
    assert refusal(lambda: read(CLERK, NOBODY)) == "CLAIM_NOT_FOUND"
    assert listed(counter, THE_PATIENT) == listed(counter, THE_PATIENT, bill_id=claim.bill_id) == [claim.claim_id]
    assert listed(counter, ANOTHER_PATIENT) == listed(counter, ANOTHER_PATIENT, bill_id=claim.bill_id) == []
    assert refusal(lambda: listed(counter, ANOTHER_PATIENT, patient_id=PATIENT)) == "FORBIDDEN"


COMMANDS: dict[str, Callable[[Counter, Claim, Principal], Any]] = {
    "submit": lambda counter, _claim, who: counter.submit(
        counter.bill(2), counter.coverage("AB-1"), call=counter.call(who)
    ),
    "cancel": lambda counter, claim, who: counter.cancel(claim.claim_id, call=counter.call(who)),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_role_reaches_as_far_as_the_policy_says(counter: Counter, command: str, role: str) -> None:
    who = a_principal(role, patient_id=PATIENT if role in ("patient", "guardian") else None)
    claim = counter.claim(LATER)

    allowed = POLICY.table["insurance:claim"].get(role) == "any"

    assert refusal(lambda: COMMANDS[command](counter, claim, who)) == (None if allowed else "FORBIDDEN")


def test_no_name_and_no_number_is_logged(counter: Counter, capsys: pytest.CaptureFixture[str]) -> None:
    claim = counter.claim("SECRET-05")
    counter.insurer.says.append(Verdict(DENIED_IT, 7))
    counter.sweep(MINUTE)
    counter.sweep(MINUTE)

    logged = capsys.readouterr().out
    assert claim.claim_id in logged
    assert "SECRET" not in logged
    assert Key("member#STAR", "secret-05") in counter.table.items
