"""The flows of money as deployed: state by state, and path by path from a visit's end to its last refund."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.support.flows import FAULT, OK, SUPERSEDED, answers, goes_on, sent, statuses, step_functions, tried
from tools import flows

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    REFUND: {"refund_id": "r", **MONEY},
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
        "Reserve": {"task": "reserve", **GIVEN_BACK},
        "RefundAtGateway": {"task": "refund_at_gateway", "refund_id": "r"},
        "Apply": {"task": "apply", **GIVEN_BACK},
        "CompleteRefund": {"task": "complete_refund", "refund_id": "r", "gateway_id": "g"},
        "Release": {"task": "release", **GIVEN_BACK, "problem": PROBLEM},
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
