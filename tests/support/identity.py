"""Identity on a table in memory, with a signing key like the one in KMS."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hms.auth import ANONYMOUS, PUBLISHED, Principal, Verifier
from hms.call import Call
from hms.policy import Policy
from identity import keys, service, users
from identity.model import CreateUser, LogIn, RefreshSession, Tokens, User
from identity.service import Desk
from identity.signing import KmsKey
from identity.store import KeyRing, Sessions, Users
from tests.support.memory import MemoryTable

AUDIENCE = "hms-test"
EMAIL = "asha@example.com"
PASSWORD = "nine green bottles"
ADMINISTRATOR = Principal("01930d2a-6f00-7000-8000-0000000000aa", roles=("administrator",))


class FakeKms:
    """Answers as KMS does: DER signatures over a digest, DER public keys. Counts what it signs."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.signed = 0

    def sign(self, **asked: Any) -> dict[str, bytes]:
        assert (asked["MessageType"], asked["SigningAlgorithm"]) == ("DIGEST", "ECDSA_SHA_256")
        self.signed += 1
        return {"Signature": self._key.sign(asked["Message"], ec.ECDSA(Prehashed(SHA256())))}

    def get_public_key(self, **_asked: Any) -> dict[str, bytes]:
        return {"PublicKey": self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)}


@dataclass
class Office:
    """Identity with everything behind it. `now` is the time of its calls; tokens expire by the machine's clock."""

    table: MemoryTable = field(default_factory=MemoryTable)
    kms: FakeKms = field(default_factory=FakeKms)
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __post_init__(self) -> None:
        key = KmsKey("key-1", self.kms)
        self.desk = Desk(Users(self.table), Sessions(self.table), KeyRing(self.table), key, lambda: AUDIENCE)
        keys.publish(key, self.desk.ring)

    def passes(self, **time: float) -> None:
        self.now += timedelta(**time)

    def call(self, who: Principal = ANONYMOUS, **details: Any) -> Call:
        return Call(who, self.now, "correlation", **details)

    def user(self, email: str = EMAIL, password: str = PASSWORD, **given: Any) -> User:
        command = creation(email=email, password=password, **given)
        return users.create_user(command, self.call(ADMINISTRATOR), self.desk).state

    def log_in(self, email: str = EMAIL, password: str = PASSWORD) -> Tokens:
        command = LogIn.model_validate({"email": email, "password": password})
        return service.log_in(command, self.call(), self.desk)

    def refresh(self, refresh_token: str) -> Tokens:
        command = RefreshSession.model_validate({"refresh_token": refresh_token})
        return service.refresh_session(command, self.call(), self.desk)

    def verifier(self) -> Verifier:
        """A function that has just started: it has read nothing yet."""
        return Verifier(lambda: self.table.items[PUBLISHED].body, AUDIENCE)

    def principal(self, access_token: str) -> Principal:
        return self.verifier().principal(f"Bearer {access_token}", Policy({}))

    def current(self, user: User) -> User:
        return users.get_user(user.user_id, self.desk)


def creation(**given: Any) -> CreateUser:
    defaults = {"email": EMAIL, "password": PASSWORD, "roles": ["receptionist"]}
    return CreateUser.model_validate(defaults | given, strict=False)
