from __future__ import annotations

import pytest

from identity import tasks
from tests.support.identity import EMAIL, PASSWORD, Office

ASHA = {"task": "create_user", "email": EMAIL, "password": PASSWORD, "roles": ["administrator"]}


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Office:
    office = Office()
    monkeypatch.setattr(tasks, "desk", office.desk)
    return office


def test_the_same_user_asked_for_twice_is_made_once(office: Office) -> None:
    first, second = tasks.handler(dict(ASHA)), tasks.handler(dict(ASHA))

    assert (first["outcome"], first["created"], second["created"]) == ("ok", True, False)
    assert first["user"] == second["user"]
    assert office.log_in().user.user_id == first["user"]["user_id"]


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [({"password": "short"}, ["password"]), ({"roles": ["king"]}, ["roles.0"]), ({"roles": ["doctor"]}, ["doctor_id"])],
)
def test_what_is_wrong_comes_back_as_data_without_the_value(
    office: Office, wrong: dict[str, object], fields: list[str]
) -> None:
    answer = tasks.handler({**ASHA, **wrong})

    assert (answer["outcome"], answer["problem"]["code"], answer["problem"]["fields"]) == ("refused", "INVALID", fields)
    assert PASSWORD not in repr(answer)


def test_publishing_keys_can_be_repeated(office: Office) -> None:
    first, second = tasks.handler({"task": "publish_keys"}), tasks.handler({"task": "publish_keys"})

    assert first == second
    assert first["published"] == [first["kid"]]


def test_it_answers_a_ping() -> None:
    assert tasks.handler({"task": "ping"}) == {"outcome": "ok"}
