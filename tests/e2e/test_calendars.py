"""Calendars over HTTP, as a calendar program reads them: it knows an address and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from icalendar import Calendar

from tests.support.client import ANSWER_SECONDS, agreed, refused
from tests.support.hospital import TUESDAY, instant, slot

if TYPE_CHECKING:
    from tests.support.client import Client
    from tests.support.hospital import Hospital


def link(owner: Client, kind: str, **details: Any) -> dict[str, Any]:
    tokens = f"/v1/{kind}s/{owner.user[f'{kind}_id']}/calendar-tokens"
    made: dict[str, Any] = agreed(owner.post(tokens, **details), 201)
    return made


def read(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, timeout=ANSWER_SECONDS)


def events(url: str) -> dict[str, Any]:
    """What the address shows, by id."""
    answer = read(url)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].replace(" ", "") == "text/calendar;charset=utf-8"
    assert answer.content.endswith(b"END:VCALENDAR\r\n")
    return {str(event["UID"]): event for event in Calendar.from_ical(answer.content).walk("VEVENT")}


def test_a_subscribed_calendar_follows_a_visit_from_booking_to_the_end_of_the_link(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(name="अनुराधा राव"), hospital.doctor()
    herself = hospital.user("patient", patient_id=patient["patient_id"])
    url = link(herself, "patient")["url"]
    assert events(url) == {}

    visit = agreed(hospital.book(patient, doctor, slot("10:00"), by=herself), 201)["appointment_id"]
    [booked] = events(url).values()
    agreed(herself.post(f"/v1/appointments/{visit}/reschedule", slot("11:30", TUESDAY)))
    [moved] = events(url).values()
    agreed(herself.post(f"/v1/appointments/{visit}/cancel"))
    [cancelled] = events(url).values()

    assert [str(event["UID"]) for event in (booked, moved, cancelled)] == [f"{visit}@hms"] * 3
    assert [event["SEQUENCE"] for event in (booked, moved, cancelled)] == sorted(
        {event["SEQUENCE"] for event in (booked, moved, cancelled)}
    )
    assert [event["DTSTART"].dt for event in (booked, moved)] == [instant("10:00"), instant("11:30", TUESDAY)]
    assert booked["SUMMARY"] == f"{doctor['name']} · {doctor['department']}"
    assert cancelled["STATUS"] == "CANCELLED"

    tokens = f"/v1/patients/{patient['patient_id']}/calendar-tokens"
    [token] = agreed(herself.get(tokens))["items"]
    agreed(herself.delete(f"{tokens}/{token['token_id']}"), 204)
    refused(read(url), 404, "NOT_FOUND")


def test_the_doctors_calendar_shows_the_visits_without_the_patients(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(name="Farhan Qureshi"), hospital.doctor()
    himself = hospital.user("doctor", doctor_id=doctor["doctor_id"])
    url = link(himself, "doctor")["url"]

    visit = agreed(hospital.book(patient, doctor, slot("12:00")), 201)["appointment_id"]

    assert events(url)[f"{visit}@hms"]["SUMMARY"] == "Visit: Fa***"
    assert not [word for word in ("Farhan", "Qureshi", patient["patient_id"]) if word in read(url).text]


def test_an_address_is_answered_again_only_where_something_changed(hospital: Hospital) -> None:
    patient = hospital.patient()
    url = link(hospital.user("patient", patient_id=patient["patient_id"]), "patient")["url"]
    etag = read(url).headers["ETag"]

    again = read(url, **{"If-None-Match": etag})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == etag


def test_a_token_opens_its_owners_calendar_alone(hospital: Hospital) -> None:
    one, other = hospital.patient(), hospital.patient()
    url = link(hospital.user("patient", patient_id=one["patient_id"]), "patient")["url"]

    for wrong in (
        url.replace(one["patient_id"], other["patient_id"]),
        url.replace("/patients/", "/doctors/"),
        url[:-1],
        url.partition("?")[0],
    ):
        refused(read(wrong), 404, "NOT_FOUND")
    assert read(url).status_code == 200


def test_the_same_request_for_a_link_gets_the_same_link(hospital: Hospital) -> None:
    herself = hospital.user("patient", patient_id=hospital.patient()["patient_id"])

    first, again = (link(herself, "patient", key="for-my-phone") for _ in range(2))

    assert again == first
    assert events(again["url"]) == {}
