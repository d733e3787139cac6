"""What flows, the schedule and other domains ask: by name, with plain JSON in and out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from hms.executions import Undecided
from payments import flow, tasks
from payments.flow import ExecutedFlows
from payments.gateways import Verdict
from payments.model import PaymentCompleted, PaymentFact, RefundFact, Status
from payments.owners import TasksBilling
from payments.processors import for_method
from tests.support.payments import BILL, DECLINED, MINUTE, NUMBER, PATIENT, a_payment

if TYPE_CHECKING:
    from hms.tasks import Payload
    from tests.support.payments import Counter


def ask(task: str, **payload: Any) -> Payload:
    """As Lambda asks: through JSON."""
    answer = tasks.handler(json.loads(json.dumps({"task": task, "correlation_id": "correlation", **payload})))
    found: Payload = json.loads(json.dumps(answer))
    return found


def test_a_snapshot_is_the_payment_as_its_events_tell_it(counter: Counter) -> None:
    paid = counter.paid()
    answer = ask("snapshot", payment_id=paid)

    assert answer["outcome"] == "ok"
    assert answer["snapshot"] == {
        "payment_id": paid,
        "version": 2,
        "bill_id": BILL,
        "bill_number": NUMBER,
        "patient_id": PATIENT,
        "amount": {"amount": "525.00", "currency": "INR"},
        "method": "CARD",
        "status": "COMPLETED",
    }
    assert PaymentFact.model_validate(answer["snapshot"]).payment_id == paid
    assert set(PaymentCompleted.model_fields) == set(answer["snapshot"])


def test_a_snapshot_of_a_refund_is_asked_for_by_its_own_id(counter: Counter) -> None:
    paid = counter.paid()
    refund_id = counter.refund(paid, "1.00").state.refund_id
    answer = ask("snapshot", refund_id=refund_id)

    assert RefundFact.model_validate(answer["snapshot"]).payment_id == paid
    assert answer["snapshot"]["amount"] == {"amount": "1.00", "currency": "INR"}


@pytest.mark.parametrize("name", ["payment_id", "refund_id"])
def test_of_what_is_not_there_a_snapshot_is_absent(counter: Counter, name: str) -> None:
    assert ask("snapshot", **{name: ids.new()}) == {"outcome": "absent"}


def test_the_steps_of_a_payment_answer_as_the_flow_expects(counter: Counter) -> None:
    payment_id = counter.tries()

    assert ask("charge", payment_id=payment_id) == {"outcome": "captured", "gateway_id": f"ch_{payment_id}"}
    assert ask("complete_payment", payment_id=payment_id, gateway_id="ch_1") == {"outcome": "ok"}


def test_the_steps_of_a_payment_that_is_declined_answer_as_the_flow_expects(counter: Counter) -> None:
    payment_id = counter.tries(source=DECLINED)
    declined = {"outcome": "declined", "code": "CARD_DECLINED", "detail": "The card was declined."}

    assert ask("charge", payment_id=payment_id) == declined
    assert ask("fail_payment", payment_id=payment_id, code="CARD_DECLINED", detail="No.") == {"outcome": "ok"}
    assert counter.payment(payment_id).status is Status.FAILED


def test_the_steps_of_a_refund_answer_as_the_flow_expects(counter: Counter) -> None:
    paid = counter.paid()
    counter.waiting = True
    first, second = (counter.refund(paid, "1.00").state.refund_id for _ in range(2))

    assert ask("refund_at_gateway", refund_id=first) == {"outcome": "refunded", "gateway_id": f"re_{first}"}
    assert ask("complete_refund", refund_id=first, gateway_id=f"re_{first}") == {"outcome": "ok"}
    counter.bank.refunds_say = Verdict("PENDING")
    assert ask("refund_at_gateway", refund_id=second) == {"outcome": "pending"}
    assert ask("fail_refund", refund_id=second, code="X", detail="Y.") == {"outcome": "ok"}
    assert [counter.refund_of(one).status for one in (first, second)] == [Status.COMPLETED, Status.PENDING]


def test_a_refund_that_nobody_was_asked_for_fails_as_the_flow_says(counter: Counter) -> None:
    paid = counter.paid()
    counter.waiting = True
    refund_id = counter.refund(paid, "1.00").state.refund_id
    ask("fail_refund", refund_id=refund_id, code="REFUND_EXCEEDS_PAYMENT", detail="Too much.")

    assert counter.refund_of(refund_id).status is Status.FAILED
    assert counter.office.payments.shown(paid) == (counter.payment(paid), 0)


def test_a_quiet_sweep_fires_nothing(counter: Counter) -> None:
    counter.paid()
    counter.now += 60 * MINUTE

    assert ask("sweep") == {"outcome": "ok", "fired": 0, "failed": 0, "behind_seconds": 0}


def test_a_sweep_says_what_it_did(counter: Counter) -> None:
    counter.tries("1.00")
    counter.tries("1.00")
    counter.now += 2 * MINUTE

    assert ask("sweep") == {"outcome": "ok", "fired": 2, "failed": 0, "behind_seconds": 60}


def test_payments_of_an_older_system_are_recorded_as_history(counter: Counter) -> None:
    row = {
        "external_id": "17",
        "bill_id": BILL,
        "bill_number": NUMBER,
        "patient_id": PATIENT,
        "amount": "500.00",
        "method": "CASH",
        "paid_at": "2025-01-02T03:04:05Z",
    }
    first, again = (ask("record_payments", payments=[json.dumps(row)])["recorded"] for _ in range(2))

    assert (first[0]["outcome"], again[0]["outcome"]) == ("new", "there")
    recorded = counter.payment(first[0]["payment_id"])
    assert (recorded.status, recorded.historical, recorded.amount) == (Status.COMPLETED, True, 50000)
    assert [one.payment for one in counter.office.payments.of_bill(BILL).shown] == [recorded]


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was asked of Step Functions."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(flow, "execute", lambda *given, **more: asked.append((*given, more)))
    return asked


def test_a_flow_is_named_after_its_payment_and_gets_ids_and_amounts(
    counter: Counter, executed: list[tuple[Any, ...]]
) -> None:
    payment = counter.payment(counter.tries())
    ExecutedFlows().take(payment, counter.call())

    payload = {
        "payment_id": payment.payment_id,
        "bill_id": BILL,
        "amount": 52500,
        "currency": "INR",
        "method": "CARD",
        "correlation_id": "correlation",
    }
    assert executed == [("TAKE_PAYMENT_ARN", payment.payment_id, payload, 20, {"payment_id": payment.payment_id})]
    assert json.loads(json.dumps(payload)) == payload


def test_a_refunds_flow_is_the_other_machine(counter: Counter, executed: list[tuple[Any, ...]]) -> None:
    refund = counter.refund(counter.paid()).state
    ExecutedFlows().give_back(refund, counter.call())

    (machine, name, payload, _seconds, told) = executed[0]
    assert (machine, name, told) == ("REFUND_PAYMENT_ARN", refund.refund_id, {"refund_id": refund.refund_id})
    assert set(payload) == {"refund_id", "bill_id", "amount", "currency", "method", "settlement", "correlation_id"}


def test_a_flow_without_an_answer_leaves_it_pending(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    def undecided(*_given: Any, **_more: Any) -> None:
        raise Undecided("TIMED_OUT")

    monkeypatch.setattr(flow, "execute", undecided)
    payment = counter.payment(counter.tries())

    ExecutedFlows().take(payment, counter.call())

    assert counter.payment(payment.payment_id) == payment


def test_the_deployed_function_is_put_together_of_the_real_parts() -> None:
    """Importing it asks no environment: its settings are read when they are needed."""
    from payments import api

    for office in (api.office, tasks.office):
        assert isinstance(office.billing, TasksBilling)
        assert isinstance(office.flows, ExecutedFlows)
        assert office.gateway is for_method
        with pytest.raises(RuntimeError, match="PAYMENT_GATEWAY"):
            office.processor()


def test_a_bill_that_its_owner_does_not_know_is_none(counter: Counter) -> None:
    assert counter.owner.bill(ids.new(), counter.call()) is None
    bill = counter.owner.bill(a_payment().bill_id, counter.call())
    assert bill
    assert (bill.payable, bill.outstanding_minor, bill.patient_id) == (52500, 52500, PATIENT)
