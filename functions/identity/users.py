"""Who may sign in: what administrators do to users. Logging in itself is in `service`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms import ids
from hms.call import Outcome, decided
from hms.pages import opened, sealed
from identity import rules
from identity.model import (
    Attempts,
    UserCreated,
    UserDeactivated,
    UserFact,
    UserPage,
    UserReactivated,
    UserUpdated,
)
from identity.passwords import Password
from identity.rules import EmailTaken, UserNotFound
from identity.service import check_same_password, end_sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.call import Call
    from identity.model import CreateUser, UpdateUser, User, UserParams
    from identity.service import Desk


def create_user(command: CreateUser, call: Call, desk: Desk) -> Outcome[User]:
    user_id = ids.derived("user", call.token)
    password = Password(command.password.get_secret_value())

    def attempt() -> Outcome[User]:
        stored, holder = desk.users.claimed(user_id, command.email)
        if earlier := desk.users.earlier(stored, user_id, call):
            check_same_password(password, holder)
            return earlier
        if holder is not None:
            raise EmailTaken
        password.check(command.email)
        user = rules.created(user_id, command, call.now)
        desk.users.save(None, user, UserCreated.of(user), call, credential=None, password_hash=password.hash)
        return Outcome(user)

    return decided(attempt)


def ensure_user(command: CreateUser, call: Call, desk: Desk) -> Outcome[User]:
    """The user who has this address, as they are, or else a new one."""
    try:
        return create_user(command, call, desk)
    except EmailTaken:
        holder = desk.users.credential(command.email)
        if holder is None:
            raise
        return Outcome(holder.state.user, replayed=True)


def get_user(user_id: str, desk: Desk) -> User:
    stored = desk.users.load(user_id)
    if stored is None:
        raise UserNotFound
    return stored.state


def list_users(params: UserParams, call: Call, desk: Desk) -> UserPage:
    if params.email:
        holder = desk.users.credential(params.email)
        return UserPage(items=(holder.state.user,) if holder else (), next_cursor=None, as_of=call.now)
    users, last = desk.users.listed(params.limit, opened(params.cursor))
    return UserPage(items=tuple(users), next_cursor=sealed(last), as_of=call.now)


def update_user(user_id: str, command: UpdateUser, call: Call, desk: Desk) -> Outcome[User]:
    return _changed(
        user_id, call, desk, UserUpdated, lambda user: rules.updated(user, command, call.who.user_id, call.now)
    )


def deactivate_user(user_id: str, call: Call, desk: Desk) -> Outcome[User]:
    return _changed(
        user_id, call, desk, UserDeactivated, lambda user: rules.deactivated(user, call.who.user_id, call.now)
    )


def reactivate_user(user_id: str, call: Call, desk: Desk) -> Outcome[User]:
    return _changed(user_id, call, desk, UserReactivated, lambda user: rules.reactivated(user, call.now))


def unlock_user(user_id: str, desk: Desk) -> User:
    """Forgets the failed logins; the user themself stays as they are."""
    user = get_user(user_id, desk)

    def attempt() -> None:
        attempts = desk.sessions.attempts(user.email)
        if attempts is not None:
            desk.sessions.count(user.email, attempts, Attempts())

    decided(attempt)
    return user


def _changed(
    user_id: str, call: Call, desk: Desk, fact: type[UserFact], decide: Callable[[User], User]
) -> Outcome[User]:
    def attempt() -> tuple[Outcome[User], bool]:
        stored = desk.users.load(user_id)
        if stored is None:
            raise UserNotFound
        if earlier := desk.users.earlier(stored, user_id, call):
            return earlier, True
        call.expect(stored.state.version)
        after = decide(stored.state)
        door = desk.sessions.door(after.email)
        if door.credential is None:
            raise UserNotFound
        kept, touched = door.credential, desk.sessions.touched(after.email, door)
        desk.users.save(stored, after, fact.of(after), call, touched, credential=kept, password_hash=kept.state.hash)
        return Outcome(after), after.session_epoch != stored.state.session_epoch

    outcome, over = decided(attempt)
    if over:
        # Also when replayed: the answer to the first call may have been lost before this was done.
        end_sessions(outcome.state, call, desk)
    return outcome
