"""A cash desk on the deployed hospital: bills, money for them, the sweep, and the accounts as they lie there."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from hms import ids
from hms.money import wire
from tools.proofs.accounts import Accounts, Line, judged
from tools.proofs.callers import Administrator, Ask, OverHttp
from tools.proofs.world import registered_patient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.proofs.accounts import Findings
    from tools.proofs.callers import Answer, Way
    from tools.proofs.ledgers import Row
    from tools.system import System

# Of a manual bill: net 500.00 and 5 % on it.
TOTAL = 52_500
_TASK_SECONDS = 70
_MOST_AT_ONCE = 64
_TRIES, _PAUSE_SECONDS = 30, 1
_TRIES_TO_PAY = 3
_MOST_SWEEPS, _BETWEEN_SWEEPS = 12, timedelta(hours=2)


class Till:
    """`bills` are all that money may move on here, with what they were made for."""

    def __init__(self, system: System) -> None:
        self.system = system
        administrator = Administrator(system)
        self.way, self.authorization = OverHttp(system, administrator), administrator.authorization
        self.patient_id: str = registered_patient(self.way).body["patient_id"]
        self.bills: dict[str, str] = {}
        self._since = datetime.now(UTC)
        patient = Config(
            read_timeout=_TASK_SECONDS, retries={"total_max_attempts": 1}, max_pool_connections=_MOST_AT_ONCE
        )
        self.functions = system.client("lambda", patient)

    def bill(self, what: str, net: int = 50_000) -> str:
        """A bill by hand; its id. `what` is said where something is wrong with it."""
        item = {"description": "Dressing", "unit_price": wire(net)}
        body = {"patient_id": self.patient_id, "items": [item]}
        bill_id: str = self.agreed(Ask("POST", "/v1/bills", body))["bill_id"]
        self.bills[bill_id] = what
        return bill_id

    def pays(self, bill_id: str, amount: int = TOTAL, source: str = "tok_ok", key: str = "", **headers: str) -> Answer:
        return self.way.send(paying(bill_id, amount, source, key, **headers))

    def paid(self, bill_id: str, amount: int = TOTAL, source: str = "tok_ok") -> str:
        """The id of a payment that is through; another is made where one took too long and was called off."""
        for _ in range(_TRIES_TO_PAY):
            answer = self.persists(paying(bill_id, amount, source))
            if answer.done:
                payment_id: str = answer.body["payment_id"]
                return payment_id
        message = f"a payment by {source}: {answer.status} {answer.body}"
        raise RuntimeError(message)

    def persists(self, ask: Ask, by: Way | None = None) -> Answer:
        """Asks again with the same key until the answer says what became of it."""
        for _ in range(_TRIES):
            answer = (by or self.way).send(ask)
            if answer.done or 400 <= answer.status < 500:
                break
            time.sleep(_PAUSE_SECONDS)
        return answer

    def agreed(self, ask: Ask, by: Way | None = None) -> dict[str, Any]:
        answer = self.persists(ask, by)
        if not answer.done:
            message = f"{ask.method} {ask.resource}: {answer.status} {answer.body}"
            raise RuntimeError(message)
        return answer.body

    def asks(self, function: str, **payload: Any) -> dict[str, Any]:
        """A function of the stack, invoked as its callers do; where it fails, what it failed with."""
        name = f"{self.system.stack}-{function}"
        invoked = self.functions.invoke(FunctionName=name, Payload=json.dumps(payload).encode())
        answer: dict[str, Any] = json.loads(invoked["Payload"].read())
        return {"outcome": "failed", **answer} if "FunctionError" in invoked else answer

    def sweep(self, wait: timedelta, faults: str = "") -> bool:
        """The sweep of payments as it will be after a wait; says whether it went through."""
        asked = {"x-test-clock": later(wait), "x-test-fault": faults}
        told = self.asks("payments-tasks:live", task="sweep", **asked)
        return bool(told["outcome"] == "ok")

    def comes_to_rest(self) -> int:
        """Sweeps, each two hours after the one before, until nothing is on its way; how many that took."""
        for number in range(_MOST_SWEEPS):
            if not self._pending():
                return number
            self.sweep((number + 1) * _BETWEEN_SWEEPS)
        return _MOST_SWEEPS

    def _pending(self) -> list[str]:
        found = [json.loads(row["body"]) for row in self.rows("PaymentsTable") if row["sk"] == "state"]
        return [one["bill_id"] for one in found if one["status"] == "PENDING" and one["bill_id"] in self.bills]

    def accounts(self) -> Accounts:
        # The statement first: what others ask for meanwhile is then known to payments at least.
        statement = self.statement()
        return Accounts.of(self.rows("BillingTable"), self.rows("PaymentsTable"), statement)

    def judged(self, accounts: Accounts) -> Findings:
        """Of all the bills here; each finding says what its bill was made for."""
        found = judged(accounts, self.bills.keys())
        for kind in ("doubled", "lost", "stuck", "off", "unreasoned"):
            setattr(found, kind, [f"{fault}{self._made_for(fault)}" for fault in getattr(found, kind)])
        return found

    def _made_for(self, fault: str) -> str:
        return next((f" ({what})" for bill_id, what in self.bills.items() if bill_id in fault), "")

    def rows(self, table: str) -> Iterator[Row]:
        """Every row of a table of the stack."""
        scan = self.system.client("dynamodb").get_paginator("scan")
        pages = scan.paginate(TableName=physical(self.system, table), ConsistentRead=True)
        for item in (item for page in pages for item in page["Items"]):
            texts = {name: item[name]["S"] for name in ("pk", "sk", "body", "state") if name in item}
            yield {"body": None, "state": None, **texts}

    def statement(self) -> list[Line]:
        """What the processor says has moved since the proof began."""
        lines: list[Line] = []
        day = self._since.date()
        while day <= datetime.now(UTC).date():
            lines += self._statement_of(str(day))
            day += timedelta(days=1)
        return lines

    def _statement_of(self, day: str) -> Iterator[Line]:
        after = None
        while True:
            told = self.asks("payments-simulator", task="statement", day=day, zone="UTC", after=after)
            for one in told["lines"]:
                yield Line(one["kind"], one["key"], one["amount"], one["currency"])
            after = told["after"]
            if after is None:
                return


def physical(system: System, logical_id: str) -> str:
    """What the stack's resource of this name in the template is called."""
    client = system.client("cloudformation")
    found = client.describe_stack_resource(StackName=system.stack, LogicalResourceId=logical_id)
    name: str = found["StackResourceDetail"]["PhysicalResourceId"]
    return name


def later(wait: timedelta) -> str:
    """What the test-only layer is told the time is."""
    return (datetime.now(UTC) + wait).isoformat()


def paying(bill_id: str, amount: int = TOTAL, source: str = "tok_ok", key: str = "", **headers: str) -> Ask:
    """`headers` are written with underscores: `x_test_fault`."""
    body = {"bill_id": bill_id, "amount": wire(amount), "method": "CARD", "source": source}
    return _keyed(Ask("POST", "/v1/payments", body), key, headers)


def refunding(payment_id: str, amount: int = TOTAL, key: str = "", **headers: str) -> Ask:
    body = {"payment_id": payment_id, "amount": wire(amount), "reason": "Not given"}
    return _keyed(Ask("POST", "/v1/refunds", body), key, headers)


def _keyed(ask: Ask, key: str, headers: dict[str, str]) -> Ask:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(ask, headers={"Idempotency-Key": key or ids.new(), **told})
