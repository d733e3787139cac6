"""Rows of doctors and departments: state, events, claims, and the two lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from doctors.model import Department, DepartmentOpened, Doctor
from doctors.rules import department_id, folded
from hms.aggregate import Aggregates, Stored
from hms.rows import Insert, Item, Key, Query, Remove

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hms.call import Call
    from hms.events import Fact
    from hms.fields import ExternalIdentifier
    from hms.rows import Change, Found, Table

_EVERYBODY = "doctors"
_DEPARTMENTS = "departments"
_SORTED_LETTERS = 100


@dataclass(frozen=True, slots=True)
class Known:
    """What a decision about a doctor rests on, from one consistent read."""

    doctor: Stored[Doctor] | None
    department: Stored[Department] | None
    email_of: str | None
    identifiers_of: frozenset[str]


class Departments(Aggregates[Department]):
    def __init__(self, table: Table) -> None:
        super().__init__(table, "department", Department)

    def opening(self, department: Department, call: Call) -> list[Change]:
        place = _placed(_DEPARTMENTS, department.name, department.department_id)
        fact = DepartmentOpened.of(department)
        return self.changes(department.department_id, None, department, fact, call, by_a=place)

    def save(self, department: Department, call: Call) -> None:
        self.table.commit(self.opening(department, call))

    def listed(self, limit: int, after: str | None) -> Found:
        """By name; from an index, so a moment old."""
        return self.table.query(_named(_DEPARTMENTS, "by_a", limit, after))


class Doctors(Aggregates[Doctor]):
    """A doctor's row is placed in the list of all (`by_a`) and of the department (`by_b`).

    Neither list is sharded: a thousand changes of doctors a second is no hospital, and a list stays one read.
    """

    def __init__(self, table: Table) -> None:
        super().__init__(table, "doctor", Doctor)
        self.departments = Departments(table)

    def known(
        self,
        doctor_id: str,
        email: str | None = None,
        department: str | None = None,
        identifiers: Iterable[ExternalIdentifier] = (),
    ) -> Known:
        state = self.key(doctor_id)
        claim = _email_key(email) if email else None
        place = self.departments.key(department_id(department)) if department else None
        numbers = [_identifier_key(one) for one in identifiers]
        rows = self.table.get_many([state, *(key for key in (claim, place) if key), *numbers])
        return Known(
            self.read(rows.get(state)),
            self.departments.read(rows.get(place)) if place else None,
            rows[claim].body if claim in rows else None,
            frozenset(rows[key].body or "" for key in numbers if key in rows),
        )

    def save(
        self, before: Stored[Doctor] | None, after: Doctor, fact: Fact, call: Call, opens: Department | None = None
    ) -> None:
        everybody = _placed(_EVERYBODY, after.name, after.doctor_id)
        colleagues = _placed(f"department#{folded(after.department)}", after.name, after.doctor_id)
        changes = self.changes(after.doctor_id, before, after, fact, call, by_a=everybody, by_b=colleagues)
        changes += _claims(before.state if before else None, after)
        if opens:
            changes += self.departments.opening(opens, call)
        self.table.commit(changes)

    def listed(self, department: str | None, limit: int, after: str | None) -> Found:
        """By name; from an index, so a moment old."""
        if department:
            return self.table.query(_named(f"department#{folded(department)}", "by_b", limit, after))
        return self.table.query(_named(_EVERYBODY, "by_a", limit, after))

    def identified(self, system: str, value: str) -> Stored[Doctor] | None:
        claim = self.table.get(Key(f"identifier#{system}", value))
        return self.load(claim.body or "") if claim else None


def _placed(partition: str, name: str, entity_id: str) -> Key:
    return Key(partition, f"name#{folded(name)[:_SORTED_LETTERS]}#{entity_id}")


def _named(partition: str, index: Literal["by_a", "by_b"], limit: int, after: str | None) -> Query:
    # "$" is the letter after "#": the range holds every name, those beyond the basic plane too.
    return Query(partition, "name#", "name$", index, limit=limit, after=after)


def _claims(before: Doctor | None, after: Doctor) -> list[Change]:
    """Identifiers are claimed once, at registration; an e-mail whenever it is another one."""
    old, new = _email_claim(before), _email_claim(after)
    changes: list[Change] = []
    if old != new:
        changes += [Remove(old)] if old else []
        changes += [_claim(new, after)] if new else []
    if before is None:
        changes += [_claim(_identifier_key(one), after) for one in after.external_identifiers]
    return changes


def _claim(key: Key, doctor: Doctor) -> Change:
    return Insert(Item(*key, body=doctor.doctor_id))


def _email_claim(doctor: Doctor | None) -> Key | None:
    return _email_key(doctor.email) if doctor and doctor.email else None


def _email_key(email: str) -> Key:
    return Key(f"email#{email.casefold()}", "claim")


def _identifier_key(identifier: ExternalIdentifier) -> Key:
    return Key(f"identifier#{identifier.system}", identifier.value)
