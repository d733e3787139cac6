"""How tokens are written: refresh tokens that only their holder can continue, access tokens that anyone can check."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from hms import ids

if TYPE_CHECKING:
    from datetime import datetime

    from identity.model import User

ACCESS_SECONDS = 600
_ALGORITHM = "ES256"
_ISSUER = "hms"
_ID_BYTES = 16
_SECRET_BYTES = 32


class RefreshToken(NamedTuple):
    user_id: str
    session_id: str
    secret: bytes

    @classmethod
    def parse(cls, text: str) -> RefreshToken | None:
        """None for what never was a token of ours."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        if len(raw) != 2 * _ID_BYTES + _SECRET_BYTES:
            return None
        user_id, session_id = (str(UUID(bytes=part)) for part in (raw[:_ID_BYTES], raw[_ID_BYTES : 2 * _ID_BYTES]))
        return cls(user_id, session_id, raw[2 * _ID_BYTES :])

    @property
    def text(self) -> str:
        return encoded(UUID(self.user_id).bytes + UUID(self.session_id).bytes + self.secret)

    def successor(self, salt: str) -> RefreshToken:
        """The same for the same salt: whoever presents the token again gets the same one again."""
        return self._replace(secret=hmac.digest(self.secret, salt.encode(), "sha256"))

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.secret).hexdigest()


def new_secret() -> bytes:
    return os.urandom(_SECRET_BYTES)


def new_salt() -> str:
    return os.urandom(_ID_BYTES).hex()


def signing_input(user: User, session_id: str, now: datetime, audience: str, kid: str) -> str:
    """Header and claims of an access token; with its signature behind a dot it is complete."""
    issued = int(now.timestamp())
    claims = {
        "iss": _ISSUER,
        "aud": audience,
        "sub": user.user_id,
        "sid": session_id,
        "roles": user.roles,
        **({"patient_id": user.patient_id} if user.patient_id else {}),
        **({"doctor_id": user.doctor_id} if user.doctor_id else {}),
        "iat": issued,
        "exp": issued + ACCESS_SECONDS,
        "jti": ids.new(),
    }
    header = {"alg": _ALGORITHM, "kid": kid, "typ": "JWT"}
    return f"{_json(header)}.{_json(claims)}"


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _json(value: object) -> str:
    return encoded(json.dumps(value, separators=(",", ":")).encode())
