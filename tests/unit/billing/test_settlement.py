"""The bill of a visit, from booking to its end: every row of the rules, on both sides of each edge, in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from billing import settlement
from billing.model import BillStatus, Outcome
from billing.rules import BillNotFound, CurrencyMismatch, Reserved
from billing.settlement import bill_id_of
from hms import ids
from hms.errors import Busy
from hms.money import AT_REST
from tests.support.billing import (
    NOW,
    OTHER_DOCTOR,
    PATIENT,
    VISIT,
    Till,
    a_visit,
    an_item,
    cancelled,
    wrong_with,
)

if TYPE_CHECKING:
    from billing.visits import Visit

TOTAL = 52_500
DAYS = timedelta(days=1)
COMPLETED, NO_SHOW = a_visit("COMPLETED", 4), a_visit("NO_SHOW", 2)
REINSTATED = a_visit("CHECKED_IN", 3)


def lawful(till: Till) -> bool:
    return wrong_with(till.bill, till.postings()) == []


def test_a_booked_visit_has_a_provisional_bill_over_the_consultation(till: Till) -> None:
    decision = till.open_bill()

    bill = till.bill
    assert (decision.outcome, decision.bill, decision.made) == ("ok", bill, a_visit())
    assert bill.bill_id == bill_id_of(VISIT) == ids.derived("bill", VISIT)
    assert (bill.provisional, bill.status, bill.appointment_id) == (True, BillStatus.OPEN, VISIT)
    (line,) = bill.items
    assert (line.description, line.amount, line.tax_amount, line.line_total) == ("Consultation", 50_000, 2_500, TOTAL)
    assert (till.entries(), till.events()) == ([("CHARGE", TOTAL)], ["opened"])
    assert till.bills.of_patient(PATIENT).bills == [bill]


def test_opening_and_settling_are_one_batch_read_and_one_transaction_each(till: Till) -> None:
    assert till.calls_of(till.open_bill) == (1, 1)
    assert till.calls_of(till.open_bill) == (1, 0)
    assert till.calls_of(lambda: till.settle(NO_SHOW)) == (1, 1)
    assert till.calls_of(till.settle) == (1, 0)
    settled = till.bill.settlement_id
    assert till.calls_of(lambda: till.unsettle(settled)) == (1, 1)
    assert till.calls_of(lambda: till.unsettle(settled)) == (1, 0)
    assert till.table.largest == 5


def test_a_bill_is_due_fifteen_days_after_the_visit_and_after_its_end(till: Till) -> None:
    till.open_bill(a_visit(slot_start=NOW + 60 * DAYS))
    assert str(till.bill.due_date) == "2027-02-11"

    till.now = NOW + 60 * DAYS
    till.settle(COMPLETED)

    assert str(till.bill.due_date) == "2027-02-11"
    assert str(till.bill.issued_on) == "2026-11-28"


def test_a_fee_is_due_fifteen_days_after_the_visit_was_called_off(till: Till) -> None:
    till.open_bill(a_visit(slot_start=NOW + 60 * DAYS))

    till.settle(cancelled(seconds=7200))

    assert str(till.bill.due_date) == "2026-12-13"


def test_a_bill_is_opened_once(till: Till) -> None:
    first = till.open_bill()

    again = till.open_bill()

    assert (again.outcome, again.bill, again.made) == ("ok", first.bill, None)
    assert till.events() == ["opened"]


@pytest.mark.parametrize("visit", [COMPLETED, NO_SHOW, cancelled()])
def test_a_bill_is_not_opened_for_a_visit_that_is_over(till: Till, visit: Visit) -> None:
    assert till.open_bill(visit).outcome == "superseded"
    assert till.table.commits == 0


def test_there_is_no_bill_for_a_visit_that_is_not_there(till: Till) -> None:
    till.owners.visits.clear()

    opened = settlement.open_bill(VISIT, till.call(), till.bills, till.owners)
    settled = settlement.settle(VISIT, till.call(), till.bills, till.owners)

    assert (opened.outcome, settled.outcome, till.table.commits) == ("superseded", "superseded", 0)


def test_nothing_is_decided_while_the_owner_of_visits_is_silent(till: Till) -> None:
    till.owners.down = True

    for work in (till.open_bill, till.settle):
        with pytest.raises(Busy):
            work()


def test_another_doctor_costs_something_else(till: Till) -> None:
    till.open_bill()
    till.discount(bill_id_of(VISIT), 1_000)

    moved = till.open_bill(a_visit(version=2, fee=80_000, doctor_id=OTHER_DOCTOR, department="Neurology"))

    bill = till.bill
    assert moved.bill == bill
    assert (bill.doctor_id, bill.department, bill.consultation_fee) == (OTHER_DOCTOR, "Neurology", 80_000)
    assert till.entries()[2:] == [("REVERSAL", -TOTAL), ("CHARGE", 84_000)]
    assert bill.sums.charged == 84_000 - 1_050
    assert till.events()[-1] == "adjusted"
    assert lawful(till)


def test_a_visit_that_is_moved_to_another_day_moves_no_money(till: Till) -> None:
    till.open_bill()

    till.open_bill(a_visit(version=2, slot_start=NOW + 10 * DAYS))

    assert str(till.bill.due_date) == "2026-12-23"
    assert till.entries() == [("CHARGE", TOTAL)]


def test_what_is_no_move_changes_nothing(till: Till) -> None:
    till.open_bill()

    till.open_bill(a_visit("CHECKED_IN", version=2))

    assert till.bill.version == 1


def test_an_older_word_does_not_move_it_back(till: Till) -> None:
    till.open_bill()
    till.open_bill(a_visit(version=3, fee=80_000, doctor_id=OTHER_DOCTOR))

    till.open_bill(a_visit(version=2, fee=20_000))

    assert till.bill.consultation_fee == 80_000


def test_a_settled_bill_is_not_priced_anew_by_a_move(till: Till) -> None:
    till.open_bill()
    till.settle(NO_SHOW)
    before = till.bill

    till.open_bill(a_visit("CHECKED_IN", version=3, fee=80_000, doctor_id=OTHER_DOCTOR))

    assert till.bill == before


def test_a_bill_of_an_older_system_is_not_settled(till: Till) -> None:
    till.open_bill()
    row = till.table.items[till.bills.key(till.bill.bill_id)]
    older = till.bill.model_copy(update={"historical": True})
    till.table.items[row.key] = replace(row, body=older.model_dump_json(context=AT_REST))

    assert till.settle(NO_SHOW).outcome == "superseded"
    assert till.bill == older


def test_a_consultation_that_was_taken_off_by_hand_is_not_put_on_by_a_move(till: Till) -> None:
    till.open_bill()
    till.void(bill_id_of(VISIT))

    till.open_bill(a_visit(version=2, fee=80_000, doctor_id=OTHER_DOCTOR))

    assert (till.bill.status, till.bill.consultation_fee) == (BillStatus.VOID, 80_000)


def test_a_bill_keeps_its_currency(till: Till) -> None:
    till.open_bill()
    fee = {"amount": "800.00", "currency": "USD"}

    with pytest.raises(CurrencyMismatch):
        till.open_bill(a_visit(version=2, doctor_id=OTHER_DOCTOR, consultation_fee=fee))
    with pytest.raises(CurrencyMismatch):
        till.settle(a_visit("NO_SHOW", version=2, consultation_fee=fee))


def test_a_visit_that_costs_nothing_ends_in_whatever_currency(till: Till) -> None:
    till.open_bill()
    till.settle(cancelled("CLINIC", consultation_fee={"amount": "800.00", "currency": "USD"}))

    assert till.bill.status is BillStatus.VOID


def test_a_completed_visit_makes_the_bill_final(till: Till) -> None:
    till.open_bill()

    decision = till.settle(COMPLETED)

    bill = till.bill
    assert (decision.outcome, decision.made) == ("settled", None)
    assert (bill.provisional, bill.status, bill.sums.credit) == (False, BillStatus.OPEN, 0)
    assert bill.settlement is not None
    assert bill.settlement.outcome is Outcome.COMPLETED
    assert till.entries() == [("CHARGE", TOTAL)]
    assert till.events() == ["opened", "issued"]


def test_lines_that_were_added_are_on_the_final_bill(till: Till) -> None:
    till.open_bill()
    till.adjust(bill_id_of(VISIT), an_item(10_000))

    till.settle(COMPLETED)
    till.adjust(bill_id_of(VISIT), an_item(20_000))

    assert till.bill.sums.charged == TOTAL + 10_500 + 21_000


def test_a_visit_that_was_moved_last_is_completed_at_that_doctors_fee(till: Till) -> None:
    till.open_bill()
    till.pay(TOTAL)

    till.settle(a_visit("COMPLETED", 5, fee=30_000, doctor_id=OTHER_DOCTOR))

    assert (till.bill.sums.charged, till.bill.sums.credit) == (31_500, 21_000)
    assert till.open_bill(a_visit("SCHEDULED", 2, fee=30_000, doctor_id=OTHER_DOCTOR)).bill == till.bill
    assert lawful(till)


# Who calls it off, how long before, what the bill comes to, and what it is called once all is paid back, by what was
# paid: nothing, a part, all.
TABLE = [
    (cancelled("PATIENT", 7201), 0, ("VOID", "REFUNDED", "REFUNDED")),
    (cancelled("PATIENT", 7200), 26_250, ("OPEN", "PARTIALLY_PAID", "PARTIALLY_REFUNDED")),
    (cancelled("PATIENT", 7199), 26_250, ("OPEN", "PARTIALLY_PAID", "PARTIALLY_REFUNDED")),
    (cancelled("PATIENT", -1), 26_250, ("OPEN", "PARTIALLY_PAID", "PARTIALLY_REFUNDED")),
    (cancelled("CLINIC", 7201), 0, ("VOID", "REFUNDED", "REFUNDED")),
    (cancelled("CLINIC", 7199), 0, ("VOID", "REFUNDED", "REFUNDED")),
    (cancelled("CLINIC", -3600), 0, ("VOID", "REFUNDED", "REFUNDED")),
    (cancelled("DOCTOR", 7200), 0, ("VOID", "REFUNDED", "REFUNDED")),
    (cancelled("DOCTOR", 1), 0, ("VOID", "REFUNDED", "REFUNDED")),
    (NO_SHOW, TOTAL, ("OPEN", "PARTIALLY_PAID", "PAID")),
    (COMPLETED, TOTAL, ("OPEN", "PARTIALLY_PAID", "PAID")),
]
PAID = (0, 20_000, TOTAL)


ROWS = [
    (visit, total, paid, status)
    for visit, total, statuses in TABLE
    for paid, status in zip(PAID, statuses, strict=True)
]


@pytest.mark.parametrize(("visit", "total", "paid", "status"), ROWS)
def test_what_was_paid_above_the_new_total_is_paid_back(
    till: Till, visit: Visit, total: int, paid: int, status: str
) -> None:
    till.open_bill()
    if paid:
        till.pay(paid)

    decision = till.settle(visit)

    credit = max(0, paid - total)
    assert decision.outcome == "settled"
    assert (till.bill.sums.charged, till.bill.sums.credit) == (total, credit)
    if credit:
        till.refund(credit)
    assert (till.bill.status, till.bill.sums.outstanding) == (status, max(0, total - paid))
    assert till.bill.sums.credit == 0
    assert lawful(till)


@pytest.mark.parametrize(("visit", "total", "statuses"), TABLE)
def test_a_visit_without_a_bill_gets_it_in_its_final_state(
    till: Till, visit: Visit, total: int, statuses: tuple[str, ...]
) -> None:
    decision = till.settle(visit)

    assert (decision.outcome, decision.made) == ("settled", visit)
    assert (till.bill.status, till.bill.sums.charged, till.bill.provisional) == (statuses[0], total, False)
    assert till.events() == ["voided" if total == 0 else "issued"]
    assert till.open_bill(a_visit()).bill == till.bill
    assert till.bill.version == 1
    assert lawful(till)


@pytest.mark.parametrize("visit", [row[0] for row in TABLE])
@pytest.mark.parametrize("kind", ["PAYMENT", "REFUND"])
def test_nothing_is_settled_while_money_is_on_its_way(till: Till, visit: Visit, kind: str) -> None:
    till.open_bill()
    till.pay(20_000)
    till.reserve(100, "moving", kind=kind)
    before = till.bill

    with pytest.raises(Reserved):
        till.settle(visit)

    assert till.bill == before
    till.release(100, "moving", kind=kind)
    assert till.settle().outcome == "settled"


def test_lines_are_taken_back_one_by_one_and_a_fee_comes_in_their_place(till: Till) -> None:
    till.open_bill()
    till.adjust(bill_id_of(VISIT), an_item(10_000))
    till.discount(bill_id_of(VISIT), 1_000)

    till.settle(cancelled(seconds=7200))

    assert till.entries()[3:] == [("REVERSAL", -TOTAL), ("REVERSAL", -10_500), ("REVERSAL", 1_050), ("FEE", 26_250)]
    (line,) = till.bill.items
    assert (line.kind, line.amount, line.tax_amount) == ("FEE", 25_000, 1_250)


def test_a_void_bill_has_each_line_taken_back_as_void(till: Till) -> None:
    till.open_bill()

    till.settle(cancelled("CLINIC"))

    assert till.entries() == [("CHARGE", TOTAL), ("VOID", -TOTAL)]
    assert till.events() == ["opened", "voided"]


def test_what_was_written_off_and_never_paid_is_not_paid_back(till: Till) -> None:
    till.open_bill()
    till.pay(500)
    till.write_off(bill_id_of(VISIT), 52_000)

    till.settle(cancelled("CLINIC"))

    assert (till.bill.sums.written_off, till.bill.sums.credit) == (0, 500)
    assert till.entries()[-2:] == [("VOID", -TOTAL), ("WRITE_OFF", 52_000)]


@pytest.mark.parametrize("visit", [NO_SHOW, cancelled(seconds=7200), cancelled("CLINIC")])
def test_a_bill_that_was_voided_by_hand_stays_void(till: Till, visit: Visit) -> None:
    till.open_bill()
    till.void(bill_id_of(VISIT))

    assert till.settle(visit).outcome == "settled"

    assert (till.bill.status, till.bill.sums.charged) == (BillStatus.VOID, 0)


@pytest.mark.parametrize("visit", [row[0] for row in TABLE])
def test_settling_again_answers_what_was_decided(till: Till, visit: Visit) -> None:
    till.open_bill()
    till.pay(TOTAL)
    first = till.settle(visit)

    again = till.settle(visit.model_copy(update={"version": visit.version + 1}))

    assert again == first
    assert again.bill is not None
    assert again.bill.settlement_id == ids.derived("settlement", bill_id_of(VISIT), visit.version, 1)


def test_the_credit_shrinks_by_what_is_paid_back_or_on_its_way(till: Till) -> None:
    till.open_bill()
    till.pay(TOTAL)
    found = [_credit(till, cancelled("CLINIC"))]

    till.refund(10_000, "refund-1")
    found.append(_credit(till))
    till.reserve(20_000, "refund-2", kind="REFUND")
    found.append(_credit(till))
    till.release(20_000, "refund-2", kind="REFUND")
    found.append(_credit(till))

    assert found == [52_500, 42_500, 22_500, 42_500]


def _credit(till: Till, visit: Visit | None = None) -> int:
    decision = till.settle(visit)
    assert decision.outcome == "settled"
    return decision.bill.sums.credit if decision.bill else -1


def test_a_no_show_that_is_taken_back_restores_the_bill(till: Till) -> None:
    till.open_bill()
    till.adjust(bill_id_of(VISIT), an_item(10_000))
    before = till.bill
    till.settle(NO_SHOW)

    decision = till.settle(REINSTATED)

    assert decision.outcome == "superseded"
    assert (till.bill.items, till.bill.sums, till.bill.provisional) == (before.items, before.sums, True)
    assert (till.bill.settlement, till.bill.due_date) == (None, before.due_date)
    assert till.events()[-2:] == ["issued", "reopened"]
    assert lawful(till)


def test_a_fee_that_was_paid_counts_towards_the_visit_that_takes_place_after_all(till: Till) -> None:
    till.open_bill()
    till.settle(NO_SHOW)
    till.pay(TOTAL)
    till.settle(REINSTATED)
    till.settle(a_visit("COMPLETED", 5))

    assert (till.bill.status, till.bill.sums.credit) == (BillStatus.PAID, 0)


def test_a_bill_is_not_restored_while_a_refund_is_on_its_way(till: Till) -> None:
    till.open_bill()
    till.adjust(bill_id_of(VISIT))
    till.pay(TOTAL + 10_500)
    assert _credit(till, NO_SHOW) == 10_500
    till.reserve(10_500, "refund-1", kind="REFUND")

    with pytest.raises(Reserved):
        till.settle(REINSTATED)

    till.apply(10_500, "refund-1", kind="REFUND")
    till.settle()
    assert (till.bill.sums.outstanding, till.bill.status) == (10_500, BillStatus.PARTIALLY_PAID)


def test_an_end_that_was_taken_back_unheard_is_taken_back_by_the_next(till: Till) -> None:
    till.open_bill()
    till.settle(NO_SHOW)

    till.settle(a_visit("COMPLETED", 5))

    assert till.entries()[-2:] == [("REVERSAL", -TOTAL), ("CHARGE", TOTAL)]
    assert till.bill.settlement is not None
    assert (till.bill.settlement.outcome, till.bill.provisional) == (Outcome.COMPLETED, False)
    assert till.settle(a_visit("COMPLETED", 6)).bill == till.bill


def test_a_no_show_that_is_cancelled_by_the_clinic_after_all_costs_nothing(till: Till) -> None:
    till.open_bill()
    till.settle(NO_SHOW)

    till.settle(cancelled("CLINIC", -3600, version=4))

    assert till.bill.status is BillStatus.VOID
    assert lawful(till)


def test_a_visit_that_is_not_over_settles_nothing(till: Till) -> None:
    assert till.settle(REINSTATED).outcome == "superseded"
    till.open_bill(a_visit())
    till.reserve(100)

    assert till.settle(REINSTATED).outcome == "superseded"
    assert (till.bill.version, till.events()) == (2, ["opened", "reserved"])


def test_an_older_word_on_a_visit_changes_nothing(till: Till) -> None:
    till.open_bill()
    till.settle(NO_SHOW)
    till.settle(REINSTATED)
    before = till.bill

    late = till.settle(NO_SHOW)
    till.settle(a_visit("COMPLETED", 5))
    later = till.settle(NO_SHOW)

    assert (late.outcome, late.bill) == ("superseded", before)
    assert (later.outcome, later.bill) == ("settled", till.bill)


STORY = (a_visit(), NO_SHOW, REINSTATED, a_visit("COMPLETED", 5))


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_every_order_of_words_comes_to_the_same_bill(till: Till, order: tuple[int, ...]) -> None:
    for number in order:
        till.open_bill(STORY[number])
        till.settle(STORY[number])
    till.settle(STORY[-1])

    bill = till.bill
    assert (bill.sums.charged, bill.provisional, bill.status) == (TOTAL, False, BillStatus.OPEN)
    assert [line.description for line in bill.items] == ["Consultation"]
    assert lawful(till)


@pytest.mark.parametrize("fault", ["loses_answers", "is_contended"])
@pytest.mark.parametrize("visit", [row[0] for row in TABLE])
def test_lost_answers_and_races_settle_once(till: Till, visit: Visit, fault: str) -> None:
    for work in (till.open_bill, lambda: till.settle(visit), till.unsettle):
        getattr(till.table, fault)(1)
        work()

    assert len(till.events()) == 3
    assert len(till.exceptions()) == 1
    assert lawful(till)


def _paid(till: Till) -> None:
    till.pay(TOTAL)


def test_who_is_overtaken_while_settling_decides_again(till: Till) -> None:
    till.open_bill()
    till.table.before.append(partial(_paid, till))

    assert _credit(till, cancelled("CLINIC")) == TOTAL


@pytest.mark.parametrize("visit", [NO_SHOW, cancelled(seconds=7200), cancelled("CLINIC")])
def test_where_refunds_fail_the_bill_is_as_it_was_and_waits_for_a_person(till: Till, visit: Visit) -> None:
    till.open_bill()
    till.adjust(bill_id_of(VISIT))
    till.pay(TOTAL + 10_500)
    before = till.bill
    settled = till.settle(visit)
    assert settled.bill is not None
    credit = settled.bill.sums.credit
    till.fail_refund(credit)

    undone = till.unsettle(settled.bill.settlement_id)

    bill = till.bill
    assert undone == ("reopened", bill.flagged)
    assert (bill.items, bill.sums, bill.provisional, bill.settlement) == (before.items, before.sums, True, None)
    assert till.events()[-1] == "reopened"
    (failed,) = [one for one in till.exceptions() if one.kind == "SETTLEMENT_FAILED"]
    assert (failed.exception_id, failed.amount, failed.code) == (bill.flagged, credit, "CARD_CLOSED")
    assert (failed.appointment_id, failed.appointment_version, failed.retryable) == (VISIT, visit.version, True)
    assert lawful(till)


@pytest.mark.parametrize("state", ["refunded", "on its way"])
def test_where_some_was_refunded_the_bill_stays_and_waits_for_a_person(till: Till, state: str) -> None:
    till.open_bill()
    till.pay(TOTAL)
    till.settle(cancelled("CLINIC"))
    till.reserve(10_000, "refund-1", kind="REFUND")
    if state == "refunded":
        till.apply(10_000, "refund-1", kind="REFUND")
    before = till.bill

    undone = till.unsettle()

    assert undone == ("flagged", till.bill.flagged)
    assert (till.bill.sums, till.bill.settlement) == (before.sums, before.settlement)
    assert till.events()[-1] == "flagged"
    assert [one.amount for one in till.exceptions()] == [42_500]


def test_what_was_refunded_by_hand_before_does_not_keep_a_settlement_from_being_undone(till: Till) -> None:
    till.open_bill()
    till.pay(TOTAL)
    till.refund(10_000)
    till.settle(cancelled("CLINIC"))

    assert till.unsettle().outcome == "reopened"


def test_undoing_again_changes_nothing(till: Till) -> None:
    till.open_bill()
    settled = till.settle(cancelled("CLINIC")).bill
    assert settled is not None
    first = till.unsettle(settled.settlement_id)
    before = till.bill

    assert till.unsettle(settled.settlement_id) == first
    assert till.bill == before
    assert len(till.exceptions()) == 1


def test_undoing_again_answers_the_same_where_the_bill_stayed(till: Till) -> None:
    till.open_bill()
    till.pay(TOTAL)
    till.settle(cancelled("CLINIC"))
    till.refund(10_000)

    assert till.unsettle() == till.unsettle()


def test_a_settlement_that_is_no_more_is_not_undone(till: Till) -> None:
    till.open_bill()
    first = till.settle(NO_SHOW).bill
    assert first is not None
    till.settle(a_visit("COMPLETED", 5))

    assert till.unsettle(first.settlement_id) == ("superseded", None)
    assert till.unsettle("of another bill") == ("superseded", None)
    assert till.exceptions() == []


def test_no_settlement_of_a_bill_that_is_not_there_is_undone(till: Till) -> None:
    with pytest.raises(BillNotFound):
        till.unsettle("settlement")


def test_a_bill_that_waits_for_a_person_is_not_settled_by_an_event_that_comes_again(till: Till) -> None:
    till.open_bill()
    till.settle(NO_SHOW)
    till.unsettle()
    before = till.bill

    decision = till.settle(NO_SHOW)
    till.open_bill(a_visit(version=6, fee=80_000))

    assert (decision.outcome, decision.bill) == ("flagged", before)
    assert till.bill == before


@pytest.mark.parametrize(
    ("visit", "outcome", "flagged"),
    [
        (COMPLETED, "settled", False),
        (cancelled("CLINIC", version=4), "settled", False),
        (REINSTATED, "superseded", True),
    ],
)
def test_what_the_visit_came_to_later_settles_it_whoever_waits(
    till: Till, visit: Visit, outcome: str, *, flagged: bool
) -> None:
    till.open_bill()
    till.settle(NO_SHOW)
    exception_id = till.unsettle().exception_id

    assert till.settle(visit).outcome == outcome
    assert till.bill.flagged == (exception_id if flagged else None)
    assert len(till.exceptions()) == 1
