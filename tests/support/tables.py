"""A DynamoDB table for tests: on an emulator's engine, else moto's (single-threaded only)."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import botocore.session

from hms import ids
from hms.store import DynamoTable

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEYS = ["pk", "sk", "apk", "ask", "bpk", "bsk"]
_FAKE = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def dynamo_table(endpoint: str | None = None) -> Iterator[DynamoTable]:
    """A new empty table with the template's keys and indexes, gone afterwards."""
    name = f"contract-{ids.new()}"
    with ExitStack() as stack:
        environment = _FAKE | ({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})
        stack.enter_context(mock.patch.dict(os.environ, environment))
        if not endpoint:
            from moto import mock_aws

            stack.enter_context(mock_aws())
        client: Any = botocore.session.get_session().create_client("dynamodb")
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in _KEYS],
            KeySchema=_schema("pk", "sk"),
            GlobalSecondaryIndexes=[_index("by_a", "apk", "ask"), _index("by_b", "bpk", "bsk")],
        )
        yield DynamoTable(name)
        client.delete_table(TableName=name)


def _schema(hash_key: str, range_key: str) -> list[dict[str, str]]:
    return [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}]


def _index(name: str, hash_key: str, range_key: str) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": _schema(hash_key, range_key), "Projection": {"ProjectionType": "ALL"}}
