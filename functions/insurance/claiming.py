"""One function per command and question about claims."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from hms import ids
from hms.call import Outcome, decided
from hms.errors import Forbidden
from hms.pages import opened
from insurance import asking, rules
from insurance.claim import ClaimStatus, ClaimSubmitted
from insurance.clinic import clinic
from insurance.service import patient_meant

if TYPE_CHECKING:
    from hms.aggregate import Stored
    from hms.call import Call
    from insurance.claim import Claim
    from insurance.commands import CancelClaim, SubmitClaim
    from insurance.insurers import Demand
    from insurance.query import ListClaims
    from insurance.service import Office
    from insurance.store import Claims, Page


class _Opened(NamedTuple):
    """A claim, with what its insurer is to be told where this very call has opened it."""

    outcome: Outcome[Claim]
    demand: Demand | None = None


def submit(command: SubmitClaim, call: Call, office: Office) -> Outcome[Claim]:
    """The claim is written before the insurer hears of it: whatever is lost afterwards, the sweep finds it."""
    call.who.require("insurance:claim")
    outcome, demand = decided(lambda: _open(command, call, office))
    if demand is None:
        return outcome
    claim = outcome.state
    verdict = asking.heard(claim, lambda: office.insurer.submit(demand))
    if verdict is None or verdict.status == "PENDING":
        return outcome
    return Outcome(asking.settle(claim.claim_id, verdict, call, office.claims))


def _open(command: SubmitClaim, call: Call, office: Office) -> _Opened:
    claims, claim_id = office.claims, ids.derived("claim", call.token)
    scene = claims.scene(claim_id, command.bill_id, command.coverage_id)
    if earlier := claims.earlier(scene.stored, claim_id, call):
        return _Opened(earlier)
    coverage = rules.check_active(scene.coverage)
    bill = rules.check_claimable(office.owners.bill(command.bill_id), coverage)
    if scene.is_claimed:
        raise rules.AlreadyClaimed
    claim = rules.submitted(claim_id, bill, coverage, office.insurer.name, call.now)
    claims.open(claim, ClaimSubmitted.of(claim), call, call.now + rules.wait(0, clinic()))
    return _Opened(Outcome(claim), rules.demand_of(claim, coverage, clinic()))


def cancel(claim_id: str, command: CancelClaim, call: Call, office: Office) -> Outcome[Claim]:
    """Withdrawn at the insurer first. Where that has decided meanwhile its decision stands, and this is refused.

    Raises `InsurerUnanswered` where it does not answer: if it did withdraw the claim, the sweep will hear of it.
    """
    stored = _load(claim_id, "insurance:claim", call, office.claims)
    if earlier := office.claims.earlier(stored, claim_id, call):
        return earlier
    call.expect(stored.state.version)
    rules.check_undecided(stored.state)
    verdict = asking.heard(stored.state, lambda: office.insurer.withdraw(claim_id))
    if verdict is None or verdict.status == "PENDING":
        raise rules.InsurerUnanswered
    if verdict.status != "WITHDRAWN":
        # A decision is not what this call asked for: were it remembered as the call's, a repetition would succeed.
        call = replace(call, token=ids.derived("decision", claim_id))
    after = asking.settle(claim_id, verdict, call, office.claims, command.reason)
    if after.status is not ClaimStatus.CANCELLED:
        rules.check_undecided(after)
    return Outcome(after)


def get_claim(claim_id: str, call: Call, office: Office) -> Claim:
    return _load(claim_id, "insurance:read", call, office.claims).state


def list_claims(params: ListClaims, call: Call, office: Office) -> Page[Claim]:
    """A bill's, as far as the caller reaches their patient, or a patient's."""
    after = opened(params.cursor)
    if params.bill_id is None:
        return office.claims.listed(f"patient#{patient_meant(params.patient_id, call)}", params.limit, after)
    found = office.claims.listed(f"bill#{params.bill_id}", params.limit, after)
    return found._replace(items=[claim for claim in found.items if _is_wanted(claim, params, call)])


def _is_wanted(claim: Claim, params: ListClaims, call: Call) -> bool:
    reached = call.who.reaches("insurance:read", patient_id=claim.patient_id)
    return reached and params.patient_id in (None, claim.patient_id)


def _load(claim_id: str, permission: str, call: Call, claims: Claims) -> Stored[Claim]:
    stored = claims.load(claim_id)
    if stored is None:
        # To those who reach only their own, an unknown one looks like somebody else's.
        raise rules.ClaimNotFound if call.who.scopes.get(permission) == "any" else Forbidden
    if not call.who.reaches(permission, patient_id=stored.state.patient_id):
        raise Forbidden
    return stored
