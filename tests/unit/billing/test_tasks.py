"""What flows and other domains ask of bills, as they ask it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing import owners, tasks
from billing.settlement import bill_id_of
from hms import ids
from hms.tasks import TaskFailed
from tests.support.billing import NOW, PATIENT, VISIT, Till, a_visit, cancelled

if TYPE_CHECKING:
    from hms.tasks import Payload

BILL = bill_id_of(VISIT)
PAYMENT = {
    "bill_id": BILL,
    "transaction_id": ids.derived("payment-1"),
    "kind": "PAYMENT",
    "amount": 52_500,
    "currency": "INR",
    "method": "CARD",
}
REFUND = PAYMENT | {"transaction_id": ids.derived("refund-1"), "kind": "REFUND"}
PROBLEM = {"code": "CARD_CLOSED", "detail": "The card is closed."}


@pytest.fixture(autouse=True)
def _here(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "bills", till.bills)
    monkeypatch.setattr(tasks, "visits", till.owners)
    monkeypatch.setattr("hms.clock.now", lambda: till.now)


def ask(task: str, **payload: Any) -> Payload:
    answer = tasks.handler(json.loads(json.dumps({"task": task, "correlation_id": "c", **payload})))
    return json.loads(json.dumps(answer))  # type: ignore[no-any-return]


def measured(output: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in output.splitlines()]
    return [line for line in lines if "bill_creation_latency_ms" in line]


def test_a_visit_goes_through_the_flows_from_booking_to_refund(till: Till) -> None:
    assert ask("open_bill", appointment_id=VISIT, version=1) == {"outcome": "ok", "bill_id": BILL}
    assert ask("reserve", **PAYMENT) == {"outcome": "ok"}
    assert ask("apply", **PAYMENT) == {"outcome": "ok", "status": "PAID"}
    till.told(cancelled(seconds=7200))
    settled = ask("settle", appointment_id=VISIT, version=2)
    assert settled == {
        "outcome": "settled",
        "bill_id": BILL,
        "settlement": ids.derived("settlement", BILL, 2, 1),
        "credit": 26_250,
        "currency": "INR",
    }
    back = REFUND | {"amount": settled["credit"]}
    assert ask("reserve", **back) == {"outcome": "ok"}
    assert ask("apply", **back) == {"outcome": "ok", "status": "PARTIALLY_REFUNDED"}
    assert ask("settle", appointment_id=VISIT, version=2)["credit"] == 0


def test_what_is_over_or_not_over_any_more_is_superseded(till: Till) -> None:
    till.told(cancelled())
    assert ask("open_bill", appointment_id=VISIT, version=1) == {"outcome": "superseded"}
    till.told(a_visit())
    ask("open_bill", appointment_id=VISIT, version=1)

    assert ask("settle", appointment_id=VISIT, version=1) == {"outcome": "superseded", "bill_id": BILL}


def test_a_settlement_whose_refund_failed_is_undone_and_waits(till: Till) -> None:
    ask("open_bill", appointment_id=VISIT, version=1)
    till.pay(52_500)
    till.told(cancelled("CLINIC"))
    settlement = ask("settle", appointment_id=VISIT, version=2)["settlement"]
    ask("reserve", **REFUND)
    assert ask("release", **REFUND, problem=PROBLEM) == {"outcome": "ok"}

    undone = ask("unsettle", bill_id=BILL, settlement=settlement, problem=PROBLEM)

    assert undone == {"outcome": "reopened", "exception_id": till.bill.flagged}
    assert ask("settle", appointment_id=VISIT, version=2) == {"outcome": "flagged", "bill_id": BILL}
    assert ask("unsettle", bill_id=BILL, settlement="another", problem=PROBLEM) == {"outcome": "superseded"}
    assert sorted(one.kind for one in till.exceptions()) == ["REFUND_FAILED", "SETTLEMENT_FAILED"]


def test_a_settlement_that_is_refunded_in_part_stays_and_waits(till: Till) -> None:
    till.open_bill()
    till.pay(52_500)
    till.settle(cancelled("CLINIC"))
    till.refund(100)

    undone = ask("unsettle", bill_id=BILL, settlement=till.bill.settlement_id, problem=PROBLEM)

    assert undone == {"outcome": "flagged", "exception_id": till.bill.flagged}


def test_a_refusal_is_an_answer(till: Till) -> None:
    till.open_bill()

    assert ask("reserve", **PAYMENT | {"amount": 52_501}) == {
        "outcome": "refused",
        "problem": {
            "code": "OVERPAYMENT",
            "detail": "It is more than what is outstanding and not on its way already.",
            "status": 422,
        },
    }
    unknown = ask("reserve", **PAYMENT | {"bill_id": ids.new()})
    assert (unknown["problem"]["code"], unknown["problem"]["status"]) == ("BILL_NOT_FOUND", 404)


@pytest.mark.parametrize("task", ["reserve", "settle"])
def test_a_fault_is_no_answer(till: Till, task: str) -> None:
    till.open_bill()
    till.table.is_contended(100)
    till.told(cancelled())

    with pytest.raises(TaskFailed, match="Busy"):
        ask(task, **PAYMENT, appointment_id=VISIT, version=2)


def test_money_on_its_way_is_a_fault_to_settling(till: Till) -> None:
    till.open_bill()
    ask("reserve", **PAYMENT)
    till.told(cancelled())

    with pytest.raises(TaskFailed, match="Reserved"):
        ask("settle", appointment_id=VISIT, version=2)
    assert ask("release", **PAYMENT) == {"outcome": "ok"}
    assert ask("settle", appointment_id=VISIT, version=2)["outcome"] == "settled"


def test_what_is_applied_is_told_to_who_would_release_it(till: Till) -> None:
    till.open_bill()
    ask("reserve", **PAYMENT)
    ask("apply", **PAYMENT)

    assert ask("release", **PAYMENT, problem=PROBLEM) == {"outcome": "applied"}
    assert ask("apply", **PAYMENT) == {"outcome": "ok", "status": "PAID"}


def test_a_bill_is_told_as_its_events_tell_it(till: Till) -> None:
    till.open_bill()
    till.reserve(2_500)

    told = ask("snapshot", bill_id=BILL)

    assert told["outcome"] == "ok"
    assert told["snapshot"] == {
        "bill_id": BILL,
        "version": 2,
        "bill_number": till.bill.bill_number,
        "patient_id": till.bill.patient_id,
        "appointment_id": VISIT,
        "status": "OPEN",
        "provisional": True,
        "total": {"amount": "525.00", "currency": "INR"},
        "paid": {"amount": "0.00", "currency": "INR"},
        "refunded": {"amount": "0.00", "currency": "INR"},
        "outstanding": {"amount": "525.00", "currency": "INR"},
        "due_date": "2026-12-13",
        "currency": "INR",
        "payable": 50_000,
        "outstanding_minor": 52_500,
        "historical": False,
    }
    assert ask("snapshot", bill_id=ids.new()) == {"outcome": "absent"}


def test_movements_are_the_payments_and_refunds_of_a_clinic_day(till: Till) -> None:
    till.open_bill()
    till.pay(10_000, "yesterday")
    till.now = NOW.replace(hour=18, minute=30)
    till.pay(20_000, "payment-1")
    till.refund(5_000, "refund-1")
    till.discount(BILL, 100)

    answer = ask("movements", day="2026-11-29")

    assert (answer["outcome"], answer["cursor"]) == ("ok", None)
    first = {
        "transaction_id": ids.derived("payment-1"),
        "bill_id": BILL,
        "kind": "PAYMENT",
        "amount": 20_000,
        "currency": "INR",
        "method": "CARD",
        "historical": False,
        "at": "2026-11-28T18:30:00Z",
    }
    second = first | {"transaction_id": ids.derived("refund-1"), "kind": "REFUND", "amount": 5_000}
    assert answer["movements"] == [first, second]
    assert [one["amount"] for one in ask("movements", day="2026-11-28")["movements"]] == [10_000]


def test_what_was_paid_in_an_older_system_is_told_as_history() -> None:
    """Nobody looks for it at the gateway."""
    bill = {"external_id": "7", "patient_id": PATIENT, "appointment_id": VISIT, "amount": "500.00"}
    paid = {"transaction_id": ids.derived("payment"), "bill": "7", "amount": "500.00", "method": "CARD"}
    bill |= {"created_at": "2025-02-28T10:00:00Z"}
    paid |= {"paid_at": "2025-02-28T11:00:00Z"}
    ask("record_bills", bills=[json.dumps(bill)], payments=[json.dumps(paid)])

    (movement,) = ask("movements", day="2025-02-28")["movements"]

    assert (movement["amount"], movement["historical"]) == (50_000, True)


def test_movements_come_in_pages(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_PAGE", 2)
    till.open_bill()
    for number in range(5):
        till.now += timedelta(seconds=1)
        till.pay(100 + number, f"payment-{number}")

    found, cursor = [], None
    while True:
        answer = ask("movements", day="2026-11-28", cursor=cursor)
        found += [one["amount"] for one in answer["movements"]]
        cursor = answer["cursor"]
        if cursor is None:
            break

    assert found == [100, 101, 102, 103, 104]


@pytest.mark.parametrize("task", ["open_bill", "settle"])
def test_how_long_a_bill_took_is_measured_from_the_booking_and_once(
    till: Till, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    till.told(a_visit() if task == "open_bill" else cancelled())
    till.now = NOW + timedelta(seconds=3)

    for _ in range(2):
        ask(task, appointment_id=VISIT, version=1)

    (line,) = measured(capsys.readouterr().out)
    assert line["bill_creation_latency_ms"] == 3000
    assert (line["bill_id"], line["appointment_id"]) == (BILL, VISIT)


def test_where_nobody_says_when_it_was_booked_the_task_itself_is_measured(
    till: Till, capsys: pytest.CaptureFixture[str]
) -> None:
    till.told(a_visit(created_at=None))
    till.now = NOW + timedelta(days=1)

    ask("open_bill", appointment_id=VISIT, version=1)

    (line,) = measured(capsys.readouterr().out)
    assert 0 < line["bill_creation_latency_ms"] < 60_000


class Asked:
    """Another domain's function, with the answers it gives."""

    def __init__(self, **answers: Payload) -> None:
        self.answers = answers
        self.asked: list[Payload] = []

    def ask(self, task: str, **payload: Any) -> Payload:
        self.asked.append({"task": task, **payload})
        return self.answers[task]


def test_the_owners_are_asked_for_visits_and_patients() -> None:
    people = owners.TasksOwners()
    told = json.loads(cancelled().model_dump_json()) | {"timezone": "Asia/Kolkata", "slot_end": "2026-11-28T08:30:00Z"}
    people._appointments = visits = Asked(snapshot={"outcome": "ok", "snapshot": told})  # type: ignore[assignment]
    people._patients = Asked(verify={"outcome": "ok"})  # type: ignore[assignment]

    assert people.visit(VISIT) == cancelled()
    assert visits.asked == [{"task": "snapshot", "appointment_id": VISIT}]
    assert people.knows("patient-1")


@pytest.mark.parametrize(("code", "known"), [("PATIENT_NOT_FOUND", False), ("PATIENT_INACTIVE", True)])
def test_a_patient_who_comes_no_more_may_still_owe(code: str, known: bool) -> None:
    people = owners.TasksOwners()
    people._appointments = Asked(snapshot={"outcome": "absent"})  # type: ignore[assignment]
    people._patients = Asked(verify={"outcome": "refused", "problem": {"code": code, "detail": ""}})  # type: ignore[assignment]

    assert people.knows("patient-1") is known
    assert people.visit(VISIT) is None
