"""HTTP in, HTTP out: routes with a declared permission, one place that turns errors into problems, one log line."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from pydantic import BaseModel

from hms import clock, ids, seam, telemetry
from hms.auth import ANONYMOUS
from hms.call import Call, Outcome
from hms.errors import Busy, FieldError, NotAcceptable, NotFound, Problem
from hms.request import identity_of, path_of, payload_of, token_of, version_of
from hms.rows import Contention

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hms.aggregate import Entity
    from hms.auth import Verifier
    from hms.policy import Policy

PUBLIC = "public"
ANY_USER = "signed-in"
_MOST_ERRORS = 50
_LONGEST_NAME = 100
_PROBLEM_TYPE = "urn:hms:problem:"


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `body` None means no content. `counts` names metrics that grow by one with it.

    What is `derived` shows more than its version counts, so that nobody who has it is told that it is the same (304).
    Bytes travel to the gateway in base64; it gives them out as they are where it knows their media type for binary.
    """

    status: int = 200
    body: BaseModel | str | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
    counts: tuple[str, ...] = ()
    derived: bool = False


def answer(
    outcome: Outcome[Any] | Entity, status: int = 200, view: BaseModel | None = None, *, derived: bool = False
) -> Response:
    """A single resource with its ETag, as it is or in a `view`; a replayed command says so."""
    state = outcome.state if isinstance(outcome, Outcome) else outcome
    headers = {"ETag": f'"{state.version}"'}
    if isinstance(outcome, Outcome) and outcome.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(status, view or state, headers, derived=derived)


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `permission` is a name of the domain's policy table, `PUBLIC` or `ANY_USER`.

    It is answered with `status`, or with one of `also`, which say the same otherwise.
    """

    method: str
    path: str
    permission: str
    handle: Callable[..., Response]
    summary: str
    answers: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    status: int = 200
    also: tuple[int, ...] = ()
    problems: tuple[type[Problem], ...] = ()
    key_required: bool = False
    query_aliases: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"

    @property
    def operation_id(self) -> str:
        return self.handle.__name__


class Health(BaseModel, defer_build=True):
    """A function that answers; what is behind it is asked by `/ready`."""

    domain: str
    status: str = "ok"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has passed the gate; `call` is what commands need of it, `path` the ids of its path."""

    call: Call
    path: Mapping[str, str]
    event: Mapping[str, Any] = field(repr=False)


type _Plain = Callable[[Request], Response]
type _With[M] = Callable[[Request, M], Response]


class Api:
    """The routes of one domain and the Lambda handler that serves them.

    API Gateway names the route that matched (`resource`), so there is nothing to match again here.
    """

    def __init__(self, domain: str, policy: Policy, verifier: Callable[[], Verifier] | None = None) -> None:
        self.domain = domain
        self.policy = policy
        self.routes: dict[tuple[str, str], Route] = {}
        self._make_verifier = verifier
        self._verifier: Verifier | None = None
        self._declare_health()

    @overload
    def route(
        self, method: str, path: str, permission: str, *, query: type[Any], **details: Any
    ) -> Callable[[_With[Any]], _With[Any]]: ...
    @overload
    def route(
        self, method: str, path: str, permission: str, *, body: type[Any], **details: Any
    ) -> Callable[[_With[Any]], _With[Any]]: ...
    @overload
    def route(self, method: str, path: str, permission: str, **details: Any) -> Callable[[_Plain], _Plain]: ...

    def route(self, method: str, path: str, permission: str, **details: Any) -> Any:
        """Declare an operation; `details` are the fields of `Route`. The function's name is its operation id."""

        def declare(handle: Callable[..., Response]) -> Callable[..., Response]:
            if permission not in (PUBLIC, ANY_USER) and permission not in self.policy.table:
                message = f"{method} {path}: no role has the permission {permission}"
                raise LookupError(message)
            self.routes[method, path] = Route(method, path, permission, handle, **details)
            return handle

        return declare

    def _declare_health(self) -> None:
        def health(_request: Request) -> Response:
            return Response(body=Health(domain=self.domain))

        health.__name__ = f"get_{self.domain}_health"
        summary = f"Whether the {self.domain} functions answer"
        self.route("GET", f"/v1/{self.domain}/health", PUBLIC, summary=summary, answers=Health)(health)

    def handler(self, event: dict[str, Any], _context: object = None) -> dict[str, Any]:
        """The Lambda handler (REST proxy event in, REST proxy answer out). Never raises."""
        started = time.perf_counter()
        seam.begin(event)
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        correlation_id = token_of(headers.get("x-correlation-id")) or ids.new()
        route = self.routes.get((event["httpMethod"], event["resource"]))
        counts: tuple[str, ...] = ()
        try:
            response = self._answered(route, event, headers, correlation_id)
            proxied = _proxied(response, headers, correlation_id)
            proxied = proxied if response.derived else _unless_known(proxied, event, headers)
            counts = response.counts
        except Exception as error:  # noqa: BLE001  (the last line of defence: a fault is told, not thrown)
            problem = self._refusal(error, correlation_id)
            proxied = _proxied(_problem(problem, event, correlation_id), headers, correlation_id)
        self._log(event, proxied["statusCode"], started, correlation_id, counts)
        return proxied

    def _refusal(self, error: Exception, correlation_id: str) -> Problem:
        if isinstance(error, Problem):
            return error
        if isinstance(error, Contention):
            return Busy()
        telemetry.fault("unexpected", error, correlation_id=correlation_id, domain=self.domain)
        return Problem()

    def _answered(
        self, route: Route | None, event: Mapping[str, Any], headers: Mapping[str, str], correlation_id: str
    ) -> Response:
        if route is None:
            raise NotFound
        who = ANONYMOUS
        if route.permission != PUBLIC:
            who = self._gate().principal(headers.get("authorization"), self.policy)
        if route.permission not in (PUBLIC, ANY_USER):
            who.require(route.permission)
        path = path_of(event)
        payload = payload_of(route, event, headers)
        call = Call(
            who,
            clock.now(),
            correlation_id,
            if_match=version_of(headers.get("if-match")),
            **identity_of(route, event, headers, who.user_id, payload),
        )
        request = Request(call, path, event)
        return route.handle(request) if payload is None else route.handle(request, payload)

    def _gate(self) -> Verifier:
        if self._verifier is None:
            if self._make_verifier is None:
                raise NotFound
            self._verifier = self._make_verifier()
        return self._verifier

    def _log(
        self, event: Mapping[str, Any], status: int, started: float, correlation_id: str, counts: tuple[str, ...]
    ) -> None:
        duration = round((time.perf_counter() - started) * 1000, 2)
        failed = int(status >= 500)  # noqa: PLR2004
        metrics = {"requests": (1, "Count"), "errors": (failed, "Count"), "duration": (duration, "Milliseconds")}
        metrics |= dict.fromkeys(counts, (1, "Count"))
        route = f"{event['httpMethod']} {event['resource']}"
        telemetry.measured(
            metrics, {"service": self.domain, "route": route}, status=status, correlation_id=correlation_id
        )


