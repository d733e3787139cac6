"""Both sides of a clinic day, brought together: what the processor says has moved, and what the ledger has."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from payments.clinic import clinic
from payments.gateways import Unanswered
from payments.reconciliation import Reconciliation, days_around, explained, reconcile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from hms.call import Call
    from payments.gateways import Gateway, StatementLine
    from payments.model import Transaction
    from payments.reconciliation import Movement
    from payments.service import Office


class Ledger(Protocol):
    """Raises `Busy` where its owner does not answer."""

    def movements(self, day: date, call: Call) -> list[Movement]: ...


def reconciled(
    day: date, call: Call, office: Office, ledger: Ledger, gateway: Callable[[str], Gateway]
) -> Reconciliation:
    """Of the processor that is asked for new payments, and of each that was when what it does not know was paid.

    Raises `Unanswered`.
    """
    days, now = days_around(day), office.processor()
    statement = _statement(days, gateway(now))
    moved = {one: ledger.movements(one, call) for one in days}
    found = reconcile(day, statement, moved)
    ours = _ours(found, office)
    for former in sorted({one.gateway for one in ours.values()} - {now}):
        # What it took stays listed as missing where it answers no more.
        with suppress(Unanswered):
            told = _statement(days, gateway(former))
            statement = {one: [*statement[one], *told[one]] for one in days}
            found = reconcile(day, statement, moved)
            ours |= _ours(found, office)
    return explained(found, {key: one.status for key, one in ours.items()})


def _statement(days: Iterable[date], processor: Gateway) -> dict[date, list[StatementLine]]:
    return {one: list(processor.statement(one, clinic().timezone)) for one in days}


def _ours(found: Reconciliation, office: Office) -> dict[str, Transaction]:
    """Our own payments and refunds of what does not agree: a read for each."""
    ours: dict[str, Transaction] = {}
    unexplained = found.keys()
    for kind, key in unexplained:
        stored = (office.payments if kind == "PAYMENT" else office.refunds).load(key)
        if stored:
            ours[key] = stored.state
    return ours
