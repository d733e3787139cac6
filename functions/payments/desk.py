"""Money that is handed over at the desk or seen on the bank's statement: whoever records it has it already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payments.gateways import Verdict

if TYPE_CHECKING:
    from datetime import date

    from payments.gateways import Order, RefundOrder, StatementLine


class Desk:
    """CASH and BANK_TRANSFER. Nothing is asked of anybody, so nothing is ever declined, late or voided."""

    name = "desk"

    def charge(self, order: Order) -> Verdict:
        return Verdict("CAPTURED", order.key)

    def look(self, order: Order) -> Verdict:
        return Verdict("CAPTURED", order.key)

    def void(self, order: Order) -> Verdict:
        return Verdict("CAPTURED", order.key)

    def refund(self, order: RefundOrder) -> Verdict:
        return Verdict("CAPTURED", order.key)

    def look_refund(self, order: RefundOrder) -> Verdict:
        return Verdict("CAPTURED", order.key)

    def statement(self, day: date, zone: str) -> list[StatementLine]:  # noqa: ARG002  (the port's words)
        """None: the day's totals are counted by hand."""
        return []
