"""Lists: doctors and departments by name, and what happened to a doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctors import rules
from doctors.model import Department, DepartmentList, DoctorList, DoctorSummary
from hms.errors import Forbidden
from hms.history import History
from hms.money import AT_REST
from hms.pages import opened, sealed

if TYPE_CHECKING:
    from doctors.commands import DoctorFilter
    from doctors.store import Departments, Doctors
    from hms.call import Call
    from hms.pages import PageParams
    from hms.rows import Found, Item

_READ_AT_ONCE = 100
_MOST_READS = 10


def list_doctors(wanted: DoctorFilter, call: Call, doctors: Doctors) -> DoctorList:
    """One read where nothing but the department is asked; a page of a filtered list may be short of its limit."""
    if wanted.external_system and wanted.external_id:
        return _identified(wanted, wanted.external_system, wanted.external_id, call, doctors)
    items: list[DoctorSummary] = []
    position = opened(wanted.cursor)
    for _ in range(_MOST_READS):
        found = doctors.listed(wanted.department, _rows(wanted), position)
        position = _gather(items, found, wanted)
        if position is None or len(items) == wanted.limit:
            break
    return DoctorList(items=items, next_cursor=sealed(position), as_of=call.now)


def list_departments(page: PageParams, call: Call, departments: Departments) -> DepartmentList:
    found = departments.listed(page.limit, opened(page.cursor))
    items = [Department.model_validate_json(item.body or "", context=AT_REST) for item in found.items]
    return DepartmentList(items=items, next_cursor=sealed(found.last), as_of=call.now)


def get_history(doctor_id: str, page: PageParams, call: Call, doctors: Doctors) -> History:
    if not call.who.reaches("doctors:read_history", doctor_id=doctor_id):
        raise Forbidden
    found = doctors.history(doctor_id, page.limit, opened(page.cursor))
    if not found.items and page.cursor is None:
        raise rules.DoctorNotFound
    return History.of(found)


def _identified(wanted: DoctorFilter, system: str, value: str, call: Call, doctors: Doctors) -> DoctorList:
    stored = doctors.identified(system, value)
    summaries = [DoctorSummary(**stored.state.model_dump(include=set(DoctorSummary.model_fields)))] if stored else []
    items = [one for one in summaries if _matches(one, wanted)]
    return DoctorList(items=items, next_cursor=None, as_of=call.now)


def _rows(wanted: DoctorFilter) -> int:
    sifted = wanted.specialization is not None or wanted.name is not None or wanted.active is not None
    return _READ_AT_ONCE if sifted else wanted.limit


def _gather(items: list[DoctorSummary], found: Found, wanted: DoctorFilter) -> str | None:
    """Adds what matches; the position to go on from, None where the list ends."""
    for number, row in enumerate(found.items, start=1):
        summary = DoctorSummary.model_validate_json(row.body or "", context=AT_REST)
        if _matches(summary, wanted):
            items.append(summary)
        if len(items) == wanted.limit and number < len(found.items):
            return _position(row, wanted)
    return found.last


def _position(row: Item, wanted: DoctorFilter) -> str | None:
    place = row.by_b if wanted.department else row.by_a
    return place.sk if place else None


def _matches(doctor: DoctorSummary, wanted: DoctorFilter) -> bool:
    return (
        (wanted.active is None or doctor.active == wanted.active)
        and _same(doctor.specialization, wanted.specialization)
        and _same(doctor.department, wanted.department)
        and _named(doctor.name, wanted.name)
    )


def _same(text: str, asked: str | None) -> bool:
    return asked is None or rules.folded(text) == rules.folded(asked)


def _named(name: str, asked: str | None) -> bool:
    words = rules.folded(name).split()
    return asked is None or all(any(word.startswith(part) for word in words) for part in rules.folded(asked).split())
