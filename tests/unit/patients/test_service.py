from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from hms.errors import Busy, Forbidden, IdempotencyKeyReused, InvalidTransition, StaleVersion
from hms.events import Event
from hms.pages import PageParams
from hms.rows import Conflict, Key
from patients import rules, service
from patients.model import DeactivatePatient, SetIdentifiers
from patients.rules import EmailTaken, IdentifierTaken, PatientNotFound
from patients.store import Patients
from tests.support.memory import MemoryTable
from tests.support.patients import (
    DOCTOR,
    DOCTOR_ID,
    NOW,
    RECEPTIONIST,
    a_call,
    a_principal,
    a_registration,
    an_update,
    registered,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hms.rows import Change

FULL: dict[str, Any] = {
    "name": "Rohan Kumar Lal Das Sharma",
    "email": "rohan@example.com",
    "phone": "+919227680402",
    "external_identifiers": [{"system": "legacy", "value": "17"}, {"system": "abha", "value": "91-1"}],
}
NOBODY = ids.derived("patient", "nobody")


class LosingAnswers(MemoryTable):
    """Commits, then loses the answer once."""

    lost = False

    def commit(self, changes: Sequence[Change]) -> None:
        super().commit(changes)
        if not self.lost:
            self.lost = True
            raise Conflict(())


@pytest.fixture
def patients() -> Patients:
    return Patients(MemoryTable())


def memory(patients: Patients) -> MemoryTable:
    assert isinstance(patients.table, MemoryTable)
    return patients.table


def never(doctor_id: str, patient_id: str) -> bool:
    raise AssertionError((doctor_id, patient_id))


def events(patients: Patients, patient_id: str) -> list[Event]:
    rows = patients.history(patient_id, limit=100).items
    return [Event.model_validate_json(row.body or "") for row in rows]


def set_identifiers(patients: Patients, patient_id: str, *identifiers: tuple[str, str]) -> None:
    command = SetIdentifiers.model_validate(
        {"external_identifiers": tuple({"system": system, "value": value} for system, value in identifiers)}
    )
    service.set_identifiers(patient_id, command, a_call(), patients)


def test_a_registration_is_kept_and_told(patients: Patients) -> None:
    asha = registered(patients, email="asha@example.com", phone="9227680402")

    read = service.read_patient(asha.patient_id, RECEPTIONIST, patients, never)
    [event] = events(patients, asha.patient_id)

    assert read.model_dump() == asha.model_dump(exclude={"possible_duplicates"})
    assert (event.type, event.subject, event.version) == ("patients.registered.v1", asha.patient_id, 1)
    assert event.data == {
        "patient_id": asha.patient_id,
        "version": 1,
        "name": "Asha Verma",
        "email": "asha@example.com",
        "phone": "+919227680402",
        "preferred_language": None,
        "active": True,
    }


def test_a_registration_with_all_it_may_have_is_one_commit(patients: Patients) -> None:
    registered(patients, **FULL)

    assert memory(patients).commits == 1


def test_a_change_of_everything_at_once_is_one_commit(patients: Patients) -> None:
    rohan = registered(patients, **FULL)

    for name in ("Asha Devi Bai Rani Verma", "Asha", "Vivaan Kumar Lal Das Gupta"):
        everything = an_update(name=name, email=f"{name[:4]}@example.com", phone="9227680409", dob="1991-01-01")
        service.update_patient(rohan.patient_id, everything, a_call(), patients)

    assert memory(patients).commits == 4


def test_all_identifiers_are_replaced_in_one_commit(patients: Patients) -> None:
    asha = registered(patients)

    set_identifiers(patients, asha.patient_id, *[("legacy", str(number)) for number in range(4)])
    set_identifiers(patients, asha.patient_id, *[("legacy", str(number)) for number in range(4, 8)])

    assert memory(patients).commits == 3
    assert Key("identifier#legacy\x1f0", "claim") not in memory(patients).items
    assert registered(patients, external_identifiers=[{"system": "legacy", "value": "0"}]).version == 1


def test_nothing_is_left_of_a_longer_name(patients: Patients) -> None:
    rohan = registered(patients, **FULL)

    service.update_patient(rohan.patient_id, an_update(name="Rohan"), a_call(), patients)

    assert not [key for key in memory(patients).items if key.sk.startswith("word#")]


def test_the_same_registration_twice_gives_the_first_answer(patients: Patients) -> None:
    call = a_call(token="retried", digest="same")
    first = service.register_patient(a_registration(email="a@example.com"), call, patients)
    service.update_patient(first.state.patient_id, an_update(name="Asha Rao"), a_call(), patients)
    registered(patients, name="Asha Verma", phone="9227680402")

    later = a_call(token="retried", digest="same", now=NOW + timedelta(hours=1))
    again = service.register_patient(a_registration(email="a@example.com"), later, patients)

    assert again.replayed
    assert again.state.model_dump(exclude={"possible_duplicates"}) == first.state.model_dump(
        exclude={"possible_duplicates"}
    )


def test_a_registration_is_recognised_after_many_changes(patients: Patients) -> None:
    first = service.register_patient(a_registration(), a_call(token="retried"), patients)
    for number in range(10):
        service.update_patient(first.state.patient_id, an_update(name=f"Asha {number}"), a_call(), patients)

    again = service.register_patient(a_registration(), a_call(token="retried"), patients)

    assert again.replayed
    assert again.state == first.state


def test_a_key_is_not_for_two_registrations(patients: Patients) -> None:
    service.register_patient(a_registration(), a_call(token="key", digest="one"), patients)

    with pytest.raises(IdempotencyKeyReused):
        service.register_patient(a_registration(name="Rohan"), a_call(token="key", digest="other"), patients)


def test_a_lost_answer_does_not_register_twice() -> None:
    patients = Patients(LosingAnswers())

    outcome = service.register_patient(a_registration(email="asha@example.com"), a_call(), patients)

    assert outcome.replayed
    assert len(events(patients, outcome.state.patient_id)) == 1


def test_a_change_after_a_replayed_one_stays(patients: Patients) -> None:
    asha = registered(patients)
    call = a_call(token="retried")
    first = service.update_patient(asha.patient_id, an_update(phone="9227680402"), call, patients)
    service.update_patient(asha.patient_id, an_update(phone="9227680403"), a_call(), patients)

    again = service.update_patient(asha.patient_id, an_update(phone="9227680402"), call, patients)

    assert (again.replayed, again.state) == (True, first.state)
    assert service.read_patient(asha.patient_id, RECEPTIONIST, patients, never).phone == "+919227680403"


@pytest.mark.parametrize("email", ["asha@example.com", "ASHA@Example.com"])
def test_an_address_belongs_to_one_patient(patients: Patients, email: str) -> None:
    registered(patients, email="asha@example.com")
    rohan = registered(patients, name="Rohan")

    with pytest.raises(EmailTaken):
        registered(patients, email=email)
    with pytest.raises(EmailTaken):
        service.update_patient(rohan.patient_id, an_update(email=email), a_call(), patients)


def test_an_address_that_was_given_up_is_free_again(patients: Patients) -> None:
    asha = registered(patients, email="asha@example.com")
    service.update_patient(asha.patient_id, an_update(email=None), a_call(), patients)

    assert registered(patients, name="Rohan", email="asha@example.com").email == "asha@example.com"


def test_an_address_may_be_spelt_anew_by_whoever_has_it(patients: Patients) -> None:
    asha = registered(patients, email="asha@example.com")

    after = service.update_patient(asha.patient_id, an_update(email="Asha@example.com"), a_call(), patients)

    assert after.state.email == "Asha@example.com"
    with pytest.raises(EmailTaken):
        registered(patients, email="asha@example.com")


def test_of_many_at_once_one_gets_the_address(patients: Patients) -> None:
    def attempt(number: int) -> bool:
        try:
            registered(patients, name=f"Asha {number}", email="asha@example.com")
        except (EmailTaken, Busy):
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(16)))

    assert won.count(True) == 1
    [holder] = patients.holders([rules.email_claim("asha@example.com")]).values()
    assert service.read_patient(holder, RECEPTIONIST, patients, never).email == "asha@example.com"


