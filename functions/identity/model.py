"""Users, their sessions, and what is published about the keys that sign for them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from hms.aggregate import Entity
from hms.contact import Email
from hms.events import Fact
from hms.fields import Command, Id, Line, View
from hms.pages import PageParams
from hms.policy import ROLES

_USER = "01930d2a-6f00-7000-8000-000000000001"


def _known_role(name: str) -> str:
    if name not in ROLES:
        message = "this is not a role"
        raise ValueError(message)
    return name


def _each_once(roles: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(roles)))


Role = Annotated[str, AfterValidator(_known_role), Field(json_schema_extra={"enum": list(ROLES)})]
Roles = Annotated[
    tuple[Role, ...],
    AfterValidator(_each_once),
    Field(min_length=1, max_length=len(ROLES), examples=[["receptionist"]]),
]
# Written as asterisks wherever a command is printed or hashed.
Password = Annotated[SecretStr, Field(max_length=1000, examples=["a long and private sentence"])]
GivenEmail = Annotated[str, Field(min_length=1, max_length=254, examples=["asha@example.com"])]
RefreshTokenText = Annotated[SecretStr, Field(max_length=200, examples=["AZMNKm8AcACAAAAAAAAAAQ"])]


class LogIn(Command):
    email: GivenEmail
    password: Password


class RefreshSession(Command):
    refresh_token: RefreshTokenText


class LogOut(Command):
    refresh_token: RefreshTokenText | None = None


class ChangePassword(Command):
    current_password: Password
    new_password: Password


class CreateUser(Command):
    email: Email
    password: Password
    roles: Roles
    patient_id: Id | None = None
    doctor_id: Id | None = None
    name: Line | None = None


class UpdateUser(Command):
    """What is left out stays; `null` takes a link or the name away."""

    roles: Roles | None = None
    patient_id: Id | None = None
    doctor_id: Id | None = None
    name: Line | None = None


class UserParams(PageParams):
    email: GivenEmail | None = Field(default=None, description="Only the user with this address.")


class User(Entity):
    """Somebody, or a machine, that may sign in. `session_epoch` grows when all their sessions are ended."""

    user_id: str
    email: str
    name: str | None = None
    roles: tuple[str, ...]
    patient_id: str | None = None
    doctor_id: str | None = None
    active: bool = True
    session_epoch: int = 1


class Tokens(View):
    """`expires_in` is in seconds; the refresh token is good for one use."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105  (the scheme's name)
    expires_in: int
    refresh_token: str
    user: User


class UserPage(View):
    items: tuple[User, ...]
    next_cursor: str | None
    as_of: AwareDatetime


class JsonWebKeys(View):
    """A JWK Set (RFC 7517)."""

    keys: tuple[dict[str, str], ...]


class Credential(BaseModel):
    """What a login reads: the user as they are, and the hash of their password."""

    user: User
    hash: str


class Attempts(BaseModel):
    """Failed logins in a row with one e-mail address, whether or not somebody has it. Times are epoch seconds."""

    failures: int = 0
    locked_until: int = 0


class Session(BaseModel):
    """A family of refresh tokens, of which only hashes are kept.

    `current` is the hash of the token that is good now; it was derived from the one hashed in `previous` with `salt`.
    """

    session_id: str
    user_id: str
    epoch: int
    current: str
    previous: str | None = None
    salt: str = ""
    rotated_at: AwareDatetime
    ends_at: AwareDatetime


class Signer(BaseModel):
    """Which KMS key a published key belongs to, and from when (epoch seconds) nothing can need it any more."""

    key_id: str
    retires_at: int | None = None


class Published(BaseModel):
    """What every verifier reads: public keys, and revoked sessions until their tokens have expired."""

    keys: tuple[dict[str, str], ...] = ()
    revoked: dict[str, int] = {}
    signers: dict[str, Signer] = {}

    def kid_of(self, key_id: str) -> str | None:
        return next((kid for kid, signer in self.signers.items() if signer.key_id == key_id), None)


class UserFact(Fact):
    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "user_id": _USER,
                    "version": 1,
                    "roles": ["patient"],
                    "patient_id": "01930d2a-6f00-7000-8000-000000000002",
                    "doctor_id": None,
                    "active": True,
                }
            ]
        },
    )

    type: ClassVar[str]
    user_id: str
    version: int
    roles: tuple[str, ...]
    patient_id: str | None
    doctor_id: str | None
    active: bool

    @classmethod
    def of(cls, user: User) -> Self:
        return cls.model_validate(user.model_dump(include=set(cls.model_fields)))


class UserCreated(UserFact):
    type: ClassVar[str] = "identity.user_created.v1"


class UserUpdated(UserFact):
    type: ClassVar[str] = "identity.user_updated.v1"


class UserDeactivated(UserFact):
    type: ClassVar[str] = "identity.user_deactivated.v1"


class UserReactivated(UserFact):
    type: ClassVar[str] = "identity.user_reactivated.v1"


FACTS: tuple[type[Fact], ...] = (UserCreated, UserUpdated, UserDeactivated, UserReactivated)
