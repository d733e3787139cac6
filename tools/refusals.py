"""What an operation may refuse, and what each refusal looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hms import errors
from hms.api import ANY_USER, PUBLIC, ProblemView
from tools.routes import operations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hms.api import Route

type Schema = dict[str, Any]

_EXAMPLES = "#/components/examples/"
_RESPONSES = "#/components/responses/"
_VIEW = {"$ref": "#/components/schemas/ProblemView"}


class TooManyRequests(errors.Problem):
    """Said by the gateway before any function runs."""

    status, code, detail = 429, "TOO_MANY_REQUESTS", "Too many requests; send it again later."


def refusals(route: Route) -> dict[str, Schema]:
    """One response for each status; what a single code says is shared by all operations."""
    return {
        str(status): {"$ref": _RESPONSES + codes[0]} if len(codes) == 1 else _refusal(codes)
        for status, codes in _by_status(route).items()
    }


def alone() -> dict[str, Schema]:
    """The responses that have one code only, by that code."""
    codes = {codes[0] for one in operations() for codes in _by_status(one.route).values() if len(codes) == 1}
    return {code: _refusal([code]) for code in sorted(codes)}


def _by_status(route: Route) -> dict[int, list[str]]:
    found: dict[int, dict[str, None]] = {}
    for problem in _problems(route):
        found.setdefault(problem.status, {})[problem.code] = None
    return {status: list(codes) for status, codes in found.items()}


def _refusal(codes: list[str]) -> Schema:
    examples = {code: {"$ref": _EXAMPLES + code} for code in codes}
    return {
        "description": " · ".join(examples),
        "content": {"application/problem+json": {"schema": _VIEW, "examples": examples}},
    }


def _problems(route: Route) -> list[type[errors.Problem]]:
    return sorted({*route.problems, *_general(route)}, key=lambda one: (one.status, one.code, one.__module__))


def _general(route: Route) -> Iterator[type[errors.Problem]]:
    yield from (errors.Problem, errors.Busy, TooManyRequests)
    if route.permission != PUBLIC:
        yield errors.Unauthenticated
        if route.permission != ANY_USER:
            yield errors.Forbidden
    if "{" in route.path:
        yield errors.NotFound
    if route.body or route.query:
        yield errors.Invalid
    if route.body:
        yield from (errors.TooLarge, errors.UnsupportedMediaType)
    yield from _of_keys(route)


def _of_keys(route: Route) -> Iterator[type[errors.Problem]]:
    if route.method == "GET":
        return
    yield from (errors.IdempotencyKeyReused, errors.Malformed)
    if route.key_required:
        yield errors.IdempotencyKeyRequired
    if "{" in route.path:
        yield errors.StaleVersion


def told() -> dict[str, Schema]:
    """Every problem of the API by its code."""
    problems = {problem.code: problem for one in operations() for problem in _problems(one.route)}
    return {code: {"value": _problem(problem)} for code, problem in sorted(problems.items())}


def _problem(problem: type[errors.Problem]) -> Schema:
    wrong = [{"field": "limit", "code": "int_parsing", "detail": "Input should be a valid integer"}]
    view = ProblemView(
        type=f"urn:hms:problem:{problem.code.lower().replace('_', '-')}",
        title=problem.code.replace("_", " ").capitalize(),
        status=problem.status,
        detail=problem.detail,
        instance="/v1/appointments/{appointment_id}",
        code=problem.code,
        correlation_id="01931c2e-7b1f-7c39-9d54-3b1c2a4f5e6f",
        errors=wrong if problem is errors.Invalid else [],
    )
    return view.model_dump(mode="json")
