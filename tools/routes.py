"""Every route of every domain, as the code declares them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from tools.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hms.api import Api, Route


class RouteError(Exception):
    """Two operations cannot live in one API."""


@dataclass(frozen=True, slots=True)
class Operation:
    domain: str
    route: Route

    def __str__(self) -> str:
        return f"{self.route.method} {self.route.path} of {self.domain}"


def domains() -> list[str]:
    return sorted(path.parent.name for path in ROOT.glob("functions/*/api.py"))


@cache
def apis() -> dict[str, Api]:
    return {domain: import_module(f"{domain}.api").app for domain in domains()}


@cache
def operations() -> tuple[Operation, ...]:
    """All operations in the order of their paths. Raises RouteError where two of them collide."""
    declared = [Operation(domain, route) for domain, app in apis().items() for route in app.routes.values()]
    check(declared)
    return tuple(sorted(declared, key=lambda one: (one.route.path, one.route.method)))


def check(declared: Iterable[Operation]) -> None:
    """One owner for a route, one name for a parameter in the same place, one operation for an id."""
    routes: dict[str, Operation] = {}
    ids: dict[str, Operation] = {}
    parameters: dict[str, tuple[str, Operation]] = {}
    for one in declared:
        _claim(routes, f"{one.route.method} {one.route.path}", one)
        _claim(ids, f"operation id {one.route.operation_id}", one)
        for place, name in _parameters(one.route.path):
            first, holder = parameters.setdefault(place, (name, one))
            if first != name:
                raise RouteError(f"{one} and {holder} name the same parameter {{{name}}} and {{{first}}}")


def _claim(claimed: dict[str, Operation], what: str, one: Operation) -> None:
    holder = claimed.setdefault(what, one)
    if holder is not one:
        raise RouteError(f"{what} is claimed by {holder} and by {one}")


def _parameters(path: str) -> list[tuple[str, str]]:
    """Where each parameter stands, and its name: API Gateway has one variable for one place in the tree."""
    segments = path.strip("/").split("/")
    return [
        ("/".join("*" if part.startswith("{") else part for part in segments[:position]), segment.strip("{}"))
        for position, segment in enumerate(segments)
        if segment.startswith("{")
    ]
