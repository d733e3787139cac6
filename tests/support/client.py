"""The API over HTTP, as one of its users meets it: repeated only where the system is busy, every wait bounded."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import httpx

from hms import ids
from hms.fields import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

ANSWER_SECONDS = 40
# An access token lives ten minutes.
_FRESH_SECONDS = 400
# A busy system asks to be asked again; a machine that starts many functions at once is busy for some seconds.
_BUSY_PAUSES = (1, 2, 4, 8)

type Answer = httpx.Response


@dataclass
class Login:
    """Somebody's e-mail and password, and the access token they last got for it."""

    http: httpx.Client
    email: str
    password: str
    token: str = ""
    got_at: float = float("-inf")

    def fresh(self) -> str:
        if time.monotonic() - self.got_at > _FRESH_SECONDS:
            answer = self.http.post("/v1/auth/login", json={"email": self.email, "password": self.password})
            assert answer.status_code == 200, answer.text
            self.token, self.got_at = answer.json()["access_token"], time.monotonic()
        return self.token


@dataclass(frozen=True)
class Client:
    """One caller. `clock` is what the test-only layer is told the time is, `ids` what the caller is linked to."""

    http: httpx.Client
    login: Login | None = None
    token: str | None = None
    clock: datetime | None = None
    user: Mapping[str, Any] = field(default_factory=dict)

    def at(self, instant: datetime) -> Client:
        """The same caller at another time."""
        return replace(self, clock=instant)

    def bearing(self, token: str) -> Client:
        return replace(self, login=None, token=token)

    def get(self, path: str, **details: Any) -> Answer:
        return self.send("GET", path, **details)

    def post(self, path: str, body: Any = None, **details: Any) -> Answer:
        return self.send("POST", path, {} if body is None else body, **details)

    def put(self, path: str, body: Any, **details: Any) -> Answer:
        return self.send("PUT", path, body, **details)

    def patch(self, path: str, body: Any, **details: Any) -> Answer:
        return self.send("PATCH", path, body, **details)

    def delete(self, path: str, **details: Any) -> Answer:
        return self.send("DELETE", path, **details)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        query: Mapping[str, Any] | None = None,
        key: str | None = None,
        if_match: int | str | None = None,
        fault: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """`raw` is a body as it stands, `fault` the point at which the function's process is to end."""
        given = {"Idempotency-Key": key, "If-Match": if_match, "X-Test-Fault": fault}
        given["X-Test-Clock"] = rfc3339(self.clock) if self.clock else None
        sent = {name: str(value) for name, value in given.items() if value is not None}
        sent |= self._authorization() | {"X-Correlation-ID": ids.new()} | dict(headers or {})
        said: dict[str, Any] = {"json": body}
        if raw is not None:
            sent.setdefault("Content-Type", "application/json")
            said = {"content": raw}

        def ask() -> Answer:
            return self.http.request(method, path, params=query, headers=sent, **said)

        return ask() if fault else _heard(ask)

    def _authorization(self) -> dict[str, str]:
        token = self.login.fresh() if self.login else self.token
        return {"Authorization": f"Bearer {token}"} if token else {}


def _heard(ask: Callable[[], Answer]) -> Answer:
    answer = ask()
    for seconds in _BUSY_PAUSES:
        if answer.status_code != 503 or '"BUSY"' not in answer.text:
            break
        time.sleep(seconds)
        answer = ask()
    return answer


def anonymous(base_url: str) -> Client:
    return Client(httpx.Client(base_url=base_url, timeout=ANSWER_SECONDS))


def agreed(answer: Answer, status: int = 200) -> Any:
    """The body of an answer that is as it should be."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    return answer.json() if answer.text else None


def refused(answer: Answer, status: int, code: str) -> Any:
    """The problem, which has the status, code and form that it should have."""
    problem = answer.json()
    assert (answer.status_code, problem.get("code")) == (status, code), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["type"] == f"urn:hms:problem:{code.lower().replace('_', '-')}"
    assert problem["correlation_id"] == answer.headers["X-Correlation-ID"]
    assert {"title", "detail", "instance", "errors"} <= set(problem)
    return problem


def eventually[T](ask: Callable[[], T], holds: Callable[[T], bool], seconds: float = 120) -> T:
    """The first answer for which it holds, else the last one before the time is up; ample, for busy machines.

    Who asks all the time keeps the machine from what is waited for.
    """
    deadline, pause = time.monotonic() + seconds, 0.1
    while True:
        answer = ask()
        if holds(answer) or time.monotonic() > deadline:
            return answer
        time.sleep(pause)
        pause = min(pause * 1.5, 1)
