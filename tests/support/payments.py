"""The payments domain with all that it leans on in memory: a bank, a billing, the real flows, and what goes wrong."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from inspect import GEN_RUNNING, getgeneratorstate
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal
from unittest import mock

from hms import ids
from hms.auth import Principal
from hms.call import Call
from hms.errors import Busy, Problem
from hms.policy import Policy
from payments import refunding, service, sweep, tasks
from payments.commands import PayBill, RefundPayment
from payments.desk import Desk
from payments.gateways import StatementLine, Unanswered, Verdict
from payments.model import BY_GATEWAY, DESK, Method, Payment, Refund, Status
from payments.owners import TasksBilling
from payments.service import Office
from payments.store import Payments, Refunds
from tests.support.execution import execution
from tests.support.trouble import FragileTable, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from hms.call import Outcome
    from hms.tasks import Payload
    from payments.gateways import Gateway, Order, RefundOrder
    from payments.model import PaymentView
    from tests.support.execution import Flow

ROOT = Path(__file__).parents[2]
POLICY = Policy.load(ROOT / "functions" / "payments" / "policy.json")
PATIENT, OTHER_PATIENT = ids.derived("patient", 1), ids.derived("patient", 2)
BILL, OTHER_BILL = ids.derived("bill", 1), ids.derived("bill", 2)
NUMBER = "B4839201735"
# Ten in the morning in Kolkata.
NOW = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
TOKEN, DECLINED, SLOW = "tok_visa", "tok_declined", "tok_slow"
# In one transaction.
MOST_ROWS = 6
CARD_DECLINED = ("CARD_DECLINED", "The card was declined.")


def a_principal(*roles: str, patient_id: str | None = None, name: str | None = None) -> Principal:
    return Principal(name or f"user-{'-'.join(roles)}", roles, patient_id=patient_id, scopes=POLICY.scopes(roles))


CLERK = a_principal("billing_clerk")
RECEPTIONIST = a_principal("receptionist")
AUDITOR = a_principal("auditor")
THE_PATIENT = a_principal("patient", patient_id=PATIENT)
ANOTHER_PATIENT = a_principal("patient", patient_id=OTHER_PATIENT)


@dataclass
class Account:
    """A bill as billing keeps it: sums in minor units."""

    bill_id: str = BILL
    patient_id: str = PATIENT
    charged: int = 52500
    currency: str = "INR"
    void: bool = False
    historical: bool = False
    paid: int = 0
    refunded: int = 0
    reserved: int = 0
    refund_reserved: int = 0

    @property
    def outstanding(self) -> int:
        return self.charged - self.paid + self.refunded

    @property
    def payable(self) -> int:
        return max(0, self.outstanding - self.reserved)

    @property
    def credit(self) -> int:
        return max(0, -self.outstanding - self.refund_reserved)

    def refuses(self, kind: str, amount: int, currency: str) -> tuple[str, int] | None:
        if kind == "REFUND":
            left = self.paid - self.refunded - self.refund_reserved
            return ("REFUND_EXCEEDS_PAYMENT", 422) if amount > left else None
        rules = {
            ("CURRENCY_MISMATCH", 422): currency != self.currency,
            ("BILL_VOID", 409): self.void,
            ("BILL_ALREADY_PAID", 409): self.outstanding <= 0,
            ("PAYMENT_IN_PROGRESS", 409): self.payable == 0,
            ("OVERPAYMENT", 422): amount > self.payable,
        }
        return next((told for told, broken in rules.items() if broken), None)


@dataclass
class Billing:
    """The tasks of billing by their contract: what is reserved, applied or released once stays so."""

    trouble: Trouble
    accounts: dict[str, Account] = field(default_factory=lambda: {BILL: Account()})
    allocations: dict[str, str] = field(default_factory=dict)
    ledger: list[Payload] = field(default_factory=list)
    exceptions: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False
    lock: RLock = field(default_factory=RLock)

    def ask(self, task: str, **payload: Any) -> Payload:
        if self.down:
            self.trouble.calls.append(f"billing:{task}")
            raise Busy
        asked = json.loads(json.dumps(payload))

        def answer() -> Payload:
            with self.lock:
                result: Payload = getattr(self, f"_{task}")(**asked)
                return result

        return self.trouble.call(f"billing:{task}", answer, Busy())

    def moved(self, transaction_id: str) -> int:
        return sum(one["amount"] for one in self.ledger if one["transaction_id"] == transaction_id)

    def _snapshot(self, bill_id: str, correlation_id: str) -> Payload:
        account = self.accounts.get(bill_id)
        if account is None:
            return {"outcome": "absent"}
        told = {"bill_id": bill_id, "bill_number": NUMBER, "patient_id": account.patient_id, "version": 1}
        status = "VOID" if account.void else "OPEN" if account.outstanding > 0 else "PAID"
        sums = {"payable": account.payable, "outstanding_minor": account.outstanding, "currency": account.currency}
        return {"outcome": "ok", "snapshot": {**told, "status": status, **sums, "historical": account.historical}}

    def _reserve(self, bill_id: str, transaction_id: str, kind: str, amount: int, **more: str) -> Payload:
        account, state = self.accounts.get(bill_id), self.allocations.get(transaction_id)
        if account is None:
            return _refused("BILL_NOT_FOUND", 404)
        if state == "RELEASED":
            return _refused("ALREADY_DECIDED", 409)
        if state is None:
            if ("SETTLEMENT_FAILED", more.get("settlement")) in self.exceptions:
                return _refused("SETTLEMENT_ENDED", 409)
            if why := account.refuses(kind, amount, more["currency"]):
                return _refused(*why)
            self._hold(account, kind, amount)
            self.allocations[transaction_id] = "RESERVED"
        return {"outcome": "ok"}

    def _apply(self, bill_id: str, transaction_id: str, kind: str, amount: int, **more: str) -> Payload:
        account, state = self.accounts[bill_id], self.allocations.get(transaction_id)
        if state == "APPLIED":
            return {"outcome": "ok", "status": "OPEN"}
        if state == "RESERVED":
            self._hold(account, kind, -amount)
        else:
            self.exceptions.append(("UNRESERVED_CAPTURE", transaction_id))
        self.allocations[transaction_id] = "APPLIED"
        name = "paid" if kind == "PAYMENT" else "refunded"
        setattr(account, name, getattr(account, name) + amount)
        self.ledger.append({"transaction_id": transaction_id, "bill_id": bill_id, "kind": kind, "amount": amount})
        return {"outcome": "ok", "status": "OPEN"}

    def _release(
        self,
        bill_id: str,
        transaction_id: str,
        kind: str,
        amount: int,
        problem: Payload | None = None,
        **more: str,
    ) -> Payload:
        state = self.allocations.get(transaction_id)
        if state == "APPLIED":
            return {"outcome": "applied"}
        if state == "RESERVED":
            self._hold(self.accounts[bill_id], kind, -amount)
        self.allocations[transaction_id] = "RELEASED"
        if problem and kind == "REFUND":
            self._raise("REFUND_FAILED", transaction_id)
        return {"outcome": "ok"}

    def _unsettle(
        self, bill_id: str, settlement: str, problem: Payload, correlation_id: str, declined: bool
    ) -> Payload:
        self._raise("SETTLEMENT_FAILED", settlement)
        return {"outcome": "flagged", "exception_id": settlement}

    def _raise(self, kind: str, about: str) -> None:
        if (kind, about) not in self.exceptions:
            self.exceptions.append((kind, about))

    def _movements(self, day: str, correlation_id: str, cursor: str | None = None) -> Payload:
        """A page for each."""
        at = int(cursor or 0)
        told = {"method": "CARD", "at": "2026-11-23T04:30:00Z"}
        page = [{**one, **told} for one in self.ledger[at : at + 1]] if day == "2026-11-23" else []
        return {"outcome": "ok", "movements": page, "cursor": str(at + 1) if page and page[-1:] else None}

    def _hold(self, account: Account, kind: str, amount: int) -> None:
        name = "reserved" if kind == "PAYMENT" else "refund_reserved"
        setattr(account, name, getattr(account, name) + amount)


def _refused(code: str, status: int) -> Payload:
    return {"outcome": "refused", "problem": {"code": code, "detail": f"{code} is why.", "status": status}}


@dataclass
class Bank:
    """A processor by its port: what comes under one key happens once, and what was voided never happens."""

    trouble: Trouble
    name: str = "bank"
    charges: dict[str, Verdict] = field(default_factory=dict)
    refunds: dict[str, Verdict] = field(default_factory=dict)
    moved: list[tuple[str, int]] = field(default_factory=list)
    refunds_say: Verdict | None = None
    declines_refunds_of: set[str] = field(default_factory=set)
    silent: bool = False
    amounts: dict[str, int] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)

    def charge(self, order: Order) -> Verdict:
        return self._answered("charge", lambda: self._charged(order))

    def look(self, order: Order) -> Verdict:
        return self._answered("look", lambda: self.charges.get(order.key, Verdict("ABSENT")))

    def void(self, order: Order) -> Verdict:
        return self._answered("void", lambda: self._voided(order.key))

    def refund(self, order: RefundOrder) -> Verdict:
        return self._answered("refund", lambda: self._refunded(order))

    def look_refund(self, order: RefundOrder) -> Verdict:
        return self._answered("look_refund", lambda: self.refunds.get(order.key, Verdict("ABSENT")))

    def statement(self, day: date, zone: str) -> list[StatementLine]:
        def lines() -> list[StatementLine]:
            moved = self.moved if str(day) == "2026-11-23" else []
            return [
                StatementLine(key, "PAYMENT" if amount > 0 else "REFUND", abs(amount), "INR", NOW, f"ch_{key}")
                for key, amount in moved
            ]

        return self._answered("statement", lines)

    def later(self, key: str, *, captured: bool) -> None:
        """A charge or refund that was pending is decided at last, if it still can be."""
        if self.charges.get(key, Verdict("ABSENT")).status == "PENDING":
            self._captured(key, self.amounts[key]) if captured else self._declined(self.charges, key)
        if self.refunds.get(key, Verdict("ABSENT")).status == "PENDING":
            self._paid_back(key, self.amounts[key]) if captured else self._declined(self.refunds, key)

    def _answered[T](self, name: str, work: Callable[[], T]) -> T:
        if self.silent:
            self.trouble.calls.append(f"bank:{name}")
            raise Unanswered
        with self.lock:
            return self.trouble.call(f"bank:{name}", work, Unanswered())

    def _charged(self, order: Order) -> Verdict:
        known = self.charges.get(order.key)
        if known:
            return Verdict("DECLINED", None, "VOIDED", "It was called off.") if known.status == "VOIDED" else known
        self.amounts[order.key] = order.amount
        if order.source == DECLINED:
            return self._declined(self.charges, order.key)
        if order.source == SLOW:
            self.charges[order.key] = Verdict("PENDING")
            return self.charges[order.key]
        return self._captured(order.key, order.amount)

    def _captured(self, key: str, amount: int) -> Verdict:
        self.moved.append((key, amount))
        self.charges[key] = Verdict("CAPTURED", f"ch_{key}")
        return self.charges[key]

    def _declined(self, book: dict[str, Verdict], key: str) -> Verdict:
        book[key] = Verdict("DECLINED", None, *CARD_DECLINED)
        return book[key]

    def _voided(self, key: str) -> Verdict:
        known = self.charges.get(key)
        if known and known.status == "CAPTURED":
            return known
        self.charges[key] = Verdict("VOIDED")
        return self.charges[key]

    def _refunded(self, order: RefundOrder) -> Verdict:
        if order.key not in self.refunds:
            assert self.charges[order.payment_key].status == "CAPTURED"
            assert order.gateway_id == f"ch_{order.payment_key}"
            self.amounts[order.key] = order.amount
            if self.refunds_say:
                self.refunds[order.key] = self.refunds_say
            elif order.payment_key in self.declines_refunds_of:
                self._declined(self.refunds, order.key)
            else:
                self._paid_back(order.key, order.amount)
        return self.refunds[order.key]

    def _paid_back(self, key: str, amount: int) -> Verdict:
        self.moved.append((key, -amount))
        self.refunds[key] = Verdict("CAPTURED", f"re_{key}")
        return self.refunds[key]


class Counter:
    """Everything together, with a clock of its own. `flows` are the executions that were begun."""

    def __init__(self) -> None:
        self.now = NOW
        self.trouble = Trouble()
        self.table = FragileTable(self.trouble)
        self.billing, self.bank = Billing(self.trouble), Bank(self.trouble)
        self.owner = TasksBilling()
        self.office = Office(
            Payments(self.table), Refunds(self.table), self.owner, self, self.gateway_for, lambda: self.bank.name
        )
        self.flows: list[Flow] = []
        self.waiting = False
        self.sent: list[tuple[str, Payload]] = []

    @contextmanager
    def opened(self) -> Iterator[Counter]:
        """The clock stands at `now`, the tasks work here, and nobody sleeps for long."""
        with ExitStack() as stack:
            # It answers as the deployed function does.
            stack.enter_context(mock.patch.object(self.owner, "_owner", self.billing))
            for target, value in {
                "hms.clock.now": lambda: self.now,
                "hms.clock.wall": lambda: self.now,
                "payments.tasks.office": self.office,
                "payments.service._POLL_SECONDS": 0.002,
                "hms.call._SLEEP_SECONDS": 0,
            }.items():
                stack.enter_context(mock.patch(target, value))
            yield self

    @property
    def account(self) -> Account:
        return self.billing.accounts[BILL]

    def gateway_for(self, method: Method, _name: str) -> Gateway:
        return self.bank if method in BY_GATEWAY else Desk()

    def call(self, who: Principal = CLERK, key: str | None = None, **details: Any) -> Call:
        """With a `key`, the same call as every other with it."""
        token = ids.derived(who.user_id, key) if key else ids.new()
        return Call(who, self.now, "correlation", token, **details)

    def pay(
        self, amount: str = "525.00", who: Principal = CLERK, *, call: Call | None = None, **changes: Any
    ) -> Outcome[PaymentView]:
        return service.pay(a_payment(amount, **changes), call or self.call(who), self.office)

    def paid(self, amount: str = "525.00", **changes: Any) -> str:
        """The id of a payment that is completed."""
        view = self.pay(amount, **changes).state
        assert view.status == "COMPLETED"
        return view.payment_id

    def tries(self, amount: str = "525.00", **changes: Any) -> str:
        """The id of a payment whose flow has not begun."""
        self.waiting = True
        payment_id = self.pay(amount, **changes).state.payment_id
        self.waiting = False
        return payment_id

    def refund(
        self, payment_id: str, amount: str = "525.00", who: Principal = CLERK, *, call: Call | None = None, **more: str
    ) -> Outcome[Refund]:
        asked = {"payment_id": payment_id, "amount": amount, "reason": "Not given"}
        command = RefundPayment.model_validate(asked | more)
        return refunding.refund(command, call or self.call(who), self.office)

    def payment(self, payment_id: str) -> Payment:
        stored = self.office.payments.load(payment_id)
        assert stored
        return stored.state

    def refund_of(self, refund_id: str) -> Refund:
        stored = self.office.refunds.load(refund_id)
        assert stored
        return stored.state

    def sweep(self, later: timedelta = MINUTE) -> Payload:
        self.now += later
        return tasks.handler({"task": "sweep"})

    def take(self, payment: Payment, call: Call) -> None:
        """The flow, to its end; or only begun, where it is `waiting`."""
        self._begin("take-payment", payment, call, payment_id=payment.payment_id)

    def give_back(self, refund: Refund, call: Call) -> None:
        self._begin("refund-payment", refund, call, refund_id=refund.refund_id, settlement=refund.settlement)

    def begin_again(self) -> None:
        """A flow more for everything that is on its way, from the start to its end."""
        waiting, self.waiting = self.waiting, False
        for one in self.known():
            if one.status is Status.PENDING:
                self._carry(one)
        self.waiting = waiting

    def go_on(self) -> None:
        """What was begun and does not run goes on to its end."""
        for flow in self.flows:
            if getgeneratorstate(flow) != GEN_RUNNING:
                self.run(flow)

    def _carry(self, one: Payment | Refund) -> None:
        if isinstance(one, Payment):
            self.take(one, self.call())
        else:
            self.give_back(one, self.call())

    def told(self) -> None:
        """The processor tells of everything; what fails in that does not disturb whom it interrupts."""
        for one in self.known():
            pursue = sweep.pursue_payment if isinstance(one, Payment) else sweep.pursue_refund
            with suppress(Problem):
                pursue(one.transaction_id, self.call(), self.office)

    def ask(self, resource: str, payload: Payload) -> Payload:
        """What a state of a flow asks; every task is remembered, so that it may come again."""
        self.sent.append((resource, payload))
        if resource == "${BillingTasks}":
            return self.billing.ask(**payload)
        return tasks.handler(json.loads(json.dumps(payload)))

    def run(self, flow: Flow) -> None:
        with suppress(StopIteration):
            while True:
                next(flow)

    def _begin(self, name: str, transaction: Payment | Refund, call: Call, **named: str | None) -> None:
        same = ("bill_id", "amount", "currency", "method")
        data = {one: getattr(transaction, one) for one in same} | named | {"correlation_id": call.correlation_id}
        flow = execution(name, data, self.ask)
        self.flows.append(flow)
        if not self.waiting:
            self.run(flow)

    def known(self) -> list[Payment | Refund]:
        """All payments and refunds."""
        items = self.table.items
        states = [items[key] for key in sorted(items) if key.sk == "state"]
        read = [self.office.payments.read(one) for one in states if one.pk.startswith("payment#")]
        back = [self.office.refunds.read(one) for one in states if one.pk.startswith("refund#")]
        return [one.state for one in (*read, *back) if one]

    def comes_to_rest(self) -> None:
        """Once all is mended, a few ordinary sweeps leave nothing open, and all sides tell the same."""
        self.trouble.moods.clear()
        self.bank.silent, self.billing.down, self.bank.refunds_say = False, False, None
        for key in self.bank.amounts:
            self.bank.later(key, captured=True)
        for _ in range(3):
            self.sweep(timedelta(hours=1))
        self.agrees()
        assert [one for one in self.known() if one.status is Status.PENDING] == []
        assert [key for key in self.table.items if key.sk == "pending"] == []
        assert (self.account.reserved, self.account.refund_reserved) == (0, 0)
        completed = {one.transaction_id for one in self.known() if one.status is Status.COMPLETED}
        assert {one["transaction_id"] for one in self.billing.ledger} == completed
        assert {key for key, _ in self.bank.moved} <= completed

    def agrees(self) -> None:
        """What is decided is so everywhere; nothing moves twice, nor more than there is. At every moment."""
        moved = [key for key, _ in self.bank.moved]
        assert len(moved) == len(set(moved)), "one capture a payment, one refund a refund"
        unexpected = {about for kind, about in self.billing.exceptions if not kind.endswith("_FAILED")}
        by_hand = {one.transaction_id: one.amount for one in self.known() if one.gateway == DESK}
        assert unexpected <= by_hand.keys(), "what no bill has room for is in the drawer already"
        above = sum(by_hand[about] for about in unexpected)
        assert 0 <= self.account.paid - self.account.refunded <= 52500 + above
        for one in self.known():
            self._agrees(one)
        assert self.table.largest <= MOST_ROWS

    def _agrees(self, one: Payment | Refund) -> None:
        if isinstance(one, Payment):
            back = [two for two in self.known() if isinstance(two, Refund) and two.payment_id == one.payment_id]
            shown = self.office.payments.shown(one.payment_id)
            expected = sum(two.amount for two in back if two.status is not Status.FAILED)
            assert shown
            assert shown.refunded == expected <= one.amount
        if one.status is not Status.PENDING:
            amount = one.amount if one.status is Status.COMPLETED else 0
            state = "APPLIED" if amount else "RELEASED"
            assert self.billing.moved(one.transaction_id) == amount
            assert self.billing.allocations.get(one.transaction_id) == state
            if one.gateway == self.bank.name:
                assert abs(dict(self.bank.moved).get(one.transaction_id, 0)) == amount

    def events(self, kind: Literal["payment", "refund"], transaction_id: str) -> list[str]:
        """The types of what was told, in order."""
        book = self.office.payments if kind == "payment" else self.office.refunds
        found = book.history(transaction_id, limit=100)
        return [json.loads(item.body or "")["type"] for item in found.items]

    def calls_of(self, work: Callable[[], Any]) -> list[str]:
        """What is called by something, in order."""
        before = len(self.trouble.calls)
        work()
        return self.trouble.names(before)


def a_payment(amount: str = "525.00", **changes: Any) -> PayBill:
    facts: dict[str, Any] = {"bill_id": BILL, "amount": amount, "method": "CARD", "source": TOKEN}
    return PayBill.model_validate(facts | changes)


def in_cash(amount: str = "525.00") -> dict[str, Any]:
    return {"amount": amount, "method": "CASH", "source": None}
