"""Who may do what: a table of permission → role → scope, one file per domain, kept as data.

`any` reaches every record, `own` only the caller's own; what "own" means is decided by the domain's service.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

type Scope = Literal["any", "own"]

ROLES = (
    "patient",
    "guardian",
    "receptionist",
    "nurse",
    "doctor",
    "lab_technician",
    "radiologist",
    "pharmacist",
    "blood_bank_officer",
    "billing_clerk",
    "inventory_manager",
    "emergency_clinician",
    "auditor",
    "administrator",
    "service",
)


class Policy:
    def __init__(self, table: Mapping[str, Mapping[str, Scope]]) -> None:
        self.table = table
        self.scopes = cache(self._scopes)

    @classmethod
    def load(cls, path: Path) -> Policy:
        return cls(json.loads(path.read_text()))

    def _scopes(self, roles: tuple[str, ...]) -> dict[str, Scope]:
        granted: dict[str, Scope] = {}
        for permission, by_role in self.table.items():
            scopes = {by_role[role] for role in roles if role in by_role}
            if scopes:
                granted[permission] = "any" if "any" in scopes else "own"
        return granted