def test_an_identifier_belongs_to_one_patient_per_system(patients: Patients) -> None:
    registered(patients, external_identifiers=[{"system": "legacy", "value": "17"}])
    rohan = registered(patients, name="Rohan", external_identifiers=[{"system": "abha", "value": "17"}])

    with pytest.raises(IdentifierTaken):
        registered(patients, external_identifiers=[{"system": "LEGACY", "value": "17"}])
    with pytest.raises(IdentifierTaken):
        set_identifiers(patients, rohan.patient_id, ("legacy", "17"))


def test_importing_twice_doubles_nobody(patients: Patients) -> None:
    row = a_registration(external_identifiers=[{"system": "legacy", "value": "17"}])

    for _ in range(2):
        service.register_patient(row, a_call(token=ids.derived("import", "legacy", "17"), digest="17"), patients)

    assert memory(patients).commits == 1


def test_a_stale_version_changes_nothing(patients: Patients) -> None:
    asha = registered(patients)
    service.update_patient(asha.patient_id, an_update(name="Asha Rao"), a_call(if_match=1), patients)

    with pytest.raises(StaleVersion):
        service.update_patient(asha.patient_id, an_update(name="Asha Gupta"), a_call(if_match=1), patients)

    assert service.read_patient(asha.patient_id, RECEPTIONIST, patients, never).name == "Asha Rao"


