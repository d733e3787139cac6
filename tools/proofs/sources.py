"""One payment or refund of every source of the simulated processor: late, never answered, declined, told thrice."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from tools.proofs.tills import refunding

if TYPE_CHECKING:
    from tools.proofs.accounts import Accounts
    from tools.proofs.callers import Answer
    from tools.proofs.tills import Till

_AT_ONCE = 4
# What is captured later is captured by then; nobody calls it off before.
_CAPTURED_LATER_SECONDS = 5


class Source(NamedTuple):
    """What is charged, what becomes of that, and of a refund of it where there is one."""

    name: str
    paid: str
    refunded: str = ""


# docs/how-to/payments.md
SOURCES = (
    Source("tok_ok", "COMPLETED", "COMPLETED"),
    Source("tok_declined", "FAILED"),
    Source("tok_insufficient_funds", "FAILED"),
    Source("tok_slow_success", "COMPLETED"),
    Source("tok_slow_nothing", "FAILED"),
    Source("tok_async", "COMPLETED"),
    Source("tok_duplicate_webhooks", "COMPLETED", "COMPLETED"),
    Source("tok_refund_slow", "COMPLETED", "COMPLETED"),
    Source("tok_refund_declined", "COMPLETED", "FAILED"),
)


class Tried(NamedTuple):
    source: Source
    bill_id: str


def tried(till: Till) -> list[Tried]:
    """All of them, beside each other; what is on its way afterwards is decided."""
    with ThreadPoolExecutor(_AT_ONCE) as crew:
        found = list(crew.map(lambda source: _paid(till, source), SOURCES))
        time.sleep(_CAPTURED_LATER_SECONDS)
        till.comes_to_rest()
        list(crew.map(lambda one: _refunded(till, one), found))
    till.comes_to_rest()
    return found


def _paid(till: Till, source: Source) -> Tried:
    bill_id = till.bill(source.name)
    till.pays(bill_id, source=source.name)
    return Tried(source, bill_id)


def _refunded(till: Till, one: Tried) -> Answer | None:
    if not one.source.refunded:
        return None
    payments = till.accounts().payments.values()
    payment_id = next(paid["payment_id"] for paid in payments if paid["bill_id"] == one.bill_id)
    return till.way.send(refunding(payment_id))


def judged(found: list[Tried], accounts: Accounts) -> list[str]:
    """What did not become what it should."""
    wrong = []
    for source, bill_id in found:
        paid = [one["status"] for one in accounts.payments.values() if one["bill_id"] == bill_id]
        refunded = [one["status"] for one in accounts.refunds.values() if one["bill_id"] == bill_id]
        expected = [source.paid], [source.refunded] if source.refunded else []
        if (paid, refunded) != expected:
            wrong.append(f"{source.name}: paid {paid}, refunded {refunded}, not {expected}")
    return wrong
