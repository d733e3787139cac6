"""Commands on a table: what is written, what is refused, what a retry finds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from doctors import rules, service
from doctors.commands import (
    MOST_IDENTIFIERS,
    DeactivateDoctor,
    GrantLeave,
    OpenDepartment,
    PublishSchedule,
    SetOverride,
    UpdateDoctor,
)
from doctors.store import Doctors
from hms.errors import Busy, Forbidden, IdempotencyKeyReused, StaleVersion
from hms.events import Event
from hms.money import Money
from hms.rows import Key
from tests.support.doctors import (
    NOW,
    STRANDED,
    Visits,
    a_call,
    a_principal,
    a_registration,
    a_weekly_period,
)
from tests.support.memory import MOST_CHANGES, MemoryTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doctors.model import Doctor
    from hms.call import Call, Outcome
    from hms.rows import Change

DAY = date(2026, 12, 7)


class Recorded(MemoryTable):
    """Remembers how many changes each commit had."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def commit(self, changes: Sequence[Change]) -> None:
        self.sizes.append(len(changes))
        super().commit(changes)


@pytest.fixture
def table() -> Recorded:
    return Recorded()


@pytest.fixture
def doctors(table: Recorded) -> Doctors:
    return Doctors(table)


@pytest.fixture
def visits() -> Visits:
    return Visits()


def register(doctors: Doctors, call: Call | None = None, **changes: object) -> Doctor:
    return service.register_doctor(a_registration(**changes), call or a_call(), doctors).state


def update(
    doctors: Doctors, doctor: Doctor, visits: Visits | None = None, call: Call | None = None, **changes: object
) -> Outcome[Doctor]:
    command = UpdateDoctor.model_validate(changes)
    return service.update_doctor(doctor.doctor_id, command, call or a_call(), doctors, visits or Visits())


def events(table: MemoryTable, doctor: Doctor) -> list[Event]:
    rows = [item for item in table.items.values() if item.pk == f"doctor#{doctor.doctor_id}" and item.event_id]
    return [Event.model_validate_json(row.body or "") for row in sorted(rows, key=lambda row: row.sk)]


def test_a_registration_writes_state_event_claims_and_a_new_department(table: Recorded, doctors: Doctors) -> None:
    doctor = register(doctors, external_identifiers=[{"system": "legacy", "value": "1"}])

    stored = doctors.load(doctor.doctor_id)
    assert stored is not None
    assert stored.state == doctor
    assert [event.type for event in events(table, doctor)] == ["doctors.registered.v1"]
    assert table.items[Key("email#meera.iyer@example.com", "claim")].body == doctor.doctor_id
    assert table.items[Key("identifier#legacy", "1")].body == doctor.doctor_id
    assert doctors.departments.load(rules.department_id("cardiology")) is not None
    assert (table.reads, table.commits) == (3, 1)


def test_a_department_keeps_the_spelling_it_was_opened_with(doctors: Doctors) -> None:
    register(doctors)

    second = register(doctors, email="b@example.com", department="  cardiology ")

    assert second.department == "Cardiology"


def test_a_doctor_without_a_fee_gets_that_of_a_department_opened_with_one(doctors: Doctors) -> None:
    fee = Money(amount=700)
    service.open_department(OpenDepartment(name="Cardiology", consultation_fee=fee), a_call(), doctors.departments)

    assert register(doctors).consultation_fee == fee


def test_no_command_exceeds_ten_changes(table: Recorded, doctors: Doctors) -> None:
    identifiers = [{"system": "legacy", "value": str(n)} for n in range(MOST_IDENTIFIERS)]
    doctor = register(doctors, external_identifiers=identifiers)
    update(doctors, doctor, email="new@example.com", department="Neurology", name="Dr. Other")

    assert table.sizes == [9, 6]
    assert max(table.sizes) <= MOST_CHANGES


def test_a_retried_registration_answers_the_first_doctor_even_after_changes(doctors: Doctors) -> None:
    first = register(doctors, a_call(token="t", digest="d"))
    update(doctors, first, name="Dr. Other")

    again = service.register_doctor(a_registration(), a_call(token="t", digest="d"), doctors)

    assert again.replayed
    assert again.state == first


