"""What is decided about users and sessions, without asking anybody."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from hms.errors import (
    Conflicting,
    FieldError,
    Forbidden,
    Invalid,
    InvalidTransition,
    NotFound,
    Problem,
    Unauthenticated,
)
from identity import tokens
from identity.model import Attempts, Session, User

if TYPE_CHECKING:
    from datetime import datetime

    from identity.model import CreateUser, UpdateUser
    from identity.tokens import RefreshToken

MOST_FAILURES = 5
LOCK = timedelta(minutes=15)
RETRY = timedelta(seconds=30)
FAMILY = timedelta(days=30)
# A token's whole life, and a minute for a refresh that was under way.
REVOKED = timedelta(seconds=tokens.ACCESS_SECONDS + 60)
_ADMINISTRATOR = "administrator"


class InvalidCredentials(Unauthenticated):
    code, detail = "INVALID_CREDENTIALS", "The e-mail address or the password is wrong."


class SessionRevoked(Unauthenticated):
    code, detail = "SESSION_REVOKED", "The session is over; log in again."


class AccountLocked(Problem):
    """Said of every address with too many failures, whether or not somebody has it."""

    status, code, detail = 429, "ACCOUNT_LOCKED", "Too many failed logins; try again later."


class AccountInactive(Forbidden):
    code, detail = "ACCOUNT_INACTIVE", "This account is deactivated."


class UserNotFound(NotFound):
    code, detail = "USER_NOT_FOUND", "There is no such user."


class EmailTaken(Conflicting):
    code, detail = "EMAIL_TAKEN", "Another user has this e-mail address."


class OwnAccount(Conflicting):
    code, detail = "OWN_ACCOUNT", "Another administrator has to do this to your account."


def check_open(attempts: Attempts, now: datetime) -> None:
    left = attempts.locked_until - int(now.timestamp())
    if left > 0:
        raise AccountLocked(retry_after=left)


def failed(attempts: Attempts, now: datetime) -> Attempts:
    """One failure more; a lock that has ended starts the count again."""
    failures = 1 if attempts.locked_until else attempts.failures + 1
    locked = failures >= MOST_FAILURES
    return Attempts(failures=failures, locked_until=int((now + LOCK).timestamp()) if locked else 0)


def begun(user: User, token: RefreshToken, now: datetime) -> Session:
    return Session(
        session_id=token.session_id,
        user_id=user.user_id,
        epoch=user.session_epoch,
        current=token.hash,
        rotated_at=now,
        ends_at=now + FAMILY,
    )


def check_lasting(session: Session, user: User, now: datetime) -> None:
    if not user.active or session.epoch != user.session_epoch or now >= session.ends_at:
        raise SessionRevoked


def staying(session: Session, user: User) -> Session:
    """The session in the user's new epoch."""
    return session.model_copy(update={"epoch": user.session_epoch})


def standing(session: Session, token: RefreshToken, now: datetime) -> Literal["current", "retried", "reused"]:
    """Whether a token is the one that is good now, the one just replaced, or one that should be long forgotten."""
    if token.hash == session.current:
        return "current"
    retried = token.hash == session.previous and now - session.rotated_at <= RETRY
    return "retried" if retried else "reused"


def rotated(session: Session, token: RefreshToken, now: datetime) -> Session:
    salt = tokens.new_salt()
    successor = token.successor(salt)
    return session.model_copy(
        update={"current": successor.hash, "previous": token.hash, "salt": salt, "rotated_at": now}
    )


def created(user_id: str, command: CreateUser, now: datetime) -> User:
    given = command.model_dump(exclude={"password"})
    return _linked(User(user_id=user_id, created_at=now, updated_at=now, **given))


def updated(user: User, command: UpdateUser, changer_id: str, now: datetime) -> User:
    """Other roles or links end the sessions: their tokens would still carry the old ones."""
    given = command.model_dump(exclude_unset=True)
    given["roles"] = command.roles or user.roles
    after = _linked(user.model_copy(update=given))
    if user.user_id == changer_id and _ADMINISTRATOR in user.roles and _ADMINISTRATOR not in after.roles:
        raise OwnAccount
    return _changed(after, now, end_sessions=_powers(after) != _powers(user))


def deactivated(user: User, changer_id: str, now: datetime) -> User:
    if user.user_id == changer_id:
        raise OwnAccount
    if not user.active:
        raise InvalidTransition("The user is deactivated already.")
    return _changed(user.model_copy(update={"active": False}), now, end_sessions=True)


def reactivated(user: User, now: datetime) -> User:
    if user.active:
        raise InvalidTransition("The user is active already.")
    return _changed(user.model_copy(update={"active": True}), now, end_sessions=False)


def signed_out(user: User, now: datetime) -> User:
    return _changed(user, now, end_sessions=True)


def _changed(user: User, now: datetime, *, end_sessions: bool) -> User:
    epoch = user.session_epoch + end_sessions
    return user.model_copy(update={"version": user.version + 1, "updated_at": now, "session_epoch": epoch})


def _powers(user: User) -> tuple[tuple[str, ...], str | None, str | None]:
    return user.roles, user.patient_id, user.doctor_id


def _linked(user: User) -> User:
    missing = [
        FieldError(f"{role}_id", "missing", f"a user with the role {role} is linked to a {role}")
        for role, link in (("patient", user.patient_id), ("doctor", user.doctor_id))
        if role in user.roles and link is None
    ]
    if missing:
        raise Invalid(errors=tuple(missing))
    return user
