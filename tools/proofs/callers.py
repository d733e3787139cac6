"""The two ways to the deployed hospital: over HTTP, and straight at a function. No retries, every wait bounded."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from weakref import finalize

import httpx
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from hms import ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.system import System

# The gateway's own limit is 29 s.
ANSWER_SECONDS = 30
_PASSWORD = "open the gates at nine"  # noqa: S105  (of a user who lives as long as the proof)
# An access token lives ten minutes.
_FRESH_SECONDS = 300
_MOST_CALLERS = 256


@dataclass(frozen=True)
class Ask:
    """A request. `resource` is the path of the route, `path` what stands in its braces."""

    method: str
    resource: str
    body: dict[str, Any] | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class Answer(NamedTuple):
    """`status` is 0 where none came in time."""

    status: int
    body: dict[str, Any]
    seconds: float
    retry_after: bool = False

    @property
    def done(self) -> bool:
        return self.status in (200, 201)

    @property
    def code(self) -> str:
        """What the problem is called; empty where there is none."""
        return "" if self.done else str(self.body.get("code", "NO_ANSWER"))


class Way(Protocol):
    def send(self, ask: Ask) -> Answer: ...


class Caller(Protocol):
    def authorization(self) -> str: ...


class User:
    """Somebody who can log in, and the access token they last got."""

    def __init__(self, system: System, email: str) -> None:
        self._email = email
        self._token, self._got_at = "", float("-inf")
        self._lock = Lock()
        self._http = _http(system)
        finalize(self, self._http.close)

    def authorization(self) -> str:
        with self._lock:
            if time.monotonic() - self._got_at > _FRESH_SECONDS:
                login = {"email": self._email, "password": _PASSWORD}
                answer = self._http.post("/v1/auth/login", json=login).raise_for_status()
                self._token, self._got_at = answer.json()["access_token"], time.monotonic()
            return f"Bearer {self._token}"


class Administrator(User):
    """A user made for the proof, let in by the operator."""

    def __init__(self, system: System) -> None:
        super().__init__(system, f"prover-{ids.new()}@example.com")
        _operate(system, "identity", task="publish_keys")
        roles = ["administrator"]
        _operate(system, "identity", task="create_user", email=self._email, password=_PASSWORD, roles=roles)


def let_in(system: System, way: Way, role: str, **links: str) -> User:
    """A user of a role, let in by an administrator; `links` say which patient or doctor it is."""
    email = f"{role}-{ids.new()}@example.com"
    body = {"email": email, "password": _PASSWORD, "roles": [role], **links}
    answer = way.send(Ask("POST", "/v1/users", body))
    if not answer.done:
        message = f"{role}: {answer.status} {answer.body}"
        raise RuntimeError(message)
    return User(system, email)


class OverHttp:
    def __init__(self, system: System, caller: Caller) -> None:
        self._http = _http(system)
        finalize(self, self._http.close)
        self._caller = caller

    def send(self, ask: Ask) -> Answer:
        headers = {"Authorization": self._caller.authorization(), **ask.headers}
        path = ask.resource.format(**ask.path)
        started = time.monotonic()
        try:
            answer = self._http.request(ask.method, path, json=ask.body, params=ask.query, headers=headers)
        except httpx.HTTPError:
            return Answer(0, {}, time.monotonic() - started)
        seconds = time.monotonic() - started
        return Answer(answer.status_code, _parsed(answer.text), seconds, "Retry-After" in answer.headers)


class AtTheFunction:
    """Invokes the live alias of a domain's API function with what the gateway would send it."""

    def __init__(self, system: System, caller: Caller, domain: str = "appointments") -> None:
        patient = Config(
            max_pool_connections=_MOST_CALLERS,
            connect_timeout=ANSWER_SECONDS,
            read_timeout=ANSWER_SECONDS,
            retries={"total_max_attempts": 1},
        )
        self._lambda = system.client("lambda", patient)
        self._function = f"{system.stack}-{domain}-api:live"
        self._caller = caller

    def send(self, ask: Ask) -> Answer:
        payload = json.dumps(proxied(ask, self._caller.authorization())).encode()
        started = time.monotonic()
        try:
            invoked = self._lambda.invoke(FunctionName=self._function, Payload=payload)
            result = json.loads(invoked["Payload"].read())
        except (BotoCoreError, ClientError):
            return Answer(0, {}, time.monotonic() - started)
        seconds = time.monotonic() - started
        if invoked.get("FunctionError"):
            return Answer(500, {"code": "FUNCTION_ERROR", "detail": result}, seconds)
        return Answer(result["statusCode"], _parsed(result["body"]), seconds, "Retry-After" in result["headers"])


def proxied(ask: Ask, authorization: str) -> dict[str, Any]:
    """What the gateway would send the function."""
    return {
        "resource": ask.resource,
        "path": ask.resource.format(**ask.path),
        "httpMethod": ask.method,
        "headers": {"Authorization": authorization, "Content-Type": "application/json", **ask.headers},
        "multiValueQueryStringParameters": {name: [value] for name, value in ask.query.items()} or None,
        "pathParameters": dict(ask.path) or None,
        "requestContext": {"requestId": ids.new(), "httpMethod": ask.method},
        "body": None if ask.body is None else json.dumps(ask.body),
        "isBase64Encoded": False,
    }


def _http(system: System) -> httpx.Client:
    limits = httpx.Limits(max_connections=_MOST_CALLERS, max_keepalive_connections=_MOST_CALLERS)
    return httpx.Client(base_url=system.base_url, timeout=ANSWER_SECONDS, limits=limits)


def _parsed(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text or "{}")
    except ValueError:
        return {"code": "NOT_JSON", "detail": text[:200]}
    return parsed if isinstance(parsed, dict) else {}


def _operate(system: System, domain: str, **payload: Any) -> None:
    function = f"{system.stack}-{domain}-tasks:live"
    invoked = system.client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload).encode())
    result = json.loads(invoked["Payload"].read())
    if invoked.get("FunctionError") or result["outcome"] != "ok":
        message = f"{domain} answered {result}"
        raise RuntimeError(message)
