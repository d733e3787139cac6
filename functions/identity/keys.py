"""Which keys are published: the one that signs, and those that signed what may still be valid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hms import clock
from identity.model import JsonWebKeys, Published, Signer

if TYPE_CHECKING:
    from identity.store import KeyRing

# Longer than a token lives by far: functions of the version before may go on signing for a while.
RETIRED_SECONDS = 3600


class SigningKey(Protocol):
    @property
    def key_id(self) -> str: ...
    def sign(self, message: str) -> str: ...
    def public(self) -> dict[str, str]: ...


def publish(key: SigningKey, ring: KeyRing, *, signs: bool = True) -> str:
    """Makes the key known and answers its `kid`; where it `signs`, all others begin to retire."""
    jwk, now = key.public(), int(clock.wall().timestamp())
    ring.change(lambda published: with_key(published, jwk, key.key_id, now, signs=signs))
    return jwk["kid"]


def with_key(published: Published, jwk: dict[str, str], key_id: str, now: int, *, signs: bool) -> Published:
    kept = {
        kid: signer for kid, signer in published.signers.items() if signer.retires_at is None or signer.retires_at > now
    }
    if signs:
        retires_at = now + RETIRED_SECONDS
        kept = {
            kid: signer.model_copy(update={"retires_at": signer.retires_at or retires_at})
            for kid, signer in kept.items()
        }
    signers = {**kept, jwk["kid"]: Signer(key_id=key_id)}
    known = {one["kid"]: one for one in (*published.keys, jwk)}
    return published.model_copy(update={"signers": signers, "keys": tuple(known[kid] for kid in signers)})


def listed(key: SigningKey, ring: KeyRing) -> JsonWebKeys:
    published = ring.read()
    if not published.keys:
        publish(key, ring)
        published = ring.read()
    return JsonWebKeys(keys=published.keys)
