"""The HTTP face of insurance."""

from __future__ import annotations

from pathlib import Path

from hms.api import Api, Request, Response, answer
from hms.errors import InvalidTransition, StaleVersion
from hms.fields import View
from hms.gate import gate
from hms.pages import sealed
from hms.policy import Policy
from hms.store import DynamoTable
from insurance import claiming, rules, service
from insurance.claim import Claim
from insurance.commands import AddCoverage, CancelClaim, CancelCoverage, CheckEligibility, SubmitClaim
from insurance.model import Coverage, EligibilityCheck
from insurance.owners import TasksOwners
from insurance.query import ListChecks, ListClaims, ListCoverages
from insurance.simulator import SimulatedInsurer
from insurance.store import Checks, Claims, Coverages

table = DynamoTable()
office = service.Office(Coverages(table), Checks(table), Claims(table), TasksOwners(), SimulatedInsurer(table))
app = Api("insurance", Policy.load(Path(__file__).with_name("policy.json")), gate(table))
handler = app.handler


class CoveragePage(View):
    items: list[Coverage]
    next_cursor: str | None


class EligibilityCheckPage(View):
    items: list[EligibilityCheck]
    next_cursor: str | None


class ClaimPage(View):
    items: list[Claim]
    next_cursor: str | None


@app.route(
    "POST",
    "/v1/coverages",
    "insurance:cover",
    summary="Record a patient's coverage",
    body=AddCoverage,
    answers=Coverage,
    status=201,
    problems=rules.COVERAGE_PROBLEMS,
)
def add_coverage(request: Request, command: AddCoverage) -> Response:
    return answer(service.add_coverage(command, request.call, office), 201)


@app.route(
    "GET",
    "/v1/coverages",
    "insurance:read",
    summary="List the coverages of a patient, newest first",
    query=ListCoverages,
    answers=CoveragePage,
)
def list_coverages(request: Request, params: ListCoverages) -> Response:
    items, last = service.list_coverages(params, request.call, office)
    return Response(body=CoveragePage(items=items, next_cursor=sealed(last)))


@app.route(
    "GET",
    "/v1/coverages/{coverage_id}",
    "insurance:read",
    summary="Read a coverage",
    answers=Coverage,
    problems=(rules.CoverageNotFound,),
)
def get_coverage(request: Request) -> Response:
    return answer(service.get_coverage(request.path["coverage_id"], request.call, office))


@app.route(
    "POST",
    "/v1/coverages/{coverage_id}/cancel",
    "insurance:cover",
    summary="Cancel a coverage",
    body=CancelCoverage,
    answers=Coverage,
    problems=(rules.CoverageNotFound, InvalidTransition, StaleVersion),
)
def cancel_coverage(request: Request, command: CancelCoverage) -> Response:
    """Its member number is free again. Claims that were submitted on it go on."""
    return answer(service.cancel_coverage(request.path["coverage_id"], command, request.call, office))


@app.route(
    "POST",
    "/v1/coverages/{coverage_id}/eligibility-checks",
    "insurance:check",
    summary="Ask the insurer whether a coverage holds on a day",
    body=CheckEligibility,
    answers=EligibilityCheck,
    status=201,
    problems=(rules.CoverageNotFound, rules.CoverageNotActive, rules.InsurerUnanswered),
)
def check_eligibility(request: Request, command: CheckEligibility) -> Response:
    """What the insurer says is kept as it was said. Where it does not answer, nothing is kept: ask again."""
    return answer(service.check_eligibility(request.path["coverage_id"], command, request.call, office), 201)


@app.route(
    "GET",
    "/v1/coverages/{coverage_id}/eligibility-checks",
    "insurance:read",
    summary="List what the insurer said about a coverage, newest first",
    query=ListChecks,
    answers=EligibilityCheckPage,
    problems=(rules.CoverageNotFound,),
)
def list_eligibility_checks(request: Request, params: ListChecks) -> Response:
    items, last = service.list_checks(request.path["coverage_id"], params, request.call, office)
    return Response(body=EligibilityCheckPage(items=items, next_cursor=sealed(last)))


@app.route(
    "POST",
    "/v1/claims",
    "insurance:claim",
    summary="Claim a bill from an insurer",
    body=SubmitClaim,
    answers=Claim,
    status=201,
    problems=rules.CLAIM_PROBLEMS,
)
def submit_claim(request: Request, command: SubmitClaim) -> Response:
    """For the total of a final bill. Where the insurer does not decide at once the claim is `SUBMITTED`; it is asked
    until it has decided.

    What the insurer approves is not posted into the bill's ledger yet: the bill still asks the patient for all of it.
    """
    return answer(claiming.submit(command, request.call, office), 201)


@app.route(
    "GET",
    "/v1/claims",
    "insurance:read",
    summary="List the claims of a patient or for a bill, newest first",
    query=ListClaims,
    answers=ClaimPage,
)
def list_claims(request: Request, params: ListClaims) -> Response:
    items, last = claiming.list_claims(params, request.call, office)
    return Response(body=ClaimPage(items=items, next_cursor=sealed(last)))


@app.route(
    "GET",
    "/v1/claims/{claim_id}",
    "insurance:read",
    summary="Read a claim",
    answers=Claim,
    problems=(rules.ClaimNotFound,),
)
def get_claim(request: Request) -> Response:
    """`approved_amount` is what the insurer says it pays, `patient_share` the rest. Neither is in the bill's ledger
    yet.
    """
    return answer(claiming.get_claim(request.path["claim_id"], request.call, office))


@app.route(
    "POST",
    "/v1/claims/{claim_id}/cancel",
    "insurance:claim",
    summary="Take a claim back before the insurer has decided",
    body=CancelClaim,
    answers=Claim,
    problems=(rules.ClaimNotFound, InvalidTransition, StaleVersion, rules.InsurerUnanswered),
)
def cancel_claim(request: Request, command: CancelClaim) -> Response:
    """Withdrawn at the insurer first. Where that has decided meanwhile, its decision stands and this is refused."""
    return answer(claiming.cancel(request.path["claim_id"], command, request.call, office))