def test_a_registration_is_recognised_however_many_changes_came_since(doctors: Doctors) -> None:
    first = register(doctors, a_call(token="t", digest="d"))
    for n in range(20):
        update(doctors, first, name=f"Dr. {n}")

    assert service.register_doctor(a_registration(), a_call(token="t", digest="d"), doctors).state == first
    with pytest.raises(IdempotencyKeyReused):
        register(doctors, a_call(token="t", digest="other"))


def test_the_same_key_with_another_body_is_refused(doctors: Doctors) -> None:
    register(doctors, a_call(token="t", digest="d"))

    with pytest.raises(IdempotencyKeyReused):
        register(doctors, a_call(token="t", digest="e"), name="Dr. Other", email="b@example.com")


@pytest.mark.parametrize("address", ["meera.iyer@example.com", "Meera.Iyer@Example.COM"])
def test_an_email_belongs_to_one_doctor_whatever_its_case(table: Recorded, doctors: Doctors, address: str) -> None:
    register(doctors)
    written = dict(table.items)

    with pytest.raises(rules.EmailTaken):
        register(doctors, email=address)
    assert table.items == written


def test_an_email_that_was_given_up_is_free_again(doctors: Doctors) -> None:
    first = register(doctors)
    update(doctors, first, email=None)

    assert register(doctors).email == "meera.iyer@example.com"


def test_a_doctor_may_respell_an_own_email(table: Recorded, doctors: Doctors) -> None:
    doctor = register(doctors)

    assert update(doctors, doctor, email="Meera.Iyer@example.com").state.email == "Meera.Iyer@example.com"
    assert table.items[Key("email#meera.iyer@example.com", "claim")].body == doctor.doctor_id


def test_an_email_of_another_doctor_cannot_be_taken_by_an_update(doctors: Doctors) -> None:
    register(doctors)
    second = register(doctors, email="b@example.com")

    with pytest.raises(rules.EmailTaken):
        update(doctors, second, email="meera.iyer@example.com")


def test_of_many_registrations_with_one_email_one_wins(table: Recorded, doctors: Doctors) -> None:
    def attempt(n: int) -> str:
        try:
            return register(doctors, name=f"Dr. {n}").doctor_id
        except rules.EmailTaken:
            return "taken"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(8)))

    assert outcomes.count("taken") == 7
    assert sum(key.sk == "state" and key.pk.startswith("doctor#") for key in table.items) == 1


def test_an_external_identifier_belongs_to_one_doctor(table: Recorded, doctors: Doctors) -> None:
    identifiers = [{"system": "legacy", "value": "1"}]
    register(doctors, external_identifiers=identifiers)

    with pytest.raises(rules.IdentifierTaken):
        register(doctors, email="b@example.com", external_identifiers=identifiers)
    other = register(doctors, email="b@example.com", external_identifiers=[{"system": "other", "value": "1"}])

    assert table.items[Key("identifier#other", "1")].body == other.doctor_id


def test_a_stale_version_changes_nothing(table: Recorded, doctors: Doctors) -> None:
    doctor = register(doctors)
    update(doctors, doctor, name="Dr. Other")
    written = dict(table.items)

    with pytest.raises(StaleVersion):
        update(doctors, doctor, call=a_call(if_match=1), name="Dr. Third")
    assert table.items == written
    assert update(doctors, doctor, call=a_call(if_match=2), name="Dr. Third").state.version == 3


def test_updates_at_once_are_all_kept(doctors: Doctors) -> None:
    doctor = register(doctors)
    changes = [{"name": "Dr. N"}, {"phone": None}, {"specialization": "S"}, {"max_daily_appointments": 3}]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda change: update(doctors, doctor, **change), changes))

    stored = doctors.load(doctor.doctor_id)
    assert stored is not None
    after = stored.state
    seen = (after.version, after.name, after.phone, after.specialization, after.max_daily_appointments)
    assert seen == (5, "Dr. N", None, "S", 3)


def test_an_unknown_doctor_is_not_found(doctors: Doctors) -> None:
    unknown = register(Doctors(MemoryTable()))

    with pytest.raises(rules.DoctorNotFound):
        update(doctors, unknown, name="Dr. Other")
    with pytest.raises(rules.DoctorNotFound):
        service.reactivate_doctor(unknown.doctor_id, a_call(), doctors)
    with pytest.raises(rules.DoctorNotFound):
        service.get_doctor(unknown.doctor_id, a_call(), doctors)


