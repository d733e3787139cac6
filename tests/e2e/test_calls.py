"""What holds of every call: keys replay, versions are respected, crashes lose nothing and double nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from hms import ids
from tests.support.client import agreed, refused
from tests.support.hospital import PASSWORD, TUESDAY, slot

if TYPE_CHECKING:
    from tests.support.hospital import Hospital


def visits_of(patient: dict[str, Any], hospital: Hospital) -> list[str]:
    query = {"patient_id": patient["patient_id"]}
    items = agreed(hospital.admin.get("/v1/appointments", query=query))["items"]
    return [visit["appointment_id"] for visit in items]


def test_the_same_key_replays_the_first_answer_for_good(hospital: Hospital) -> None:
    patient, doctor, key = hospital.patient(), hospital.doctor(), ids.new()
    first = hospital.book(patient, doctor, slot("10:00"), key=key)
    booked = agreed(first, 201)
    assert "Idempotency-Replayed" not in first.headers
    path = f"/v1/appointments/{booked['appointment_id']}"
    agreed(hospital.reception.post(f"{path}/reschedule", slot("11:00")))
    agreed(hospital.reception.post(f"{path}/cancel"))

    again = hospital.book(patient, doctor, slot("10:00"), key=key)

    assert agreed(again, 201) == booked
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["ETag"] == first.headers["ETag"] == '"1"'
    assert visits_of(patient, hospital) == [booked["appointment_id"]]


def test_a_key_with_another_body_is_refused(hospital: Hospital) -> None:
    patient, doctor, key = hospital.patient(), hospital.doctor(), ids.new()
    booked = agreed(hospital.book(patient, doctor, slot("10:00"), key=key), 201)

    refused(hospital.book(patient, doctor, slot("11:00"), key=key), 422, "IDEMPOTENCY_KEY_REUSED")

    assert visits_of(patient, hospital) == [booked["appointment_id"]]


def test_a_key_belongs_to_its_caller(hospital: Hospital) -> None:
    patient, doctor, key = hospital.patient(), hospital.doctor(), ids.new()
    agreed(hospital.book(patient, doctor, slot("10:00"), key=key), 201)

    refused(hospital.book(patient, doctor, slot("10:00"), hospital.role("nurse"), key=key), 409, "SLOT_TAKEN")


def test_every_kind_of_command_replays(hospital: Hospital) -> None:
    visit, admin, key = hospital.visit(), hospital.admin, ids.new()
    path = f"/v1/appointments/{visit['appointment_id']}"
    person = {"name": "Leela Samson", "email": f"leela-{key}@example.com"}
    commands: list[tuple[str, dict[str, Any], int]] = [
        ("/v1/patients", {**person, "dob": "1951-05-06"}, 201),
        ("/v1/doctors", {**person, "department": "Cardiology", "specialization": "Cardiologist"}, 201),
        ("/v1/users", {**person, "password": PASSWORD, "roles": ["nurse"]}, 201),
        (f"{path}/notes", {"text": "Prefers mornings"}, 201),
        (f"{path}/reschedule", slot("11:00", TUESDAY), 200),
        (f"{path}/cancel", {}, 200),
        (f"/v1/patients/{visit['patient_id']}/deactivate", {}, 200),
        (f"/v1/doctors/{visit['doctor_id']}/deactivate", {}, 200),
    ]

    for command, body, status in commands:
        first = agreed(admin.post(command, body, key=key), status)
        second = admin.post(command, body, key=key)
        assert agreed(second, status) == first, command
        assert second.headers["Idempotency-Replayed"] == "true", command


def test_a_change_names_the_version_it_rests_on(hospital: Hospital) -> None:
    visit, staff = hospital.visit(), hospital.reception
    path = f"/v1/appointments/{visit['appointment_id']}"
    assert staff.get(path).headers["ETag"] == '"1"'

    for stale in ('"2"', '"0"', "nonsense"):
        refused(staff.post(f"{path}/cancel", if_match=stale), 412, "STALE_VERSION")
    assert agreed(staff.get(path)) == visit
    moved = agreed(staff.post(f"{path}/reschedule", slot("11:00"), if_match='"1"'))
    assert moved["version"] == 2
    refused(staff.post(f"{path}/cancel", if_match='"1"'), 412, "STALE_VERSION")
    agreed(staff.post(f"{path}/cancel", if_match='W/"2"'))


def test_people_are_changed_on_the_version_that_was_read(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor()
    for path, version in (
        (f"/v1/patients/{patient['patient_id']}", 1),
        (f"/v1/doctors/{doctor['doctor_id']}", doctor["version"]),
    ):
        agreed(hospital.admin.patch(path, {"phone": "+919752166954"}, if_match=f'"{version}"'))
        stale = hospital.admin.patch(path, {"phone": "+919752166955"}, if_match=f'"{version}"')
        refused(stale, 412, "STALE_VERSION")
        assert agreed(hospital.admin.get(path))["phone"] == "+919752166954"


def test_what_was_not_changed_is_not_sent_again(hospital: Hospital) -> None:
    visit = hospital.visit()
    path = f"/v1/appointments/{visit['appointment_id']}"

    unchanged = hospital.reception.get(path, headers={"If-None-Match": '"1"'})

    assert (unchanged.status_code, unchanged.text) == (304, "")


def test_a_call_keeps_the_names_it_came_with(hospital: Hospital) -> None:
    names = {"X-Correlation-ID": ids.new(), "X-Request-ID": ids.new()}

    answer = hospital.reception.get("/v1/departments", headers=names)

    assert {name: answer.headers[name] for name in names} == names


def test_a_crash_before_the_commit_writes_nothing(hospital: Hospital) -> None:
    patient, doctor, key = hospital.patient(), hospital.doctor(), ids.new()
    # The first booking asks the owners of both people, whose copies are kept: that is the commit it would die before.
    agreed(hospital.book(patient, doctor, slot("15:00")), 201)
    people = {"patient_id": patient["patient_id"], "doctor_id": doctor["doctor_id"]}
    wish = {**people, **slot("10:00")}

    crashed = hospital.reception.post("/v1/appointments", wish, key=key, fault="before-commit")

    assert crashed.status_code >= 500
    assert len(visits_of(patient, hospital)) == 1
    retried = hospital.reception.post("/v1/appointments", wish, key=key)
    booked = agreed(retried, 201)
    assert "Idempotency-Replayed" not in retried.headers
    assert booked["appointment_id"] in visits_of(patient, hospital)


def test_a_booking_that_crashed_after_the_commit_is_found_again_by_its_key(hospital: Hospital) -> None:
    patient, doctor, key = hospital.patient(), hospital.doctor(), ids.new()
    agreed(hospital.book(patient, doctor, slot("15:00")), 201)
    people = {"patient_id": patient["patient_id"], "doctor_id": doctor["doctor_id"]}
    wish = {**people, **slot("10:00")}

    crashed = hospital.reception.post("/v1/appointments", wish, key=key, fault="after-commit")

    assert crashed.status_code >= 500
    retried = hospital.reception.post("/v1/appointments", wish, key=key)
    booked = agreed(retried, 201)
    assert retried.headers["Idempotency-Replayed"] == "true"
    assert visits_of(patient, hospital)[0] == booked["appointment_id"]
    assert len(visits_of(patient, hospital)) == 2


def test_a_change_that_crashed_after_the_commit_is_done_once(hospital: Hospital) -> None:
    visit, key = hospital.visit(), ids.new()
    path = f"/v1/appointments/{visit['appointment_id']}/cancel"

    crashed = hospital.reception.post(path, key=key, fault="after-commit")

    assert crashed.status_code >= 500
    retried = hospital.reception.post(path, key=key)
    assert agreed(retried)["version"] == 2
    assert retried.headers["Idempotency-Replayed"] == "true"


def test_one_of_many_who_want_a_slot_gets_it(hospital: Hospital) -> None:
    patients, doctor, staff = [hospital.patient() for _ in range(4)], hospital.doctor(), hospital.reception
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda patient: hospital.book(patient, doctor, slot("10:00"), staff), patients))

    won = [answer for answer in answers if answer.status_code == 201]
    assert len(won) == 1
    for answer in answers:
        if answer is not won[0]:
            refused(answer, 409, "SLOT_TAKEN")


def test_many_calls_with_one_key_book_once(hospital: Hospital) -> None:
    patient, doctor, staff, key = hospital.patient(), hospital.doctor(), hospital.reception, ids.new()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(hospital.book, patient, doctor, slot("10:00"), staff, key) for _ in range(4)]
        booked = [agreed(one.result(), 201) for one in asked]

    assert len({one["appointment_id"] for one in booked}) == 1
    assert visits_of(patient, hospital) == [booked[0]["appointment_id"]]
