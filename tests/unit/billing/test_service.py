"""Bills by hand: what is written, answered and refused, who may, and what happens when others are faster."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from billing.commands import BillItem, DiscountBill
from billing.ledger import Priced
from billing.model import BillStatus
from hms import numbers
from hms.errors import Forbidden, IdempotencyKeyReused, Invalid, Problem
from hms.money import AT_REST
from hms.rows import Insert, Item, Key
from tests.support.billing import (
    ANOTHER_PATIENT,
    CLERK,
    DOCTOR,
    NOW,
    OTHER_PATIENT,
    PATIENT,
    PERMISSIONS,
    THE_PATIENT,
    Till,
    a_call,
    a_principal,
    an_item,
    wrong_with,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.call import Call

NOBODY = "01930d2a-6f00-7000-8000-00000000dead"
DAYS = timedelta(days=1)


def refusal(work: Callable[[], Any]) -> str | None:
    try:
        work()
    except Problem as problem:
        return problem.code
    return None


def key(digest: str = "body-1") -> Call:
    return a_call(token="key-1", digest=digest)


COMMANDS: dict[str, Callable[[Till, str, Call], Any]] = {
    "adjust": lambda till, bill, call: till.adjust(bill, call=call),
    "discount": lambda till, bill, call: till.discount(bill, 1_000, call=call),
    "write_off": lambda till, bill, call: till.write_off(bill, 1_000, call=call),
    "void": lambda till, bill, call: till.void(bill, call=call),
}


def answers(till: Till, bill: str) -> set[str | None]:
    """How the bill refuses each change."""
    return {refusal(partial(command, till, bill, till.call())) for command in COMMANDS.values()}


def test_a_bill_is_one_batch_read_and_one_transaction(till: Till) -> None:
    assert till.calls_of(till.create) == (1, 1)
    assert till.table.largest == 5


def test_a_bill_is_read_by_its_id_in_one_read(till: Till) -> None:
    bill = till.create().state

    assert till.calls_of(lambda: till.read(bill.bill_id)) == (1, 0)
    assert till.read(bill.bill_id) == bill


@pytest.mark.parametrize("command", COMMANDS)
def test_a_change_by_hand_is_one_read_and_one_transaction(till: Till, command: str) -> None:
    bill = till.made()

    assert till.calls_of(lambda: COMMANDS[command](till, bill, till.call())) == (1, 1)
    assert wrong_with(till.read(bill), till.postings(bill)) == []


def test_a_bill_says_what_each_line_costs_with_its_tax(till: Till) -> None:
    bill = till.create(an_item(4_990, quantity=3, tax_rate="12.00"), an_item(19)).state

    first, second = bill.items
    assert (first.quantity, first.unit_price, first.tax_rate) == (3, 4_990, 1_200)
    assert (first.amount, first.tax_amount, first.line_total) == (14_970, 1_796, 16_766)
    assert (second.amount, second.tax_rate, second.tax_amount) == (19, 500, 1)
    assert (bill.sums.charged, bill.sums.tax, bill.status) == (16_786, 1_797, BillStatus.OPEN)
    assert till.entries(bill.bill_id) == [("CHARGE", 16_766), ("CHARGE", 20)]
    assert till.events(bill.bill_id) == ["issued"]


def test_a_bill_is_issued_today_at_the_clinic_and_due_in_fifteen_days(till: Till) -> None:
    till.now = NOW.replace(hour=19)

    bill = till.create().state

    assert (str(bill.issued_on), str(bill.due_date)) == ("2026-11-29", "2026-12-14")
    assert str(till.create(due_date="2026-11-29").state.due_date) == "2026-11-29"
    assert refusal(lambda: till.create(due_date="2026-11-28")) == "INVALID"


def test_a_bill_has_a_number_of_its_own(till: Till) -> None:
    first, second = till.create().state, till.create().state

    assert first.bill_number[0] == "B"
    assert numbers.is_right(first.bill_number[1:])
    assert first.bill_number != second.bill_number


def test_a_number_that_is_taken_is_not_used_again(till: Till) -> None:
    wanted = numbers.candidates(till.create(call=key()).state.bill_id, 10)
    other = Till()
    for number in wanted[:2]:
        other.table.commit([Insert(Item(f"number#B{number}", "claim"))])

    assert other.create(call=key()).state.bill_number == f"B{wanted[2]}"


def test_a_bill_for_which_no_number_is_free_is_refused(till: Till) -> None:
    full = Till()
    for number in numbers.candidates(till.create(call=key()).state.bill_id, 10):
        full.table.commit([Insert(Item(f"number#B{number}", "claim"))])

    assert refusal(lambda: full.create(call=key())) == "NUMBERS_EXHAUSTED"


def test_a_code_costs_what_the_charge_master_says(till: Till) -> None:
    till.prices.priced["ECG"] = Priced("Electrocardiogram", 75_000, 1_800, "INR")

    bill = till.create({"code": "ECG", "quantity": 2}, department="Cardiology", doctor_id=DOCTOR, plan="Gold").state

    (line,) = bill.items
    assert (line.code, line.description, line.line_total) == ("ECG", "Electrocardiogram", 177_000)
    assert till.prices.asked == [
        {
            "code": "ECG",
            "quantity": 2,
            "department": "Cardiology",
            "doctor_id": DOCTOR,
            "plan": "Gold",
            "on": bill.issued_on,
        }
    ]


def test_a_code_that_is_added_is_priced_for_the_bill_it_comes_on(till: Till) -> None:
    till.prices.priced["ECG"] = Priced("Electrocardiogram", 75_000, 500, "INR")
    bill = till.made(department="Cardiology", plan="Gold")
    till.now += DAYS

    till.adjust(bill, {"code": "ECG"})

    asked = till.prices.asked[-1]
    assert (asked["department"], asked["plan"], str(asked["on"])) == ("Cardiology", "Gold", "2026-11-29")


def test_a_code_without_a_price_is_refused_with_its_place(till: Till) -> None:
    with pytest.raises(Invalid) as refused:
        till.create(an_item(), {"code": "ECG"})

    assert [error.field for error in refused.value.errors] == ["items.1.code"]


def test_a_price_in_another_currency_does_not_come_on_the_bill(till: Till) -> None:
    till.prices.priced["ECG"] = Priced("Electrocardiogram", 75_000, 500, "USD")

    assert refusal(lambda: till.create({"code": "ECG"})) == "CURRENCY_MISMATCH"
    assert till.create({"code": "ECG"}, currency="USD").state.currency == "USD"


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"description": "Dressing"},
        {"unit_price": "1.00"},
        {"code": "ECG", "unit_price": "1.00"},
        {"code": "ECG", "description": "Dressing"},
        {"code": "ECG", "tax_rate": "5.00"},
        {"description": "Dressing", "unit_price": "-0.01"},
        {"description": "Dressing", "unit_price": "1.005"},
        {"description": "Dressing", "unit_price": "1.00", "quantity": 0},
        {"description": "Dressing", "unit_price": "1.00", "quantity": 10_001},
        {"description": "Dressing", "unit_price": "1.00", "quantity": 1.5},
        {"description": "Dressing", "unit_price": "1.00", "tax_rate": "100.01"},
        {"description": "Dressing", "unit_price": "1.00", "card_number": "4111111111111111"},
    ],
)
def test_an_item_has_a_code_or_a_description_with_its_price(item: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BillItem.model_validate_json(json.dumps(item))


@pytest.mark.parametrize("amount", ["0.00", "-1.00", "0.001", None])
def test_a_discount_is_at_least_one_minor_unit(amount: Any) -> None:
    with pytest.raises(ValidationError):
        DiscountBill.model_validate_json(json.dumps({"amount": amount, "reason": "Staff family"}))
    assert DiscountBill.model_validate_json('{"amount": "0.01", "reason": "Staff family"}').amount == 1


def test_a_patient_nobody_knows_gets_no_bill(till: Till) -> None:
    assert refusal(lambda: till.create(patient_id=NOBODY)) == "PATIENT_NOT_FOUND"


def test_no_bill_is_made_while_the_owner_of_patients_is_silent(till: Till) -> None:
    till.owners.down = True

    assert refusal(till.create) == "BUSY"
    assert till.table.commits == 0


def test_lines_are_added_with_a_reason_to_a_paid_bill_too(till: Till) -> None:
    bill = till.made()
    till.pay(10_500, bill_id=bill)

    after = till.adjust(bill, an_item(2_000)).state

    assert (after.status, after.sums.outstanding) == (BillStatus.PARTIALLY_PAID, 2_100)
    assert till.postings(bill)[-1].entries[0].reason == "Forgotten"
    assert till.events(bill)[-1] == "adjusted"


def test_a_discount_is_a_line_below_zero_with_its_tax(till: Till) -> None:
    bill = till.made()

    after = till.discount(bill, 1_010).state

    line = after.items[-1]
    assert (line.kind, line.amount, line.tax_amount, line.line_total) == ("DISCOUNT", -1_010, -51, -1_061)
    assert (after.sums.charged, after.sums.tax) == (9_439, 449)
    assert till.entries(bill)[-1] == ("DISCOUNT", -1_061)


def test_a_discount_is_at_most_what_is_outstanding_with_its_tax(till: Till) -> None:
    bill = till.made()
    till.pay(500, bill_id=bill)

    assert refusal(lambda: till.discount(bill, 9_525)) == "DISCOUNT_EXCEEDS_OUTSTANDING"
    assert till.discount(bill, 9_524).state.status is BillStatus.PAID
    assert wrong_with(till.read(bill), till.postings(bill)) == []


def test_a_discount_does_not_take_what_is_being_paid(till: Till) -> None:
    bill = till.made()
    till.reserve(500, bill_id=bill)

    assert refusal(lambda: till.discount(bill, 9_525)) == "DISCOUNT_EXCEEDS_OUTSTANDING"
    assert till.discount(bill, 9_524).state.sums.payable == 0


def test_a_discount_takes_no_tax_that_is_not_there(till: Till) -> None:
    bill = till.made(an_item(tax_rate="0.00"))

    assert refusal(lambda: till.discount(bill, 1_000)) == "DISCOUNT_EXCEEDS_OUTSTANDING"
    assert till.discount(bill, 1_000, tax_rate="0.00").state.sums.tax == 0


def test_a_write_off_is_at_most_what_is_outstanding_and_not_being_paid(till: Till) -> None:
    bill = till.made()
    till.pay(500, bill_id=bill)
    till.reserve(1_000, "payment-2", bill_id=bill)

    assert refusal(lambda: till.write_off(bill, 9_001)) == "WRITE_OFF_EXCEEDS_OUTSTANDING"
    after = till.write_off(bill, 9_000).state
    assert (after.sums.written_off, after.sums.charged, after.sums.payable) == (9_000, 10_500, 0)
    assert till.entries(bill)[-1] == ("WRITE_OFF", -9_000)


def test_a_void_bill_owes_nothing_and_takes_nothing_more(till: Till) -> None:
    bill = till.made(an_item(19), an_item(333))
    till.write_off(bill, 100)

    after = till.void(bill).state

    assert (after.status, after.items, after.sums.outstanding) == (BillStatus.VOID, (), 0)
    assert till.entries(bill)[-3:] == [("VOID", -20), ("VOID", -350), ("WRITE_OFF", 100)]
    assert till.events(bill)[-1] == "voided"
    assert answers(till, bill) == {"BILL_VOID"}
    assert refusal(lambda: till.reserve(1, bill_id=bill)) == "BILL_VOID"


@pytest.mark.parametrize("state", ["paid", "reserved", "paid back"])
def test_a_bill_on_which_something_was_paid_or_is_being_paid_is_not_voided(till: Till, state: str) -> None:
    bill = till.made()
    till.reserve(100, bill_id=bill)
    if state != "reserved":
        till.apply(100, bill_id=bill)
    if state == "paid back":
        till.refund(100, bill_id=bill)

    assert refusal(lambda: till.void(bill)) == "BILL_HAS_PAYMENTS"


def test_a_payment_that_did_not_come_does_not_keep_a_bill_from_being_voided(till: Till) -> None:
    bill = till.made()
    till.reserve(100, bill_id=bill)
    till.release(100, bill_id=bill)

    assert till.void(bill).state.status is BillStatus.VOID


def test_a_bill_of_an_older_system_is_read_and_never_changed(till: Till) -> None:
    bill = till.made()
    row = till.table.items[till.bills.key(bill)]
    older = till.read(bill).model_copy(update={"historical": True})
    till.table.items[row.key] = replace(row, body=older.model_dump_json(context=AT_REST))

    assert till.read(bill).historical
    assert answers(till, bill) == {"INVALID_TRANSITION"}
    assert refusal(lambda: till.reserve(1, bill_id=bill)) == "INVALID_TRANSITION"


def test_a_repeated_bill_is_the_same_bill(till: Till) -> None:
    first = till.create(call=key())

    again = till.create(call=key())

    assert (again.replayed, again.state) == (True, first.state)
    assert refusal(lambda: till.create(call=key(digest="body-2"))) == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_repeated_change_changes_nothing_more(till: Till, command: str) -> None:
    bill = till.made()
    first = COMMANDS[command](till, bill, key())

    again = COMMANDS[command](till, bill, key())

    assert (again.replayed, again.state) == (True, first.state)
    assert refusal(lambda: COMMANDS[command](till, bill, key(digest="body-2"))) == "IDEMPOTENCY_KEY_REUSED"
    assert till.read(bill).version == 2


def test_payments_do_not_make_a_bill_forget_what_was_done_to_it(till: Till) -> None:
    bill = till.made()
    first = till.adjust(bill, call=key())
    for number in range(10):
        till.pay(100, f"payment-{number}", bill_id=bill)

    again = till.adjust(bill, call=key())

    assert (again.replayed, again.state) == (True, first.state)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stale_version_changes_nothing(till: Till, command: str) -> None:
    bill = till.made()
    till.adjust(bill)

    assert refusal(lambda: COMMANDS[command](till, bill, a_call(if_match=1))) == "STALE_VERSION"
    assert COMMANDS[command](till, bill, a_call(if_match=2)).state.version == 3


@pytest.mark.parametrize("fault", ["loses_answers", "is_contended"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_lost_answer_or_a_lost_race_neither_refuses_nor_doubles(till: Till, command: str, fault: str) -> None:
    bill = till.made()
    getattr(till.table, fault)(3 if fault == "is_contended" else 1)

    COMMANDS[command](till, bill, till.call())

    assert (till.read(bill).version, len(till.postings(bill)), len(till.events(bill))) == (2, 2, 2)


@pytest.mark.parametrize("fault", ["loses_answers", "is_contended"])
def test_a_new_bill_survives_lost_answers_and_conflicts(till: Till, fault: str) -> None:
    getattr(till.table, fault)(1)

    bill = till.create().state

    assert till.events(bill.bill_id) == ["issued"]
    assert till.bills.of_patient(PATIENT).bills == [bill]


@pytest.mark.parametrize("permission", ["create", *COMMANDS])
def test_a_change_needs_its_permission(till: Till, permission: str) -> None:
    bill = till.made()
    others = a_principal("nearly", *(one for one in PERMISSIONS if one != permission))
    call = till.call(others)
    work: dict[str, Callable[[], Any]] = {"create": lambda: till.create(call=call)}
    work |= {name: partial(command, till, bill, call) for name, command in COMMANDS.items()}

    assert refusal(work[permission]) == "FORBIDDEN"
    assert till.read(bill).version == 1


def test_patients_read_their_own_bills_and_no_others(till: Till) -> None:
    bill = till.made()

    assert till.read(bill, THE_PATIENT).bill_id == bill
    assert refusal(lambda: till.read(bill, ANOTHER_PATIENT)) == "FORBIDDEN"
    assert refusal(lambda: till.read(NOBODY, THE_PATIENT)) == "FORBIDDEN"
    assert refusal(lambda: till.read(NOBODY, CLERK)) == "BILL_NOT_FOUND"


def test_a_bill_of_somebody_else_is_not_told_of_by_another_refusal(till: Till) -> None:
    bill = till.made()
    patient = a_principal("patient", *PERMISSIONS, patient_id=OTHER_PATIENT)

    for command in COMMANDS.values():
        with pytest.raises(Forbidden):
            command(till, bill, till.call(patient))
        with pytest.raises(Forbidden):
            command(till, NOBODY, till.call(patient))


def test_a_patients_bills_are_listed_newest_first_as_they_are_now(till: Till) -> None:
    bills = []
    for _ in range(3):
        bills.append(till.made())
        till.now += DAYS
    till.made(patient_id=OTHER_PATIENT)
    till.adjust(bills[0])

    page = till.bills.of_patient(PATIENT, limit=2)
    rest = till.bills.of_patient(PATIENT, limit=2, after=page.last)

    assert [bill.bill_id for bill in (*page.bills, *rest.bills)] == bills[::-1]
    assert rest.bills[0].version == 2
    assert rest.last is None
    assert till.calls_of(lambda: till.bills.of_patient(PATIENT)) == (2, 0)


def test_a_patients_bills_of_some_days_include_the_first_and_the_last(till: Till) -> None:
    bills = []
    for _ in range(4):
        bills.append(till.made())
        till.now += DAYS
    second, third = (till.read(bill).issued_on for bill in bills[1:3])

    found = till.bills.of_patient(PATIENT, second, third, forward=True).bills

    assert [bill.bill_id for bill in found] == bills[1:3]
    assert [bill.bill_id for bill in till.bills.of_patient(PATIENT, third).bills] == bills[:1:-1]


def test_bills_are_found_by_the_clinics_month(till: Till) -> None:
    november = till.made()
    till.now = NOW.replace(day=30, hour=19)
    december = till.made()

    assert [bill.bill_id for bill in till.bills.issued_in("2026-11").bills] == [november]
    assert [bill.bill_id for bill in till.bills.issued_in("2026-12").bills] == [december]
    day = till.read(december).issued_on
    assert [bill.bill_id for bill in till.bills.issued_in("2026-12", day, day).bills] == [december]
    assert till.bills.issued_in("2026-12", day + DAYS).bills == []


def test_a_bill_is_owed_until_nothing_is_outstanding_on_it(till: Till) -> None:
    first, second = till.made(due_date="2026-12-02"), till.made(due_date="2026-12-01")
    third = till.made(due_date="2026-12-03")
    till.pay(10_500, bill_id=third)

    assert [bill.bill_id for bill in till.bills.owed().bills] == [second, first]
    assert [bill.bill_id for bill in till.bills.owed(till.read(second).due_date).bills] == [second]
    till.write_off(second, 10_500)
    assert [bill.bill_id for bill in till.bills.owed().bills] == [first]


def test_the_ledger_is_read_by_bill_by_day_and_by_month(till: Till) -> None:
    bill = till.made()
    till.now = NOW.replace(day=29, hour=18, minute=29)
    till.adjust(bill, an_item(19))
    till.now = NOW.replace(day=30, hour=18, minute=30)
    till.discount(bill, 100)

    assert [posting.version for posting in till.postings(bill)] == [1, 2, 3]
    assert [posting.version for posting in till.bills.postings_in("2026-11")] == [1, 2]
    assert [posting.version for posting in till.bills.postings_in("2026-12")] == [3]
    day = till.read(bill).issued_on
    assert [posting.version for posting in till.bills.postings_on(day).postings] == [1]
    assert [posting.version for posting in till.bills.postings_on(day + DAYS).postings] == [2]
    assert till.bills.postings_on(day + 2 * DAYS).postings == []
    assert [posting.version for posting in till.bills.postings_on(day + 3 * DAYS).postings] == [3]


def test_an_entry_says_who_when_and_why(till: Till) -> None:
    bill = till.create().state
    (posting,) = till.postings(bill.bill_id)

    assert (posting.by, posting.at, posting.patient_id) == ("billing_clerk", NOW, PATIENT)
    assert (posting.bill_number, posting.entries[0].line_id) == (bill.bill_number, bill.items[0].line_id)
    assert till.bills.many([NOBODY, bill.bill_id]) == [bill]
    assert Key(f"bill#{bill.bill_id}", "ledger#00000001") in till.table.items


@pytest.mark.parametrize("word", ["adjust", "discount", "write_off"])
def test_a_command_that_comes_again_after_many_others_is_still_known(till: Till, word: str) -> None:
    bill_id = till.made(an_item(100_000))
    commands: dict[str, Callable[[Call], Any]] = {
        "adjust": lambda call: till.adjust(bill_id, an_item(5_000), call=call),
        "discount": lambda call: till.discount(bill_id, 5_000, call=call),
        "write_off": lambda call: till.write_off(bill_id, 5_000, call=call),
    }
    command = commands[word]
    first = command(a_call(token="key-1", digest="asked"))
    for _ in range(12):
        till.discount(bill_id, 1)
    before = till.read(bill_id)

    again = command(a_call(token="key-1", digest="asked"))

    assert (again.replayed, again.state) == (True, first.state)
    assert till.read(bill_id) == before
    with pytest.raises(IdempotencyKeyReused):
        command(a_call(token="key-1", digest="asked otherwise"))