class ProblemView(BaseModel, defer_build=True):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    correlation_id: str
    errors: list[dict[str, str]] = []


def _problem(problem: Problem, event: Mapping[str, Any], correlation_id: str) -> Response:
    view = ProblemView(
        type=_PROBLEM_TYPE + problem.code.lower().replace("_", "-"),
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        instance=event["resource"],
        code=problem.code,
        correlation_id=correlation_id,
        errors=[_shown(one) for one in problem.errors[:_MOST_ERRORS]],
    )
    headers = {"Retry-After": str(problem.retry_after)} if problem.retry_after else {}
    if problem.status == 401:  # noqa: PLR2004
        headers["WWW-Authenticate"] = "Bearer"
    return Response(problem.status, view, headers, "application/problem+json")


def _shown(error: FieldError) -> dict[str, str]:
    """Names of unknown fields are the caller's text: kept short and printable."""
    name = "".join(letter if letter.isprintable() else "?" for letter in error.field[:_LONGEST_NAME])
    return {"field": name, "code": error.code, "detail": error.detail}


def _proxied(response: Response, headers: Mapping[str, str], correlation_id: str) -> dict[str, Any]:
    body, binary = response.body, isinstance(response.body, bytes)
    if isinstance(body, BaseModel):
        body = body.model_dump_json()
    elif isinstance(body, bytes):
        _check_accepted(response.media_type, headers)
        body = base64.b64encode(body).decode()
    out = {
        "Content-Type": response.media_type,
        "X-Correlation-ID": correlation_id,
        "X-Request-ID": token_of(headers.get("x-request-id")) or correlation_id,
        "Cache-Control": "no-store",
        **response.headers,
    }
    return {"statusCode": response.status, "headers": out, "body": body or "", "isBase64Encoded": binary}


def _check_accepted(media_type: str, headers: Mapping[str, str]) -> None:
    """A gateway gives out bytes to who asks for their type in the first place, and base64 to everybody else."""
    if headers.get("accept", "").partition(",")[0].partition(";")[0].strip().lower() != media_type:
        raise NotAcceptable(f"Send Accept: {media_type}")


def _unless_known(proxied: dict[str, Any], event: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    """304 to who reads what they have already; never to a command, whose answer says what it did."""
    etag = proxied["headers"].get("ETag")
    # What compresses on the way makes a tag weak, and a client may send several.
    known = {tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")}
    if event["httpMethod"] == "GET" and etag in known:
        return proxied | {"statusCode": 304, "body": "", "isBase64Encoded": False}
    return proxied
