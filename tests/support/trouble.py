"""What goes wrong at a call to something outside: it is not heard, its answer is lost, the function dies.

Or something else happens just before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from hms.rows import Contention
from tests.support.memory import MemoryTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hms.rows import Change, Found, Item, Key, Query

type Wrong = Literal["unheard", "unanswered", "dies before", "dies after"]
type Mood = Wrong | Callable[[], object]
WRONG: tuple[Wrong, ...] = ("unheard", "unanswered", "dies before", "dies after")


class Died(BaseException):
    """The function ended in the middle of something."""


@dataclass
class Trouble:
    """Every call to something outside goes through here. `moods` says, by the number of a call, what goes wrong."""

    calls: list[str] = field(default_factory=list)
    moods: dict[int, Mood] = field(default_factory=dict)

    def next(self, *moods: Mood, after: int = 0) -> None:
        """What goes wrong at the calls to come, after so many that go well."""
        self.moods = {len(self.calls) + after + number: mood for number, mood in enumerate(moods)}

    def call[T](self, name: str, work: Callable[[], T], lost: Exception) -> T:
        mood = self.moods.pop(len(self.calls), None)
        self.calls.append(name)
        if callable(mood):
            mood()
        if mood == "dies before":
            raise Died(name)
        if mood == "unheard":
            raise lost
        result = work()
        if mood == "dies after":
            raise Died(name)
        if mood == "unanswered":
            raise lost
        return result

    def names(self, since: int = 0) -> list[str]:
        return self.calls[since:]


class FragileTable(MemoryTable):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self.trouble = trouble
        self.largest = 0

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        wanted = list(keys)
        return self.trouble.call("read", lambda: super(FragileTable, self).get_many(wanted), Contention("lost"))

    def query(self, query: Query) -> Found:
        """Of an index nothing is lost: a sweep reads it a hundred times, and what that means is the kernel's to try."""
        if query.index:
            return super().query(query)
        return self.trouble.call("query", lambda: super(FragileTable, self).query(query), Contention("lost"))

    def commit(self, changes: Sequence[Change]) -> None:
        self.largest = max(self.largest, len(changes))
        self.trouble.call("commit", lambda: super(FragileTable, self).commit(changes), Contention("lost"))
