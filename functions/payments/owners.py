"""The owner of bills, asked through its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hms.tasks import Owner
from payments.model import BillCopy, Failure, Refund
from payments.reconciliation import Movement

if TYPE_CHECKING:
    from datetime import date

    from hms.call import Call
    from hms.tasks import Payload
    from payments.model import Transaction


class TasksBilling:
    def __init__(self) -> None:
        self._owner = Owner("BILLING_TASKS")

    def bill(self, bill_id: str, call: Call) -> BillCopy | None:
        answer = self._owner.ask("snapshot", bill_id=bill_id, correlation_id=call.correlation_id)
        return BillCopy.model_validate(answer["snapshot"]) if answer["outcome"] == "ok" else None

    def reserve(self, transaction: Transaction, call: Call) -> Failure | None:
        answer = self._owner.ask("reserve", **_told(transaction, call))
        if answer["outcome"] == "ok":
            return None
        return Failure(code=answer["problem"]["code"], detail=answer["problem"]["detail"])

    def apply(self, transaction: Transaction, call: Call) -> None:
        self._owner.ask("apply", **_told(transaction, call))

    def release(self, transaction: Transaction, problem: Failure | None, call: Call) -> bool:
        why: dict[str, Any] = {"problem": problem.model_dump()} if problem else {}
        answer = self._owner.ask("release", **_told(transaction, call), **why)
        return bool(answer["outcome"] == "ok")

    def unsettle(self, refund: Refund, failure: Failure, call: Call, *, declined: bool) -> None:
        which = {"bill_id": refund.bill_id, "settlement": refund.settlement, "declined": declined}
        why = {"problem": failure.model_dump(), "correlation_id": call.correlation_id}
        self._owner.ask("unsettle", **which, **why)

    def movements(self, day: date, call: Call) -> list[Movement]:
        """Payments and refunds in the ledger of a clinic day: a call for each page."""
        found: list[Movement] = []
        cursor: str | None = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            answer = self._owner.ask("movements", day=str(day), correlation_id=call.correlation_id, **more)
            found += [Movement.model_validate(one) for one in answer["movements"]]
            cursor = answer["cursor"]
            if cursor is None:
                return found


def _told(transaction: Transaction, call: Call) -> Payload:
    same = ("bill_id", "transaction_id", "kind", "amount", "currency", "method")
    asked_by = {"settlement": transaction.settlement} if isinstance(transaction, Refund) else {}
    return {name: getattr(transaction, name) for name in same} | asked_by | {"correlation_id": call.correlation_id}
