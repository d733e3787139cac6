"""The books of the simulated processor: what was charged, voided and refunded, each once by its key.

| row | pk | sk | index |
|---|---|---|---|
| intent | `intent#<payment's key>` | `state` | `by_a` once captured: `moved#<UTC day>#<shard>` / instant and key |
| refund | `refund#<refund's key>` | `state` | `by_a` once paid back: the same |

Whoever changes an intent writes over the version that was read; whoever makes one, over nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple
from zoneinfo import ZoneInfo

from hms import ids
from hms.call import decided
from hms.fields import rfc3339
from hms.rows import Insert, Item, Key, Query, Replace
from hms.shards import merged, partitions, sharded
from payments.simulator_model import Intent, KeyReused, Refund
from payments.simulator_sources import Behaviour, behaviour_of, chargeable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from hms.rows import Table
    from payments.simulator_model import Charge, RefundAsked

_DAY = timedelta(days=1)


class Charged(NamedTuple):
    """None where the processor did not take any notice. `new` where this very call made it."""

    intent: Intent | None
    new: bool = False


class Refunded(NamedTuple):
    refund: Refund
    behaviour: Behaviour
    new: bool = False


class Moved(NamedTuple):
    kind: Literal["PAYMENT", "REFUND"]
    row: Intent | Refund


class Book:
    def __init__(self, table: Table) -> None:
        self._table = table

    def charge(self, order: Charge, now: datetime) -> Charged:
        """Raises `KeyReused`; where nothing was kept, the same call may come again."""

        def attempt() -> Charged:
            there = self._intent(order.key)
            if there:
                _check_same(there, order)
                return Charged(self._brought_on(there, now))
            if behaviour_of(order.source).ignored:
                return Charged(None)
            return Charged(self._made(_opened(order, now)), new=True)

        return decided(attempt)

    def look(self, key: str, now: datetime) -> Intent | None:
        def attempt() -> Intent | None:
            there = self._intent(key)
            return there and self._brought_on(there, now)

        return decided(attempt)

    def void(self, key: str, now: datetime) -> Intent:
        """What is neither captured nor declined is VOIDED for good, also what nobody has charged yet."""

        def attempt() -> Intent:
            there = self._intent(key)
            if there is None:
                return self._made(Intent(key=key, gateway_id=_named("pay", key), status="VOIDED", decided_at=now))
            there = self._brought_on(there, now)
            return self._changed(there, status="VOIDED", decided_at=now) if there.status == "PROCESSING" else there

        return decided(attempt)

    def refund(self, order: RefundAsked, now: datetime) -> Refunded:
        """Raises `KeyReused`. The intent counts what was paid back, so that it is never more than was captured."""

        def attempt() -> Refunded:
            keys = _refund_key(order.key), _intent_key(order.payment_key)
            found = self._table.get_many(keys)
            there, intent = (found.get(key) for key in keys)
            paid = Intent.model_validate_json(intent.body or "") if intent else None
            behaviour = paid.behaviour if paid else Behaviour()
            if there:
                return Refunded(_same(Refund.model_validate_json(there.body or ""), order), behaviour)
            return Refunded(self._refunded(_decided(order, paid, now), paid), behaviour, new=True)

        return decided(attempt)

    def look_refund(self, key: str) -> Refund | None:
        row = self._table.get(_refund_key(key))
        return Refund.model_validate_json(row.body or "") if row else None

    def statement(self, day: date, zone: str, limit: int, after: str | None) -> tuple[list[Moved], str | None]:
        """What moved on a calendar day of a zone, oldest first, a page at a time; from the index."""
        start, end = (datetime.combine(one, time(), ZoneInfo(zone)) for one in (day, day + _DAY))
        places = [place for one in _utc_days(start, end) for place in partitions(f"moved#{one}")]
        # A position ends in a key: none is equal to the next day's beginning.
        query = Query("", rfc3339(start), rfc3339(end), index="by_a", limit=limit, after=after)
        found = merged(self._table, places, query)
        return [_moved(item) for item in found.items], found.last

    def _intent(self, key: str) -> Intent | None:
        row = self._table.get(_intent_key(key))
        return Intent.model_validate_json(row.body or "") if row else None

    def _brought_on(self, intent: Intent, now: datetime) -> Intent:
        """What takes its time is captured when that is over, whoever looks first."""
        if intent.status != "PROCESSING" or intent.due_at is None or now < intent.due_at:
            return intent
        return self._changed(intent, status="CAPTURED", decided_at=intent.due_at)

    def _made(self, intent: Intent) -> Intent:
        self._table.commit([Insert(_intent_row(intent))])
        return intent

    def _changed(self, intent: Intent, **changes: object) -> Intent:
        after = intent.model_copy(update={**changes, "version": intent.version + 1})
        self._table.commit([Replace(_intent_row(after))])
        return after

    def _refunded(self, refund: Refund, paid: Intent | None) -> Refund:
        row = Item(*_refund_key(refund.key), body=refund.model_dump_json(), by_a=_place(refund))
        if paid is None or refund.status == "DECLINED":
            self._table.commit([Insert(row)])
            return refund
        after = paid.model_copy(update={"refunded": paid.refunded + refund.amount, "version": paid.version + 1})
        self._table.commit([Insert(row), Replace(_intent_row(after))])
        return refund


def _opened(order: Charge, now: datetime) -> Intent:
    intent = Intent(
        key=order.key,
        gateway_id=_named("pay", order.key),
        status="CAPTURED",
        amount=order.amount,
        currency=order.currency,
        source=chargeable(order.source),
        description=order.description,
        decided_at=now,
    )
    behaviour = intent.behaviour
    if declined := behaviour.declined:
        return intent.model_copy(update={"status": "DECLINED", **declined._asdict()})
    if behaviour.captured_after:
        due = now + timedelta(seconds=behaviour.captured_after)
        return intent.model_copy(update={"status": "PROCESSING", "due_at": due, "decided_at": None})
    return intent


def _check_same(intent: Intent, order: Charge) -> None:
    asked = order.amount, order.currency, chargeable(order.source)
    if intent.status != "VOIDED" and asked != (intent.amount, intent.currency, intent.source):
        raise KeyReused


def _same(refund: Refund, order: RefundAsked) -> Refund:
    if (refund.payment_key, refund.amount, refund.currency) != (order.payment_key, order.amount, order.currency):
        raise KeyReused
    return refund


def _decided(order: RefundAsked, paid: Intent | None, now: datetime) -> Refund:
    """Raises nothing: a processor says no as an answer."""
    refund = Refund(
        key=order.key,
        payment_key=order.payment_key,
        gateway_id=_named("refund", order.key),
        status="CAPTURED",
        amount=order.amount,
        currency=order.currency,
        decided_at=now,
    )
    code, detail = _against(order, paid)
    return refund.model_copy(update={"status": "DECLINED", "code": code, "detail": detail}) if code else refund


def _against(order: RefundAsked, paid: Intent | None) -> tuple[str | None, str | None]:
    if paid is None or paid.status != "CAPTURED":
        return "NOT_CAPTURED", "There is no such payment to pay back."
    if declined := paid.behaviour.refunds_declined:
        return declined
    if order.currency != paid.currency or order.amount > paid.amount - paid.refunded:
        return "REFUND_EXCEEDS_PAYMENT", "More cannot be paid back than was paid."
    return None, None


def _intent_key(key: str) -> Key:
    return Key(f"intent#{key}", "state")


def _refund_key(key: str) -> Key:
    return Key(f"refund#{key}", "state")


def _intent_row(intent: Intent) -> Item:
    return Item(*_intent_key(intent.key), version=intent.version, body=intent.model_dump_json(), by_a=_place(intent))


def _place(row: Intent | Refund) -> Key | None:
    if row.status != "CAPTURED" or row.decided_at is None:
        return None
    day = row.decided_at.astimezone(UTC).date()
    return Key(sharded(f"moved#{day}", row.key), f"{rfc3339(row.decided_at)}#{row.key}")


def _moved(item: Item) -> Moved:
    if item.pk.startswith("refund#"):
        return Moved("REFUND", Refund.model_validate_json(item.body or ""))
    return Moved("PAYMENT", Intent.model_validate_json(item.body or ""))


def _utc_days(start: datetime, end: datetime) -> Iterator[date]:
    day = start.astimezone(UTC).date()
    while day <= (end - timedelta(microseconds=1)).astimezone(UTC).date():
        yield day
        day += _DAY


def _named(kind: str, key: str) -> str:
    """What the processor calls it; the key alone is ours."""
    return f"sim_{kind}_{ids.derived('simulator', kind, key)[-12:]}"
