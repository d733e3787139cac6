"""The charge master: what may be done to it, and which price holds."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from billing.charge_store import charge_item_id
from billing.charges import ChargeItem, ChargeItemChanged, ChargeItemCreated, ChargeItemPage, PriceView
from billing.ledger import Priced
from hms.call import Outcome, decided
from hms.errors import Conflicting, FieldError, NotFound, Refused
from hms.money import AT_REST
from hms.pages import opened, sealed, sifted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from billing.charge_store import ChargeItems
    from billing.charges import (
        CreateChargeItem,
        ListChargeItems,
        Price,
        PriceParams,
        SetPrices,
        UpdateChargeItem,
    )
    from hms.call import Call
    from hms.pages import Reading

# Each outweighs all that come after it.
_DOCTOR, _PLAN, _DEPARTMENT = 4, 2, 1
# Where a filter may leave little of what is read.
_A_READ = 100


class ChargeItemNotFound(NotFound):
    code, detail = "CHARGE_ITEM_NOT_FOUND", "There is no such service in the charge master."


class CodeTaken(Conflicting):
    code, detail = "CODE_TAKEN", "Another service has this code."


class PricesOverlap(Refused):
    code, detail = "PRICES_OVERLAP", "Two prices for the same department, doctor and plan hold on the same day."


class PriceNotFound(NotFound):
    code, detail = "PRICE_NOT_FOUND", "The service has no price for this department, doctor and plan on this day."


def price_of(
    item: ChargeItem, department: str | None, doctor_id: str | None, plan: str | None, on: date
) -> Price | None:
    """The most particular price that holds on a day of the clinic: a doctor's before a plan's before a department's.

    Names of departments and plans are compared without case. None where no price holds.
    """
    asked = (_folded(department), doctor_id, _folded(plan))
    holding = [price for price in item.prices if _holds(price, on) and _covers(price, asked)]
    return max(holding, key=lambda price: (_particularity(price), price.valid_from), default=None)


class PriceList:
    """The services of some codes, from one consistent read: `billing.service.Prices` for bills that name them."""

    def __init__(self, codes: Iterable[str], charge_items: ChargeItems) -> None:
        self._items = charge_items.by_codes(codes)

    def line(
        self,
        code: str,
        quantity: int,  # noqa: ARG002  (a price may come to depend on it)
        *,
        department: str | None,
        doctor_id: str | None,
        plan: str | None,
        on: date,
    ) -> Priced | None:
        """None where there is no such service, it is no longer offered, or it has no price then."""
        item = self._items.get(code)
        price = price_of(item, department, doctor_id, plan, on) if item and item.active else None
        if item is None or price is None:
            return None
        return Priced(item.name, price.unit_price, item.tax_rate, item.currency)


def create(command: CreateChargeItem, call: Call, charge_items: ChargeItems) -> Outcome[ChargeItem]:
    check_prices(command.prices)
    item_id = charge_item_id(command.code)

    def attempt() -> Outcome[ChargeItem]:
        stored = charge_items.load(item_id)
        if earlier := charge_items.earlier(stored, item_id, call):
            return earlier
        if stored:
            raise CodeTaken
        fields = dict(command) | {"charge_item_id": item_id, "created_at": call.now, "updated_at": call.now}
        item = ChargeItem.model_validate(fields, context=AT_REST)
        charge_items.save(None, item, ChargeItemCreated.of(item), call)
        return Outcome(item)

    return decided(attempt)


def update(item_id: str, command: UpdateChargeItem, call: Call, charge_items: ChargeItems) -> Outcome[ChargeItem]:
    changed = {name: getattr(command, name) for name in command.model_fields_set}
    return _changed(item_id, changed, call, charge_items)


def set_prices(item_id: str, command: SetPrices, call: Call, charge_items: ChargeItems) -> Outcome[ChargeItem]:
    check_prices(command.prices)
    return _changed(item_id, {"prices": command.prices}, call, charge_items)


def read(item_id: str, charge_items: ChargeItems) -> ChargeItem:
    stored = charge_items.load(item_id)
    if stored is None:
        raise ChargeItemNotFound
    return stored.state


def priced(item_id: str, asked: PriceParams, on: date, charge_items: ChargeItems) -> PriceView:
    """What a service costs whoever asks. Raises `PriceNotFound`."""
    item = read(item_id, charge_items)
    price = price_of(item, asked.department, asked.doctor_id, asked.plan, on)
    if price is None:
        raise PriceNotFound
    same = {name: getattr(item, name) for name in ("charge_item_id", "code", "currency", "tax_rate")}
    told = {"unit_price": price.unit_price, "on": on, "price": price}
    return PriceView.model_validate(same | told, context=AT_REST)


def listed(asked: ListChargeItems, call: Call, charge_items: ChargeItems) -> ChargeItemPage:
    """By code; from the index, so a moment old."""

    def read_on(after: str | None) -> Reading[ChargeItem]:
        found = charge_items.listed(asked.limit if asked.active is None else _A_READ, after)
        states = [stored.state for item in found.items if (stored := charge_items.read(item))]
        return [(state.code.casefold(), state) for state in states], found.last

    def takes(item: ChargeItem) -> bool:
        return asked.active in (None, item.active)

    kept, last = sifted(read_on, takes, asked.limit, opened(asked.cursor))
    return ChargeItemPage(items=kept, next_cursor=sealed(last), as_of=call.now)


def check_prices(prices: Sequence[Price]) -> None:
    """Raises `PricesOverlap`, which names the second of the first two prices that contradict each other."""
    for (_, one), (place, other) in combinations(enumerate(prices), 2):
        if _selector(one) == _selector(other) and _meet(one, other):
            detail = "an earlier price for the same department, doctor and plan holds on some of these days"
            raise PricesOverlap(errors=(FieldError(f"prices.{place}", "overlap", detail),))


def _changed(item_id: str, changed: dict[str, object], call: Call, charge_items: ChargeItems) -> Outcome[ChargeItem]:
    def attempt() -> Outcome[ChargeItem]:
        stored = charge_items.load(item_id)
        if stored is None:
            raise ChargeItemNotFound
        if earlier := charge_items.earlier(stored, item_id, call):
            return earlier
        before = stored.state
        call.expect(before.version)
        after = before.model_copy(update={**changed, "version": before.version + 1, "updated_at": call.now})
        charge_items.save(stored, after, ChargeItemChanged.of(after), call)
        return Outcome(after)

    return decided(attempt)


type _Selector = tuple[str | None, str | None, str | None]


def _selector(price: Price) -> _Selector:
    return _folded(price.department), price.doctor_id, _folded(price.plan)


def _covers(price: Price, asked: _Selector) -> bool:
    return all(own in (None, wanted) for own, wanted in zip(_selector(price), asked, strict=True))


def _particularity(price: Price) -> int:
    department, doctor, plan = (one is not None for one in _selector(price))
    return _DOCTOR * doctor + _PLAN * plan + _DEPARTMENT * department


def _holds(price: Price, on: date) -> bool:
    return price.valid_from <= on and (price.valid_to is None or on <= price.valid_to)


def _meet(one: Price, other: Price) -> bool:
    later, earlier = (one, other) if one.valid_from >= other.valid_from else (other, one)
    return earlier.valid_to is None or later.valid_from <= earlier.valid_to


def _folded(name: str | None) -> str | None:
    return None if name is None else name.casefold()
