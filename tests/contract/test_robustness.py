"""Every command of the API, with each field of its example spoilt in turn: refused as a problem, nothing written."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from hms.auth import Principal
from hms.errors import Busy
from hms.policy import ROLES
from hms.store import DynamoTable
from hms.tasks import Owner
from tests.support.http import Answer, sent
from tests.support.memory import MemoryTable
from tools import openapi
from tools.routes import Operation, apis, operations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hms.policy import Policy

COMMANDS = [pytest.param(one, id=one.route.operation_id) for one in operations() if one.route.body]
READS = [pytest.param(one, id=one.route.operation_id) for one in operations() if one.route.query]
SPOILT: tuple[Any, ...] = (
    [],
    {},
    [[]],
    {"": {}},
    True,
    -1,
    1.5,
    10**30,
    "",
    "   ",
    "\0",
    "a\u202eb",
    "x" * 10_000,
    "2026-11-23T10:00:00",
    "9999-99-99",
)
SPOILT_TEXT = ("", " ", "\0", "\ud800", "x" * 5000, "-1", "[]", "2026-11-23T10:00:00", "9999-99-99", "%", "eA==")
_ID = "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60"


class Gate:
    """Everybody is everything."""

    def principal(self, _authorization: str | None, policy: Policy) -> Principal:
        return Principal(_ID, ROLES, session_id=_ID, scopes=policy.scopes(ROLES))


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryTable:
    """Every table empty and in memory, every gate open, every other domain silent."""
    table = MemoryTable()
    for name in ("get", "get_many", "query", "commit"):
        method = getattr(table, name)
        monkeypatch.setattr(DynamoTable, name, lambda _self, asked, method=method: method(asked))
    for app in apis().values():
        monkeypatch.setattr(app, "_verifier", Gate())
    monkeypatch.setattr(Owner, "ask", _silent)
    return table


def _silent(_self: Owner, _task: str, **_payload: Any) -> dict[str, Any]:
    raise Busy


def path_of(one: Operation) -> dict[str, str]:
    names = [part.strip("{}") for part in one.route.path.split("/") if part.startswith("{")]
    return {name: _ID if name.endswith("_id") else "2026-11-23" for name in names}


def send(one: Operation, body: Any, **details: Any) -> Answer:
    return sent(apis()[one.domain], one.route.method, one.route.path, body, path=path_of(one) or None, **details)


def places(node: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path to every value inside an example."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*at, key)
        yield from places(value, (*at, key))


def spoilt(body: Any, place: tuple[str | int, ...], value: Any) -> Any:
    changed = copy.deepcopy(body)
    node = changed
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    return changed


def is_no_fault(answer: Answer, told: Any) -> None:
    assert answer.status < 500 or answer.json["code"] == "BUSY", told
    if answer.status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        answer.text.encode()


@pytest.mark.parametrize("one", COMMANDS)
def test_a_spoilt_field_is_never_a_fault(one: Operation, memory: MemoryTable) -> None:
    body = openapi.example_body(one.route)
    for place in places(body):
        for value in SPOILT:
            commits = memory.commits
            answer = send(one, spoilt(body, place, value))
            is_no_fault(answer, (place, value))
            # A failed login is counted.
            assert answer.status < 400 or answer.status == 401 or memory.commits == commits, (place, value)


@pytest.mark.parametrize("one", COMMANDS)
def test_an_unknown_field_is_refused_and_nothing_written(one: Operation, memory: MemoryTable) -> None:
    answer = send(one, openapi.example_body(one.route) | {"colour": "red"})

    assert (answer.status, answer.json["code"]) == (422, "INVALID")
    assert "colour" in [error["field"] for error in answer.json["errors"]]
    assert memory.commits == 0


@pytest.mark.parametrize("one", COMMANDS)
@pytest.mark.parametrize("raw", ["{", "[" * 100_000, '{"a": 1, "a": 2}', "\ufffd", "NaN"])
def test_what_is_not_json_is_refused_and_nothing_written(one: Operation, raw: str, memory: MemoryTable) -> None:
    answer = send(one, None, raw=raw)

    assert (answer.status, answer.json["code"]) == (400, "MALFORMED")
    assert memory.commits == 0


@pytest.mark.parametrize("one", READS)
def test_a_spoilt_parameter_is_never_a_fault(one: Operation, memory: MemoryTable) -> None:
    assert one.route.query
    for name in one.route.query.model_fields:
        for value in (
            "",
            " ",
            "\0",
            "\ud800",
            "x" * 5000,
            "-1",
            "[]",
            "2026-11-23T10:00:00",
            "9999-99-99",
            "%",
            "eA==",
        ):
            is_no_fault(send(one, None, query={name: value}), (name, value))
    assert send(one, None, query={"colour": "red"}).status == 422
    assert memory.commits == 0
