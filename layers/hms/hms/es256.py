"""Access tokens in their one form: a compact JWS signed with ES256. Other algorithms do not exist here.

Written on `cryptography` because a JOSE library for every algorithm costs a tenth of a cold start (docs/adr/0014).
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHM = "ES256"
_HALF = 32


class BadToken(Exception):
    """Not a token that one of the keys has signed."""


def public_key(jwk: Mapping[str, str]) -> EllipticCurvePublicKey:
    """The P-256 key of a JWK (RFC 7518 section 6.2)."""
    x, y = (int.from_bytes(_decoded(jwk[name])) for name in ("x", "y"))
    return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()


def payload(token: str, keys: Mapping[str, EllipticCurvePublicKey]) -> dict[str, Any]:
    """The claims of a token whose header names one of the keys and whose signature is that key's.

    Raises `BadToken`.
    """
    try:
        header, claims, signature = token.split(".")
        head = json.loads(_decoded(header))
        if head["alg"] != ALGORITHM or "crit" in head:
            raise BadToken
        _verify(keys[head["kid"]], f"{header}.{claims}".encode("ascii"), _decoded(signature))
        found = json.loads(_decoded(claims))
    except (ValueError, KeyError, TypeError, InvalidSignature, RecursionError) as error:
        raise BadToken from error
    if not isinstance(found, dict):
        raise BadToken
    return found


def _verify(key: EllipticCurvePublicKey, signed: bytes, signature: bytes) -> None:
    if len(signature) != 2 * _HALF:
        raise BadToken
    r, s = int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:])
    key.verify(encode_dss_signature(r, s), signed, ECDSA(SHA256()))


def _decoded(text: str) -> bytes:
    # Strict: one token has one spelling (RFC 7515: base64url without padding).
    padded = text + "=" * (-len(text) % 4)
    data = base64.b64decode(padded, altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise BadToken
    return data
