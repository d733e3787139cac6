"""Every permission is known, used and granted to roles that exist."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from hms.api import ANY_USER, PUBLIC
from hms.policy import ROLES
from tools import permissions
from tools.paths import ROOT
from tools.routes import apis, operations

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATIONS = [pytest.param(one.domain, one.route.permission, id=one.route.operation_id) for one in operations()]
GRANTED = [pytest.param(domain, name, id=name) for domain, app in apis().items() for name in app.policy.table]
DIRECTORY = "doctors:read"
OPEN = {
    # Card processors sign what they tell (docs/how-to/payments.md).
    "receive_webhook",
    # Calendar programs send nothing but an address: the token in it is the lock (docs/adr/0021).
    "get_patient_calendar",
    "get_doctor_calendar",
    "get_description",
    "get_docs",
    "get_events",
    "get_health",
    "get_liveness",
    "get_readiness",
    "get_jwks",
    "log_in",
    "refresh_session",
}


def _texts(domain: str) -> Iterator[str]:
    """Every string that the domain's code holds."""
    for path in (ROOT / "functions" / domain).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.parametrize(("domain", "permission"), OPERATIONS)
def test_a_route_asks_for_a_permission_of_its_own_domain(domain: str, permission: str) -> None:
    assert permission in (PUBLIC, ANY_USER) or permission in apis()[domain].policy.table


def test_nothing_is_open_to_everyone_by_accident() -> None:
    public = {one.route.operation_id for one in operations() if one.route.permission == PUBLIC}

    assert {name for name in public if not name.endswith("_health")} | {"get_health"} == OPEN


@pytest.mark.parametrize(("domain", "permission"), GRANTED)
def test_a_permission_is_used_by_its_domain(domain: str, permission: str) -> None:
    assert permission in set(_texts(domain))


@pytest.mark.parametrize(("domain", "permission"), GRANTED)
def test_a_permission_is_granted_to_roles_that_exist(domain: str, permission: str) -> None:
    scopes = apis()[domain].policy.table[permission]

    assert permission.startswith(f"{domain}:")
    assert scopes
    assert set(scopes) <= set(ROLES)
    assert set(scopes.values()) <= {"any", "own"}


def test_a_patient_reaches_the_directory_of_doctors_and_else_only_what_is_theirs() -> None:
    for app in apis().values():
        for permission, scopes in app.policy.table.items():
            for role in ("patient", "guardian"):
                assert permission == DIRECTORY or scopes.get(role) in (None, "own"), permission


def test_the_committed_table_is_the_generated_one() -> None:
    assert permissions.FILE.read_text() == permissions.render(), "run `make docs`"
