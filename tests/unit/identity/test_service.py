from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import jwt
import pytest

from hms.auth import PUBLISHED
from hms.errors import IdempotencyKeyReused, Invalid, Problem, Unauthenticated
from identity import keys, service, users
from identity.model import ChangePassword, LogOut, Published, Tokens, UpdateUser
from identity.rules import AccountInactive, AccountLocked, InvalidCredentials, SessionRevoked
from identity.signing import KmsKey
from identity.store import attempts_key
from identity.tokens import RefreshToken
from tests.support.identity import ADMINISTRATOR, AUDIENCE, EMAIL, PASSWORD, FakeKms, Office

if TYPE_CHECKING:
    from hms.auth import Principal

WRONG = "ten green bottles"


@pytest.fixture
def office() -> Office:
    office = Office()
    office.user()
    return office


def fail(office: Office, times: int, email: str = EMAIL) -> None:
    for _ in range(times):
        with pytest.raises(InvalidCredentials):
            office.log_in(email, WRONG)


def change_password(office: Office, who: Principal, current: str, new: str, **details: str) -> None:
    command = ChangePassword.model_validate({"current_password": current, "new_password": new})
    service.change_password(command, office.call(who, **details), office.desk)


# ── logging in


def test_who_logs_in_is_known_by_their_token(office: Office) -> None:
    issued = office.log_in()

    who = office.principal(issued.access_token)
    assert (who.user_id, who.roles) == (issued.user.user_id, ("receptionist",))


def test_another_library_accepts_the_token_with_the_published_key(office: Office) -> None:
    doctor_id = "01930d2a-6f00-7000-8000-0000000000d1"
    office.user("ravi@example.com", roles=["doctor"], doctor_id=doctor_id)
    token = office.log_in("ravi@example.com").access_token

    jwk = keys.listed(office.desk.key, office.desk.ring).keys[0]
    claims = jwt.decode(token, jwt.PyJWK(jwk).key, algorithms=["ES256"], audience=AUDIENCE, issuer="hms")
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "typ": "JWT", "kid": jwk["kid"]}
    assert claims["exp"] - claims["iat"] == 600
    assert claims["doctor_id"] == doctor_id
    assert "patient_id" not in claims


def test_a_login_is_one_read_one_commit_and_one_signature(office: Office) -> None:
    office.log_in()
    reads, commits, signed = office.table.reads, office.table.commits, office.kms.signed

    office.log_in()

    spent = office.table.reads - reads, office.table.commits - commits, office.kms.signed - signed
    assert spent == (1, 1, 1)


def test_an_address_is_known_in_any_case(office: Office) -> None:
    assert office.log_in("ASHA@Example.COM").user.email == EMAIL


def test_a_wrong_password_and_an_unknown_address_are_refused_alike(office: Office) -> None:
    for email in (EMAIL, "nobody@example.com"):
        with pytest.raises(InvalidCredentials) as refused:
            office.log_in(email, WRONG)
        assert (refused.value.status, refused.value.code) == (401, "INVALID_CREDENTIALS")


