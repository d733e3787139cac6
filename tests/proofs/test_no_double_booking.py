"""P1 and P2 at a small size, and that what judges them has teeth."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from appointments import service
from appointments.store import Appointments
from hms import ids
from hms.errors import Problem
from hms.rows import Insert, Replace
from hms.store import DynamoTable
from hms.store import _row as row_of
from tests.support.appointments import (
    DOCTOR,
    OTHER_PATIENT,
    Desk,
    FakeOwners,
    a_booking,
    a_call,
    a_doctor,
    a_patient,
    a_slot,
)
from tests.support.memory import MemoryTable
from tests.support.tables import dynamo_table
from tools.proofs import p1, p2, scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hms.rows import Change, Item, Key, Table
    from tools.proofs.scan import Findings, Row
    from tools.system import System

pytestmark = pytest.mark.proof
CALLERS = 6


@pytest.mark.e2e
def test_nobody_is_booked_twice_and_the_cap_is_exact_under_load(system: System) -> None:
    bookings, cap = p1.prove(system, full=False), p2.prove(system, full=False)

    assert bookings.met, bookings.figure
    assert cap.met, cap.figure


class HeldTable(MemoryTable):
    """Lets nobody on before all callers have read, so that all decide on the same sheets."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Barrier(CALLERS)
        self.first_reads = 0

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        found = super().get_many(keys)
        self.first_reads += 1
        if self.first_reads <= CALLERS:
            self.gate.wait(60)
        return found


class CarelessTable(HeldTable):
    """Writes sheets and all else without asking whether they are what was read."""

    def _holds(self, change: Change) -> bool:
        return isinstance(change, Insert | Replace) or super()._holds(change)


class CarelessDynamoTable(DynamoTable):
    """The same on the real engine."""

    def _add(self, transaction: Any, change: Change) -> None:
        if isinstance(change, Insert | Replace):
            transaction.save(row_of(self._row, change.item))
        else:
            super()._add(transaction, change)


def contested(table: Table) -> int:
    """How many of those who want one slot of one doctor at the same time get it."""
    appointments = Appointments(table)
    appointments.doctors.keep(a_doctor())
    patients = [ids.derived("patient", n) for n in range(CALLERS)]
    for patient_id in patients:
        appointments.patients.keep(a_patient(patient_id))
    start = Barrier(CALLERS)

    def book(patient_id: str) -> bool:
        start.wait(60)
        try:
            service.book(a_booking(patient_id=patient_id), a_call(), appointments, FakeOwners())
        except Problem:
            return False
        return True

    with ThreadPoolExecutor(CALLERS) as crew:
        return sum(crew.map(book, patients))


def rows_of(table: MemoryTable) -> list[Row]:
    return [
        {"pk": item.pk, "sk": item.sk, "body": item.body, "entries": dict(item.entries or {})}
        for item in table.items.values()
    ]


def judged(rows: Sequence[Row], cap: int = 8, told: Sequence[tuple[str, int]] = ()) -> Findings:
    return scan.judged(rows, {DOCTOR: cap}, told)


def test_those_who_read_the_same_sheet_cannot_all_have_the_slot() -> None:
    table = HeldTable()

    assert contested(table) == 1
    assert judged(rows_of(table)).all == []


def test_without_the_version_condition_the_scan_finds_the_double_bookings() -> None:
    table = CarelessTable()

    assert contested(table) == CALLERS
    findings = judged(rows_of(table))
    assert len(findings.overlaps) == CALLERS - 1
    assert findings.disagreements, "all but one line of the sheet were overwritten"


@pytest.mark.e2e
@pytest.mark.parametrize("careless", [False, True])
def test_the_engine_lets_one_through_only_because_of_the_condition(system: System, *, careless: bool) -> None:
    with dynamo_table(system.endpoint_url) as table:
        name = table._row.Meta.table_name
        won = contested(_held(CarelessDynamoTable(name) if careless else table))

    assert (won > 1) is careless


def _held(table: DynamoTable) -> DynamoTable:
    gate, read, passed = Barrier(CALLERS), table.get_many, iter(range(CALLERS))

    def get_many(keys: Iterable[Key]) -> dict[Key, Item]:
        found = read(keys)
        if next(passed, None) is not None:
            gate.wait(60)
        return found

    table.get_many = get_many  # type: ignore[method-assign]
    return table


@pytest.fixture
def sound() -> list[Row]:
    """Two visits of two patients to one doctor, one of them moved, as they are kept."""
    desk = Desk()
    first = desk.visit(a_slot("10:00"))
    desk.visit(a_slot("11:00"), patient_id=OTHER_PATIENT)
    desk.reschedule(first, a_slot("12:00"))
    return rows_of(desk.table)


def test_a_sound_table_is_judged_sound(sound: list[Row]) -> None:
    findings = judged(sound)

    assert (findings.visits, findings.all) == (2, [])


def _changed(row: Row, **changes: Any) -> Row:
    return {**row, **changes}


def _moved(row: Row) -> Row:
    """The visit at twelve put on top of the one at eleven."""
    return _changed(row, body=row["body"].replace("T06:30:00Z", "T05:40:00Z").replace("T07:00:00Z", "T06:10:00Z"))


def test_an_overlap_is_found(sound: list[Row]) -> None:
    findings = judged([_moved(row) if row["sk"] == "state" else row for row in sound])

    assert len(findings.overlaps) == 1
    assert findings.disagreements


def test_a_sheet_that_lacks_a_line_or_has_one_too_many_is_found(sound: list[Row]) -> None:
    def emptied(row: Row, owner: str) -> Row:
        return _changed(row, entries={}) if row["pk"].startswith(owner) and row["sk"].startswith("day#") else row

    assert len(judged([emptied(row, "doctor#") for row in sound]).disagreements) == 2
    without_visits: list[Mapping[str, Any]] = [row for row in sound if row["sk"] != "state"]
    assert len(judged(without_visits).disagreements) == 4


def test_a_day_above_its_cap_is_found(sound: list[Row]) -> None:
    assert judged(sound, cap=2).above_cap == []
    assert len(judged(sound, cap=1).above_cap) == 1


def test_a_lost_change_is_found(sound: list[Row]) -> None:
    told = [(row["pk"].partition("#")[2], 1) for row in sound if row["sk"] == "state"]
    assert judged(sound, told=told).lost == []
    assert len(judged(sound, told=[*told, told[0]]).lost) == 1
    assert len(judged(sound, told=[(told[0][0], 7)]).lost) == 1
    assert len(judged([row for row in sound if row["sk"] != "event#00000002"]).lost) == 1
