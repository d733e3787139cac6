"""`docs/permissions.md`: who may do what, from the policy tables."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from hms.api import ANY_USER, PUBLIC
from hms.policy import ROLES
from tools.paths import ROOT
from tools.routes import apis, operations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE = ROOT / "docs" / "permissions.md"
_HEAD = """# Permissions

Written by `make docs` from `functions/*/policy.json`. ● reaches every record, ○ only one's own: a patient
themself, a doctor their schedule and their patients; the domain's service decides what is one's own.
"""
_MARKS = {"any": "●", "own": "○"}


def write() -> None:
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(render())


def render() -> str:
    tables = ("\n".join(_domain(domain)) for domain, app in apis().items() if app.policy.table)
    return "\n".join([_HEAD, *tables, *_open()]) + "\n"


def _domain(domain: str) -> Iterator[str]:
    table = apis()[domain].policy.table
    roles = [role for role in ROLES if any(role in scopes for scopes in table.values())]
    yield f"## {domain}\n"
    yield _row(["permission", *(role.replace("_", " ") for role in roles)])
    yield _row(["---", *(":-:" for _ in roles)])
    for permission, scopes in sorted(table.items()):
        yield _row([f"`{permission}`", *(_MARKS.get(scopes.get(role, ""), "") for role in roles)])
    yield ""


def _open() -> Iterator[str]:
    """What no table has."""
    for permission, title in ((ANY_USER, "Whoever is signed in"), (PUBLIC, "Everyone")):
        routes = [
            f"`{one.route.method} {one.route.path}`" for one in operations() if one.route.permission == permission
        ]
        yield f"## {title}\n"
        yield from (f"- {route}" for route in routes)
        yield ""


def _row(cells: Iterable[str]) -> str:
    return " ".join(chain.from_iterable(("|", cell) if cell else ("|",) for cell in cells)) + " |"
