"""The HTTP operations on the charge master."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing import charge_items, office
from billing.charge_items import ChargeItemNotFound, CodeTaken, PriceNotFound, PricesOverlap
from billing.charges import (
    ChargeItem,
    ChargeItemPage,
    CreateChargeItem,
    ListChargeItems,
    PriceParams,
    PriceView,
    SetPrices,
    UpdateChargeItem,
)
from billing.clinic import clinic
from hms.api import Request, Response, answer
from hms.errors import StaleVersion

if TYPE_CHECKING:
    from hms.api import Api

_ALL = "/v1/charge-items"
_ONE = f"{_ALL}/{{charge_item_id}}"
_READ, _WRITE = "billing:charge_read", "billing:charge_write"


def declare(app: Api) -> None:
    """Adds these operations to the domain's."""
    app.route(
        *("POST", _ALL, _WRITE),
        summary="Add a service to the charge master",
        body=CreateChargeItem,
        answers=ChargeItem,
        status=201,
        problems=(CodeTaken, PricesOverlap),
    )(create_charge_item)
    listed = {"summary": "List services by code", "answers": ChargeItemPage}
    app.route("GET", _ALL, _READ, query=ListChargeItems, **listed)(list_charge_items)
    read = {"summary": "Read a service and its prices", "answers": ChargeItem, "problems": (ChargeItemNotFound,)}
    app.route("GET", _ONE, _READ, **read)(get_charge_item)
    app.route(
        *("PATCH", _ONE, _WRITE),
        summary="Rename a service, change its tax rate, take it out of use or into use again",
        body=UpdateChargeItem,
        answers=ChargeItem,
        problems=(ChargeItemNotFound, StaleVersion),
    )(update_charge_item)
    app.route(
        *("PUT", f"{_ONE}/prices", _WRITE),
        summary="Set all prices of a service",
        body=SetPrices,
        answers=ChargeItem,
        problems=(ChargeItemNotFound, PricesOverlap, StaleVersion),
    )(set_charge_item_prices)
    app.route(
        *("GET", f"{_ONE}/price", _READ),
        summary="What a service costs, for a department, doctor and plan on a day",
        query=PriceParams,
        answers=PriceView,
        problems=(ChargeItemNotFound, PriceNotFound),
    )(get_charge_item_price)


def create_charge_item(request: Request, command: CreateChargeItem) -> Response:
    return answer(charge_items.create(command, request.call, office.charge_items), 201)


def list_charge_items(request: Request, params: ListChargeItems) -> Response:
    return Response(body=charge_items.listed(params, request.call, office.charge_items))


def get_charge_item(request: Request) -> Response:
    return answer(charge_items.read(_id(request), office.charge_items))


def update_charge_item(request: Request, command: UpdateChargeItem) -> Response:
    return answer(charge_items.update(_id(request), command, request.call, office.charge_items))


def set_charge_item_prices(request: Request, command: SetPrices) -> Response:
    return answer(charge_items.set_prices(_id(request), command, request.call, office.charge_items))


def get_charge_item_price(request: Request, params: PriceParams) -> Response:
    """The most particular price holds: a doctor's before a plan's before a department's."""
    on = params.on or clinic().day(request.call.now)
    return Response(body=charge_items.priced(_id(request), params, on, office.charge_items))


def _id(request: Request) -> str:
    return request.path["charge_item_id"]
