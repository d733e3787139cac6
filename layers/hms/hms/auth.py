"""Who is calling: access tokens verified here, in every function, whatever the gateway did."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hms import clock, es256
from hms.errors import Busy, Forbidden, Unauthenticated
from hms.rows import Key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from hms.policy import Policy, Scope

ISSUER = "hms"
PUBLISHED = Key("published", "keys")
_FRESH_SECONDS = 30
_KEPT_TOKENS = 512
_LONGEST_TOKEN = 4096
# Which roles give a link its meaning: a former doctor who is still linked reaches nothing as a doctor.
_LINKED = {"patient_id": {"patient", "guardian"}, "doctor_id": {"doctor"}}
_CLAIMS: dict[str, type] = {"sub": str, "sid": str, "roles": list, "exp": int}


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller. `scopes` says for each permission of this domain how far it reaches."""

    user_id: str
    roles: tuple[str, ...] = ()
    session_id: str = ""
    patient_id: str | None = None
    doctor_id: str | None = None
    scopes: Mapping[str, Scope] = field(default_factory=dict)

    def may(self, permission: str) -> bool:
        return permission in self.scopes

    def require(self, permission: str) -> None:
        if permission not in self.scopes:
            raise Forbidden

    def reaches(self, permission: str, *, patient_id: str | None = None, doctor_id: str | None = None) -> bool:
        """Whether the permission covers a record of this patient or this doctor."""
        scope = self.scopes.get(permission)
        if scope != "own":
            return scope == "any"
        return (self.patient_id is not None and self.patient_id == patient_id) or (
            self.doctor_id is not None and self.doctor_id == doctor_id
        )


ANONYMOUS = Principal("anonymous")


class Verifier:
    """Turns a bearer token into a principal.

    `published` reads what identity publishes: `{"keys": [JWK…], "revoked": {session_id: expiry}}`. It is read at most
    every 30 seconds, so a revoked session ends within 30 seconds everywhere.
    """

    def __init__(self, published: Callable[[], str | None], audience: str) -> None:
        self._published = published
        self._audience = audience
        self._keys: dict[str, EllipticCurvePublicKey] = {}
        self._revoked: dict[str, int] = {}
        self._read_at = float("-inf")
        self._known: dict[str, dict[str, Any]] = {}

    def principal(self, authorization: str | None, policy: Policy) -> Principal:
        """Raises `Unauthenticated` for whatever is not a token of ours that is valid now."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > _LONGEST_TOKEN:
            raise Unauthenticated
        self._refresh()
        claims = self._claims(token)
        if claims["exp"] <= clock.wall().timestamp() or claims["sid"] in self._revoked:
            raise Unauthenticated
        roles = tuple(claims["roles"])
        return Principal(
            user_id=claims["sub"],
            roles=roles,
            session_id=claims["sid"],
            **{name: claims.get(name) for name, needed in _LINKED.items() if needed.intersection(roles)},
            scopes=policy.scopes(roles),
        )

    def _refresh(self) -> None:
        if time.monotonic() - self._read_at < _FRESH_SECONDS:
            return
        text = self._published()
        if text is None:
            raise Busy("Nobody can log in yet: no signing key is published.")
        published = json.loads(text)
        self._keys = {key["kid"]: es256.public_key(key) for key in published["keys"]}
        self._revoked = published["revoked"]
        self._read_at = time.monotonic()

    def _claims(self, token: str) -> dict[str, Any]:
        claims = self._known.get(token)
        if claims is None:
            claims = self._verified(token)
            if len(self._known) >= _KEPT_TOKENS:
                self._known.clear()
            self._known[token] = claims
        return claims

    def _verified(self, token: str) -> dict[str, Any]:
        try:
            claims = es256.payload(token, self._keys)
        except es256.BadToken as error:
            raise Unauthenticated from error
        ours = claims.get("iss") == ISSUER and claims.get("aud") == self._audience
        if not ours or not all(isinstance(claims.get(name), kind) for name, kind in _CLAIMS.items()):
            raise Unauthenticated
        return claims