def test_the_time_zone_stays_while_there_are_future_visits(doctors: Doctors, visits: Visits) -> None:
    doctor = register(doctors)
    visits.future = True

    with pytest.raises(rules.HasFutureVisits):
        update(doctors, doctor, visits, timezone="Europe/London")
    assert visits.asked == [("has_future_visits", {"doctor_id": doctor.doctor_id})]
    assert update(doctors, doctor, visits, timezone="Asia/Kolkata").state.timezone == "Asia/Kolkata"


def test_the_time_zone_changes_where_there_are_none(doctors: Doctors, visits: Visits) -> None:
    assert update(doctors, register(doctors), visits, timezone="Europe/London").state.timezone == "Europe/London"


def test_the_time_zone_does_not_change_on_a_guess(doctors: Doctors, visits: Visits) -> None:
    visits.down = True

    with pytest.raises(Busy):
        update(doctors, register(doctors), visits, timezone="Europe/London")


def test_every_change_tells_the_whole_doctor(table: Recorded, doctors: Doctors) -> None:
    doctor = register(doctors)
    doctor_id = doctor.doctor_id
    service.publish_schedule(doctor_id, PublishSchedule(periods=(a_weekly_period(),)), a_call(), doctors)
    service.set_override(doctor_id, DAY, SetOverride(periods=()), a_call(), doctors)
    leave = service.grant_leave(doctor_id, GrantLeave(first=DAY, last=DAY, reason="surgery"), a_call(), doctors).state
    service.deactivate_doctor(doctor_id, DeactivateDoctor(reason="moved"), a_call(), doctors)
    service.reactivate_doctor(doctor_id, a_call(), doctors)
    service.remove_override(doctor_id, DAY, a_call(), doctors)
    service.withdraw_leave(doctor_id, leave.leave[0].leave_id, a_call(), doctors)

    told = events(table, doctor)
    assert [event.type.split(".")[1] for event in told] == [
        "registered",
        "schedule_published",
        "overridden",
        "leave_changed",
        "deactivated",
        "reactivated",
        "overridden",
        "leave_changed",
    ]
    assert [event.data["version"] for event in told] == [*range(1, 9)]
    assert told[4].data["active"] is False
    assert told[4].data["schedule"] == [
        {"start": "09:00", "end": "13:00", "slot_duration": 30, "weekday": "MONDAY"},
    ]
    assert told[4].data["overrides"] == [{"date": "2026-12-07", "periods": []}]
    assert told[4].data["leave"] == [{"from": "2026-12-07", "to": "2026-12-07"}]
    assert (told[7].data["overrides"], told[7].data["leave"]) == ([], [])


def test_events_hold_no_contact_data_and_no_reasons(table: Recorded, doctors: Doctors) -> None:
    doctor = register(doctors)
    service.grant_leave(doctor.doctor_id, GrantLeave(first=DAY, last=DAY, reason="surgery"), a_call(), doctors)
    service.deactivate_doctor(doctor.doctor_id, DeactivateDoctor(reason="moved"), a_call(), doctors)

    told = " ".join(event.model_dump_json() for event in events(table, doctor))
    assert not [secret for secret in ("meera.iyer@", "9752166954", "surgery", "moved") if secret in told]


def test_leave_granted_twice_with_one_key_is_one_leave(doctors: Doctors) -> None:
    doctor = register(doctors)
    wanted = GrantLeave(first=DAY, last=DAY)

    first = service.grant_leave(doctor.doctor_id, wanted, a_call(token="t"), doctors)
    second = service.grant_leave(doctor.doctor_id, wanted, a_call(token="t"), doctors)

    assert (first.replayed, second.replayed) == (False, True)
    assert second.state.leave == first.state.leave
    assert len(second.state.leave) == 1


def test_old_leave_goes_with_the_next_change(doctors: Doctors) -> None:
    doctor = register(doctors)
    service.grant_leave(doctor.doctor_id, GrantLeave(first=DAY, last=DAY), a_call(), doctors)

    later = a_call(now=NOW + timedelta(days=400))

    assert update(doctors, doctor, call=later, name="Dr. Other").state.leave == ()