def test_deactivation_keeps_everything_and_comes_back(patients: Patients) -> None:
    asha = registered(patients, email="asha@example.com")
    why = DeactivatePatient(reason="Registered twice")
    service.deactivate_patient(asha.patient_id, why, a_call(), patients)

    with pytest.raises(InvalidTransition):
        service.deactivate_patient(asha.patient_id, why, a_call(), patients)
    with pytest.raises(EmailTaken):
        registered(patients, email="asha@example.com")
    back = service.reactivate_patient(asha.patient_id, a_call(), patients)

    assert (back.state.active, back.state.email) == (True, "asha@example.com")
    assert [event.type for event in events(patients, asha.patient_id)] == [
        "patients.registered.v1",
        "patients.deactivated.v1",
        "patients.reactivated.v1",
    ]


def test_nobody_is_not_found(patients: Patients) -> None:
    with pytest.raises(PatientNotFound):
        service.read_patient(NOBODY, RECEPTIONIST, patients, never)
    with pytest.raises(PatientNotFound):
        service.update_patient(NOBODY, an_update(name="Asha"), a_call(), patients)
    with pytest.raises(PatientNotFound):
        service.read_history(NOBODY, PageParams(), RECEPTIONIST, patients)


def test_patients_reach_themselves_and_nobody_else(patients: Patients) -> None:
    asha, rohan = registered(patients), registered(patients, name="Rohan")
    who = a_principal("patient", patient_id=asha.patient_id)

    assert service.read_patient(asha.patient_id, who, patients, never).name == "Asha Verma"
    service.update_patient(asha.patient_id, an_update(phone="9227680402"), a_call(who), patients)
    for other in (rohan.patient_id, NOBODY):
        reads = memory(patients).reads
        with pytest.raises(Forbidden):
            service.read_patient(other, who, patients, never)
        with pytest.raises(Forbidden):
            service.update_patient(other, an_update(phone="9227680402"), a_call(who), patients)
        with pytest.raises(Forbidden):
            service.read_history(other, PageParams(), who, patients)
        assert memory(patients).reads == reads


def test_a_patient_without_a_record_reaches_nobody(patients: Patients) -> None:
    with pytest.raises(Forbidden):
        service.read_patient(registered(patients).patient_id, a_principal("patient"), patients, never)


def test_patients_leave_their_name_to_the_reception(patients: Patients) -> None:
    asha = registered(patients)
    who = a_principal("patient", patient_id=asha.patient_id)

    with pytest.raises(Forbidden):
        service.update_patient(asha.patient_id, an_update(name="Asha Rao"), a_call(who), patients)


def test_doctors_reach_those_they_are_known_to_treat(patients: Patients) -> None:
    asha = registered(patients)
    patients.remember_treatment(asha.patient_id, DOCTOR_ID)
    patients.remember_treatment(asha.patient_id, DOCTOR_ID)
    reads = memory(patients).reads

    assert service.read_patient(asha.patient_id, DOCTOR, patients, never).name == "Asha Verma"
    assert memory(patients).reads == reads + 1


def test_the_owner_of_visits_is_asked_once_about_whom_a_doctor_treats(patients: Patients) -> None:
    asha = registered(patients)
    asked: list[tuple[str, str]] = []

    def treats(doctor_id: str, patient_id: str) -> bool:
        asked.append((doctor_id, patient_id))
        return True

    service.read_patient(asha.patient_id, DOCTOR, patients, treats)
    service.read_patient(asha.patient_id, DOCTOR, patients, treats)

    assert asked == [(DOCTOR_ID, asha.patient_id)]


@pytest.mark.parametrize("exists", [True, False])
def test_doctors_do_not_reach_others_patients(patients: Patients, *, exists: bool) -> None:
    patient_id = registered(patients).patient_id if exists else NOBODY

    for _ in range(2):
        with pytest.raises(Forbidden):
            service.read_patient(patient_id, DOCTOR, patients, lambda _doctor, _patient: False)


def test_the_history_says_who_did_what(patients: Patients) -> None:
    asha = registered(patients)
    service.update_patient(asha.patient_id, an_update(name="Asha Rao"), a_call(), patients)

    first = service.read_history(asha.patient_id, PageParams(limit=1), RECEPTIONIST, patients)
    rest = PageParams(limit=1, cursor=first.next_cursor)
    second = service.read_history(asha.patient_id, rest, RECEPTIONIST, patients)

    assert [(one.version, one.type, one.by) for one in (*first.items, *second.items)] == [
        (1, "patients.registered.v1", "user-1"),
        (2, "patients.updated.v1", "user-1"),
    ]
    assert second.next_cursor is None


def test_reading_one_is_one_read_and_changing_one_a_read_and_a_commit(patients: Patients) -> None:
    asha = registered(patients)
    table = memory(patients)
    table.reads = table.commits = 0

    service.read_patient(asha.patient_id, RECEPTIONIST, patients, never)
    assert (table.reads, table.commits) == (1, 0)
    service.update_patient(asha.patient_id, an_update(email="asha@example.com"), a_call(), patients)
    assert (table.reads, table.commits) == (2, 1)
