"""S3: AWS calls on the critical path, counted by running each operation on a table that counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.bench.run import Row


def counted() -> list[Row]:
    return []
