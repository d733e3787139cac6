"""The state machines that carry money through, run and waited for. What they came to is in the table."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hms.executions import Undecided, execute

if TYPE_CHECKING:
    from hms.call import Call
    from payments.model import Payment, Refund, Transaction

# `TimeoutSeconds` of both machines.
_SECONDS = 20


class ExecutedFlows:
    def take(self, payment: Payment, call: Call) -> None:
        _execute("TAKE_PAYMENT_ARN", payment, call, {"payment_id": payment.payment_id})

    def give_back(self, refund: Refund, call: Call) -> None:
        named = {"refund_id": refund.refund_id}
        _execute("REFUND_PAYMENT_ARN", refund, call, named, settlement=refund.settlement)


def _execute(machine: str, transaction: Transaction, call: Call, named: dict[str, str], **more: str | None) -> None:
    """Named after what it carries through, so that its executions are found. Without an answer nothing is known."""
    same = ("bill_id", "amount", "currency", "method")
    payload: dict[str, Any] = {name: getattr(transaction, name) for name in same}
    payload |= {**named, **more, "correlation_id": call.correlation_id}
    with suppress(Undecided):
        execute(machine, transaction.transaction_id, payload, _SECONDS, **named)
