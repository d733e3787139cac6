from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hms.errors import IdempotencyKeyReused, Invalid, InvalidTransition, StaleVersion, Unauthenticated
from hms.ids import new
from identity import users
from identity.model import UpdateUser, UserParams
from identity.rules import AccountInactive, EmailTaken, InvalidCredentials, OwnAccount, SessionRevoked, UserNotFound
from tests.support.identity import ADMINISTRATOR, EMAIL, PASSWORD, Office, creation

if TYPE_CHECKING:
    from hms.auth import Principal
    from identity.model import User

PATIENT = "01930d2a-6f00-7000-8000-0000000000b1"
DOCTOR = "01930d2a-6f00-7000-8000-0000000000d1"


@pytest.fixture
def office() -> Office:
    return Office()


def create(office: Office, token: str | None = None, digest: str = "", **given: Any) -> User:
    details = {"token": token} if token else {}
    return users.create_user(creation(**given), office.call(ADMINISTRATOR, digest=digest, **details), office.desk).state


def update(
    office: Office, user: User, who: Principal = ADMINISTRATOR, if_match: int | None = None, **given: Any
) -> User:
    command = UpdateUser.model_validate(given, strict=False)
    return users.update_user(user.user_id, command, office.call(who, if_match=if_match), office.desk).state


def deactivate(office: Office, user: User, **details: Any) -> User:
    return users.deactivate_user(user.user_id, office.call(ADMINISTRATOR, **details), office.desk).state


def reactivate(office: Office, user: User) -> User:
    return users.reactivate_user(user.user_id, office.call(ADMINISTRATOR), office.desk).state


def events(office: Office) -> list[dict[str, Any]]:
    return [json.loads(item.body or "") for item in office.table.items.values() if item.event_id]


# ── creating


def test_a_user_is_created_active_and_can_log_in(office: Office) -> None:
    user = create(office, roles=["nurse", "receptionist", "nurse"], name="Asha Rao")

    assert (user.version, user.active, user.roles) == (1, True, ("nurse", "receptionist"))
    assert office.log_in().user == user


def test_an_address_belongs_to_one_user_in_whatever_case(office: Office) -> None:
    create(office)

    with pytest.raises(EmailTaken):
        create(office, email=EMAIL.upper())


@pytest.mark.parametrize(("role", "link"), [("patient", "patient_id"), ("doctor", "doctor_id")])
def test_a_patient_and_a_doctor_are_linked_to_who_they_are(office: Office, role: str, link: str) -> None:
    with pytest.raises(Invalid) as refused:
        create(office, roles=[role])

    assert [one.field for one in refused.value.errors] == [link]
    assert create(office, roles=[role], **{link: PATIENT}).model_dump()[link] == PATIENT


def test_a_refused_creation_writes_nothing(office: Office) -> None:
    before = dict(office.table.items)

    with pytest.raises(Invalid):
        create(office, roles=["patient"])
    with pytest.raises(Invalid):
        create(office, password="short")

    assert office.table.items == before


def test_a_repeated_creation_gives_the_same_user(office: Office) -> None:
    first, second = create(office, token="key"), create(office, token="key")

    assert first == second
    assert len(events(office)) == 1


@pytest.mark.parametrize("other", [{"digest": "another"}, {"password": "another long sentence"}])
def test_a_repeated_key_with_another_request_is_refused(office: Office, other: dict[str, str]) -> None:
    create(office, token="key")

    with pytest.raises(IdempotencyKeyReused):
        create(office, token="key", **other)


def test_ensuring_a_user_leaves_the_one_there_is_alone(office: Office) -> None:
    first = users.ensure_user(creation(), office.call(), office.desk)
    second = users.ensure_user(creation(password="another sentence"), office.call(), office.desk)

    assert (first.replayed, second.replayed) == (False, True)
    assert first.state == second.state
    office.log_in()


def test_events_tell_ids_and_roles_only(office: Office) -> None:
    user = create(office, roles=["patient"], patient_id=PATIENT, name="Asha Rao")
    update(office, user, name="Asha R")
    reactivate(office, deactivate(office, user))

    assert [event["type"] for event in events(office)] == [
        f"identity.user_{what}.v1" for what in ("created", "updated", "deactivated", "reactivated")
    ]
    for event in events(office):
        assert set(event["data"]) == {"user_id", "version", "roles", "patient_id", "doctor_id", "active"}
        assert EMAIL not in json.dumps(event)


def test_the_hash_is_on_the_credential_and_nowhere_else(office: Office) -> None:
    user = create(office)
    update(office, user, name="Asha")

    holding = [key.pk.partition("#")[0] for key, item in office.table.items.items() if "argon2" in repr(item)]
    assert holding == ["credential"]
    assert PASSWORD not in repr(office.table.items)
    assert PASSWORD not in repr(creation())


# ── changing


def test_what_is_left_out_of_an_update_stays_and_null_takes_away(office: Office) -> None:
    user = create(office, roles=["nurse"], doctor_id=DOCTOR, name="Asha")

    after = update(office, user, doctor_id=None)

    assert (after.doctor_id, after.name, after.roles, after.version) == (None, "Asha", ("nurse",), 2)


