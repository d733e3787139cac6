"""A day's statement of the gateway held against the billing ledger: what one side has and the other has not.

Pure. For a clinic day the caller brings both sides of that day and of the two beside it (`days_around`): money that
moves around midnight may be of one day at the processor and of the next in the ledger. For

    GET /v1/payments/reconciliation?day=2026-11-28

that is `gateway.statement(one, zone)` and billing's task `movements` with all its pages, for each of the three days:

    days = days_around(day)
    statement = {one: gateway.statement(one, zone) for one in days}
    movements = {one: [Movement.model_validate(each) for each in …] for one in days}
    found = reconcile(day, statement, movements)
    found = explained(found, {key: payment.status for …})  # our own payments and refunds of `found.keys()`
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict

from hms.fields import View
from hms.money import AT_REST, Amount
from payments.model import BY_GATEWAY, Method, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from payments.gateways import StatementLine

type Kind = Literal["PAYMENT", "REFUND"]
_DAY = timedelta(days=1)


class Movement(BaseModel):
    """A payment or refund in the ledger, as billing's task `movements` tells it; minor units, of either sign."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    transaction_id: str
    bill_id: str
    kind: Kind
    amount: int
    currency: str = "INR"
    method: Method
    at: AwareDatetime
    historical: bool = False


class Difference(View):
    """`our_status` is what our own payment or refund of this key says, None where there is none.

    MISSING_IN_LEDGER: the processor moved money that no bill knows of. While our status is PENDING the sweep is at it.
    MISSING_AT_GATEWAY: a bill counts money that the processor did not move. AMOUNT_DIFFERS: amount or currency.
    """

    kind: Literal["MISSING_IN_LEDGER", "MISSING_AT_GATEWAY", "AMOUNT_DIFFERS"]
    movement: Kind
    key: str
    gateway_id: str | None = None
    bill_id: str | None = None
    gateway_amount: Amount | None = None
    gateway_currency: str | None = None
    ledger_amount: Amount | None = None
    ledger_currency: str | None = None
    at: AwareDatetime
    our_status: Status | None = None


class GatewayTotal(View):
    """What both sides count for the day, refunds apart from payments. They may agree while single lines do not."""

    movement: Kind
    currency: str
    gateway_amount: Amount
    ledger_amount: Amount
    agrees: bool


class DeskTotal(View):
    """What the ledger of the day has by a method that no gateway knows; count it by hand."""

    method: Method
    movement: Kind
    currency: str
    amount: Amount
    count: int


class Crossing(View):
    """Money of one day at the gateway and of a neighbouring one in the ledger: it counts for the former."""

    movement: Kind
    key: str
    gateway_day: date
    ledger_day: date


class Reconciliation(View):
    """`agrees`: no difference. Totals count each movement on the gateway's day."""

    day: date
    agrees: bool
    differences: list[Difference]
    totals: list[GatewayTotal]
    desk: list[DeskTotal]
    around_midnight: list[Crossing]

    def keys(self) -> list[tuple[Kind, str]]:
        """What to look up among our own payments and refunds."""
        return [(one.movement, one.key) for one in self.differences if one.key]


class _Line(NamedTuple):
    day: date
    line: StatementLine


class _Moved(NamedTuple):
    day: date
    movement: Movement


class _Pair(NamedTuple):
    """The two sides of one movement; one of them may be missing."""

    kind: Kind
    key: str
    line: _Line | None
    moved: _Moved | None

    @property
    def day(self) -> date | None:
        """The gateway's where it has one."""
        side = self.line or self.moved
        return side and side.day


def days_around(day: date) -> tuple[date, date, date]:
    """The days whose statement and movements `reconcile` needs."""
    return day - _DAY, day, day + _DAY


def reconcile(
    day: date, statement: Mapping[date, Sequence[StatementLine]], movements: Mapping[date, Sequence[Movement]]
) -> Reconciliation:
    """Both sides by clinic day. Only what a gateway moves is compared: CARD and UPI, and nothing historical."""
    around = _paired(day, statement, movements)
    pairs = [pair for pair in around if pair.day == day]
    differences = [difference for pair in pairs if (difference := _difference(pair))]
    return Reconciliation.model_validate(
        {
            "day": day,
            "agrees": not differences,
            "differences": sorted(differences, key=lambda one: (one["at"], one["key"])),
            "totals": _totals(pairs),
            "desk": _desk(movements.get(day, ())),
            "around_midnight": [crossing for pair in around if (crossing := _crossing(pair, day))],
        },
        context=AT_REST,
    )


