"""Payments and refunds during which a function dies, at every call that any of them makes, and who asks again then."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from hms import ids
from tools import logs
from tools.proofs.callers import proxied
from tools.proofs.machines import OffThePath, Point, machines, traced
from tools.proofs.tills import TOTAL, later, paying, refunding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tools.proofs.accounts import Accounts
    from tools.proofs.callers import Answer, Ask
    from tools.proofs.ledgers import Body
    from tools.proofs.machines import Machine
    from tools.proofs.tills import Till
    from tools.system import System

    type _Opens = Callable[[Till, str, str], tuple[Ask, Body]]

_AT_ONCE, _TRIES = 2, 10
_FUNCTIONS = ("payments-api", "payments-tasks", "billing-tasks", "payments-simulator")
# What has a payment opened, and its flow left for somebody else to run.
_OPENED_ONLY = "lose@stepfunctions.StartSyncExecution#1:before"
# The states of a flow, as they follow each other.
_TAKEN = ("Reserve", "Charge", "Apply", "CompletePayment")
_NOT_TAKEN = ("Reserve", "Charge", "Declined", "Release", "FailPayment")
_GIVEN_BACK = ("Reserve", "RefundAtGateway", "Apply", "CompleteRefund")
_NOT_GIVEN_BACK = ("Reserve", "RefundAtGateway", "Declined", "Release", "FailRefund")
# Who asks again by then does not wait for somebody who may be at work.
_LATER = timedelta(seconds=31)


@dataclass
class Death:
    """One journey: what died where, what its caller asks, and what they were answered in the end."""

    what: str
    ask: Ask
    answer: Answer | None = None

    def wrong(self, accounts: Accounts) -> list[str]:
        """Whether the caller was told what became of it."""
        answer, body = self.answer, self.ask.body or {}
        if answer is None or answer.status in (0, 202) or answer.status >= 500:
            return [f"{self.what}: its caller was answered {answer and answer.status}"]
        kind, name = ("REFUND", "payment_id") if "refund" in self.ask.resource else ("PAYMENT", "bill_id")
        found = [one["status"] for one in accounts.moved(kind).values() if one[name] == body[name]]
        expected = ["COMPLETED" if answer.done else "FAILED"]
        return [] if found == expected else [f"{self.what}: its caller was answered {answer.status}, it is {found}"]


class Deaths:
    """All journeys; `few` are so many points as a test has time for: where each task and each request ends."""

    def __init__(self, till: Till, *, full: bool) -> None:
        self._till = till
        self._full = full
        self.journeys: list[Death] = []

    def all_happen(self) -> None:
        with machines(self._till.system, "take-payment", "refund-payment") as (taking, giving):
            self._each(self._at_api("payment", lambda: paying(self._till.bill("traced"))), self._asks_to_pay)
            self._each(self._at_api("refund", self._of_a_payment), self._asks_back)
            for source, path in (("tok_ok", _TAKEN), ("tok_declined", _NOT_TAKEN)):
                points = self._points(taking, source, path, opened_payment)
                self._each(points, partial(self._takes, taking, source))
            for source, path in (("tok_ok", _GIVEN_BACK), ("tok_refund_declined", _NOT_GIVEN_BACK)):
                points = self._points(giving, source, path, opened_refund)
                self._each(points, partial(self._gives, giving, source))

    def callers_ask_again(self, others: Sequence[Death] = ()) -> None:
        """Now that all is decided; `others` are further journeys."""
        self.journeys += others
        with ThreadPoolExecutor(_AT_ONCE) as crew:
            answers = crew.map(self._till.persists, [one.ask for one in self.journeys])
            for one, answer in zip(self.journeys, answers, strict=True):
                one.answer = answer

    def _each(self, points: Sequence[Point], journey: Callable[[Point], list[Death]]) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as crew:
            for deaths in crew.map(journey, points if self._full else ends(points)):
                self.journeys += deaths

    # The requests.

    def _at_api(self, what: str, ask: Callable[[], Ask]) -> list[Point]:
        request = ask()
        event = proxied(request, self._till.authorization())
        event["headers"] |= {"X-Test-Fault": "trace@*"}
        _, places = traced(self._till.functions, f"{self._till.system.stack}-payments-api:live", event)
        return [Point(f"POST {what}", place) for place in places]

    def _of_a_payment(self) -> Ask:
        return refunding(self._till.paid(self._till.bill("refund traced")))

    def _asks_to_pay(self, point: Point) -> list[Death]:
        return [self._dies_at_once(point, paying(self._till.bill(str(point))))]

    def _asks_back(self, point: Point) -> list[Death]:
        return [self._dies_at_once(point, refunding(self._till.paid(self._till.bill(str(point)))))]

    def _dies_at_once(self, point: Point, ask: Ask) -> Death:
        """The function dies, and the same request comes again when nobody can be at work on it any more."""
        self._till.way.send(_with(ask, "X-Test-Fault", f"die@{point.place}"))
        self._till.way.send(_with(ask, "X-Test-Clock", later(_LATER)))
        return Death(str(point), ask)

    # The flows.

    def _points(self, machine: Machine, source: str, path: Sequence[str], opens: _Opens) -> list[Point]:
        for _ in range(_TRIES):
            _, given = opens(self._till, f"{source}, traced", source)
            with suppress(OffThePath):
                return machine.points(given, path)
        message = f"no {source} goes through {path}"
        raise RuntimeError(message)

    def _takes(self, machine: Machine, source: str, point: Point) -> list[Death]:
        return [self._dies(machine, point, tries, source, opened_payment) for tries in self._tries(point)]

    def _gives(self, machine: Machine, source: str, point: Point) -> list[Death]:
        return [self._dies(machine, point, tries, source, opened_refund) for tries in self._tries(point)]

    def _tries(self, point: Point) -> list[list[str]]:
        """Once, so that the next try of the task makes it good; and at every try, so that the sweep has to."""
        once, always = [f"die@{point.place}"], [f"die@{point.place}"] * 3
        return [once, always] if self._full else [always if "Charge" in point.task or "At" in point.task else once]

    def _dies(
        self,
        machine: Machine,
        point: Point,
        tries: list[str],
        source: str,
        opens: _Opens,
    ) -> Death:
        what = f"{source}, {point}, {len(tries)} ×"
        ask, given = opens(self._till, what, source)
        machine.runs(given, {point.task: tries})
        return Death(what, ask)


def opened_payment(till: Till, what: str, source: str) -> tuple[Ask, Body]:
    """A payment whose flow has not begun: what its caller asks, and what the flow gets."""
    return opened(till, paying(till.bill(what), source=source), "payment_id")


def opened_refund(till: Till, what: str, source: str) -> tuple[Ask, Body]:
    """A refund of a payment that is through."""
    return opened(till, refunding(till.paid(till.bill(what), source=source)), "refund_id")


def opened(till: Till, ask: Ask, key: str) -> tuple[Ask, Body]:
    """Asks until it is on its way."""
    for _ in range(_TRIES):
        answer = till.way.send(_with(ask, "X-Test-Fault", _OPENED_ONLY))
        if answer.status == 202:
            same = {name: answer.body.get(name) for name in (key, "bill_id", "currency", "method", "settlement")}
            return ask, {**same, "amount": TOTAL, "correlation_id": ids.new()}
    message = f"{ask.resource}: {answer.status} {answer.body}"
    raise RuntimeError(message)


def counted(system: System, since: float) -> int:
    """How often a function died since then, as far as logs tell: an emulator under load loses lines."""
    client, groups = system.client("logs"), [f"/aws/lambda/{system.stack}-{name}" for name in _FUNCTIONS]
    told = (event["message"] for group in groups for event in logs.events(client, group, int(since * 1000)))
    return sum('"fault": "die"' in message for message in told)


def ends(points: Sequence[Point]) -> list[Point]:
    """The last point of each task: all that it does is done, and nobody hears of it."""
    return list({point.task: point for point in points}.values())


def _with(ask: Ask, name: str, value: Any) -> Ask:
    return replace(ask, headers={**ask.headers, name: str(value)})