def test_an_unknown_address_costs_a_comparison_too(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def compare(kept: str, _text: str) -> bool:
        compared.append(kept)
        return False

    monkeypatch.setattr("identity.passwords._verified", compare)

    fail(office, 1, EMAIL)
    fail(office, 1, "nobody@example.com")

    assert [kept.split("$")[1:4] for kept in compared] == [["argon2id", "v=19", "m=19456,t=2,p=1"]] * 2


def test_a_deactivated_user_is_told_so_only_with_the_right_password(office: Office) -> None:
    user = office.log_in().user
    users.deactivate_user(user.user_id, office.call(ADMINISTRATOR), office.desk)

    fail(office, 1)
    with pytest.raises(AccountInactive):
        office.log_in()


def test_the_first_login_publishes_the_key_where_nobody_has(office: Office) -> None:
    del office.table.items[PUBLISHED]

    issued = office.log_in()

    assert office.principal(issued.access_token).user_id == issued.user.user_id


# ── locking


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com"])
def test_five_failures_lock_whether_or_not_somebody_has_the_address(office: Office, email: str) -> None:
    fail(office, 5, email)

    with pytest.raises(AccountLocked) as refused:
        office.log_in(email)
    assert (refused.value.status, refused.value.retry_after) == (429, 900)


def test_four_failures_do_not_lock_and_a_login_forgets_them(office: Office) -> None:
    for _ in range(3):
        fail(office, 4)
        office.log_in()


def test_a_lock_holds_to_its_last_second_and_not_longer(office: Office) -> None:
    fail(office, 5)

    office.passes(seconds=899)
    with pytest.raises(AccountLocked) as refused:
        office.log_in()
    assert refused.value.retry_after == 1
    office.passes(seconds=1)
    office.log_in()


def test_after_a_lock_the_count_starts_again(office: Office) -> None:
    fail(office, 5)
    office.passes(minutes=15)

    fail(office, 4)

    office.log_in()


def test_failures_of_one_address_do_not_lock_another(office: Office) -> None:
    office.user("ravi@example.com")
    fail(office, 5, "ravi@example.com")

    office.log_in()


def test_guesses_made_at_once_all_count(office: Office) -> None:
    def guess(_number: int) -> str:
        try:
            office.log_in(EMAIL, WRONG)
        except Problem as problem:
            return problem.code
        return "in"

    with ThreadPoolExecutor(12) as pool:
        codes = list(pool.map(guess, range(12)))

    assert sorted(codes) == ["ACCOUNT_LOCKED"] * 7 + ["INVALID_CREDENTIALS"] * 5


def test_a_right_guess_cannot_outrun_the_lock(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    read_door = office.desk.sessions.door

    def read_then_lose(email: str) -> object:
        door = read_door(email)
        monkeypatch.undo()
        fail(office, 5)
        return door

    monkeypatch.setattr(office.desk.sessions, "door", read_then_lose)

    with pytest.raises(AccountLocked):
        office.log_in()


def test_logins_made_at_once_all_succeed(office: Office) -> None:
    with ThreadPoolExecutor(8) as pool:
        issued = list(pool.map(lambda _: office.log_in(), range(8)))

    assert len({one.refresh_token for one in issued}) == 8


def test_unlocking_lets_somebody_in_at_once(office: Office) -> None:
    user = office.log_in().user
    fail(office, 5)

    users.unlock_user(user.user_id, office.desk)

    office.log_in()


def test_failed_logins_are_forgotten_and_name_no_address(office: Office) -> None:
    fail(office, 1, "nobody@example.com")

    row = office.table.items[attempts_key("nobody@example.com")]
    assert row.expires_at is not None
    assert "nobody" not in repr(row)


# ── refreshing


def test_a_refresh_token_is_good_for_new_tokens(office: Office) -> None:
    first = office.log_in()

    second = office.refresh(first.refresh_token)

    assert second.refresh_token != first.refresh_token
    assert office.principal(second.access_token).session_id == office.principal(first.access_token).session_id
    office.refresh(second.refresh_token)


def test_a_refresh_is_one_read_one_commit_and_one_signature(office: Office) -> None:
    issued = office.log_in()
    reads, commits, signed = office.table.reads, office.table.commits, office.kms.signed

    office.refresh(issued.refresh_token)

    spent = office.table.reads - reads, office.table.commits - commits, office.kms.signed - signed
    assert spent == (1, 1, 1)


@pytest.mark.parametrize("seconds", [0, 29, 30])
def test_the_token_just_replaced_gets_the_same_successor(office: Office, seconds: int) -> None:
    issued = office.log_in()
    office.passes(days=1)
    successor = office.refresh(issued.refresh_token)

    office.passes(seconds=seconds)

    assert office.refresh(issued.refresh_token).refresh_token == successor.refresh_token
    office.refresh(successor.refresh_token)


def test_the_same_token_later_ends_the_session(office: Office) -> None:
    issued = office.log_in()
    successor = office.refresh(issued.refresh_token)

    office.passes(seconds=31)

    with pytest.raises(SessionRevoked):
        office.refresh(issued.refresh_token)
    with pytest.raises(SessionRevoked):
        office.refresh(successor.refresh_token)
    with pytest.raises(Unauthenticated):
        office.principal(successor.access_token)


def test_an_older_token_ends_the_session_however_soon(office: Office) -> None:
    first = office.log_in()
    second = office.refresh(first.refresh_token)
    third = office.refresh(second.refresh_token)

    with pytest.raises(SessionRevoked):
        office.refresh(first.refresh_token)
    with pytest.raises(SessionRevoked):
        office.refresh(third.refresh_token)


def test_two_refreshes_at_once_get_the_same_successor(office: Office) -> None:
    issued = office.log_in()

    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: office.refresh(issued.refresh_token).refresh_token, range(8)))

    assert len(tokens) == 1


