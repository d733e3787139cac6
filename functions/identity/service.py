"""Logging in and staying logged in. Users themselves are in `users`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hms import ids
from hms.call import decided
from hms.errors import IdempotencyKeyReused
from identity import keys, rules, tokens
from identity.model import Attempts, Tokens, UserUpdated
from identity.passwords import Password
from identity.rules import AccountInactive, InvalidCredentials, SessionRevoked, UserNotFound
from identity.tokens import RefreshToken

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hms.call import Call
    from identity.keys import SigningKey
    from identity.model import ChangePassword, Credential, LogIn, LogOut, Published, RefreshSession, User
    from identity.store import Door, Kept, KeyRing, Sessions, Users


@dataclass(frozen=True, slots=True)
class Desk:
    """What commands work with. `audience` is who tokens are for."""

    users: Users
    sessions: Sessions
    ring: KeyRing
    key: SigningKey
    audience: Callable[[], str]


def log_in(command: LogIn, call: Call, desk: Desk) -> Tokens:
    """Raises the same `InvalidCredentials`, and in the end the same `AccountLocked`, for addresses nobody has."""
    guess = Password(command.password.get_secret_value())

    def attempt() -> tuple[User, RefreshToken, Published]:
        door = desk.sessions.door(command.email)
        user = _known(command.email, door, guess, call.now, desk)
        if not user.active:
            raise AccountInactive
        # A new session each time: should the answer to a commit get lost, the one before is nobody's.
        token = RefreshToken(user.user_id, ids.new(), tokens.new_secret())
        desk.sessions.begin(command.email, door, rules.begun(user, token, call.now))
        return user, token, door.published

    user, token, published = decided(attempt)
    return _issued(user, token, call.now, published, desk)


def refresh_session(command: RefreshSession, call: Call, desk: Desk) -> Tokens:
    token = RefreshToken.parse(command.refresh_token.get_secret_value())
    if token is None:
        raise SessionRevoked

    def attempt() -> tuple[User, RefreshToken, Published]:
        seat = desk.sessions.seat(token.user_id, token.session_id)
        if seat.user is None or seat.session is None:
            raise SessionRevoked
        rules.check_lasting(seat.session.state, seat.user, call.now)
        standing = rules.standing(seat.session.state, token, call.now)
        if standing == "reused":
            _end(token.user_id, [token.session_id], call, desk)
            raise SessionRevoked
        session = seat.session.state
        if standing == "current":
            session = rules.rotated(session, token, call.now)
            desk.sessions.rotate(seat.session, session)
        return seat.user, token.successor(session.salt), seat.published

    user, successor, published = decided(attempt)
    return _issued(user, successor, call.now, published, desk)


def log_out(command: LogOut, call: Call, desk: Desk) -> None:
    """Ends the session that asks, and the one whose refresh token is given if it is the same user's."""
    ended = {call.who.session_id}
    given = RefreshToken.parse(command.refresh_token.get_secret_value()) if command.refresh_token else None
    if given and given.user_id == call.who.user_id and _was_issued(given, desk):
        ended.add(given.session_id)
    _end(call.who.user_id, sorted(ended), call, desk)


def change_password(command: ChangePassword, call: Call, desk: Desk) -> None:
    """Ends every other session of the user. A wrong current password counts as a failed login."""
    guess, new = (Password(given.get_secret_value()) for given in (command.current_password, command.new_password))

    def attempt() -> User:
        stored = desk.users.load(call.who.user_id)
        if stored is None:
            raise UserNotFound
        door = desk.sessions.door(stored.state.email)
        if earlier := desk.users.earlier(stored, stored.state.user_id, call):
            check_same_password(new, door.credential)
            return earlier.state
        _known(stored.state.email, door, guess, call.now, desk)
        new.check(stored.state.email, "new_password")
        after = rules.signed_out(stored.state, call.now)
        seat = desk.sessions.seat(after.user_id, call.who.session_id)
        staying = [desk.sessions.kept(rules.staying(seat.session.state, after), seat.session)] if seat.session else []
        forgiven = desk.sessions.counted(after.email, door.attempts, Attempts())
        fact = UserUpdated.of(after)
        desk.users.save(
            stored, after, fact, call, *staying, forgiven, credential=door.credential, password_hash=new.hash
        )
        return after

    user = decided(attempt)
    end_sessions(user, call, desk)


def check_same_password(password: Password, credential: Kept[Credential] | None) -> None:
    """Passwords are no part of a request's digest, so a repeated key is held against the hash instead."""
    if not password.fits(credential.state.hash if credential else None):
        raise IdempotencyKeyReused


def end_sessions(user: User, call: Call, desk: Desk) -> None:
    """What is left of sessions that the user's epoch has ended: tokens that are out, rows."""
    _end(user.user_id, desk.sessions.over(user), call, desk)


def _was_issued(token: RefreshToken, desk: Desk) -> bool:
    """A made-up token names any session, and every revocation is a line in the one row that all verifiers read."""
    session = desk.sessions.seat(token.user_id, token.session_id).session
    return session is not None and token.hash in (session.state.current, session.state.previous)


def _known(email: str, door: Door, guess: Password, now: datetime, desk: Desk) -> User:
    attempts = door.attempts.state if door.attempts else Attempts()
    rules.check_open(attempts, now)
    credential = door.credential.state if door.credential else None
    if not guess.fits(credential.hash if credential else None) or credential is None:
        desk.sessions.count(email, door.attempts, rules.failed(attempts, now))
        raise InvalidCredentials
    return credential.user


def _end(user_id: str, session_ids: list[str], call: Call, desk: Desk) -> None:
    # First the tokens that are out, then the rows that could bring new ones.
    desk.ring.revoke(session_ids, call.now + rules.REVOKED)
    desk.sessions.forget(user_id, session_ids)


def _issued(user: User, token: RefreshToken, now: datetime, published: Published, desk: Desk) -> Tokens:
    kid = published.kid_of(desk.key.key_id) or keys.publish(desk.key, desk.ring)
    unsigned = tokens.signing_input(user, token.session_id, now, desk.audience(), kid)
    return Tokens(
        access_token=f"{unsigned}.{desk.key.sign(unsigned)}",
        expires_in=tokens.ACCESS_SECONDS,
        refresh_token=token.text,
        user=user,
    )
