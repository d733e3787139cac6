"""P9 at a small size, and what a caller sees of an index that lags behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from appointments import api
from tests.support.appointments import DAY, DOCTOR, PATIENT, RECEPTIONIST, Desk, UnreliableTable
from tests.support.http import Answer, sent
from tools.proofs import p9
from tools.routes import apis

if TYPE_CHECKING:
    from hms.auth import Principal
    from hms.policy import Policy
    from hms.rows import Found, Query
    from tools.system import System

pytestmark = pytest.mark.proof
# Their rows are read by key, consistently, however many there are.
READ_BY_KEY = {
    "list_stranded_appointments",
    "list_patient_history",
    "list_patient_calendar_tokens",
    "list_doctor_calendar_tokens",
    "list_template_versions",
    "list_coverages",
    "list_eligibility_checks",
    "list_claims",
}


@pytest.mark.e2e
def test_what_was_written_is_read_at_once(system: System) -> None:
    report = p9.prove(system, full=False)

    assert report.met, report.figure


class LaggingTable(UnreliableTable):
    """Its indexes show what was there when they were last let catch up."""

    def __init__(self) -> None:
        super().__init__()
        self.catch_up()

    def catch_up(self) -> None:
        self.shown = dict(self.items)

    def query(self, query: Query) -> Found:
        if query.index is None:
            return super().query(query)
        now, self.items = self.items, self.shown
        try:
            return super().query(query)
        finally:
            self.items = now


class Gate:
    def principal(self, _authorization: str | None, _policy: Policy) -> Principal:
        return RECEPTIONIST


def listed(**query: str) -> Answer:
    answer = sent(api.app, "GET", "/v1/appointments", query=query)
    assert answer.status == 200, answer.text
    return answer


def test_an_index_that_lags_hides_a_visit_from_the_lists_that_say_as_of_only(monkeypatch: pytest.MonkeyPatch) -> None:
    table = LaggingTable()
    desk = Desk(table)
    monkeypatch.setattr(api.app, "_verifier", Gate())
    monkeypatch.setattr(api, "appointments", desk.appointments)
    monkeypatch.setattr("hms.clock.now", lambda: desk.now)
    visit = desk.visit()

    of_owners = [listed(patient_id=PATIENT), listed(doctor_id=DOCTOR, day=str(DAY))]
    of_the_day = listed(day=str(DAY))
    table.catch_up()
    later = listed(day=str(DAY))

    assert [[one["appointment_id"] for one in found.json["items"]] for found in of_owners] == [[visit], [visit]]
    assert (of_the_day.json["items"], of_the_day.json["as_of"]) == ([], "2026-11-23T00:30:00Z")
    assert [one["appointment_id"] for one in later.json["items"]] == [visit]


def test_every_list_says_as_of_when_it_is() -> None:
    lists = [
        route for app in apis().values() for route in app.routes.values() if route.operation_id.startswith("list_")
    ]
    silent = {route.operation_id for route in lists if route.answers and "as_of" not in route.answers.model_fields}

    assert len(lists) > 4
    assert silent <= READ_BY_KEY