def test_a_family_ends_after_thirty_days_however_busy(office: Office) -> None:
    token = office.log_in().refresh_token
    office.passes(days=29)
    token = office.refresh(token).refresh_token
    office.passes(days=1, seconds=-1)
    token = office.refresh(token).refresh_token

    office.passes(seconds=1)

    with pytest.raises(SessionRevoked):
        office.refresh(token)


@pytest.mark.parametrize("text", ["nonsense", "A" * 107, "é" * 20, "=" * 8, ""])
def test_what_never_was_a_token_is_refused(office: Office, text: str) -> None:
    with pytest.raises(SessionRevoked):
        office.refresh(text)


def test_refreshed_tokens_carry_the_users_name_and_roles_of_now(office: Office) -> None:
    issued = office.log_in()
    command = UpdateUser(name="Asha Rao")
    users.update_user(issued.user.user_id, command, office.call(ADMINISTRATOR), office.desk)

    assert office.refresh(issued.refresh_token).user.name == "Asha Rao"


def test_the_table_holds_neither_passwords_nor_refresh_tokens(office: Office) -> None:
    issued = office.refresh(office.log_in().refresh_token)

    kept = repr(office.table.items)

    assert PASSWORD not in kept
    assert issued.refresh_token not in kept
    assert issued.access_token not in kept


# ── logging out


def log_out(office: Office, issued: Tokens, refresh_token: str | None = None) -> None:
    who = office.principal(issued.access_token)
    command = LogOut.model_validate({"refresh_token": refresh_token})
    service.log_out(command, office.call(who), office.desk)


def test_logging_out_ends_the_session_and_no_other(office: Office) -> None:
    here, there = office.log_in(), office.log_in()

    log_out(office, here)

    with pytest.raises(SessionRevoked):
        office.refresh(here.refresh_token)
    with pytest.raises(Unauthenticated):
        office.principal(here.access_token)
    office.principal(office.refresh(there.refresh_token).access_token)


def test_another_session_of_ones_own_can_be_ended_by_its_token(office: Office) -> None:
    here, there = office.log_in(), office.log_in()

    log_out(office, here, there.refresh_token)

    with pytest.raises(SessionRevoked):
        office.refresh(there.refresh_token)


def test_nobody_ends_somebody_elses_session(office: Office) -> None:
    office.user("ravi@example.com")
    mine, theirs = office.log_in(), office.log_in("ravi@example.com")

    log_out(office, mine, theirs.refresh_token)

    office.refresh(theirs.refresh_token)


@pytest.mark.parametrize("session_id", ["01930d2a-6f00-7000-8000-00000000dead", None])
def test_a_made_up_refresh_token_ends_no_session(office: Office, session_id: str | None) -> None:
    office.user("ravi@example.com")
    mine, theirs = office.log_in(), office.log_in("ravi@example.com")
    named = session_id or office.principal(theirs.access_token).session_id
    forged = RefreshToken(office.principal(mine.access_token).user_id, named, bytes(32))

    log_out(office, mine, forged.text)

    office.principal(theirs.access_token)
    revoked = Published.model_validate_json(office.table.items[PUBLISHED].body or "").revoked
    assert named not in revoked


