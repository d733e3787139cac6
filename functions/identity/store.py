"""Identity's rows: users with their credentials, failed logins, sessions, and what every verifier reads."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from hms import clock
from hms.aggregate import Aggregates
from hms.auth import PUBLISHED
from hms.call import decided
from hms.errors import FieldError, Invalid
from hms.rows import Insert, Item, Key, Query, Remove, Replace, starting
from identity.model import Attempts, Credential, Published, Session, User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from pydantic import BaseModel

    from hms.aggregate import Stored
    from hms.call import Call
    from hms.events import Fact
    from hms.rows import Change, Table

SHARDS = 8
_LOW, _HIGH = "0", "g"
_POSITION = re.compile(r"(\d)#([0-9a-f-]{0,36})")
_FORGOTTEN_SECONDS = 24 * 3600
_CHANGES = 10


class Kept[M](NamedTuple):
    """What a row says, and the row's own version."""

    state: M
    version: int


class Door(NamedTuple):
    """All that a login has to know."""

    credential: Kept[Credential] | None
    attempts: Kept[Attempts] | None
    published: Published


class Seat(NamedTuple):
    """All that a refresh has to know."""

    user: User | None
    session: Kept[Session] | None
    published: Published


class Users(Aggregates[User]):
    def __init__(self, table: Table) -> None:
        super().__init__(table, "user", User)

    def credential(self, email: str) -> Kept[Credential] | None:
        return _kept(Credential, self.table.get(credential_key(email)))

    def claimed(self, user_id: str, email: str) -> tuple[Stored[User] | None, Kept[Credential] | None]:
        """The user of this id and the holder of this address, in one read."""
        key, claim = self.key(user_id), credential_key(email)
        rows = self.table.get_many([key, claim])
        return self.read(rows.get(key)), _kept(Credential, rows.get(claim))

    def save(
        self,
        before: Stored[User] | None,
        after: User,
        fact: Fact,
        call: Call,
        *also: Change,
        credential: Kept[Credential] | None,
        password_hash: str,
    ) -> None:
        """The user, the event, and the copy of both user and hash that logins read."""
        by_a = Key(_shard(_shard_of(after.user_id)), after.user_id)
        kept = Credential(user=after, hash=password_hash)
        written = _written(credential_key(after.email), kept, credential)
        self.table.commit([*self.changes(after.user_id, before, after, fact, call, by_a=by_a), written, *also])

    def listed(self, limit: int, after: str | None) -> tuple[list[User], str | None]:
        """A page, shard by shard; the position is `<shard>#<user id>`. Raises `Invalid` for one that is not ours."""
        first, user_id = _position(after)
        users: list[User] = []
        for shard in range(first, SHARDS):
            query = Query(_shard(shard), _LOW, _HIGH, "by_a", limit=limit - len(users), after=user_id)
            found = self.table.query(query)
            users += [user for item in found.items if (user := _state(User, item))]
            if found.last:
                return users, f"{shard}#{found.last}"
            if len(users) == limit:
                return users, f"{shard + 1}#" if shard + 1 < SHARDS else None
            user_id = None
        return users, None


