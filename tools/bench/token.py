"""A token for the scene, made outside the process that is measured."""

from __future__ import annotations

import base64
import json
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tools.bench.scene import AUDIENCE

_KEY_ID = "bench"


def signed() -> tuple[str, dict[str, str]]:
    """A token and the public key it verifies with, as a JWK."""
    private = ec.generate_private_key(ec.SECP256R1())
    claims = {
        "iss": "hms",
        "aud": AUDIENCE,
        "sub": "user",
        "sid": "session",
        "roles": ["receptionist"],
        "iat": int(time.time()),
        "exp": int(time.time()) + 3600,
    }
    head = _b64(json.dumps({"alg": "ES256", "kid": _KEY_ID, "typ": "JWT"}).encode())
    signing_input = f"{head}.{_b64(json.dumps(claims).encode())}"
    der = private.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(der)
    numbers = private.public_key().public_numbers()
    x, y = (_b64(number.to_bytes(32)) for number in (numbers.x, numbers.y))
    jwk = {"kty": "EC", "crv": "P-256", "kid": _KEY_ID, "alg": "ES256", "x": x, "y": y}
    return f"{signing_input}.{_b64(r.to_bytes(32) + s.to_bytes(32))}", jwk


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
