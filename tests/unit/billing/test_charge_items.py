"""The charge master: codes are unique, prices do not contradict each other, and the most particular one holds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from billing import charge_items
from billing.charge_items import (
    ChargeItemNotFound,
    CodeTaken,
    PricesOverlap,
    check_prices,
    price_of,
)
from billing.charge_store import ChargeItems
from billing.charges import ChargeItem, CreateChargeItem, Price, SetPrices, UpdateChargeItem
from hms import ids
from hms.auth import Principal
from hms.call import Call
from hms.errors import IdempotencyKeyReused, StaleVersion
from hms.money import AT_REST
from tests.support.memory import LaggingTable, MemoryTable

NOW = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)
DAY = date(2026, 11, 28)
DOCTOR, OTHER_DOCTOR = ids.derived("doctor", 1), ids.derived("doctor", 2)


def a_call(**details: Any) -> Call:
    return Call(Principal("clerk", ("billing_clerk",)), NOW, "correlation", **details)


def a_price(unit_price: int = 50000, **about: Any) -> Price:
    return Price.model_validate({"unit_price": unit_price, **about}, context=AT_REST)


def an_item(*prices: Price, **changes: Any) -> ChargeItem:
    facts: dict[str, Any] = {
        "charge_item_id": "one",
        "code": "ECG",
        "name": "Electrocardiogram",
        "tax_rate": 500,
        "prices": prices,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return ChargeItem.model_validate(facts | changes, context=AT_REST)


def a_command(**changes: Any) -> CreateChargeItem:
    asked = {"code": "ECG", "name": "Electrocardiogram", "tax_rate": "5.00", "prices": [{"unit_price": "750.00"}]}
    return CreateChargeItem.model_validate(asked | changes)


@pytest.fixture
def master() -> ChargeItems:
    return ChargeItems(MemoryTable())


def created(master: ChargeItems, call: Call | None = None, **changes: Any) -> ChargeItem:
    return charge_items.create(a_command(**changes), call or a_call(), master).state


def test_a_service_is_kept_with_its_prices_in_minor_units(master: ChargeItems) -> None:
    item = created(master, prices=[{"unit_price": "750.50", "department": " Cardiology "}])

    assert charge_items.read(item.charge_item_id, master) == item
    assert (item.tax_rate, item.prices[0].unit_price, item.prices[0].department) == (500, 75050, "Cardiology")
    assert (item.version, item.active, item.currency) == (1, True, "INR")


def test_making_a_service_is_one_read_and_one_transaction() -> None:
    table = MemoryTable()

    created(ChargeItems(table))

    assert (table.reads, table.commits) == (1, 1)


@pytest.mark.parametrize("code", ["ECG", "ecg", "Ecg"])
def test_a_code_belongs_to_one_service_whatever_its_case(master: ChargeItems, code: str) -> None:
    created(master)

    with pytest.raises(CodeTaken):
        created(master, code=code)


def test_a_code_stays_taken_when_its_service_is_no_longer_offered(master: ChargeItems) -> None:
    item = created(master)
    charge_items.update(item.charge_item_id, UpdateChargeItem(active=False), a_call(), master)

    with pytest.raises(CodeTaken):
        created(master)


def test_the_same_key_makes_one_service_and_answers_as_before(master: ChargeItems) -> None:
    call = a_call(token="key", digest="asked")
    first = charge_items.create(a_command(), call, master)
    charge_items.update(first.state.charge_item_id, UpdateChargeItem(name="ECG"), a_call(), master)

    again = charge_items.create(a_command(), call, master)

    assert (again.replayed, again.state) == (True, first.state)
    with pytest.raises(IdempotencyKeyReused):
        charge_items.create(a_command(), a_call(token="key", digest="other"), master)


@pytest.mark.parametrize("code", ["", " ", "-ECG", "E CG", "ÉCG", "E#1", "x" * 41])
def test_what_cannot_be_read_out_is_no_code(code: str) -> None:
    with pytest.raises(ValidationError):
        a_command(code=code)


def test_a_change_leaves_what_it_does_not_name(master: ChargeItems) -> None:
    item = created(master)

    after = charge_items.update(
        item.charge_item_id, UpdateChargeItem.model_validate({"tax_rate": "12.00"}), a_call(), master
    ).state

    assert (after.version, after.tax_rate, after.name, after.prices) == (2, 1200, item.name, item.prices)
    with pytest.raises(ValidationError):
        UpdateChargeItem.model_validate({"name": None})


def test_prices_are_replaced_whole(master: ChargeItems) -> None:
    item = created(master)
    wanted = SetPrices.model_validate({"prices": [{"unit_price": "10.00", "plan": "Staff"}]})

    after = charge_items.set_prices(item.charge_item_id, wanted, a_call(), master).state

    assert after.prices == wanted.prices
    assert charge_items.read(item.charge_item_id, master) == after


def test_a_change_is_carried_out_once_for_each_key(master: ChargeItems) -> None:
    item, call = created(master), a_call(token="key")
    wanted = UpdateChargeItem(name="ECG")

    charge_items.update(item.charge_item_id, wanted, call, master)
    again = charge_items.update(item.charge_item_id, wanted, call, master)

    assert (again.replayed, again.state.version) == (True, 2)


def test_who_has_seen_an_older_version_changes_nothing(master: ChargeItems) -> None:
    item = created(master)
    charge_items.update(item.charge_item_id, UpdateChargeItem(name="ECG"), a_call(if_match=1), master)

    with pytest.raises(StaleVersion):
        charge_items.update(item.charge_item_id, UpdateChargeItem(name="EKG"), a_call(if_match=1), master)


def test_what_is_not_there_is_neither_read_nor_changed(master: ChargeItems) -> None:
    with pytest.raises(ChargeItemNotFound):
        charge_items.read("nowhere", master)
    with pytest.raises(ChargeItemNotFound):
        charge_items.update("nowhere", UpdateChargeItem(name="ECG"), a_call(), master)


def test_codes_are_looked_up_in_one_read_whatever_their_case() -> None:
    table = MemoryTable()
    master = ChargeItems(table)
    item = created(master)
    reads = table.reads

    assert master.by_codes(["ecg", "X-RAY"]) == {"ecg": item}
    assert table.reads == reads + 1


def test_services_are_listed_by_code(master: ChargeItems) -> None:
    for code in ("b", "A", "C"):
        created(master, code=code)

    first = master.listed(2, None)
    rest = master.listed(2, first.last)

    assert [item.by_a and item.by_a.sk for item in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert rest.last is None


def test_a_list_lags_and_a_read_does_not() -> None:
    table = LaggingTable()
    master = ChargeItems(table)

    item = created(master)

    assert master.listed(10, None).items == ()
    assert charge_items.read(item.charge_item_id, master) == item


SELECTORS = {"department": "Cardiology", "doctor_id": DOCTOR, "plan": "Gold"}
# The order in which prices hold where all of them do.
ORDER = [
    ("doctor_id", "plan", "department"),
    ("doctor_id", "plan"),
    ("doctor_id", "department"),
    ("doctor_id",),
    ("plan", "department"),
    ("plan",),
    ("department",),
    (),
]


@pytest.mark.parametrize("place", range(len(ORDER)))
def test_the_most_particular_price_holds(place: int) -> None:
    prices = [a_price(1000 + number, **{name: SELECTORS[name] for name in names}) for number, names in enumerate(ORDER)]

    found = price_of(an_item(*prices[place:]), "cardiology", DOCTOR, "GOLD", DAY)

    assert found
    assert found.unit_price == 1000 + place


@pytest.mark.parametrize(
    "asked", [(None, None, None), ("Oncology", None, None), (None, OTHER_DOCTOR, None), (None, None, "Silver")]
)
def test_a_price_for_others_does_not_hold(asked: tuple[str | None, str | None, str | None]) -> None:
    particular = [a_price(1, **{name: value}) for name, value in SELECTORS.items()]

    assert price_of(an_item(*particular), *asked, DAY) is None
    general = price_of(an_item(*particular, a_price(9)), *asked, DAY)
    assert general
    assert general.unit_price == 9


@pytest.mark.parametrize(
    ("day", "holds"),
    [("2026-11-27", False), ("2026-11-28", True), ("2026-11-30", True), ("2026-12-01", False)],
)
def test_a_price_holds_on_its_first_and_on_its_last_day(day: str, holds: bool) -> None:
    item = an_item(a_price(valid_from="2026-11-28", valid_to="2026-11-30"))

    assert (price_of(item, None, None, None, date.fromisoformat(day)) is not None) is holds


def test_the_next_price_follows_the_one_before_without_a_gap() -> None:
    item = an_item(a_price(1, valid_to="2026-11-27"), a_price(2, valid_from="2026-11-28"))

    prices = [price_of(item, None, None, None, date(2026, 11, day)) for day in (27, 28)]

    assert [price and price.unit_price for price in prices] == [1, 2]


def test_a_price_does_not_end_before_it_begins() -> None:
    with pytest.raises(ValidationError):
        a_price(valid_from="2026-11-28", valid_to="2026-11-27")
    a_price(valid_from="2026-11-28", valid_to="2026-11-28")


@pytest.mark.parametrize("unit_price", ["-0.01", "100000000.01", "1.005"])
def test_what_nobody_can_pay_is_no_price(unit_price: str) -> None:
    with pytest.raises(ValidationError):
        Price.model_validate({"unit_price": unit_price})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"valid_to": "2026-11-28"}, {"valid_from": "2026-11-28"}),
        ({"valid_from": "2026-11-28"}, {"valid_to": "2026-11-28"}),
        (
            {"valid_from": "2026-01-01", "valid_to": "2026-12-31"},
            {"valid_from": "2026-06-01", "valid_to": "2026-06-30"},
        ),
        ({"department": "Cardiology"}, {"department": "CARDIOLOGY"}),
        ({"plan": "gold", "doctor_id": DOCTOR}, {"plan": "Gold", "doctor_id": DOCTOR}),
    ],
)
def test_two_prices_for_the_same_on_one_day_contradict_each_other(one: dict[str, Any], other: dict[str, Any]) -> None:
    with pytest.raises(PricesOverlap) as refusal:
        check_prices([a_price(plan="apart"), a_price(1, **one), a_price(2, **other)])

    assert [error.field for error in refusal.value.errors] == ["prices.2"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"valid_to": "2026-11-27"}, {"valid_from": "2026-11-28"}),
        ({"valid_from": "2026-11-28"}, {"valid_to": "2026-11-27"}),
        ({"department": "Cardiology"}, {"department": "Oncology"}),
        ({"doctor_id": DOCTOR}, {"doctor_id": OTHER_DOCTOR}),
        ({"plan": "Gold"}, {}),
    ],
)
def test_prices_that_never_meet_stand_side_by_side(one: dict[str, Any], other: dict[str, Any]) -> None:
    check_prices([a_price(1, **one), a_price(2, **other)])


def test_contradicting_prices_are_not_kept(master: ChargeItems) -> None:
    twice = [{"unit_price": "1.00"}, {"unit_price": "2.00"}]
    with pytest.raises(PricesOverlap):
        created(master, prices=twice)
    item = created(master)

    with pytest.raises(PricesOverlap):
        charge_items.set_prices(item.charge_item_id, SetPrices.model_validate({"prices": twice}), a_call(), master)
    assert charge_items.read(item.charge_item_id, master).version == 1


DAYS = some.dates(date(2026, 11, 1), date(2026, 11, 10))


@some.composite
def prices(draw: some.DrawFn) -> Price:
    first, last = sorted((draw(DAYS), draw(DAYS)))
    return a_price(
        draw(some.integers(1, 9)),
        department=draw(some.sampled_from([None, "Cardiology", "Oncology"])),
        doctor_id=draw(some.sampled_from([None, DOCTOR, OTHER_DOCTOR])),
        plan=draw(some.sampled_from([None, "Gold"])),
        valid_from=str(first),
        valid_to=str(last),
    )


def accepted(listed: list[Price]) -> bool:
    try:
        check_prices(listed)
    except PricesOverlap:
        return False
    return True


@given(some.lists(prices(), max_size=6), DAYS)
def test_an_accepted_list_never_leaves_two_prices_equally_particular(listed: list[Price], day: date) -> None:
    holding = [price for price in listed if price.valid_from <= day <= (price.valid_to or day)]
    selectors = [(price.department, price.doctor_id, price.plan) for price in holding]

    if accepted(listed):
        assert len(set(selectors)) == len(selectors)
        for asked in product(["Cardiology", None], [DOCTOR, None], ["Gold", None]):
            forwards, backwards = (price_of(an_item(*one), *asked, day) for one in (listed, listed[::-1]))
            assert forwards == backwards
