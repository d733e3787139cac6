"""Lines of day sheets: what they keep, whom they occupy."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from appointments.model import Status
from appointments.sheets import MOST_CANCELLED, Line, SheetId, line_of, sheet_of, sheets_of, text_of
from hms.rows import Item
from tests.support.appointments import (
    DAY,
    DOCTOR,
    OTHER_PATIENT,
    PATIENT,
    WALK_IN,
    Desk,
    a_slot,
    an_appointment,
    at,
)

DOCTORS, PATIENTS = f"doctor#{DOCTOR}", f"patient#{PATIENT}"


def a_line(owner: str = DOCTORS, **changes: Any) -> Line:
    visit = an_appointment(**changes)
    return line_of(visit.appointment_id, text_of(visit, owner))


@pytest.mark.parametrize("owner", [DOCTORS, PATIENTS])
def test_a_line_comes_back_as_it_was_written(owner: str) -> None:
    visit = an_appointment(department="Śalya · शल्य", status="CHECKED_IN")

    line = line_of(visit.appointment_id, text_of(visit, owner))

    assert (line.slot, line.status, line.department, line.day) == (visit.slot, "CHECKED_IN", "Śalya · शल्य", DAY)
    assert line.people(owner) == (PATIENT, DOCTOR)


def test_a_line_tells_the_version_of_the_visit_and_since_when() -> None:
    line = a_line(version=3, updated_at=at("08:00"))

    assert (line.version, line.changed_at) == (3, at("08:00"))


def test_a_line_from_before_lines_told_a_version_is_read() -> None:
    older = json.dumps(json.loads(text_of(an_appointment(version=3), DOCTORS))[:7])

    assert line_of("one", older) == a_line()._replace(
        appointment_id="one", version=0, changed_at=datetime(1970, 1, 1, tzinfo=UTC)
    )


def test_what_no_sheet_shows_writes_no_sheet(desk: Desk) -> None:
    visit = desk.visit()
    before = {key: item for key, item in desk.table.items.items() if key.sk.startswith("day#")}

    desk.note(visit)

    assert {key: item for key, item in desk.table.items.items() if key.sk.startswith("day#")} == before


def test_instants_on_a_sheet_are_epoch_seconds() -> None:
    stored = json.loads(text_of(an_appointment(), DOCTORS))

    assert stored[0] == int(at("10:00").timestamp())
    assert stored[1] - stored[0] == 1800


def test_the_day_of_a_line_is_the_clinic_day_on_both_sheets() -> None:
    early = an_appointment(a_slot("04:00"))

    assert [line_of("one", text_of(early, owner)).day for owner in (DOCTORS, PATIENTS)] == [DAY, DAY]
    assert sheets_of(early) == [SheetId(DOCTORS, DAY), SheetId(PATIENTS, DAY - timedelta(days=1))]


@pytest.mark.parametrize(
    ("status", "doctor", "patient", "counts"),
    [
        (Status.SCHEDULED, True, True, True),
        (Status.CHECKED_IN, True, True, True),
        (Status.IN_CONSULTATION, True, True, True),
        (Status.COMPLETED, True, False, True),
        (Status.NO_SHOW, False, False, True),
        (Status.CANCELLED, False, False, False),
    ],
)
def test_a_line_occupies_and_counts_by_its_status(status: Status, doctor: bool, patient: bool, counts: bool) -> None:
    line, old = a_line(status=status), a_line(status=status, historical=True)

    assert (line.occupies_doctor, line.occupies_patient, line.counts) == (doctor, patient, counts)
    assert (old.occupies_doctor, old.occupies_patient, old.counts) == (False, False, False)


def test_a_line_says_whether_its_visit_was_exempt_or_history() -> None:
    assert a_line(exemption=WALK_IN).exempt
    assert a_line(historical=True).historical
    assert not a_line().exempt
    assert not a_line().historical


def test_a_sheet_that_was_never_written_is_empty() -> None:
    sheet = sheet_of(SheetId(DOCTORS, DAY), None)

    assert (sheet.version, sheet.lines) == (0, [])
    assert sheet_of(SheetId(DOCTORS, DAY), Item(DOCTORS, f"day#{DAY}", version=3)).version == 3


def test_a_visit_over_midnight_stands_on_both_days() -> None:
    night = an_appointment(a_slot("23:00", 120))

    assert sheets_of(night) == [
        SheetId(DOCTORS, DAY),
        SheetId(DOCTORS, DAY + timedelta(days=1)),
        SheetId(PATIENTS, DAY),
    ]


def lines(desk: Desk, owner: str, day: date = DAY) -> dict[str, Status]:
    return {
        line.appointment_id: line.status for sheet in desk.appointments.sheets(owner, day, day) for line in sheet.lines
    }


def test_every_change_of_a_visit_reaches_both_sheets(desk: Desk) -> None:
    visit = desk.visit()

    assert lines(desk, DOCTORS) == lines(desk, PATIENTS) == {visit: Status.SCHEDULED}
    desk.check_in(visit)
    assert lines(desk, DOCTORS) == lines(desk, PATIENTS) == {visit: Status.CHECKED_IN}
    desk.cancel(visit)
    assert lines(desk, DOCTORS) == lines(desk, PATIENTS) == {visit: Status.CANCELLED}


def test_a_cancelled_line_stays_and_a_moved_one_leaves(desk: Desk) -> None:
    cancelled, moved = desk.visit(), desk.visit(a_slot("12:00"), patient_id=OTHER_PATIENT)
    desk.cancel(cancelled)
    tomorrow = DAY + timedelta(days=1)
    desk.reschedule(moved, a_slot(day=tomorrow))

    assert lines(desk, DOCTORS) == {cancelled: Status.CANCELLED}
    assert lines(desk, DOCTORS, tomorrow) == {moved: Status.SCHEDULED}


def test_booking_and_cancelling_over_and_over_never_fills_a_day() -> None:
    desk = Desk()
    visits: list[str] = []
    for _ in range(MOST_CANCELLED + 20):
        visits.append(desk.visit())
        desk.cancel(visits[-1])

    standing = desk.visit()

    sheets = [item for key, item in desk.table.items.items() if key.sk == f"day#{DAY}"]
    assert len(sheets) == 2
    for sheet in sheets:
        assert standing in (sheet.entries or {})
        assert len(sheet.entries or {}) <= MOST_CANCELLED + 1
    assert all(desk.read(visit).status is Status.CANCELLED for visit in visits)
    assert all(desk.note(visit).notes for visit in visits)
