"""Lists in pages: `limit` (1–100) and an opaque `cursor`."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from pydantic import Field

from hms.errors import FieldError, Invalid
from hms.fields import Params

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# What a sort key may have at most (1,024 bytes), sealed.
_LONGEST = 1364

# A sort key of DynamoDB has at most 1,024 bytes; what follows a position is one character longer.
_LONGEST_POSITION = 1000
# A filter may leave little of what is read. Reading on stops after so many reads, and the cursor goes on.
_MOST_READS = 10

# Things with their positions, and the position to read on after: None where the list ends.
type Reading[T] = tuple[Iterable[tuple[str, T]], str | None]


class PageParams(Params):
    limit: int = Field(default=20, ge=1, le=100, description="How many items at most.")
    cursor: str | None = Field(default=None, max_length=_LONGEST, description="`next_cursor` of the page before.")


def opened(cursor: str | None) -> str | None:
    """The position that `sealed` was given. Raises `Invalid` for what is not a cursor."""
    if cursor is None:
        return None
    try:
        position = base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise _foreign() from error
    if not 0 < len(position.encode()) <= _LONGEST_POSITION:
        raise _foreign()
    return position


def _foreign() -> Invalid:
    return Invalid(errors=(FieldError("cursor", "cursor", "this is not a cursor of this list"),))


def sealed(position: str | None) -> str | None:
    """An opaque cursor for a position in a list; None where the list ends."""
    return None if position is None else base64.urlsafe_b64encode(position.encode()).decode()


def sifted[T](
    read: Callable[[str | None], Reading[T]], takes: Callable[[T], bool], limit: int, after: str | None
) -> tuple[list[T], str | None]:
    """A page of what a filter takes, and the position to go on after; None where nothing more can come.

    It may be short of its limit: at most ten reads are made for it.
    """
    kept: list[T] = []
    for _ in range(_MOST_READS):
        found, last = read(after)
        for position, one in found:
            if takes(one):
                if len(kept) == limit:
                    return kept, after
                kept.append(one)
            after = position
        if last is None or len(kept) == limit:
            return kept, last
        after = last
    return kept, after
