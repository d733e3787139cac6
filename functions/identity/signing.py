"""The key that signs access tokens. It never leaves KMS: we send digests and get signatures back."""

from __future__ import annotations

import hashlib
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from joserfc.jwk import ECKey

from hms.errors import Busy
from hms.settings import setting
from identity.tokens import encoded

_COORDINATE_BYTES = 32
_CONNECT_SECONDS = 1
_ANSWER_SECONDS = 3


class KmsKey:
    """A P-256 key in KMS; without an id it is the one that the setting SIGNING_KEY_ID names."""

    def __init__(self, key_id: str | None = None, client: Any = None) -> None:
        self._key_id = key_id
        self._client = client

    @property
    def key_id(self) -> str:
        return self._key_id or setting("SIGNING_KEY_ID")

    def sign(self, message: str) -> str:
        """An ES256 signature (R‖S, base64url). Raises `Busy` when KMS does not answer."""
        signature = self._asked(
            "sign",
            Message=hashlib.sha256(message.encode()).digest(),
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )["Signature"]
        r, s = decode_dss_signature(signature)
        return encoded(r.to_bytes(_COORDINATE_BYTES) + s.to_bytes(_COORDINATE_BYTES))

    def public(self) -> dict[str, str]:
        """The public key as a JWK, its id the thumbprint of RFC 7638."""
        key = load_der_public_key(self._asked("get_public_key")["PublicKey"])
        if not isinstance(key, EllipticCurvePublicKey):
            message = "the signing key is not an elliptic curve key"
            raise TypeError(message)
        numbers = key.public_numbers()
        x, y = (encoded(number.to_bytes(_COORDINATE_BYTES)) for number in (numbers.x, numbers.y))
        jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        return {**jwk, "kid": ECKey.import_key(key).thumbprint(), "use": "sig", "alg": "ES256"}

    def _asked(self, operation: str, **parameters: Any) -> dict[str, Any]:
        if self._client is None:
            self._client = _connected()
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(KeyId=self.key_id, **parameters)
        except (BotoCoreError, ClientError) as error:
            raise Busy("Tokens cannot be signed just now; send the request again.") from error
        return answer


def _connected() -> Any:
    from botocore.config import Config
    from botocore.session import get_session

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_ANSWER_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 2},
        user_agent="hms",
    )
    return get_session().create_client("kms", config=config)
