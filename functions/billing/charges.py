"""The charge master: what the hospital charges for, and at which price to whom and when."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, JsonValue

from hms.aggregate import Entity
from hms.events import Fact
from hms.fields import CalendarDate, Id, Line
from hms.money import Amount, Rate


class Price(BaseModel):
    """A net price, from a day of the clinic on and until another, that day included. What is left out holds for all."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    unit_price: Amount
    department: Line | None = None
    doctor_id: Id | None = None
    plan: Line | None = None
    valid_from: CalendarDate = date(1900, 1, 1)
    valid_to: CalendarDate | None = None


class ChargeItem(Entity):
    """A service that can be put on a bill; `code` is unique, whatever its case."""

    charge_item_id: str
    code: str
    name: str
    active: bool = True
    currency: str = "INR"
    tax_rate: Rate
    prices: tuple[Price, ...] = ()


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
