"""What is asked of whoever moves the money: the port behind which card processors and the clinic's own desk stand.

Pure, so that the service may build on it; `payments.processors.for_method` finds the adapter. Amounts are minor units.
A key is our own id of a payment or a refund. It is the processor's idempotency key: whatever is asked again under one
key happens once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from payments.model import Method

    type ForMethod = Callable[[Method, str], Gateway]


class Unanswered(Exception):
    """No answer in time, or none that decides: whether the money moved nobody knows. Ask again, or look."""


class Misused(Exception):
    """The key came before with another order; nothing was done. A fault of ours, which repeating does not mend."""


class Verdict(NamedTuple):
    """What a processor says of a payment or a refund.

    CAPTURED: the money moved. DECLINED: it did not and will not, `code` and `detail` say why. PENDING: not decided.
    VOIDED: it did not, and nothing will ever be captured under this key. ABSENT: the processor does not know the key.
    """

    status: Literal["CAPTURED", "DECLINED", "PENDING", "VOIDED", "ABSENT"]
    gateway_id: str | None = None
    code: str | None = None
    detail: str | None = None


class Order(NamedTuple):
    """Money to be taken, the same at every question about one payment: some processors find it by that alone.

    `key` is the payment's id, `at` when it was asked for, `description` the bill's number as payers may see it on their
    statement. `source` is the processor's own one-time name for a card or an account, never its number; only `charge`
    needs it.
    """

    key: str
    amount: int
    currency: str
    method: Method
    source: str | None
    description: str
    at: datetime


class RefundOrder(NamedTuple):
    """Money to be given back. `key` is the refund's id, `payment_key` the payment's, `gateway_id` what the processor
    calls that payment."""

    key: str
    payment_key: str
    gateway_id: str
    amount: int
    currency: str


class StatementLine(NamedTuple):
    """Money that moved, as the processor says. `key` is empty where the processor has none of ours for it.

    `amount` is positive, also of refunds; `at` is in UTC.
    """

    key: str
    kind: Literal["PAYMENT", "REFUND"]
    amount: int
    currency: str
    at: datetime
    gateway_id: str


class Gateway(Protocol):
    """Every method may raise `Unanswered`, and may then be asked again with the same order."""

    name: str

    def charge(self, order: Order) -> Verdict:
        """CAPTURED, DECLINED or PENDING. DECLINED with code VOIDED where `void` came first."""

    def look(self, order: Order) -> Verdict:
        """What became of a payment; ABSENT where the processor never heard of it, VOIDED where `void` came first."""

    def void(self, order: Order) -> Verdict:
        """VOIDED: nothing will ever be captured under this key, also by a charge that is still under way. CAPTURED
        where it is too late. PENDING where neither can be said yet: ask again later."""

    def refund(self, order: RefundOrder) -> Verdict:
        """CAPTURED: it is paid back. DECLINED or PENDING."""

    def look_refund(self, order: RefundOrder) -> Verdict:
        """As `look`. Where it is ABSENT, `refund` may be asked again under the same key."""

    def statement(self, day: date, zone: str) -> list[StatementLine]:
        """All that moved on a calendar day of an IANA zone, oldest first."""