class Sessions:
    def __init__(self, table: Table) -> None:
        self._table = table

    def door(self, email: str) -> Door:
        keys = credential_key(email), attempts_key(email), PUBLISHED
        credential, attempts, published = map(self._table.get_many(keys).get, keys)
        return Door(
            _kept(Credential, credential), _kept(Attempts, attempts), _state(Published, published) or Published()
        )

    def seat(self, user_id: str, session_id: str) -> Seat:
        keys = Key(f"user#{user_id}", "state"), session_key(user_id, session_id), PUBLISHED
        user, session, published = map(self._table.get_many(keys).get, keys)
        return Seat(_state(User, user), _kept(Session, session), _state(Published, published) or Published())

    def touched(self, email: str, door: Door) -> Change:
        """Makes a login that is on its way read again."""
        return self.counted(email, door.attempts, door.attempts.state if door.attempts else Attempts())

    def begin(self, email: str, door: Door, session: Session) -> None:
        """Lasts only if nobody failed since `door` was read, so guesses made at once cannot outrun the lock."""
        self._table.commit([self.kept(session), self.counted(email, door.attempts, Attempts())])

    def count(self, email: str, before: Kept[Attempts] | None, after: Attempts) -> None:
        self._table.commit([self.counted(email, before, after)])

    def counted(self, email: str, before: Kept[Attempts] | None, after: Attempts) -> Change:
        forgotten = int(clock.wall().timestamp()) + _FORGOTTEN_SECONDS
        return _written(attempts_key(email), after, before, expires_at=forgotten)

    def attempts(self, email: str) -> Kept[Attempts] | None:
        return _kept(Attempts, self._table.get(attempts_key(email)))

    def kept(self, session: Session, before: Kept[Session] | None = None) -> Change:
        key = session_key(session.user_id, session.session_id)
        return _written(key, session, before, expires_at=int(session.ends_at.timestamp()))

    def rotate(self, before: Kept[Session], after: Session) -> None:
        self._table.commit([self.kept(after, before)])

    def over(self, user: User) -> list[str]:
        """Sessions of the user that began in an earlier epoch."""
        found = self._table.query(Query(f"user#{user.user_id}", *starting("session#")))
        sessions = [session for item in found.items if (session := _state(Session, item))]
        return [session.session_id for session in sessions if session.epoch < user.session_epoch]

    def forget(self, user_id: str, session_ids: Iterable[str]) -> None:
        gone: list[Change] = [Remove(session_key(user_id, session_id)) for session_id in session_ids]
        for first in range(0, len(gone), _CHANGES):
            decided(partial(self._table.commit, gone[first : first + _CHANGES]))


class KeyRing:
    """The one row that every domain's verifier reads."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self) -> Published:
        return _state(Published, self._table.get(PUBLISHED)) or Published()

    def revoke(self, session_ids: Iterable[str], until: datetime) -> None:
        ended = dict.fromkeys(session_ids, int(until.timestamp()))
        if ended:
            self.change(lambda published: published.model_copy(update={"revoked": published.revoked | ended}))

    def change(self, decide: Callable[[Published], Published]) -> Published:
        def attempt() -> Published:
            before = _kept(Published, self._table.get(PUBLISHED))
            after = _current(decide(before.state if before else Published()))
            self._table.commit([_written(PUBLISHED, after, before)])
            return after

        return decided(attempt)


def credential_key(email: str) -> Key:
    return Key(f"credential#{_hashed(email)}", "login")


def attempts_key(email: str) -> Key:
    return Key(f"attempts#{_hashed(email)}", "login")


def session_key(user_id: str, session_id: str) -> Key:
    return Key(f"user#{user_id}", f"session#{session_id}")


def _hashed(email: str) -> str:
    # What is typed into the field for the address is sometimes a password, and may be of any length.
    return hashlib.sha256(unicodedata.normalize("NFC", email).casefold().encode()).hexdigest()


def _current(published: Published) -> Published:
    # Verifiers go by the machine's clock, whatever a test does to ours.
    now = clock.wall().timestamp()
    revoked = {session_id: expiry for session_id, expiry in published.revoked.items() if expiry > now}
    return published.model_copy(update={"revoked": revoked})


def _shard(number: int) -> str:
    return f"users#{number}"


def _shard_of(user_id: str) -> int:
    return hashlib.sha256(user_id.encode()).digest()[0] % SHARDS


def _position(after: str | None) -> tuple[int, str | None]:
    match = _POSITION.fullmatch("0#" if after is None else after)
    if match is None:
        raise Invalid(errors=(FieldError("cursor", "cursor", "this is not a cursor of this list"),))
    return int(match[1]), match[2] or None


def _state[M: BaseModel](model: type[M], item: Item | None) -> M | None:
    return model.model_validate_json(item.body or "") if item else None


def _kept[M: BaseModel](model: type[M], item: Item | None) -> Kept[M] | None:
    return Kept(model.model_validate_json(item.body or ""), item.version) if item else None


def _written(key: Key, state: BaseModel, before: Kept[Any] | None, expires_at: int | None = None) -> Change:
    item = Item(*key, version=before.version + 1 if before else 1, body=state.model_dump_json(), expires_at=expires_at)
    return Replace(item) if before else Insert(item)
