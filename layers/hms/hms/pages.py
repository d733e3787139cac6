"""Lists in pages: `limit` (1–100) and an opaque `cursor`."""

from __future__ import annotations

import base64

from pydantic import Field

from hms.errors import FieldError, Invalid
from hms.fields import Params

# What a sort key may have at most (1,024 bytes), sealed.
_LONGEST = 1364


class PageParams(Params):
    limit: int = Field(default=20, ge=1, le=100, description="How many items at most.")
    cursor: str | None = Field(default=None, max_length=_LONGEST, description="`next_cursor` of the page before.")


def opened(cursor: str | None) -> str | None:
    """The position that `sealed` was given. Raises `Invalid` for what is not a cursor."""
    if cursor is None:
        return None
    try:
        return base64.urlsafe_b64decode(cursor.encode("ascii")).decode()
    except ValueError as error:
        raise Invalid(errors=(FieldError("cursor", "cursor", "this is not a cursor of this list"),)) from error


def sealed(position: str | None) -> str | None:
    """An opaque cursor for a position in a list; None where the list ends."""
    return None if position is None else base64.urlsafe_b64encode(position.encode()).decode()
