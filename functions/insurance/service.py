"""One function per command and question about coverages and eligibility."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hms import ids
from hms.call import Outcome, decided
from hms.errors import FieldError, Forbidden, Invalid
from hms.pages import opened
from insurance import rules
from insurance.insurers import Question, Unanswered
from insurance.model import CoverageAdded, CoverageCancelled, EligibilityChecked

if TYPE_CHECKING:
    from hms.aggregate import Stored
    from hms.call import Call
    from insurance.bills import BillTold
    from insurance.commands import AddCoverage, CancelCoverage, CheckEligibility
    from insurance.insurers import Eligibility, Insurer
    from insurance.model import Coverage, EligibilityCheck
    from insurance.query import ListChecks, ListCoverages
    from insurance.store import Checks, Claims, Coverages, Page

_READ = "insurance:read"


class Owners(Protocol):
    """The word of those who own patients and bills. Raises `Busy` where they do not answer."""

    def check_patient(self, patient_id: str) -> None:
        """Raises `PatientNotFound`, `PatientInactive`."""
        ...

    def bill(self, bill_id: str) -> BillTold | None: ...


@dataclass(frozen=True, slots=True)
class Office:
    """What the commands work with."""

    coverages: Coverages
    checks: Checks
    claims: Claims
    owners: Owners
    insurer: Insurer


def add_coverage(command: AddCoverage, call: Call, office: Office) -> Outcome[Coverage]:
    call.who.require("insurance:cover")
    coverages, coverage_id = office.coverages, ids.derived("coverage", call.token)

    def attempt() -> Outcome[Coverage]:
        stored, is_taken = coverages.known(coverage_id, command.payer.code, command.member_number)
        if earlier := coverages.earlier(stored, coverage_id, call):
            return earlier
        office.owners.check_patient(command.patient_id)
        if is_taken:
            raise rules.MemberNumberTaken
        coverage = rules.added(coverage_id, command, call.now)
        coverages.add(coverage, CoverageAdded.of(coverage), call)
        return Outcome(coverage)

    return decided(attempt)


def cancel_coverage(coverage_id: str, command: CancelCoverage, call: Call, office: Office) -> Outcome[Coverage]:
    """Claims that were submitted on it go on."""
    coverages = office.coverages

    def attempt() -> Outcome[Coverage]:
        stored = _load(coverage_id, "insurance:cover", call, coverages)
        if earlier := coverages.earlier(stored, coverage_id, call):
            return earlier
        call.expect(stored.state.version)
        after = rules.cancelled(stored.state, command.reason, call.now)
        coverages.cancel(stored, after, CoverageCancelled.of(after), call)
        return Outcome(after)

    return decided(attempt)


def get_coverage(coverage_id: str, call: Call, office: Office) -> Coverage:
    return _load(coverage_id, _READ, call, office.coverages).state


def list_coverages(params: ListCoverages, call: Call, office: Office) -> Page[Coverage]:
    owner = f"patient#{patient_meant(params.patient_id, call)}"
    return office.coverages.listed(owner, params.limit, opened(params.cursor))


def check_eligibility(
    coverage_id: str, command: CheckEligibility, call: Call, office: Office
) -> Outcome[EligibilityCheck]:
    """Raises `InsurerUnanswered`, and keeps nothing, where the insurer does not answer."""
    call.who.require("insurance:check")
    checks, check_id = office.checks, ids.derived("check", call.token)

    def attempt() -> Outcome[EligibilityCheck]:
        stored, found = checks.scene(check_id, coverage_id)
        if earlier := checks.earlier(stored, check_id, call):
            return earlier
        coverage = rules.check_active(found)
        answer = _answer(Question(rules.membership_of(coverage), command.on, command.amount), office.insurer)
        check = rules.checked(check_id, coverage, command, answer, insurer=office.insurer.name, now=call.now)
        checks.add(check, EligibilityChecked.of(check), call)
        return Outcome(check)

    return decided(attempt)


def list_checks(coverage_id: str, params: ListChecks, call: Call, office: Office) -> Page[EligibilityCheck]:
    _load(coverage_id, _READ, call, office.coverages)
    return office.checks.listed(f"coverage#{coverage_id}", params.limit, opened(params.cursor))


def patient_meant(patient_id: str | None, call: Call) -> str:
    """Whose list is asked for. Raises `Forbidden` for somebody else's, `Invalid` where nobody is named."""
    who = call.who
    wanted = patient_id or (who.patient_id if who.scopes[_READ] == "own" else None)
    if wanted is None and who.scopes[_READ] == "any":
        raise Invalid(errors=(FieldError("patient_id", "missing", "say whose"),))
    if wanted is None or not who.reaches(_READ, patient_id=wanted):
        raise Forbidden
    return wanted


def _load(coverage_id: str, permission: str, call: Call, coverages: Coverages) -> Stored[Coverage]:
    stored = coverages.load(coverage_id)
    if stored is None:
        # To those who reach only their own, an unknown one looks like somebody else's.
        raise rules.CoverageNotFound if call.who.scopes.get(permission) == "any" else Forbidden
    if not call.who.reaches(permission, patient_id=stored.state.patient_id):
        raise Forbidden
    return stored


def _answer(question: Question, insurer: Insurer) -> Eligibility:
    try:
        answer = insurer.eligible(question)
    except Unanswered as silence:
        raise rules.InsurerUnanswered from silence
    if not rules.is_meant(answer, question):
        raise rules.InsurerUnanswered
    return answer
