"""What the engine answers, as the domains hear it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, HTTPClientError, ReadTimeoutError
from botocore.stub import Stubber

from hms.auth import PUBLISHED
from hms.rows import Contention, Insert, Item, Key, Query
from tests.support.tables import dynamo_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.store import DynamoTable

KEY = Key("thing#1", "state")


@pytest.mark.parametrize(
    ("code", "heard"),
    [("ThrottlingException", Contention), ("InternalServerError", Contention), ("AccessDeniedException", ClientError)],
)
def test_a_neighbours_table_that_is_busy_may_be_asked_again(code: str, heard: type[Exception]) -> None:
    with dynamo_table() as table, Stubber(table._connection().client) as engine:
        engine.add_client_error("get_item", code)

        with pytest.raises(heard):
            table.get_foreign("identity", PUBLISHED)
        engine.deactivate()


@pytest.mark.parametrize("lost", [ReadTimeoutError, ConnectTimeoutError, HTTPClientError])
@pytest.mark.parametrize(
    "ask",
    [
        lambda table: table.get(KEY),
        lambda table: table.query(Query(*KEY, KEY.sk)),
        lambda table: table.query(Query(*KEY, KEY.sk, index="by_a")),
        lambda table: table.commit([Insert(Item(*KEY))]),
        lambda table: table.get_foreign("identity", PUBLISHED),
    ],
)
def test_what_was_lost_on_the_way_may_be_asked_again(
    ask: Callable[[DynamoTable], object], lost: type[HTTPClientError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_call: object) -> None:
        raise lost(endpoint_url="https://table", error="no answer")

    with dynamo_table() as table:
        client = table._connection().client
        with monkeypatch.context() as patch:
            patch.setattr(type(client), "_make_api_call", lose)
            with pytest.raises(Contention):
                ask(table)
