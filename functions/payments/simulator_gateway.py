"""The simulated processor, asked through its function."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from payments.gateways import Misused, StatementLine, Verdict
from payments.simulator_calls import ask

if TYPE_CHECKING:
    from datetime import date

    from hms.tasks import Payload
    from payments.gateways import Order, RefundOrder


class SimulatorGateway:
    """Every method is one call, the statement one a page."""

    name = "simulator"

    def charge(self, order: Order) -> Verdict:
        return _verdict("charge", **_asked(order))

    def look(self, order: Order) -> Verdict:
        return _verdict("look", key=order.key)

    def void(self, order: Order) -> Verdict:
        return _verdict("void", key=order.key)

    def refund(self, order: RefundOrder) -> Verdict:
        return _verdict("refund", **order._asdict())

    def look_refund(self, order: RefundOrder) -> Verdict:
        return _verdict("look_refund", key=order.key)

    def statement(self, day: date, zone: str) -> list[StatementLine]:
        lines: list[StatementLine] = []
        after = None
        while True:
            answer = ask("statement", day=str(day), zone=zone, after=after)
            lines += [_line(one) for one in answer["lines"]]
            after = answer["after"]
            if after is None:
                return lines


def _asked(order: Order) -> Payload:
    return {**order._asdict(), "at": order.at.isoformat()}


def _verdict(task: str, **payload: Any) -> Verdict:
    answer = ask(task, **payload)
    if answer["outcome"] != "ok":
        raise Misused(answer["problem"]["code"])
    return Verdict(**answer["verdict"])


def _line(told: Payload) -> StatementLine:
    return StatementLine(**{**told, "at": datetime.fromisoformat(told["at"]).astimezone(UTC)})
