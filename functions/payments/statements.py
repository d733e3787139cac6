"""Both sides of a clinic day, brought together: what the processor says has moved, and what the ledger has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from payments.clinic import clinic
from payments.reconciliation import Reconciliation, days_around, explained, reconcile

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from hms.call import Call
    from payments.gateways import Gateway
    from payments.model import Status
    from payments.reconciliation import Movement
    from payments.service import Office


class Ledger(Protocol):
    """Raises `Busy` where its owner does not answer."""

    def movements(self, day: date, call: Call) -> list[Movement]: ...


def reconciled(
    day: date, call: Call, office: Office, ledger: Ledger, gateway: Callable[[str], Gateway]
) -> Reconciliation:
    """Of the processor that is asked for new payments. Raises `Unanswered`."""
    processor, zone, days = gateway(office.processor()), clinic().timezone, days_around(day)
    statement = {one: processor.statement(one, zone) for one in days}
    found = reconcile(day, statement, {one: ledger.movements(one, call) for one in days})
    return explained(found, _statuses(found, office))


def _statuses(found: Reconciliation, office: Office) -> dict[str, Status]:
    """What our own payments and refunds say of what does not agree: a read for each."""
    statuses = {}
    unexplained = found.keys()
    for kind, key in unexplained:
        stored = (office.payments if kind == "PAYMENT" else office.refunds).load(key)
        if stored:
            statuses[key] = stored.state.status
    return statuses
