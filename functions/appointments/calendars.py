"""Calendar tokens: who holds one reads somebody's visits with an ordinary calendar program."""

from __future__ import annotations

import hashlib
import os
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

from hms.aggregate import Entity
from hms.errors import Conflicting, NotFound
from hms.events import Fact
from hms.fields import View

if TYPE_CHECKING:
    from datetime import datetime

MOST_TOKENS = 5
_SALT_BYTES = 32
_SHOWN = 4


class CalendarTokenNotFound(NotFound):
    code, detail = "CALENDAR_TOKEN_NOT_FOUND", "There is no such calendar token."


class TooManyCalendarTokens(Conflicting):
    code, detail = "TOO_MANY_CALENDAR_TOKENS", f"There are {MOST_TOKENS} calendar tokens; revoke one first."


type Kind = Literal["patient", "doctor"]


class Owner(NamedTuple):
    """Whose visits a calendar shows."""

    kind: Kind
    owner_id: str

    @property
    def sheets(self) -> str:
        return f"{self.kind}#{self.owner_id}"

    @property
    def other(self) -> Kind:
        """The side that the visits are with."""
        return "doctor" if self.kind == "patient" else "patient"


class CalendarToken(View):
    """What is told of a token once it is made: never the secret."""

    token_id: str
    last_four: str
    created_at: AwareDatetime
    created_by: str


class NewCalendarToken(View):
    """`url` holds the secret, and is told here alone."""

    token_id: str
    url: str
    created_at: AwareDatetime


class KeptToken(BaseModel):
    """`salt` and the Idempotency-Key of its creation make the secret again; the secret itself is kept nowhere."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    token_id: str
    salt: str
    digest: str
    last_four: str
    created_at: AwareDatetime
    created_by: str

    @classmethod
    def made(cls, token_id: str, key: str, by: str, now: datetime) -> Self:
        salt = os.urandom(_SALT_BYTES).hex()
        secret = _secret(salt, key)
        return cls(
            token_id=token_id,
            salt=salt,
            digest=_digest(secret),
            last_four=secret[-_SHOWN:],
            created_at=now,
            created_by=by,
        )

    def secret(self, key: str) -> str:
        """What the creation with this key told, and tells again when it is repeated."""
        return _secret(self.salt, key)

    @property
    def told(self) -> CalendarToken:
        return CalendarToken.model_validate({name: getattr(self, name) for name in CalendarToken.model_fields})


class Calendar(Entity):
    """The tokens of one owner, oldest first."""

    tokens: tuple[KeptToken, ...] = ()

    def opens(self, secret: str) -> bool:
        """Whether it is one of the tokens; as slow for the wrong as for the right."""
        from hmac import compare_digest

        given = _digest(secret)
        return any([compare_digest(given, token.digest) for token in self.tokens])  # noqa: C419

    def has(self, token_id: str) -> bool:
        return any(token.token_id == token_id for token in self.tokens)

    def token(self, token_id: str) -> KeptToken:
        found = next((token for token in self.tokens if token.token_id == token_id), None)
        if found is None:
            raise CalendarTokenNotFound
        return found


def with_token(calendar: Calendar | None, token: KeptToken, now: datetime) -> Calendar:
    if calendar is None:
        return Calendar(tokens=(token,), created_at=now, updated_at=now)
    if len(calendar.tokens) >= MOST_TOKENS:
        raise TooManyCalendarTokens
    return _changed(calendar, (*calendar.tokens, token), now)


def without_token(calendar: Calendar, token_id: str, now: datetime) -> Calendar:
    gone = calendar.token(token_id)
    return _changed(calendar, tuple(token for token in calendar.tokens if token is not gone), now)


def _changed(calendar: Calendar, tokens: tuple[KeptToken, ...], now: datetime) -> Calendar:
    return calendar.model_copy(update={"tokens": tokens, "version": calendar.version + 1, "updated_at": now})


def _secret(salt: str, key: str) -> str:
    """256 bits. Nobody without the salt can guess it, whatever the key."""
    from hmac import digest

    made = digest(salt.encode(), key.encode(), "sha256")
    return urlsafe_b64encode(made).rstrip(b"=").decode()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


_EXAMPLE: dict[str, JsonValue] = {
    "owner_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60",
    "owner": "patient",
    "token_id": "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e64",
    "version": 1,
}


class _TokenFact(Fact):
    """A calendar token, by its id."""

    owner_id: str
    owner: Kind
    token_id: str
    version: int

    @classmethod
    def of(cls, owner: Owner, token_id: str, calendar: Calendar) -> Self:
        return cls(owner_id=owner.owner_id, owner=owner.kind, token_id=token_id, version=calendar.version)


class CalendarTokenCreated(_TokenFact):
    type: ClassVar[str] = "appointments.calendar_token_created.v1"
    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [_EXAMPLE]})


class CalendarTokenRevoked(_TokenFact):
    type: ClassVar[str] = "appointments.calendar_token_revoked.v1"
    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [_EXAMPLE | {"version": 2}]})
