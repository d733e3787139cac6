"""The table's contract on the emulator's own engine: moto lets through what DynamoDB refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.test_table import TableContract
from tests.support.tables import dynamo_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hms.rows import Table


class TestEngine(TableContract):
    @pytest.fixture
    def table(self, endpoint_url: str) -> Iterator[Table]:
        with dynamo_table(endpoint_url) as table:
            yield table