def explained(found: Reconciliation, ours: Mapping[str, Status]) -> Reconciliation:
    """With what our own payments and refunds say, by their ids."""
    told = [one.model_copy(update={"our_status": ours.get(one.key)}) for one in found.differences]
    return found.model_copy(update={"differences": told})


def _paired(
    day: date, statement: Mapping[date, Sequence[StatementLine]], movements: Mapping[date, Sequence[Movement]]
) -> list[_Pair]:
    lines: dict[tuple[Kind, str], list[_Line]] = defaultdict(list)
    moved: dict[tuple[Kind, str], list[_Moved]] = defaultdict(list)
    for one in days_around(day):
        for line in statement.get(one, ()):
            lines[line.kind, line.key].append(_Line(one, line))
        for movement in movements.get(one, ()):
            if movement.method in BY_GATEWAY and not movement.historical:
                moved[movement.kind, movement.transaction_id].append(_Moved(one, movement))
    keys = dict.fromkeys((*lines, *moved))
    return [pair for kind, key in keys for pair in _pairs(kind, key, lines[kind, key], moved[kind, key])]


def _pairs(kind: Kind, key: str, lines: list[_Line], moved: list[_Moved]) -> list[_Pair]:
    """Usually one of each. Where a key moved money twice, what is equal belongs together and the rest is left over."""
    left, over, pairs = list(moved), [], []
    for line in lines:
        same = next((one for one in left if _equal(line, one)), None)
        if same is None:
            over.append(line)
        else:
            left.remove(same)
            pairs.append(_Pair(kind, key, line, same))
    return pairs + [_Pair(kind, key, line, one) for line, one in zip_longest(over, left)]


def _equal(line: _Line, moved: _Moved) -> bool:
    return _amount(moved) == line.line.amount and moved.movement.currency == line.line.currency


def _amount(moved: _Moved) -> int:
    return abs(moved.movement.amount)


def _difference(pair: _Pair) -> dict[str, object] | None:
    line, moved = pair.line, pair.moved
    if line and moved and _equal(line, moved):
        return None
    told: dict[str, object] = {"movement": pair.kind, "key": pair.key}
    if moved:
        movement = moved.movement
        told |= {"kind": "MISSING_AT_GATEWAY", "bill_id": movement.bill_id, "at": movement.at}
        told |= {"ledger_amount": _amount(moved), "ledger_currency": movement.currency}
    if line:
        told |= {"kind": "AMOUNT_DIFFERS" if moved else "MISSING_IN_LEDGER", "at": line.line.at}
        told |= {"gateway_amount": line.line.amount, "gateway_currency": line.line.currency}
        told |= {"gateway_id": line.line.gateway_id}
    return told


def _crossing(pair: _Pair, day: date) -> dict[str, object] | None:
    if not pair.line or not pair.moved or pair.line.day == pair.moved.day or day not in (pair.line.day, pair.moved.day):
        return None
    days = {"gateway_day": pair.line.day, "ledger_day": pair.moved.day}
    return {"movement": pair.kind, "key": pair.key, **days}


def _totals(pairs: Iterable[_Pair]) -> list[dict[str, object]]:
    gateway: dict[tuple[Kind, str], int] = defaultdict(int)
    ledger: dict[tuple[Kind, str], int] = defaultdict(int)
    for pair in pairs:
        if pair.line:
            gateway[pair.kind, pair.line.line.currency] += pair.line.line.amount
        if pair.moved:
            ledger[pair.kind, pair.moved.movement.currency] += _amount(pair.moved)
    return [
        {
            "movement": kind,
            "currency": currency,
            "gateway_amount": gateway[kind, currency],
            "ledger_amount": ledger[kind, currency],
            "agrees": gateway[kind, currency] == ledger[kind, currency],
        }
        for kind, currency in sorted({*gateway, *ledger})
    ]


def _desk(movements: Iterable[Movement]) -> list[dict[str, object]]:
    amounts: dict[tuple[Method, Kind, str], list[int]] = defaultdict(list)
    for movement in movements:
        if movement.method not in BY_GATEWAY and not movement.historical:
            amounts[movement.method, movement.kind, movement.currency].append(abs(movement.amount))
    return [
        {"method": method, "movement": kind, "currency": currency, "amount": sum(each), "count": len(each)}
        for (method, kind, currency), each in sorted(amounts.items())
    ]
