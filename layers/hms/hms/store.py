"""A table of DynamoDB, through PynamoDB: one model, one connection, one client for reads, writes and transactions."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from pynamodb.attributes import MapAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import PynamoDBException, TransactWriteError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from hms import seam
from hms.rows import Amend, Conflict, Contention, Found, Insert, Item, Key, Refresh, Remove, Replace, page
from hms.settings import setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pynamodb.expressions.condition import Condition

    from hms.rows import Change, Query

_FAILED = "ConditionalCheckFailed"
_CONTENTION = {
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ThrottlingError",
    "ThrottlingException",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
}
_PASSING = _CONTENTION | {"InternalServerError"}


class ByA(GlobalSecondaryIndex[Any]):
    class Meta:
        index_name = "by_a"
        projection = AllProjection()

    apk = UnicodeAttribute(hash_key=True)
    ask = UnicodeAttribute(range_key=True)


class ByB(GlobalSecondaryIndex[Any]):
    class Meta:
        index_name = "by_b"
        projection = AllProjection()

    bpk = UnicodeAttribute(hash_key=True)
    bsk = UnicodeAttribute(range_key=True)


class Row(Model):
    class Meta:
        table_name = ""
        connect_timeout_seconds = 1
        read_timeout_seconds = 4
        max_retry_attempts = 3

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    version = NumberAttribute()
    body = UnicodeAttribute(null=True)
    entries: MapAttribute[str, str] = MapAttribute(null=True)
    apk = UnicodeAttribute(null=True)
    ask = UnicodeAttribute(null=True)
    bpk = UnicodeAttribute(null=True)
    bsk = UnicodeAttribute(null=True)
    done = UnicodeAttribute(null=True)
    event_id = UnicodeAttribute(null=True)
    state = UnicodeAttribute(null=True)
    expires_at = NumberAttribute(null=True)

    by_a = ByA()
    by_b = ByB()


class DynamoTable:
    """`hms.rows.Table` on DynamoDB. Make one per process: it holds the process's only DynamoDB client.

    Without a name it is the function's own table, `TABLE_NAME`.
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name

    @cached_property
    def _row(self) -> type[Row]:
        meta = type("Meta", (Row.Meta,), {"table_name": self._name or setting("TABLE_NAME")})
        return type("TableRow", (Row,), {"Meta": meta})

    def get(self, key: Key) -> Item | None:
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        wanted = list(dict.fromkeys(keys))
        try:
            rows = list(self._row.batch_get(wanted, consistent_read=True)) if wanted else []
        except PynamoDBException as error:
            raise _translated(error) from error
        return {Key(row.pk, row.sk): _item(row) for row in rows}

    def query(self, query: Query) -> Found:
        low, high = query.bounds()
        if low > high:
            return Found(())
        arguments: dict[str, Any] = {"scan_index_forward": query.forward}
        if query.index is None:
            arguments["consistent_read"] = True
        if query.limit is not None:
            # One more than asked tells whether there is more; going backward the row we stopped at comes again.
            arguments["limit"] = arguments["page_size"] = query.limit + 2
        source: Any = getattr(self._row, query.index) if query.index else self._row
        try:
            rows = list(source.query(query.pk, self._sort_attribute(query).between(low, high), **arguments))
        except PynamoDBException as error:
            raise _translated(error) from error
        return page(query, [_item(row) for row in rows])

    def commit(self, changes: Sequence[Change]) -> None:
        seam.reached("before-commit")
        ordered = sorted(changes, key=_engine_order)
        try:
            with TransactWrite(connection=self._connection()) as transaction:
                for change in ordered:
                    self._add(transaction, change)
        except TransactWriteError as error:
            raise _cancelled(error, ordered) from error
        seam.reached("after-commit")

    def get_foreign(self, table_name: str, key: Key) -> str | None:
        """The `body` of one row of another domain's table, where the function's policy allows it."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            response = self._connection().client.get_item(
                TableName=table_name, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}}, ProjectionExpression="body"
            )
        except BotoCoreError as error:
            raise Contention(type(error).__name__) from error
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _PASSING:
                raise Contention(code) from error
            raise
        body = response.get("Item", {}).get("body")
        return body["S"] if body else None

    def _connection(self) -> Any:
        return self._row._get_connection().connection  # noqa: SLF001  (the way to one client for transactions too)

    def _sort_attribute(self, query: Query) -> UnicodeAttribute:
        return {None: self._row.sk, "by_a": self._row.ask, "by_b": self._row.bsk}[query.index]

    def _add(self, transaction: TransactWrite, change: Change) -> None:
        row = self._row
        match change:
            case Insert(item):
                transaction.save(_row(row, item), condition=row.pk.does_not_exist())
            case Replace(item):
                transaction.save(_row(row, item), condition=row.version == item.version - 1)
            case Refresh(item):
                transaction.save(_row(row, item), condition=row.pk.does_not_exist() | (row.version < item.version))
            case Remove(key, version):
                transaction.delete(row(key.pk, key.sk), condition=None if version is None else row.version == version)
            case Amend(key, put, drop):
                actions, condition = _amendment(row, put, drop)
                transaction.update(row(key.pk, key.sk), actions=actions, condition=condition)


def _engine_order(change: Change) -> int:
    # PynamoDB sends deletes, then puts, then updates, and the cancellation reasons come back in that order.
    return 0 if isinstance(change, Remove) else 2 if isinstance(change, Amend) else 1


def _amendment(row: type[Row], put: Mapping[str, str], drop: Sequence[str]) -> tuple[list[Any], Condition]:
    members: Any = row.entries
    actions = [members[name].set(value) for name, value in put.items()]
    actions += [members[name].remove() for name in drop]
    present = [members[name].exists() for name in (*put, *drop)]
    condition = present[0]
    for other in present[1:]:
        condition = condition & other
    return [*actions, row.version.set(row.version + 1)], condition


def _row(model: type[Row], item: Item) -> Row:
    row = model(item.pk, item.sk, version=item.version, body=item.body, done=item.done)
    row.event_id, row.state, row.expires_at = item.event_id, item.state, item.expires_at
    if item.entries is not None:
        row.entries = dict(item.entries)
    if item.by_a:
        row.apk, row.ask = item.by_a
    if item.by_b:
        row.bpk, row.bsk = item.by_b
    return row


def _item(row: Row) -> Item:
    entries: Any = row.entries
    return Item(
        row.pk,
        row.sk,
        version=int(row.version),
        body=row.body,
        entries=entries.as_dict() if entries is not None else None,
        by_a=Key(row.apk, row.ask) if row.apk else None,
        by_b=Key(row.bpk, row.bsk) if row.bpk else None,
        done=row.done,
        event_id=row.event_id,
        state=row.state,
        expires_at=int(row.expires_at) if row.expires_at else None,
    )


def _cancelled(error: TransactWriteError, ordered: Sequence[Change]) -> Exception:
    reasons = error.cancellation_reasons
    failed = [change for change, reason in zip(ordered, reasons, strict=False) if reason and reason.code == _FAILED]
    if failed:
        return Conflict(tuple(failed))
    if any(reason and reason.code in _CONTENTION for reason in reasons):
        return Contention(str(_code(error)))
    return _translated(error)


def _translated(error: PynamoDBException) -> Exception:
    code = _code(error)
    # No code: the answer was lost on the way. It may have worked; the next attempt reads and finds out.
    return Contention(str(code)) if code is None or code in _PASSING else error


def _code(error: PynamoDBException) -> str | None:
    # A connection that broke has a response that is None, over which PynamoDB's own `cause_response_code` stumbles.
    response = getattr(error.cause, "response", None) or {}
    code: str | None = response.get("Error", {}).get("Code")
    return code