COMMANDS: dict[str, Callable[[str, Call, Doctors], object]] = {
    "update": lambda of, call, doctors: service.update_doctor(of, UpdateDoctor(phone=None), call, doctors, Visits()),
    "schedule": lambda of, call, doctors: service.publish_schedule(of, PublishSchedule(periods=()), call, doctors),
    "override": lambda of, call, doctors: service.set_override(of, DAY, SetOverride(periods=()), call, doctors),
    "leave": lambda of, call, doctors: service.grant_leave(of, GrantLeave(first=DAY, last=DAY), call, doctors),
    "deactivate": lambda of, call, doctors: service.deactivate_doctor(of, DeactivateDoctor(), call, doctors),
}


@pytest.mark.parametrize("command", ["update", "schedule", "override", "leave"])
def test_doctors_change_themselves(doctors: Doctors, command: str) -> None:
    doctor = register(doctors)

    COMMANDS[command](doctor.doctor_id, a_call(a_principal("doctor", doctor_id=doctor.doctor_id)), doctors)

    stored = doctors.load(doctor.doctor_id)
    assert stored is not None
    assert stored.state.version == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_doctors_do_not_reach_each_other_whether_or_not_they_exist(
    table: Recorded, doctors: Doctors, command: str
) -> None:
    doctor = register(doctors)
    other = a_call(a_principal("doctor", doctor_id="another"))
    reads = table.reads

    for doctor_id in (doctor.doctor_id, "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60"):
        with pytest.raises(Forbidden):
            COMMANDS[command](doctor_id, other, doctors)
    assert (table.reads, table.commits) == (reads, 1)


def test_a_doctor_does_not_change_what_is_said_of_them(doctors: Doctors) -> None:
    doctor = register(doctors)
    own = a_call(a_principal("doctor", doctor_id=doctor.doctor_id))

    with pytest.raises(Forbidden):
        update(doctors, doctor, call=own, department="Neurology")


def test_reception_plans_hours_but_does_not_change_profiles(doctors: Doctors) -> None:
    doctor = register(doctors)
    reception = a_call(a_principal("receptionist"))

    COMMANDS["leave"](doctor.doctor_id, reception, doctors)
    with pytest.raises(Forbidden):
        COMMANDS["update"](doctor.doctor_id, reception, doctors)


def test_contact_data_is_for_staff_and_the_doctor(doctors: Doctors) -> None:
    doctor = register(doctors)

    def seen(*roles: str, doctor_id: str | None = None) -> str | None:
        call = a_call(a_principal(*roles, doctor_id=doctor_id))
        return service.get_doctor(doctor.doctor_id, call, doctors).email

    assert seen("receptionist") == seen("doctor", doctor_id=doctor.doctor_id) == doctor.email
    assert seen("patient") is seen("doctor", doctor_id="another") is None


def test_stranded_visits_are_asked_with_the_new_hours(doctors: Doctors, visits: Visits) -> None:
    doctor = register(doctors)
    after = service.grant_leave(doctor.doctor_id, GrantLeave(first=DAY, last=DAY), a_call(), doctors).state
    visits.stranded = [STRANDED]

    found = service.stranded(after, visits)

    assert found is not None
    assert [visit.appointment_id for visit in found] == [STRANDED["appointment_id"]]
    task, payload = visits.asked[0]
    assert task == "stranded"
    assert payload["snapshot"]["leave"] == [{"from": "2026-12-07", "to": "2026-12-07"}]
    assert payload["snapshot"]["version"] == 2


def test_stranded_visits_are_unknown_while_appointments_is_down(doctors: Doctors) -> None:
    assert service.stranded(register(doctors), Visits(down=True)) is None


def test_a_department_is_opened_once(doctors: Doctors) -> None:
    def open_it(name: str, token: str | None = None) -> object:
        return service.open_department(OpenDepartment(name=name), a_call(token=token), doctors.departments)

    open_it("Cardiology", token="t")

    assert getattr(open_it("Cardiology", token="t"), "replayed", None) is True
    with pytest.raises(rules.DepartmentExists):
        open_it("CARDIOLOGY")


def test_of_many_first_doctors_of_a_department_one_opens_it(table: Recorded, doctors: Doctors) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: register(doctors, email=f"d{n}@example.com"), range(6)))

    opened = [key for key in table.items if key.pk.startswith("department#")]
    assert sorted(key.sk for key in opened) == ["event#00000001", "state"]
    assert sum(key.pk.startswith("doctor#") and key.sk == "state" for key in table.items) == 6
