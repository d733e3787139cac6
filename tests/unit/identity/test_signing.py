from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from joserfc import jws
from joserfc.jwk import ECKey

from hms.errors import Busy
from identity.signing import KmsKey
from identity.tokens import encoded
from tests.support.identity import FakeKms


def test_every_signature_is_64_bytes_and_checks_out() -> None:
    key = KmsKey("key-1", FakeKms())
    public = ECKey.import_key(dict(key.public()))
    unsigned = f"{encoded(b'{"alg":"ES256"}')}.{encoded(b'{}')}"

    # Enough for numbers that need padding: one signature in 128 has a leading zero byte.
    for signature in (key.sign(unsigned) for _ in range(300)):
        assert len(signature) == 86
        assert jws.deserialize_compact(f"{unsigned}.{signature}", public, algorithms=["ES256"]).payload == b"{}"


def test_a_keys_name_is_its_thumbprint() -> None:
    jwk = KmsKey("key-1", FakeKms()).public()

    assert jwk["kid"] == ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y")}).thumbprint()
    assert "d" not in jwk


def test_a_silent_kms_is_a_busy_moment() -> None:
    class Silent:
        def sign(self, **_asked: Any) -> None:
            raise ClientError({"Error": {"Code": "KMSInternalException"}}, "Sign")

    with pytest.raises(Busy):
        KmsKey("key-1", Silent()).sign("text")


def test_without_an_id_it_is_the_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNING_KEY_ID", "key-of-the-stack")

    assert KmsKey().key_id == "key-of-the-stack"
