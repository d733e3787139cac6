"""The flows of money as deployed: state by state, and path by path from a visit's end to its last refund."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from hms import ids
from hms.money import wire
from tests.support.cash_desk import SECONDS, CashDesk
from tests.support.client import agreed, eventually, refused
from tests.support.flows import (
    FAULT,
    OK,
    SUPERSEDED,
    DeployedMachine,
    answers,
    goes_on,
    sent,
    statuses,
    step_functions,
    tried,
)
from tools import contracts, flows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.hospital import Hospital
    from tools.flows import State
    from tools.system import System

SETTLE, TAKE, REFUND = "settle-appointment", "take-payment", "refund-payment"
STATES: dict[str, dict[str, State]] = {
    flow: dict(flows.states(flows.definitions()[flow])) for flow in (SETTLE, TAKE, REFUND)
}
MONEY = {"bill_id": "b", "amount": 52500, "currency": "INR", "method": "CARD", "correlation_id": "c"}
INPUT = {
    SETTLE: {"appointment_id": "a", "version": 2, "correlation_id": "c"},
    TAKE: {"payment_id": "p", **MONEY},
    REFUND: {"refund_id": "r", "settlement": "s", **MONEY},
}
PROBLEM = {"code": "CARD_DECLINED", "detail": "The card was declined."}
REFUSED = {"outcome": "refused", "problem": PROBLEM | {"status": 422}}
DECLINED = {"outcome": "declined", **PROBLEM}
CAPTURED, REFUNDED = {"outcome": "captured", "gateway_id": "g"}, {"outcome": "refunded", "gateway_id": "g"}
PENDING, FLAGGED, FAILED = {"outcome": "pending"}, {"outcome": "flagged"}, {"outcome": "failed", "problem": PROBLEM}
APPLIED, REOPENED = {"outcome": "applied"}, {"outcome": "reopened", "exception_id": "e"}
STRANGE = {"outcome": "strange"}


def _settled(credit: int) -> dict[str, Any]:
    return {"outcome": "settled", "bill_id": "b", "settlement": "s", "credit": credit, "currency": "INR"}


BILL = {"bill": _settled(26250)}
TO_UNSETTLE = BILL | {"refund": FAILED}


class Way(NamedTuple):
    """A state, what else it gets, what its task answers, and where it goes on; nowhere where the machine ends."""

    name: str
    more: dict[str, Any]
    mock: dict[str, Any] | None
    target: str


def _moving(key: str, moved: dict[str, Any], *, asked: str, judged: str, done: str, failed: str) -> list[Way]:
    """What take-payment and refund-payment have in common: `asked` is where the gateway answers."""
    ways: list[tuple[str, dict[str, Any], dict[str, Any] | None, str]] = [
        ("Reserve", {}, answers(OK), "JudgeReservation"),
        ("Reserve", {}, FAULT, "Pending"),
        ("JudgeReservation", {"reservation": OK}, None, asked),
        ("JudgeReservation", {"reservation": REFUSED}, None, "Refused"),
        ("JudgeReservation", {"reservation": STRANGE}, None, "Pending"),
        ("Refused", {"reservation": REFUSED}, None, failed),
        (asked, {}, answers(moved), judged),
        (asked, {}, answers(DECLINED), judged),
        (asked, {}, FAULT, "Pending"),
        (judged, {key: moved}, None, "Apply"),
        (judged, {key: DECLINED}, None, "Declined"),
        (judged, {key: PENDING}, None, "Pending"),
        ("Apply", {}, answers(OK), done),
        ("Apply", {}, FAULT, "Pending"),
        (done, {key: moved}, answers(OK), "Completed"),
        (done, {key: moved}, FAULT, "Pending"),
        ("Declined", {key: DECLINED}, None, "Release"),
        ("Release", {"problem": DECLINED}, answers(OK), "JudgeRelease"),
        ("Release", {"problem": DECLINED}, FAULT, "Pending"),
        ("JudgeRelease", {"released": OK}, None, failed),
        ("JudgeRelease", {"released": APPLIED}, None, "Pending"),
        (failed, {"problem": DECLINED}, answers(OK), "Failed"),
        (failed, {"problem": DECLINED}, FAULT, "Pending"),
        ("Completed", {}, None, ""),
        ("Failed", {}, None, ""),
        ("Pending", {}, None, ""),
    ]
    return [Way(*way) for way in ways]


def _settling() -> list[Way]:
    ways: list[tuple[str, dict[str, Any], dict[str, Any] | None, str]] = [
        ("Settle", {}, answers(_settled(0)), "JudgeSettlement"),
        ("Settle", {}, FAULT, "NotSettled"),
        ("JudgeSettlement", {"bill": _settled(0)}, None, "JudgeCredit"),
        ("JudgeSettlement", {"bill": FLAGGED}, None, "Flagged"),
        ("JudgeSettlement", {"bill": SUPERSEDED}, None, "Superseded"),
        ("JudgeCredit", {"bill": _settled(1)}, None, "RefundBill"),
        ("JudgeCredit", {"bill": _settled(0)}, None, "Settled"),
        ("RefundBill", BILL, answers(PENDING), "JudgeRefund"),
        ("RefundBill", BILL, FAULT, "NotRefunded"),
        ("JudgeRefund", BILL | {"refund": {"outcome": "refunded"}}, None, "Settled"),
        ("JudgeRefund", BILL | {"refund": PENDING}, None, "Settled"),
        ("JudgeRefund", TO_UNSETTLE, None, "Unsettle"),
        ("JudgeRefund", BILL | {"refund": STRANGE}, None, "NotRefunded"),
        ("Unsettle", TO_UNSETTLE, answers(REOPENED), "JudgeUndoing"),
        ("Unsettle", TO_UNSETTLE, FAULT, "NotFlagged"),
        ("JudgeUndoing", {"undone": REOPENED}, None, "Flagged"),
        ("JudgeUndoing", {"undone": FLAGGED}, None, "Flagged"),
        ("JudgeUndoing", {"undone": SUPERSEDED}, None, "Superseded"),
    ]
    ends = ("Settled", "Flagged", "Superseded", "NotSettled", "NotRefunded", "NotFlagged")
    return [*(Way(*way) for way in ways), *(Way(name, {}, None, "") for name in ends)]


_TAKEN = {"asked": "Charge", "judged": "JudgeCharge", "done": "CompletePayment", "failed": "FailPayment"}
_GIVEN = {"asked": "RefundAtGateway", "judged": "JudgeAnswer", "done": "CompleteRefund", "failed": "FailRefund"}
WAYS: dict[str, list[Way]] = {
    SETTLE: _settling(),
    TAKE: _moving("charge", CAPTURED, **_TAKEN),
    REFUND: _moving("answer", REFUNDED, **_GIVEN),
}
EVERY_WAY = [
    pytest.param(flow, way, id=f"{flow}-{way.name}-{way.target}") for flow, ways in WAYS.items() for way in ways
]
# What each task is asked beside its name and the correlation id.
IN_BILL = {"bill_id": "b", "amount": 52500, "currency": "INR", "method": "CARD"}
PAYMENT = {**IN_BILL, "kind": "PAYMENT", "transaction_id": "p"}
GIVEN_BACK = {**IN_BILL, "kind": "REFUND", "transaction_id": "r"}
VISIT = {"appointment_id": "a", "version": 2}
ASKED: dict[str, dict[str, dict[str, Any]]] = {
    SETTLE: {
        "Settle": {"task": "settle", **VISIT},
        "RefundBill": {
            "task": "refund_bill",
            "bill_id": "b",
            "settlement": "s",
            "amount": 26250,
            "currency": "INR",
        },
        "Unsettle": {"task": "unsettle", "bill_id": "b", "settlement": "s", "problem": PROBLEM},
    },
    TAKE: {
        "Reserve": {"task": "reserve", **PAYMENT},
        "Charge": {"task": "charge", "payment_id": "p"},
        "Apply": {"task": "apply", **PAYMENT},
        "CompletePayment": {"task": "complete_payment", "payment_id": "p", "gateway_id": "g"},
        "Release": {"task": "release", **PAYMENT},
        "FailPayment": {"task": "fail_payment", "payment_id": "p", **PROBLEM},
    },
    REFUND: {
        "Reserve": {"task": "reserve", "settlement": "s", **GIVEN_BACK},
        "RefundAtGateway": {"task": "refund_at_gateway", "refund_id": "r"},
        "Apply": {"task": "apply", **GIVEN_BACK},
        "CompleteRefund": {"task": "complete_refund", "refund_id": "r", "gateway_id": "g"},
        "Release": {"task": "release", **GIVEN_BACK},
        "FailRefund": {"task": "fail_refund", "refund_id": "r", **PROBLEM},
    },
}
TASKS = [(flow, name) for flow, asked in ASKED.items() for name in asked]
# All that earlier states may have left.
KNOWN = TO_UNSETTLE | {"charge": CAPTURED, "answer": REFUNDED, "problem": DECLINED}


@pytest.fixture(scope="module")
def states(system: System) -> Iterator[Any]:
    with step_functions(system) as client:
        yield client


@pytest.mark.parametrize("flow", WAYS)
def test_every_way_out_of_every_state_is_tried(flow: str) -> None:
    all_ = {(name, step.target) for name, state in STATES[flow].items() for step in flows.steps(name, state)}

    assert {(way.name, way.target) for way in WAYS[flow]} == all_
    assert set(ASKED[flow]) == {name for name, state in STATES[flow].items() if state["Type"] == "Task"}


@pytest.mark.parametrize(("flow", "way"), EVERY_WAY)
def test_a_state_goes_on_where_it_should(flow: str, way: Way, states: Any) -> None:
    assert goes_on(states, STATES[flow][way.name], INPUT[flow] | way.more, way.mock) == way.target


@pytest.mark.parametrize(("flow", "name"), TASKS)
def test_a_task_sends_ids_and_amounts_and_carries_on_what_it_got(flow: str, name: str, states: Any) -> None:
    answer = tried(states, STATES[flow][name], INPUT[flow] | KNOWN, answers(OK))

    assert sent(answer) == ASKED[flow][name] | {"correlation_id": "c"}
    assert OK in json.loads(answer["output"]).values()


@pytest.mark.parametrize("error", ["TaskFailed", "Runtime.HandlerError", "Lambda.TooManyRequestsException"])
@pytest.mark.parametrize(("flow", "name"), TASKS)
def test_a_passing_fault_is_tried_again_and_others_are_not(flow: str, name: str, error: str, states: Any) -> None:
    state, given = STATES[flow][name], INPUT[flow] | KNOWN
    again = state["Retry"][0]["MaxAttempts"]

    assert statuses(states, state, given, error) == ["RETRIABLE"] * again + ["FAILED"]
    assert statuses(states, state, given, "Lambda.ResourceNotFoundException")[0] == "FAILED"


@pytest.mark.parametrize(("flow", "name"), TASKS)
def test_a_try_that_was_late_is_tried_again_only_where_nobody_waits(flow: str, name: str, states: Any) -> None:
    first = statuses(states, STATES[flow][name], INPUT[flow] | KNOWN, "States.Timeout")[0]

    assert first == ("RETRIABLE" if flow == SETTLE else "FAILED")


@pytest.mark.parametrize(("flow", "key", "said"), [(TAKE, "charge", DECLINED), (REFUND, "answer", DECLINED)])
def test_the_gateways_reason_is_the_failures(flow: str, key: str, said: dict[str, Any], states: Any) -> None:
    failed = "FailPayment" if flow == TAKE else "FailRefund"
    carried = json.loads(tried(states, STATES[flow]["Declined"], INPUT[flow] | {key: said}, None)["output"])
    asked = sent(tried(states, STATES[flow][failed], carried, answers(OK)))

    assert {name: asked[name] for name in PROBLEM} == PROBLEM


@pytest.mark.parametrize("flow", [TAKE, REFUND])
def test_billings_reason_is_the_failures(flow: str, states: Any) -> None:
    failed = "FailPayment" if flow == TAKE else "FailRefund"
    given = INPUT[flow] | {"reservation": REFUSED}
    carried = json.loads(tried(states, STATES[flow]["Refused"], given, None)["output"])
    asked = sent(tried(states, STATES[flow][failed], carried, answers(OK)))

    assert {name: asked[name] for name in PROBLEM} == PROBLEM


FEE = 52500


class Cashier(CashDesk):
    """With bills as billing tells them to other domains."""

    def told(self, visit: dict[str, Any]) -> dict[str, Any]:
        answer = self.hospital.ask("billing", {"task": "snapshot", **bill_of(visit)})
        assert answer["outcome"] == "ok"
        bill: dict[str, Any] = answer["snapshot"]
        return bill


def bill_of(visit: dict[str, Any]) -> dict[str, Any]:
    return {"bill_id": ids.derived("bill", visit["appointment_id"])}


# How it ended, what was paid, and then: what the bill is, what was refunded, what is still to be paid.
POLICY = [
    ("completed", 0, "OPEN", FEE, 0, FEE),
    ("completed", FEE, "PAID", FEE, 0, 0),
    ("early", 0, "VOID", 0, 0, 0),
    ("early", FEE, "REFUNDED", 0, FEE, 0),
    ("early", 20000, "REFUNDED", 0, 20000, 0),
    ("late", 0, "OPEN", 26250, 0, 26250),
    ("late", 20000, "PARTIALLY_PAID", 26250, 0, 6250),
    ("late", FEE, "PARTIALLY_REFUNDED", 26250, 26250, 0),
    ("clinic", 0, "VOID", 0, 0, 0),
    ("clinic", FEE, "REFUNDED", 0, FEE, 0),
    ("missed", 20000, "PARTIALLY_PAID", FEE, 0, 32500),
    ("missed", FEE, "PAID", FEE, 0, 0),
]


def card(source: str) -> dict[str, str]:
    return {"method": "CARD", "source": source}


@pytest.fixture(scope="module")
def cashier(hospital: Hospital) -> Cashier:
    return Cashier(hospital)


@pytest.mark.parametrize(("how", "paid", "status", "total", "refunded", "outstanding"), POLICY)
def test_a_visits_end_makes_its_bill_final_and_gives_back_what_is_too_much(  # noqa: PLR0917
    how: str, paid: int, status: str, total: int, refunded: int, outstanding: int, cashier: Cashier
) -> None:
    visit = cashier.visit()
    if paid:
        cashier.paid(bill_of(visit), wire(paid))

    cashier.ended(visit, how)

    amounts = {"total": total, "paid": paid, "refunded": refunded, "outstanding": outstanding}
    wanted = {"status": status, "provisional": False}
    wanted |= {name: {"amount": wire(amount), "currency": "INR"} for name, amount in amounts.items()}
    bill = eventually(lambda: cashier.told(visit), lambda one: wanted.items() <= one.items())
    assert {name: bill[name] for name in wanted} == wanted


def test_a_refund_that_the_gateway_declines_puts_the_bill_back_and_asks_for_a_person(cashier: Cashier) -> None:
    visit = cashier.visit()
    cashier.paid(bill_of(visit), how=card("tok_refund_declined"))

    cashier.ended(visit, "early")

    flow = {"task": "settle", "appointment_id": visit["appointment_id"], "version": visit["version"] + 1}
    answer = eventually(
        lambda: cashier.hospital.ask("billing", flow), lambda one: bool(one["outcome"] == "flagged"), SECONDS
    )
    assert answer == {"outcome": "flagged", **bill_of(visit)}
    bill = cashier.told(visit)
    assert (bill["status"], bill["provisional"], bill["total"]["amount"]) == ("PAID", True, wire(FEE))


def machine(logical_id: str, states: Any, hospital: Hospital) -> DeployedMachine:
    return DeployedMachine(states, hospital, logical_id)


def test_a_visit_that_is_not_over_is_not_settled(cashier: Cashier, states: Any, hospital: Hospital) -> None:
    visit, settling = cashier.visit(), machine("SettleAppointment", states, hospital)
    of = {"appointment_id": visit["appointment_id"], "version": visit["version"]}

    assert settling.outcome(**of) == "superseded"
    assert cashier.told(visit)["provisional"] is True
    assert settling.outcome(settling.without("billing"), **of) == "NotSettled"


def test_a_settlement_that_is_told_again_moves_nothing(cashier: Cashier, states: Any, hospital: Hospital) -> None:
    visit = cashier.visit()
    cashier.paid(bill_of(visit))
    cashier.ended(visit, "late")
    settled = eventually(lambda: cashier.told(visit), lambda one: bool(one["status"] == "PARTIALLY_REFUNDED"), SECONDS)

    of = {"appointment_id": visit["appointment_id"], "version": visit["version"] + 1}
    assert machine("SettleAppointment", states, hospital).outcome(**of) == "settled"

    assert cashier.told(visit) == settled


def moved(payment: dict[str, Any], **key: str | None) -> dict[str, Any]:
    """What take-payment and refund-payment get."""
    return {**key, "bill_id": payment["bill_id"], "amount": FEE, "currency": "INR", "method": "CARD"}


def test_a_payment_is_taken_once_however_often_its_flow_runs(cashier: Cashier, states: Any, hospital: Hospital) -> None:
    visit, taking = cashier.visit(), machine("TakePayment", states, hospital)
    payment = cashier.paid(bill_of(visit))
    paid = cashier.told(visit)
    again = moved(payment, payment_id=payment["payment_id"])

    assert taking.outcome(**again) == "completed"
    assert [taking.outcome(taking.without(domain), **again) for domain in ("billing", "payments")] == ["pending"] * 2
    assert cashier.told(visit) == paid


def test_a_payment_that_is_declined_holds_nothing(cashier: Cashier, states: Any, hospital: Hospital) -> None:
    visit, key = cashier.visit(), ids.new()

    cashier.declined(bill_of(visit), key)
    cashier.declined(bill_of(visit), key)

    assert cashier.told(visit)["payable"] == FEE
    listed = agreed(cashier.clerk.get("/v1/payments", query=bill_of(visit)))["items"]
    assert [one["status"] for one in listed] == ["FAILED"]
    again = moved(listed[0], payment_id=listed[0]["payment_id"])
    assert machine("TakePayment", states, hospital).outcome(**again) == "failed"
    cashier.paid(bill_of(visit))


def test_more_than_is_owed_is_refused_by_the_bill(cashier: Cashier) -> None:
    visit = cashier.visit()

    refused(cashier.pays(bill_of(visit), wire(FEE + 1)), 422, "OVERPAYMENT")
    cashier.paid(bill_of(visit))
    refused(cashier.pays(bill_of(visit), "1.00"), 409, "BILL_ALREADY_PAID")


def test_a_refund_is_given_once_however_often_its_flow_runs(cashier: Cashier, states: Any, hospital: Hospital) -> None:
    visit, giving = cashier.visit(), machine("RefundPayment", states, hospital)
    payment = cashier.paid(bill_of(visit))
    refund = cashier.refunded(payment, wire(FEE))
    refunded = cashier.told(visit)
    again = moved(payment, refund_id=refund["refund_id"], settlement=None)

    assert refunded["refunded"]["amount"] == wire(FEE)
    assert giving.outcome(**again) == "completed"
    assert [giving.outcome(giving.without(domain), **again) for domain in ("billing", "payments")] == ["pending"] * 2
    assert cashier.told(visit) == refunded


@pytest.fixture
def start(hospital: Hospital) -> Callable[..., Any]:
    """Hands an event to the starter as its queue does."""

    def start(kind: str, **changes: Any) -> Any:
        event = json.loads(contracts.example_of(kind).model_dump_json()) | changes
        batch = {"Records": [{"messageId": "message", "body": json.dumps(event)}]}
        answer = hospital.aws("lambda").invoke(
            FunctionName=f"{hospital.system.stack}-settle-appointment-starter", Payload=json.dumps(batch).encode()
        )
        assert "FunctionError" not in answer
        return json.loads(answer["Payload"].read())

    return start


@pytest.mark.parametrize("kind", flows.STARTED_BY[SETTLE])
def test_an_event_that_is_too_old_settles_nothing(kind: str, cashier: Cashier, start: Callable[..., Any]) -> None:
    visit = cashier.visit()
    bill = cashier.told(visit)

    assert start(kind, data={"appointment_id": visit["appointment_id"]}) == {"batchItemFailures": []}

    assert cashier.told(visit) == bill


def test_while_money_is_on_its_way_the_event_stays_in_the_queue(cashier: Cashier, start: Callable[..., Any]) -> None:
    visit = cashier.visit()
    held = moved(bill_of(visit), transaction_id=ids.new(), kind="PAYMENT")
    told = {"data": {"appointment_id": visit["appointment_id"]}, "version": visit["version"] + 1}
    assert cashier.hospital.ask("billing", {"task": "reserve", **held}) == {"outcome": "ok"}
    cashier.ended(visit, "early")

    failed = start("appointments.cancelled.v1", **told)
    assert failed == {"batchItemFailures": [{"itemIdentifier": "message"}]}
    assert cashier.told(visit)["provisional"] is True

    assert cashier.hospital.ask("billing", {"task": "release", **held}) == {"outcome": "ok"}
    assert start("appointments.cancelled.v1", **told) == {"batchItemFailures": []}
    assert cashier.told(visit)["status"] == "VOID"
