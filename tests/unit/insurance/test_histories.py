"""Whatever is lost, in whatever order: a claim comes to what its insurer says, once, and a bill has one at most."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from hms.errors import Problem
from hms.rows import Key
from insurance import tasks
from insurance.claim import LIVE, Claim, ClaimStatus
from tests.support.insurance import APPROVES, DENIES, IN_PART, LATER, TOO_LATE, UNKNOWN, Counter

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    from hms.call import Call

BILLS = (1, 2)
SUFFIXES = (APPROVES, IN_PART, DENIES, LATER, TOO_LATE, UNKNOWN)
LIMIT = 100_000
FAULTS: SearchStrategy[list[Literal["question", "answer"]]] = st.lists(
    st.sampled_from(["question", "answer"]), max_size=2
)
ENOUGH = 8
HOUR = timedelta(hours=1)


class Histories(RuleBasedStateMachine):
    """Clerks, a sweep, an insurer and a table that lose what they are told or say."""

    calls: Bundle[tuple[Call, str, str]] = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.counter = Counter()
        self.patched = pytest.MonkeyPatch()
        self.patched.setattr("hms.call._SLEEP_SECONDS", 0)
        self.patched.setattr("hms.clock.now", lambda: self.counter.now)
        self.patched.setattr("hms.clock.wall", lambda: self.counter.now)
        self.patched.setattr(tasks, "office", self.counter.office)
        self.answers: dict[str, Claim] = {}

    def teardown(self) -> None:
        try:
            self.all_is_well_again()
        finally:
            self.patched.undo()

    @initialize()
    def there_are_members_and_bills(self) -> None:
        self.bills = [self.counter.bill(number) for number in BILLS]
        self.coverages = [self.counter.coverage(number, annual_limit="1000.00") for number in SUFFIXES]

    @rule(target=calls, bill=st.sampled_from(BILLS), member=st.integers(0, len(SUFFIXES) - 1))
    def somebody_means_to_claim(self, bill: int, member: int) -> tuple[Call, str, str]:
        return self.counter.call(), self.bills[bill - 1], self.coverages[member]

    @rule(asked=calls, faults=FAULTS, lost=st.integers(0, 3))
    def it_is_claimed(
        self, asked: tuple[Call, str, str], faults: list[Literal["question", "answer"]], lost: int
    ) -> None:
        call, bill, coverage = asked
        self.counter.insurer.loses += faults
        self.lose(lost)
        outcome = self.unless_refused(lambda: self.counter.submit(bill, coverage, call=call))
        self.heal()
        if outcome:
            # What was lost between our record and our answer is answered at once, by the record.
            first = self.answers.setdefault(call.token, outcome.state)
            assert outcome.state == first

    @rule(bill=st.sampled_from(BILLS), faults=FAULTS, lost=st.integers(0, 2))
    def it_is_taken_back(self, bill: int, faults: list[Literal["question", "answer"]], lost: int) -> None:
        for claim in self.claims(bill):
            self.counter.insurer.loses += faults
            self.lose(lost)
            cancelled = self.unless_refused(lambda one=claim: self.counter.cancel(one.claim_id))  # type: ignore[misc]
            self.heal()
            assert cancelled is None or cancelled.state.status is ClaimStatus.CANCELLED

    @rule(minutes=st.integers(0, 90), faults=FAULTS, lost=st.integers(0, 2))
    def the_sweep_comes(self, minutes: int, faults: list[Literal["question", "answer"]], lost: int) -> None:
        self.counter.insurer.loses += faults
        self.lose(lost)
        self.counter.sweep(timedelta(minutes=minutes))
        self.heal()

    @invariant()
    def a_bill_has_one_live_claim_and_its_mark(self) -> None:
        for bill in BILLS if hasattr(self, "bills") else ():
            live = [claim.claim_id for claim in self.claims(bill) if claim.status in LIVE]
            mark = self.counter.table.items.get(Key(f"bill#{self.bills[bill - 1]}", "live"))
            assert live == ([mark.body] if mark else [])

    @invariant()
    def a_claim_is_what_its_insurer_says_and_is_told_so(self) -> None:
        for bill in BILLS if hasattr(self, "bills") else ():
            for claim in self.claims(bill):
                self.check(claim)

    def check(self, claim: Claim) -> None:
        waits = self.counter.asked_at(claim.claim_id) is not None
        assert waits is (claim.status is ClaimStatus.SUBMITTED)
        types = self.counter.types(claim.claim_id)
        if waits:
            assert types == ["claim_submitted"]
            return
        verdict = self.counter.insurer.insurer.look(claim.claim_id)
        if claim.status is ClaimStatus.CANCELLED:
            assert (verdict.status, types) == ("WITHDRAWN", ["claim_submitted", "claim_cancelled"])
            return
        assert (claim.status, claim.approved_amount) == (verdict.status, verdict.approved)
        assert verdict.approved + (claim.patient_share or 0) == claim.claimed_amount
        assert types == ["claim_submitted", "claim_decided"]

    def all_is_well_again(self) -> None:
        """Once insurer and table answer, the sweep alone brings every claim to its end."""
        for _ in range(ENOUGH):
            self.counter.sweep(HOUR)
        claims = [claim for bill in BILLS if hasattr(self, "bills") for claim in self.claims(bill)]
        assert all(claim.status is not ClaimStatus.SUBMITTED for claim in claims)
        for claim in claims:
            self.check(claim)
        for coverage in getattr(self, "coverages", ()):
            assert sum(claim.approved_amount or 0 for claim in claims if claim.coverage_id == coverage) <= LIMIT

    def claims(self, bill: int) -> list[Claim]:
        return self.counter.claims.listed(f"bill#{self.bills[bill - 1]}", 100, None).items

    def lose(self, commit: int) -> None:
        """The answer of one of the next commits; of none where it is 0."""
        self.counter.table.after += [lambda: None] * max(0, commit - 1)
        if commit:
            self.counter.table.loses_answers()

    def heal(self) -> None:
        self.counter.insurer.loses.clear()
        self.counter.table.after.clear()

    @staticmethod
    def unless_refused(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Problem as problem:
            assert problem.code in {"ALREADY_CLAIMED", "INVALID_TRANSITION", "INSURER_UNANSWERED"}  # noqa: PT017
            return None


Histories.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_histories = Histories.TestCase
