"""The only place that asks what time it is."""

from __future__ import annotations

from datetime import UTC, datetime

from hms import seam


def now() -> datetime:
    """The present instant in UTC, to the second; a test layer may move it."""
    return seam.moved(datetime.now(UTC)).replace(microsecond=0)


def wall() -> datetime:
    """The machine's own instant in UTC, which no test moves: tokens expire by it."""
    return datetime.now(UTC)
