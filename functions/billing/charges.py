"""The charge master: what the hospital charges for, and at which price to whom and when."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from hms.aggregate import Entity
from hms.events import Fact
from hms.fields import Amendment, CalendarDate, Command, Id, Line, Params, View
from hms.money import Amount, Rate
from hms.pages import PageParams

# Of one service; a row holds at most 400 KB.
MOST_PRICES = 200
# A bill of several times this much would not fit into what a payment or an event may say.
_DEAREST = 10**10

Code = Annotated[
    str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", examples=["CARD-CONSULT"])
]
NetPrice = Annotated[Amount, Field(ge=0, le=_DEAREST, examples=["750.00"])]


class Price(BaseModel):
    """A net price, from a day of the clinic on and until another, that day included. What is left out holds for all."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, defer_build=True)

    unit_price: NetPrice
    department: Line | None = None
    doctor_id: Id | None = None
    plan: Line | None = None
    valid_from: CalendarDate = date(1900, 1, 1)
    valid_to: CalendarDate | None = None

    @model_validator(mode="after")
    def ends_after_it_begins(self) -> Self:
        if self.valid_to is not None and self.valid_to < self.valid_from:
            message = "valid_to is before valid_from"
            raise ValueError(message)
        return self


class ChargeItem(Entity):
    """A service that can be put on a bill; `code` is unique, whatever its case."""

    charge_item_id: str
    code: str
    name: str
    active: bool = True
    currency: str = "INR"
    tax_rate: Rate
    prices: tuple[Price, ...] = ()


Prices = Annotated[tuple[Price, ...], Field(strict=False, max_length=MOST_PRICES)]
_PRICES: list[JsonValue] = [
    {"unit_price": "750.00", "valid_from": "2026-04-01"},
    {"unit_price": "900.00", "department": "Cardiology", "valid_from": "2026-04-01", "valid_to": "2027-03-31"},
]


class CreateChargeItem(Command):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"code": "ECG", "name": "Electrocardiogram", "tax_rate": "5.00", "prices": _PRICES}]
        }
    )

    code: Code
    name: Line
    currency: str = Field(default="INR", pattern="^[A-Z]{3}$")
    tax_rate: Rate
    prices: Prices = ()


class UpdateChargeItem(Amendment):
    """What is left out stays. Bills keep what they were made of."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Electrocardiogram, 12 leads"}]})
    clearable = frozenset()

    name: Line | None = None
    active: bool | None = None
    tax_rate: Rate | None = None


class SetPrices(Command):
    """All prices of the service; those left out are gone."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"prices": _PRICES}]})

    prices: Prices


class ListChargeItems(PageParams):
    """By code."""

    active: bool | None = None


class PriceParams(Params):
    department: Line | None = None
    doctor_id: Id | None = None
    plan: Line | None = None
    on: CalendarDate | None = Field(default=None, description="A clinic day; today where it is left out.")


class ChargeItemPage(View):
    items: list[ChargeItem]
    next_cursor: str | None
    as_of: AwareDatetime


class PriceView(View):
    """What a service costs on a day, and the price that says so."""

    charge_item_id: str
    code: str
    currency: str
    unit_price: Amount
    tax_rate: Rate
    on: date
    price: Price


_EXAMPLE: dict[str, JsonValue] = {
    "charge_item_id": "8f1e6d80-5f0a-8c39-9d54-3b1c2a4f5e91",
    "version": 1,
    "code": "ECG",
    "name": "Electrocardiogram",
    "active": True,
}


class ChargeItemFact(Fact):
    charge_item_id: str
    version: int
    code: str
    name: str
    active: bool

    @classmethod
    def of(cls, item: ChargeItem) -> Self:
        return cls.model_validate({name: getattr(item, name) for name in cls.model_fields})


class ChargeItemCreated(ChargeItemFact):
    type: ClassVar[str] = "billing.charge_item_created.v1"
    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [_EXAMPLE]})


class ChargeItemChanged(ChargeItemFact):
    type: ClassVar[str] = "billing.charge_item_changed.v1"
    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [_EXAMPLE | {"version": 2}]})


CHARGE_FACTS: tuple[type[Fact], ...] = (ChargeItemCreated, ChargeItemChanged)
