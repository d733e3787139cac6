"""Lists of bills: whose, of which days, in which state, page after page; a bill's ledger."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing import listing
from billing.model import BillStatus
from billing.query import ListBills, ListExceptions
from billing.settlement import bill_id_of
from hms import ids, numbers
from hms.auth import Principal
from hms.errors import Forbidden, Invalid
from hms.pages import PageParams, sealed
from tests.support.billing import (
    ANOTHER_PATIENT,
    CLERK,
    NOW,
    OTHER_PATIENT,
    PATIENT,
    THE_PATIENT,
    VISIT,
    Till,
    an_item,
)

if TYPE_CHECKING:
    from billing.model import BillView

DAY = timedelta(days=1)
# A guardian whom nobody has been entrusted to yet.
NOBODYS_GUARDIAN = Principal("guardian", ("guardian",), scopes={"billing:read": "own"})
WIRE_NAMES = {"start": "from", "end": "to"}


def a_page(till: Till, who: Principal = CLERK, **asked: Any) -> tuple[list[BillView], str | None]:
    wanted = {WIRE_NAMES.get(name, name): str(value) for name, value in asked.items() if value is not None}
    page = listing.listed(ListBills.model_validate(wanted), till.call(who), till.bills)
    return page.items, page.next_cursor


def ids_of(till: Till, who: Principal = CLERK, **asked: Any) -> list[str]:
    """Of all pages."""
    shown, cursor = a_page(till, who, **asked)
    while cursor:
        more, cursor = a_page(till, who, **asked, cursor=cursor)
        shown += more
    return [bill.bill_id for bill in shown]


def made_on(till: Till, day: str, **changes: Any) -> str:
    till.now = datetime.fromisoformat(f"{day}T10:00:00+05:30").astimezone(UTC)
    return till.made(**changes)


def test_a_visits_bill_is_found_by_the_visit_in_one_read(till: Till) -> None:
    till.open_bill()

    assert till.calls_of(lambda: a_page(till, appointment_id=VISIT)) == (1, 0)
    (bill,), cursor = a_page(till, appointment_id=VISIT)
    assert (bill.bill_id, cursor) == (bill_id_of(VISIT), None)


def test_a_visit_without_a_bill_has_an_empty_list(till: Till) -> None:
    assert a_page(till, appointment_id=VISIT) == ([], None)
    assert a_page(till, THE_PATIENT, appointment_id=VISIT) == ([], None)


def test_a_visits_bill_is_its_patients_and_to_others_it_is_not_there(till: Till) -> None:
    till.open_bill()

    assert ids_of(till, THE_PATIENT, appointment_id=VISIT) == [bill_id_of(VISIT)]
    assert ids_of(till, ANOTHER_PATIENT, appointment_id=VISIT) == []


def test_the_other_filters_hold_for_a_visits_bill_too(till: Till) -> None:
    till.open_bill()

    assert ids_of(till, appointment_id=VISIT, status="OPEN", patient_id=PATIENT) == [bill_id_of(VISIT)]
    assert ids_of(till, appointment_id=VISIT, status="PAID") == []
    assert ids_of(till, appointment_id=VISIT, patient_id=OTHER_PATIENT) == []


def test_a_bill_is_found_by_its_number_in_two_reads(till: Till) -> None:
    made = till.made()
    number = till.read(made).bill_number

    assert till.calls_of(lambda: a_page(till, bill_number=number)) == (2, 0)
    assert ids_of(till, bill_number=number) == ids_of(till, THE_PATIENT, bill_number=number) == [made]
    assert ids_of(till, ANOTHER_PATIENT, bill_number=number) == []
    assert ids_of(till, bill_number=number, status="PAID") == []
    assert ids_of(till, bill_number=f"B{numbers.checked('0' * 10)}") == []


def test_a_number_with_a_wrong_digit_is_told(till: Till) -> None:
    with pytest.raises(Invalid) as refused:
        a_page(till, bill_number=f"B{numbers.checked('1' * 10)[:-1]}0")
    assert [error.field for error in refused.value.errors] == ["bill_number"]


def test_a_visit_of_another_number_is_not_found(till: Till) -> None:
    number = till.read(till.made()).bill_number
    till.open_bill()

    assert ids_of(till, appointment_id=VISIT, bill_number=number) == []


def test_a_patients_bills_come_newest_first_page_after_page(till: Till) -> None:
    made = [made_on(till, f"2026-{month:02}-05") for month in range(1, 12)]
    till.made(patient_id=OTHER_PATIENT)

    assert ids_of(till, patient_id=PATIENT, limit=3) == made[::-1]


def test_patients_see_their_own_bills_without_saying_whose(till: Till) -> None:
    mine, theirs = till.made(), till.made(patient_id=OTHER_PATIENT)

    assert ids_of(till, THE_PATIENT) == [mine]
    assert ids_of(till, ANOTHER_PATIENT, patient_id=OTHER_PATIENT) == [theirs]
    assert ids_of(till, THE_PATIENT, overdue=False) == [mine]


@pytest.mark.parametrize("who", [ANOTHER_PATIENT, NOBODYS_GUARDIAN])
def test_nobody_lists_another_patients_bills(till: Till, who: Principal) -> None:
    with pytest.raises(Forbidden):
        a_page(till, who, patient_id=PATIENT)


def test_who_has_nobodys_bills_to_see_has_no_list(till: Till) -> None:
    with pytest.raises(Forbidden):
        a_page(till, NOBODYS_GUARDIAN)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-11-02", "2026-11-03", [3, 2]),
        ("2026-11-02", None, [4, 3, 2]),
        (None, "2026-11-03", [3, 2, 1]),
        ("2026-11-05", "2026-11-09", []),
    ],
)
def test_a_patients_bills_of_some_days_include_the_first_and_the_last(
    till: Till, start: str | None, end: str | None, days: list[int]
) -> None:
    made = {day: made_on(till, f"2026-11-{day:02}") for day in (1, 2, 3, 4)}

    assert ids_of(till, patient_id=PATIENT, start=start, end=end) == [made[day] for day in days]


def test_without_a_filter_the_list_is_todays(till: Till) -> None:
    made_on(till, "2026-11-27")
    today = made_on(till, "2026-11-28", patient_id=OTHER_PATIENT)

    assert ids_of(till) == [today]


def test_the_day_is_the_clinics(till: Till) -> None:
    # Half past midnight in Kolkata is still the day before in Greenwich.
    till.now = datetime(2026, 11, 28, 19, 0, tzinfo=UTC)
    bill = till.made()

    assert ids_of(till, start="2026-11-29", end="2026-11-29") == [bill]


def test_bills_of_a_year_come_month_by_month_also_where_months_have_none(till: Till) -> None:
    days = ("2025-12-31", "2026-01-01", "2026-01-31", "2026-07-15", "2026-11-28")
    made = [made_on(till, day) for day in days]

    assert ids_of(till, start="2025-11-28", end="2026-11-28", limit=2) == made[::-1]
    assert ids_of(till, start="2025-11-28", end="2026-11-28") == made[::-1]


def test_a_list_of_more_than_a_year_is_refused(till: Till) -> None:
    a_page(till, start="2025-11-28", end="2026-11-28")
    with pytest.raises(Invalid):
        a_page(till, start="2025-11-27", end="2026-11-28")


def test_a_state_is_filtered_over_more_than_one_read(till: Till) -> None:
    made = [till.made() for _ in range(130)]
    for bill in made[::-1][:3]:
        till.void(bill)

    assert set(ids_of(till, patient_id=PATIENT, status="VOID", limit=2)) == set(made[-3:])
    assert set(ids_of(till, status="VOID", limit=2)) == set(made[-3:])


def test_every_state_can_be_asked_for(till: Till) -> None:
    opened, partly, paid, void = (till.made() for _ in range(4))
    till.pay(5_000, "a", partly)
    till.pay(10_500, "b", paid)
    till.void(void)

    found = {status: ids_of(till, patient_id=PATIENT, status=status) for status in BillStatus}

    assert found == {
        BillStatus.OPEN: [opened],
        BillStatus.PARTIALLY_PAID: [partly],
        BillStatus.PAID: [paid],
        BillStatus.VOID: [void],
        BillStatus.REFUNDED: [],
        BillStatus.PARTIALLY_REFUNDED: [],
    }


def test_a_bill_is_overdue_from_the_day_after_it_is_due_and_until_it_is_paid(till: Till) -> None:
    bill = till.made(due_date="2026-11-29")

    def overdue(day: str) -> list[str]:
        till.now = datetime.fromisoformat(f"{day}T00:00:00+05:30").astimezone(UTC)
        return ids_of(till, overdue=True)

    assert overdue("2026-11-29") == []
    assert overdue("2026-11-30") == [bill]
    till.pay(10_500, bill_id=bill)
    assert overdue("2026-11-30") == []


def test_what_is_owed_is_listed_of_all_days_the_longest_due_first(till: Till) -> None:
    older = made_on(till, "2025-01-10", due_date="2026-12-24")
    part, whole = made_on(till, "2026-11-01", due_date="2026-12-01"), made_on(till, "2026-11-28")
    till.pay(100, bill_id=part)
    till.pay(10_500, "payment-2", bill_id=whole)

    assert ids_of(till, status="OPEN", limit=1) == [older]
    assert ids_of(till, status="PARTIALLY_PAID") == [part]
    assert ids_of(till, status="PARTIALLY_PAID", start="2026-11-02") == []
    assert ids_of(till, status="PAID") == [whole]


def test_what_a_visit_to_come_will_cost_is_never_overdue(till: Till) -> None:
    till.open_bill()
    till.now += timedelta(days=365)

    assert ids_of(till, overdue=True) == []
    assert ids_of(till, appointment_id=VISIT, overdue=False) == [bill_id_of(VISIT)]


def test_those_overdue_come_the_longest_first_whenever_they_were_issued(till: Till) -> None:
    made = [made_on(till, f"2026-0{month}-01") for month in (3, 1, 2)]
    till.now = NOW
    till.made()

    assert ids_of(till, overdue=True, limit=2) == [made[1], made[2], made[0]]
    assert ids_of(till, patient_id=PATIENT, overdue=True) == [made[0], made[2], made[1]]
    assert ids_of(till, overdue=True, start="2026-02-01", end="2026-02-28") == [made[2]]


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "2026-11-29", "to": "2026-11-28"},
        {"from": "2026-11-31"},
        {"from": "20261101"},
        {"to": "1899-12-31"},
        {"status": "OVERDUE"},
        {"patient_id": "17"},
        {"limit": "0"},
        {"overdue": "perhaps"},
        {"doctor_id": ids.derived("doctor", 1)},
    ],
)
def test_what_cannot_be_meant_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        ListBills.model_validate(asked)


BILL = ids.derived("bill", 1)


@pytest.mark.parametrize(
    ("asked", "position"),
    [
        ({}, "elsewhere"),
        ({}, f"bill#2026-11-28#{BILL}"),
        ({}, f"2026-13-01#{BILL}"),
        ({}, f"2026-11-27#{BILL}"),
        ({}, f"0001-01-01#{BILL}"),
        ({"patient_id": PATIENT}, f"2026-11-28#{BILL}"),
        ({"overdue": True}, "2026-11-28"),
    ],
)
def test_a_cursor_of_another_list_is_refused(till: Till, asked: dict[str, Any], position: str) -> None:
    with pytest.raises(Invalid) as refusal:
        a_page(till, **asked, cursor=sealed(position))

    assert [error.field for error in refusal.value.errors] == ["cursor"]


def test_a_bills_ledger_is_told_posting_by_posting(till: Till) -> None:
    bill = till.made()
    till.write_off(bill, 500)
    till.pay(10_000, bill_id=bill)

    first = listing.ledger_of(bill, PageParams(limit=2), till.call(THE_PATIENT), till.bills)
    rest = listing.ledger_of(bill, PageParams(limit=2, cursor=first.next_cursor), till.call(), till.bills)

    told = [(entry.kind, entry.amount) for page in (first, rest) for posting in page.items for entry in posting.entries]
    assert told == [("CHARGE", 10_500), ("WRITE_OFF", -500), ("PAYMENT", -10_000)]
    assert rest.next_cursor is None
    assert first.items[1].entries[0].reason == "Moved away"


def test_a_ledger_is_its_patients_and_the_desks(till: Till) -> None:
    bill = till.made()

    with pytest.raises(Forbidden):
        listing.ledger_of(bill, PageParams(), till.call(ANOTHER_PATIENT), till.bills)


def test_the_work_list_has_what_is_open_oldest_first(till: Till) -> None:
    till.open_bill()
    till.pay(52_500)
    for number in (1, 2, 3):
        till.now = NOW + number * DAY
        till.fail_refund(100, f"refund-{number}")
    till.resolve(till.exceptions()[1].exception_id)

    def work(status: str, **asked: Any) -> tuple[list[date], str | None]:
        params = ListExceptions.model_validate({"status": status} | asked)
        page = listing.work_list(params, till.call(), till.bills)
        return [one.created_at.date() for one in page.items], page.next_cursor

    assert work("RESOLVED") == ([date(2026, 11, 30)], None)
    first, cursor = work("OPEN", limit=1)
    rest, end = work("OPEN", limit=1, cursor=cursor)
    assert (first, rest, end) == ([date(2026, 11, 29)], [date(2026, 12, 1)], None)


def test_items_on_a_list_are_bills_as_they_are_read(till: Till) -> None:
    bill = till.made(an_item(10_000, quantity=3))

    ((shown,), _) = a_page(till)

    assert (shown.bill_id, shown.total_amount, shown.outstanding_amount, shown.status) == (bill, 31_500, 31_500, "OPEN")