def test_revocations_are_dropped_once_nothing_could_be_revoked_by_them(office: Office) -> None:
    office.passes(minutes=-12)
    office.desk.ring.revoke(["a session of long ago"], office.now)
    office.passes(minutes=12)

    log_out(office, office.log_in())

    revoked = Published.model_validate_json(office.table.items[PUBLISHED].body or "").revoked
    assert len(revoked) == 1
    assert "a session of long ago" not in revoked


# ── one's own password


def test_a_changed_password_ends_the_other_sessions(office: Office) -> None:
    here, there = office.log_in(), office.log_in()

    change_password(office, office.principal(here.access_token), PASSWORD, "a brand new sentence")

    with pytest.raises(SessionRevoked):
        office.refresh(there.refresh_token)
    with pytest.raises(Unauthenticated):
        office.principal(there.access_token)
    office.principal(office.refresh(here.refresh_token).access_token)
    with pytest.raises(InvalidCredentials):
        office.log_in()
    office.log_in(password="a brand new sentence")


def test_guessing_the_current_password_locks_like_logging_in(office: Office) -> None:
    who = office.principal(office.log_in().access_token)

    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            change_password(office, who, WRONG, "a brand new sentence")

    with pytest.raises(AccountLocked):
        change_password(office, who, PASSWORD, "a brand new sentence")


def test_a_new_password_has_to_be_a_good_one(office: Office) -> None:
    who = office.principal(office.log_in().access_token)

    with pytest.raises(Invalid) as refused:
        change_password(office, who, PASSWORD, "password1234")

    assert [(one.field, one.code) for one in refused.value.errors] == [("new_password", "too_common")]


def test_a_repeated_change_is_made_once_and_only_for_the_same_password(office: Office) -> None:
    who = office.principal(office.log_in().access_token)
    change_password(office, who, PASSWORD, "a brand new sentence", token="key")
    change_password(office, who, PASSWORD, "a brand new sentence", token="key")

    with pytest.raises(IdempotencyKeyReused):
        change_password(office, who, PASSWORD, "quite another sentence", token="key")
    assert office.current(office.log_in(password="a brand new sentence").user).version == 2


# ── keys


def test_a_new_key_signs_while_tokens_of_the_old_one_stay_good(office: Office) -> None:
    before = office.log_in()
    office.desk = service.Desk(
        office.desk.users, office.desk.sessions, office.desk.ring, KmsKey("key-2", FakeKms()), office.desk.audience
    )

    after = office.log_in()

    kids = [jwt.get_unverified_header(one.access_token)["kid"] for one in (before, after)]
    assert len(set(kids)) == 2
    assert office.principal(before.access_token).user_id == office.principal(after.access_token).user_id


def test_publishing_a_key_again_changes_nothing(office: Office) -> None:
    published = office.table.items[PUBLISHED].body

    keys.publish(office.desk.key, office.desk.ring)

    assert office.table.items[PUBLISHED].body == published


def test_a_key_published_ahead_is_known_and_does_not_sign(office: Office) -> None:
    keys.publish(KmsKey("key-2", FakeKms()), office.desk.ring, signs=False)

    published = office.desk.ring.read()
    assert len(published.keys) == 2
    assert [signer.retires_at for signer in published.signers.values()] == [None, None]


def test_a_retired_key_stays_published_for_an_hour() -> None:
    old, new = ({"kty": "EC", "kid": kid} for kid in ("old", "new"))
    published = keys.with_key(Published(), old, "key-1", 0, signs=True)
    published = keys.with_key(published, new, "key-2", 1000, signs=True)

    at_the_end = keys.with_key(published, new, "key-2", 4599, signs=True)
    past_it = keys.with_key(published, new, "key-2", 4600, signs=True)

    assert [key["kid"] for key in at_the_end.keys] == ["old", "new"]
    assert [key["kid"] for key in past_it.keys] == ["new"]
