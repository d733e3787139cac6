"""S3: AWS calls on the critical path, counted by running each operation on a table that counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.bench.run import Row


class Calls(NamedTuple):
    """Batch reads and queries, transactions, signatures by KMS."""

    reads: int
    commits: int = 0
    signatures: int = 0

    def __str__(self) -> str:
        numbers = zip(self, ("read", "commit", "signature"), strict=True)
        return " + ".join(f"{number} {what}{'s' * (number > 1)}" for number, what in numbers if number)


class Operation(NamedTuple):
    what: str
    calls: Calls
    target: Calls


def counted() -> list[Row]:
    return [
        ("S3", f"AWS calls: {what}", str(calls), "", "", f"≤ {target}", _within(calls, target))
        for what, calls, target in operations()
    ]


def _within(calls: Calls, target: Calls) -> bool:
    return all(number <= allowed for number, allowed in zip(calls, target, strict=True))


def operations() -> list[Operation]:
    """Each with what it took just now."""
    return [*_visits(), _login()]


def _visits() -> Iterator[Operation]:
    # The tests' desk is the domain on a table in memory with warm copies of its people.
    from appointments import agenda
    from appointments.query import ListAppointments
    from tests.support.appointments import PATIENT, Desk

    desk = Desk()
    known: list[str] = []

    def listed() -> None:
        params = ListAppointments.model_validate({"patient_id": PATIENT})
        agenda.visits(agenda.wanted_by(params, desk.call()), desk.appointments)

    yield Operation("book", Calls(*desk.calls_of(lambda: known.append(desk.visit()))), Calls(1, 1))
    yield Operation("read by id", Calls(*desk.calls_of(lambda: desk.read(known[0]))), Calls(1))
    yield Operation("list", Calls(*desk.calls_of(listed)), Calls(1))
    yield Operation("cancel", Calls(*desk.calls_of(lambda: desk.cancel(known[0]))), Calls(1, 1))


def _login() -> Operation:
    from tests.support.identity import Office

    office = Office()
    office.user()
    reads, commits, signed = office.table.reads, office.table.commits, office.kms.signed
    office.log_in()
    calls = Calls(office.table.reads - reads, office.table.commits - commits, office.kms.signed - signed)
    return Operation("log in", calls, Calls(1, 1, 1))
