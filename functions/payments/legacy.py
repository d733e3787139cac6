"""Payments of an older system: history, completed when they were made, and nobody's to pay back here."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError

from hms import ids
from hms.call import Outcome, decided
from hms.cards import NOT_A_CARD
from hms.errors import Busy, Invalid, Problem
from hms.fields import Command, Id, Instant, Line
from hms.money import AT_REST, Amount
from payments.model import Method, Payment, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hms.call import Call
    from payments.legacy_store import LegacyPayments

SYSTEM = "legacy"


Reference = Annotated[Line, NOT_A_CARD]


class RecordPayment(Command):
    """`external_id` is its number there; the bill is here already, and billing says what it is called."""

    external_id: Line
    bill_id: Id
    bill_number: Line
    patient_id: Id
    amount: Annotated[Amount, Field(gt=0)]
    currency: str = Field(default="INR", pattern="^[A-Z]{3}$")
    method: Annotated[Method, Field(strict=False)]
    reference: Reference | None = None
    paid_at: Instant


def payment_id_of(external_id: str) -> str:
    """What a payment of the older system is known by here, in the bill's ledger too."""
    return ids.derived("payment", ids.derived(SYSTEM, "payment", external_id))


def record_all(rows: Iterable[str], call: Call, payments: LegacyPayments) -> list[dict[str, Any]]:
    """What became of each payment: `new`, `there`, or `refused` with a `code`."""
    return [_answered(row, call, payments) for row in rows]


def record(command: RecordPayment, call: Call, payments: LegacyPayments) -> Outcome[Payment]:
    """Replayed where this very payment was recorded before.

    Raises `IdempotencyKeyReused` where its number came with other data before.
    """
    digest = hashlib.sha256(command.model_dump_json().encode()).hexdigest()[:32]
    call = replace(call, token=ids.derived(SYSTEM, "payment", command.external_id), digest=digest)
    payment_id = payment_id_of(command.external_id)

    def attempt() -> Outcome[Payment]:
        if earlier := payments.earlier(payments.load(payment_id), payment_id, call):
            return earlier
        payment = _recorded(payment_id, command, call)
        payments.record(payment, call)
        return Outcome(payment)

    return decided(attempt)


def _recorded(payment_id: str, command: RecordPayment, call: Call) -> Payment:
    fields = {
        **dict(command),
        "payment_id": payment_id,
        "status": Status.COMPLETED,
        "gateway": SYSTEM,
        "received_by": call.who.user_id,
        "decided_at": command.paid_at,
        "historical": True,
        "created_at": command.paid_at,
        "updated_at": call.now,
    }
    return Payment.model_validate(fields, context=AT_REST)


def _answered(row: str, call: Call, payments: LegacyPayments) -> dict[str, Any]:
    try:
        outcome = record(RecordPayment.model_validate_json(row), call, payments)
    except ValidationError:
        return {"outcome": "refused", "code": Invalid.code}
    except Busy:
        raise
    except Problem as problem:
        return {"outcome": "refused", "code": problem.code}
    return {"outcome": "there" if outcome.replayed else "new", "payment_id": outcome.state.payment_id}
