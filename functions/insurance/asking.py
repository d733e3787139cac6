"""What is made of an insurer's answer about a claim, and of one that does not come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms import telemetry
from hms.call import decided
from hms.rows import Conflict
from insurance import rules
from insurance.claim import ClaimCancelled, ClaimDecided, ClaimStatus
from insurance.clinic import clinic
from insurance.insurers import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.call import Call
    from insurance.claim import Claim
    from insurance.insurers import Verdict
    from insurance.service import Office
    from insurance.store import Claims, Waiting


def ask_again(claim_id: str, call: Call, office: Office) -> None:
    """Looks what became of a claim at its insurer; what is not known there is submitted again under the same key.

    Nothing happens where the claim waits no more. While the insurer has not decided it is put off, for ever.
    """
    waiting = office.claims.waiting(claim_id)
    if waiting is None:
        return
    verdict = heard(waiting.claim, lambda: _asked(waiting.claim, office))
    if verdict is None or verdict.status == "PENDING":
        _put_off(waiting, call, office.claims)
    else:
        settle(claim_id, verdict, call, office.claims)


def heard(claim: Claim, ask: Callable[[], Verdict]) -> Verdict | None:
    """The insurer's verdict; None where it says nothing that decides or could be meant."""
    try:
        verdict = ask()
    except Unanswered as silence:
        telemetry.log("WARN", "insurer does not answer", claim_id=claim.claim_id, reason=str(silence))
        return None
    if verdict.status == "ABSENT" or not rules.is_sound(verdict, claim):
        telemetry.log("ERROR", "insurer contradicts itself", claim_id=claim.claim_id, status=verdict.status)
        return None
    return verdict


def settle(claim_id: str, verdict: Verdict, call: Call, claims: Claims, reason: str | None = None) -> Claim:
    """Records a verdict that ends the claim, unless it has ended; the claim as it is then."""

    def attempt() -> Claim:
        stored = claims.load(claim_id)
        assert stored  # noqa: S101  (nobody asks about a claim that was never written)
        if stored.state.status is not ClaimStatus.SUBMITTED:
            return stored.state
        after = rules.settled(stored.state, verdict, reason, call.now)
        fact = ClaimCancelled if after.status is ClaimStatus.CANCELLED else ClaimDecided
        claims.settle(stored, after, fact.of(after), call)
        return after

    return decided(attempt)


def _asked(claim: Claim, office: Office) -> Verdict:
    verdict = office.insurer.look(claim.claim_id)
    if verdict.status != "ABSENT":
        return verdict
    coverage = office.coverages.load(claim.coverage_id)
    assert coverage  # noqa: S101  (coverages are never deleted)
    return office.insurer.submit(rules.demand_of(claim, coverage.state, clinic()))


def _put_off(waiting: Waiting, call: Call, claims: Claims) -> None:
    try:
        claims.put_off(waiting, call.now + rules.wait(waiting.asking.version, clinic()))
    except Conflict:
        return  # Another sweep has, or it is decided.
