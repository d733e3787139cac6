"""The verifier of a deployed function: keys from identity's table, read through the function's own connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms.auth import PUBLISHED, Verifier
from hms.settings import setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.store import DynamoTable


def gate(table: DynamoTable) -> Callable[[], Verifier]:
    def make() -> Verifier:
        return Verifier(lambda: table.get_foreign(setting("IDENTITY_TABLE"), PUBLISHED), audience())

    return make


def audience() -> str:
    """Tokens of one stage are worth nothing in another."""
    return f"hms-{setting('STAGE')}"