def test_logins_see_a_change_at_once(office: Office) -> None:
    user = create(office)

    update(office, user, roles=["nurse"])

    assert office.principal(office.log_in().access_token).roles == ("nurse",)


def test_a_link_cannot_be_taken_from_a_role_that_needs_it(office: Office) -> None:
    user = create(office, roles=["doctor"], doctor_id=DOCTOR)

    with pytest.raises(Invalid):
        update(office, user, doctor_id=None)


def test_other_roles_end_the_sessions_that_carry_the_old_ones(office: Office) -> None:
    user = create(office, roles=["nurse"])
    issued = office.log_in()

    update(office, user, roles=["receptionist"])

    with pytest.raises(Unauthenticated):
        office.principal(issued.access_token)
    with pytest.raises(SessionRevoked):
        office.refresh(issued.refresh_token)


def test_another_name_ends_no_session(office: Office) -> None:
    user = create(office)
    issued = office.log_in()

    update(office, user, name="Asha Rao")

    office.principal(office.refresh(issued.refresh_token).access_token)


def test_a_stale_version_changes_nothing(office: Office) -> None:
    user = create(office)
    update(office, user, name="Asha Rao", if_match=1)

    with pytest.raises(StaleVersion):
        update(office, user, name="Asha R", if_match=1)

    assert office.current(user).name == "Asha Rao"


def test_administrators_do_not_lock_themselves_out(office: Office) -> None:
    user = create(office, roles=["administrator"])
    me = office.principal(office.log_in().access_token)

    with pytest.raises(OwnAccount):
        update(office, user, me, roles=["nurse"])
    with pytest.raises(OwnAccount):
        users.deactivate_user(user.user_id, office.call(me), office.desk)
    assert update(office, user, me, roles=["administrator", "nurse"]).roles == ("administrator", "nurse")


# ── deactivating


def test_a_deactivated_user_is_out_at_once_and_stays_out(office: Office) -> None:
    user = create(office)
    issued = [office.log_in() for _ in range(12)]

    deactivate(office, user)

    for one in issued:
        with pytest.raises(Unauthenticated):
            office.principal(one.access_token)
        with pytest.raises(SessionRevoked):
            office.refresh(one.refresh_token)
    with pytest.raises(AccountInactive):
        office.log_in()


def test_a_reactivated_user_logs_in_anew_but_old_sessions_stay_ended(office: Office) -> None:
    user = create(office)
    issued = office.log_in()

    reactivate(office, deactivate(office, user))

    office.log_in()
    with pytest.raises(SessionRevoked):
        office.refresh(issued.refresh_token)


def test_a_login_on_its_way_does_not_outlive_a_deactivation(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    user = create(office)
    read_door = office.desk.sessions.door

    def read_then_lose(email: str) -> object:
        door = read_door(email)
        monkeypatch.undo()
        deactivate(office, user)
        return door

    monkeypatch.setattr(office.desk.sessions, "door", read_then_lose)

    with pytest.raises(AccountInactive):
        office.log_in()


def test_a_repeated_deactivation_finishes_what_the_first_left_undone(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = create(office)
    issued = office.log_in()
    with monkeypatch.context() as crash:
        crash.setattr("identity.users.end_sessions", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deactivate(office, user, token="key")

    deactivate(office, user, token="key")

    with pytest.raises(Unauthenticated):
        office.principal(issued.access_token)


def test_only_the_active_are_deactivated_and_only_the_inactive_reactivated(office: Office) -> None:
    user = create(office)
    with pytest.raises(InvalidTransition):
        reactivate(office, user)
    deactivate(office, user)
    with pytest.raises(InvalidTransition):
        deactivate(office, user)


def test_who_does_not_exist_is_not_found(office: Office) -> None:
    stranger = create(office).model_copy(update={"user_id": new()})

    for ask in (deactivate, reactivate, update):
        with pytest.raises(UserNotFound):
            ask(office, stranger)
    with pytest.raises(UserNotFound):
        users.unlock_user(stranger.user_id, office.desk)


# ── listing


def listed(office: Office, **given: Any) -> list[str]:
    page = users.list_users(UserParams.model_validate(given), office.call(), office.desk)
    following = listed(office, **(given | {"cursor": page.next_cursor})) if page.next_cursor else []
    return [user.user_id for user in page.items] + following


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_pages_show_everybody_once(office: Office, limit: int) -> None:
    everybody = {create(office, email=f"user{number}@example.com").user_id for number in range(12)}

    shown = listed(office, limit=limit)

    assert len(shown) == 12
    assert set(shown) == everybody


def test_a_user_is_found_by_address(office: Office) -> None:
    user = create(office)

    assert listed(office, email="Asha@Example.com") == [user.user_id]
    assert listed(office, email="nobody@example.com") == []


@pytest.mark.parametrize("cursor", ["bm9uc2Vuc2U=", "OTk6", "4pyT", "!"])
def test_a_cursor_of_another_list_is_refused(office: Office, cursor: str) -> None:
    with pytest.raises(Invalid):
        listed(office, cursor=cursor)


def test_a_wrong_password_is_never_told_from_a_wrong_address(office: Office) -> None:
    create(office)

    with pytest.raises(InvalidCredentials):
        office.log_in("asha@example.org")
