"""An inbox at work on a table in memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hms.store import DynamoTable
from tests.support.memory import MemoryTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hms.inbox import Inbox
    from hms.rows import Item, Key


def left_by(inbox: Inbox, events: Iterable[Mapping[str, Any]]) -> dict[Key, Item]:
    """The rows that are there after the events (as JSON objects) came one by one; each must have been taken."""
    table = MemoryTable()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("get", "get_many", "query", "commit"):
            method = getattr(table, name)
            patch.setattr(DynamoTable, name, lambda _self, asked, method=method: method(asked))
        for event in events:
            batch = {"Records": [{"messageId": "m", "body": json.dumps(event)}]}
            assert inbox.handler(batch) == {"batchItemFailures": []}
    return table.items
