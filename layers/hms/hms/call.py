"""What a command knows of the request that brought it, and the loop in which it is decided."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pydantic_core import from_json, to_json

from hms import ids
from hms.errors import Busy, IdempotencyKeyReused, StaleVersion
from hms.rows import Contention

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hms.auth import Principal

_TRIES = 14
_SLEEP_SECONDS = 0.02
_LONGEST_SLEEP_SECONDS = 0.6
# A function ends after 15 s. Where the table is slow, tries take long: the answer has to come before.
_PATIENCE_SECONDS = 8
_REMEMBERED = 8


class Done(NamedTuple):
    """A command that an aggregate has carried out: who asked what (hashed), and the version it made."""

    token: str
    digest: str
    version: int


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    `token` names it: derived from caller, route and Idempotency-Key, so that a retry has the same one; random
    without a key, so that even then a command recognises its own effect when an answer was lost.
    `digest` is the hash of what was asked; `if_match` the version the caller has seen.
    """

    who: Principal
    now: datetime
    correlation_id: str
    token: str = field(default_factory=ids.new)
    digest: str = ""
    if_match: int | None = None

    def expect(self, version: int) -> None:
        if self.if_match is not None and self.if_match != version:
            raise StaleVersion

    def check_same(self, done: Done) -> None:
        if done.digest != self.digest:
            raise IdempotencyKeyReused


@dataclass(frozen=True, slots=True)
class Outcome[E]:
    """The state a command led to; `replayed` where an earlier call with the same key had done it."""

    state: E
    replayed: bool = False


def decided[T](attempt: Callable[[], T]) -> T:
    """Try until nobody was faster. Every attempt reads again, so a refusal always rests on a consistent read.

    Raises `Busy` (503) when others kept winning.
    """
    started = time.monotonic()
    for tried in range(_TRIES):
        try:
            return attempt()
        except Contention:
            if tried == _TRIES - 1 or time.monotonic() - started > _PATIENCE_SECONDS:
                break
            ceiling = min(_LONGEST_SLEEP_SECONDS, _SLEEP_SECONDS * 2**tried)
            time.sleep(random.uniform(0, ceiling))  # noqa: S311  (jitter, not a secret)
    raise Busy


def remembered(earlier: tuple[Done, ...], done: Done) -> str:
    """The creating command is never forgotten: a late retry of it derives the same id and finds its own row."""
    kept = (*earlier[:1], *earlier[1:][-(_REMEMBERED - 2) :])
    return to_json([*kept, done]).decode()


def recalled(text: str | None) -> tuple[Done, ...]:
    return tuple(Done(*entry) for entry in from_json(text)) if text else ()
