"""The insurance domain on a table in memory: callers, bills, and an insurer that can be made to fall silent."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hms import ids
from hms.auth import Principal
from hms.call import Call
from hms.errors import Busy
from hms.policy import Policy
from insurance import claiming, rules, service, tasks
from insurance.bills import BillTold
from insurance.commands import AddCoverage, CancelClaim, CancelCoverage, CheckEligibility, SubmitClaim
from insurance.insurers import Demand, Membership, Question, Unanswered
from insurance.simulator import SimulatedInsurer
from insurance.store import Checks, Claims, Coverages
from tests.support.appointments import UnreliableTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.call import Outcome
    from hms.rows import Key
    from hms.tasks import Payload
    from insurance.claim import Claim
    from insurance.insurers import Eligibility, Verdict
    from insurance.model import Coverage, EligibilityCheck

POLICY = Policy.load(Path(__file__).parents[2] / "functions" / "insurance" / "policy.json")
DAY = date(2026, 11, 23)
# Noon in the clinic.
NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATIENT, OTHER_PATIENT = ids.derived("patient", 1), ids.derived("patient", 2)
APPROVES, IN_PART, DENIES, LATER, TOO_LATE, UNKNOWN = "SH-00", "SH-02", "SH-03", "SH-04", "SH-05", "SH-06"


def a_principal(*roles: str, patient_id: str | None = None) -> Principal:
    return Principal(f"user-{'-'.join(roles)}", roles, patient_id=patient_id, scopes=POLICY.scopes(roles))


CLERK = a_principal("billing_clerk")
THE_PATIENT = a_principal("patient", patient_id=PATIENT)
ANOTHER_PATIENT = a_principal("patient", patient_id=OTHER_PATIENT)


def a_card(number: str = APPROVES, **changes: Any) -> dict[str, Any]:
    """What is asked for a coverage, as on the wire."""
    asked = {
        "patient_id": PATIENT,
        "payer": {"code": "STAR", "name": "Star Health"},
        "member_number": number,
        "plan": "Family Optima",
        "period_start": "2026-04-01",
        "period_end": "2027-03-31",
        "copay_percent": "20.00",
    }
    return asked | changes


def a_membership(number: str = APPROVES, **changes: Any) -> Membership:
    whole = Membership("STAR", number, "Family Optima", date(2026, 4, 1), date(2027, 3, 31), 2000, None, "INR")
    return whole._replace(**changes)


def a_demand(key: str = "claim-1", number: str = APPROVES, amount: int = 52500, **changes: Any) -> Demand:
    on = changes.pop("on", DAY)
    return Demand(key, a_membership(number, **changes), "B4839201735", on, amount)


def a_bill(number: int = 1, **changes: Any) -> BillTold:
    facts: dict[str, Any] = {
        "bill_id": ids.derived("bill", number),
        "bill_number": f"B{number}",
        "version": 3,
        "patient_id": PATIENT,
        "status": "OPEN",
        "provisional": False,
        "total": {"amount": "525.00", "currency": "INR"},
    }
    return BillTold.model_validate(facts | changes)


@dataclass
class FakeOwners:
    """The domains that own patients and bills; silent where `down`."""

    bills: dict[str, BillTold] = field(default_factory=dict)
    refuses: str | None = None
    down: bool = False
    asked: list[str] = field(default_factory=list)

    def check_patient(self, patient_id: str) -> None:
        self._answer(patient_id)
        if self.refuses:
            raise rules.refusal_of_patient(self.refuses)

    def bill(self, bill_id: str) -> BillTold | None:
        self._answer(bill_id)
        return self.bills.get(bill_id)

    def _answer(self, what: str) -> None:
        self.asked.append(what)
        if self.down:
            raise Busy


type Loss = Literal["question", "answer"]


@dataclass
class UnreliableInsurer:
    """The simulated insurer, which loses the next questions or answers; or says instead what is in `says`."""

    insurer: SimulatedInsurer
    name: str = "simulator"
    loses: list[Loss] = field(default_factory=list)
    says: list[Verdict] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def eligible(self, question: Question) -> Eligibility:
        return self._through("eligible", lambda: self.insurer.eligible(question))

    def submit(self, demand: Demand) -> Verdict:
        return self._verdict("submit", lambda: self.insurer.submit(demand))

    def look(self, key: str) -> Verdict:
        return self._verdict("look", lambda: self.insurer.look(key))

    def withdraw(self, key: str) -> Verdict:
        return self._verdict("withdraw", lambda: self.insurer.withdraw(key))

    def _verdict(self, what: str, work: Callable[[], Verdict]) -> Verdict:
        if self.says:
            self.asked.append(what)
            return self.says.pop(0)
        return self._through(what, work)

    def _through[T](self, what: str, work: Callable[[], T]) -> T:
        self.asked.append(what)
        loss = self.loses.pop(0) if self.loses else None
        if loss == "question":
            raise Unanswered(what)
        answer = work()
        if loss == "answer":
            raise Unanswered(what)
        return answer


@dataclass
class Counter:
    """Where insurance is dealt with; `now` is the time of its calls, and the insurer's once `clock` is patched."""

    table: UnreliableTable = field(default_factory=UnreliableTable)
    owners: FakeOwners = field(default_factory=FakeOwners)
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.insurer = UnreliableInsurer(SimulatedInsurer(self.table))
        self.coverages, self.checks, self.claims = Coverages(self.table), Checks(self.table), Claims(self.table)
        self.office = service.Office(self.coverages, self.checks, self.claims, self.owners, self.insurer)

    def call(self, who: Principal = CLERK, **details: Any) -> Call:
        return Call(who, self.now, "correlation", **details)

    def add(self, number: str = APPROVES, *, call: Call | None = None, **changes: Any) -> Outcome[Coverage]:
        command = AddCoverage.model_validate_json(json.dumps(a_card(number, **changes)))
        return service.add_coverage(command, call or self.call(), self.office)

    def coverage(self, number: str = APPROVES, **changes: Any) -> str:
        """The id of a new coverage."""
        return self.add(number, **changes).state.coverage_id

    def cancel_coverage(self, coverage_id: str, *, call: Call | None = None, **asked: Any) -> Outcome[Coverage]:
        command = CancelCoverage.model_validate(asked)
        return service.cancel_coverage(coverage_id, command, call or self.call(), self.office)

    def check(
        self, coverage_id: str, amount: str | None = "525.00", *, on: date = DAY, call: Call | None = None
    ) -> Outcome[EligibilityCheck]:
        command = CheckEligibility.model_validate_json(json.dumps({"on": str(on), "amount": amount}))
        return service.check_eligibility(coverage_id, command, call or self.call(), self.office)

    def bill(self, number: int = 1, **changes: Any) -> str:
        """The id of a bill that billing knows."""
        bill = a_bill(number, **changes)
        self.owners.bills[bill.bill_id] = bill
        return bill.bill_id

    def submit(self, bill_id: str, coverage_id: str, *, call: Call | None = None) -> Outcome[Claim]:
        command = SubmitClaim(bill_id=bill_id, coverage_id=coverage_id)
        return claiming.submit(command, call or self.call(), self.office)

    def claim(self, number: str = APPROVES, bill: int = 1) -> Claim:
        """A new claim on a new coverage."""
        return self.submit(self.bill(bill), self.coverage(number)).state

    def cancel(self, claim_id: str, *, call: Call | None = None, **asked: Any) -> Outcome[Claim]:
        return claiming.cancel(claim_id, CancelClaim.model_validate(asked), call or self.call(), self.office)

    def read(self, claim_id: str) -> Claim:
        return claiming.get_claim(claim_id, self.call(), self.office)

    def sweep(self, later: timedelta = timedelta()) -> Payload:
        """Once the clock has moved on; `tasks.office` has to be this one's."""
        self.now += later
        return tasks.handler({"task": "sweep"})

    def asked_at(self, claim_id: str) -> Key | None:
        """The claim's place among what is due."""
        waiting = self.claims.waiting(claim_id)
        return waiting.asking.by_b if waiting else None

    def events(self, kind: str, entity_id: str) -> list[Any]:
        kept: dict[str, Coverages | Checks | Claims] = {
            "coverage": self.coverages,
            "check": self.checks,
            "claim": self.claims,
        }
        return [json.loads(item.body or "") for item in kept[kind].history(entity_id, limit=100).items]

    def types(self, claim_id: str) -> list[str]:
        """What was told about a claim, in order, without domain and version."""
        return [event["type"].split(".")[1] for event in self.events("claim", claim_id)]
