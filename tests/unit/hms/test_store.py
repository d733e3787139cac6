"""What the engine answers, as the domains hear it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from hms.auth import PUBLISHED
from hms.rows import Contention
from tests.support.tables import dynamo_table


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
