"""Permissions by role, and how far they reach."""

from __future__ import annotations

import pytest

from hms.auth import Principal
from hms.errors import Forbidden
from hms.policy import Policy

POLICY = Policy({"things:read": {"patient": "own", "nurse": "any", "doctor": "own"}, "things:write": {"nurse": "any"}})


def principal(*roles: str, patient_id: str | None = None, doctor_id: str | None = None) -> Principal:
    return Principal("u", roles, patient_id=patient_id, doctor_id=doctor_id, scopes=POLICY.scopes(roles))


def test_a_role_has_the_permissions_of_the_table_and_no_others() -> None:
    assert POLICY.scopes(("patient",)) == {"things:read": "own"}
    assert POLICY.scopes(("auditor", "unheard of")) == {}
    assert POLICY.scopes(()) == {}


def test_the_widest_of_several_roles_counts() -> None:
    assert POLICY.scopes(("patient", "nurse")) == {"things:read": "any", "things:write": "any"}


def test_one_reaches_ones_own_records_only() -> None:
    asha = principal("patient", patient_id="asha")

    assert asha.reaches("things:read", patient_id="asha")
    assert not asha.reaches("things:read", patient_id="rao")
    assert not asha.reaches("things:read", doctor_id="asha")
    assert not asha.reaches("things:read")
    assert not asha.reaches("things:write", patient_id="asha")


def test_an_account_that_is_linked_to_nobody_reaches_nothing_of_its_own() -> None:
    assert not principal("patient", "doctor").reaches("things:read", patient_id=None, doctor_id=None)


def test_staff_reach_every_record() -> None:
    assert principal("nurse").reaches("things:read", patient_id="rao")


def test_what_is_not_granted_is_forbidden() -> None:
    principal("nurse").require("things:write")
    with pytest.raises(Forbidden):
        principal("patient").require("things:write")
    assert not principal("patient").may("things:write")
