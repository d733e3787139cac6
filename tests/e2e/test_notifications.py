"""People are told: what was booked, moved, cancelled and is near, over the whole path to the providers' outboxes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hms import ids
from hms.fields import rfc3339
from tests.support.client import agreed, eventually, refused
from tests.support.hospital import MONDAY, instant, slot
from tools import outbox

if TYPE_CHECKING:
    from tests.support.hospital import Hospital

# Before all visits of other tests, so that a clock moved to their reminders moves no other's.
FRIDAY = MONDAY - timedelta(days=3)
DAY, HOURS = timedelta(days=1), timedelta(hours=2)
# A message whose sender died has its turn again when the second receive finds the lease over.
SECONDS = 240


def someone(hospital: Hospital, **given: Any) -> dict[str, Any]:
    phone = f"+9198{int(ids.new()[-8:], 16) % 10**8:08d}"
    return hospital.patient(**{"phone": phone, "preferred_language": "en-IN"} | given)


def letters_to(hospital: Hospital, patient: dict[str, Any], count: int) -> list[outbox.Letter]:
    """What SES was given for somebody, once there are so many."""

    def found() -> list[outbox.Letter]:
        return [one for one in outbox.letters(hospital.system) if one.address == patient["email"]]

    return eventually(found, lambda letters: len(letters) >= count, SECONDS)


def texts_to(hospital: Hospital, patient: dict[str, Any], count: int) -> list[str]:
    def found() -> list[str]:
        return outbox.texts(hospital.system).get(patient["phone"], [])

    return eventually(found, lambda texts: len(texts) >= count, SECONDS)


def told(hospital: Hospital, visit: dict[str, Any], **wanted: Any) -> list[dict[str, Any]]:
    """All messages about a visit, newest first, once none waits to be sent."""
    query = {"appointment_id": visit["appointment_id"], "limit": 100, **wanted}

    def found() -> list[dict[str, Any]]:
        return list(agreed(hospital.reception.get("/v1/notifications", query=query))["items"])

    return eventually(found, lambda items: bool(items) and not any(map(_waits, items)), SECONDS)


def _waits(item: dict[str, Any]) -> bool:
    return bool(item["status"] == "PENDING")


def reminders(hospital: Hospital, visit: dict[str, Any]) -> list[tuple[str, str, str]]:
    items = told(hospital, visit)
    found = [(one["kind"], one["channel"], one["status"]) for one in items if one["kind"].startswith("reminder")]
    return sorted(found)


def planned(hospital: Hospital, visit: dict[str, Any]) -> list[str]:
    """When the reminders of a visit are due."""
    rows = hospital.aws("dynamodb").query(
        TableName=hospital.resource("NotificationsTable"),
        KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
        ExpressionAttributeValues={":pk": {"S": f"subject#{visit['appointment_id']}"}, ":sk": {"S": "reminder#"}},
    )["Items"]
    return sorted(row["bsk"]["S"].partition("#")[0] for row in rows)


def due(visit: dict[str, Any]) -> list[str]:
    start = datetime.fromisoformat(visit["slot_start"])
    return [rfc3339(start - DAY), rfc3339(start - HOURS)]


def sweep(hospital: Hospital, at: datetime) -> None:
    """Again while something fails: on a busy machine an owner may answer too late, and the timer waits."""
    asked = {"task": "sweep", "x-test-clock": rfc3339(at)}
    swept = eventually(lambda: hospital.ask("notifications", asked), lambda swept: swept["failed"] == 0, SECONDS)
    assert swept["failed"] == 0


def test_a_booking_is_told_by_e_mail_and_sms_in_the_right_words(hospital: Hospital) -> None:
    patient, doctor = someone(hospital), hospital.doctor(name="Dr. Meera Iyer")
    visit = agreed(hospital.book(patient, doctor, slot("10:00")), 201)

    (letter,) = letters_to(hospital, patient, 1)
    (text,) = texts_to(hospital, patient, 1)

    for words in ("Uma Shankar", "Dr. Meera Iyer", "10:00 am", f"{MONDAY.day} {MONDAY:%B %Y}", "Cardiology"):
        assert words in letter.text
    for words in ("Uma Shankar", "Dr. Meera Iyer", "10:00 am", f"{MONDAY:%a} {MONDAY.day} {MONDAY:%b}"):
        assert words in text
    assert {(one["channel"], one["status"]) for one in told(hospital, visit)} == {("email", "SENT"), ("sms", "SENT")}
    if letter.calendar is not None:
        assert "METHOD:REQUEST" in letter.calendar
        assert f"UID:{visit['appointment_id']}@hms" in letter.calendar.replace("\r\n ", "")


def test_words_are_in_the_patients_language(hospital: Hospital) -> None:
    patient = someone(hospital, preferred_language="hi-IN")
    agreed(hospital.book(patient, hospital.doctor(), slot("10:00")), 201)

    (text,) = texts_to(hospital, patient, 1)

    assert "अपॉइंटमेंट" in text


def test_a_cancellation_by_the_clinic_is_told_against_all_preferences(hospital: Hospital) -> None:
    patient = someone(hospital)
    path = f"/v1/patients/{patient['patient_id']}/notification-preferences"
    quiet = {"start": "00:00", "end": "23:59"}
    agreed(hospital.reception.put(path, {"channels": [], "quiet_hours": quiet}))
    visit = agreed(hospital.book(patient, hospital.doctor(), slot("10:00")), 201)
    hospital.confirmed(visit)
    cancel = {"requested_by": "CLINIC", "reason": "The doctor is at a congress"}
    agreed(hospital.reception.post(f"/v1/appointments/{visit['appointment_id']}/cancel", cancel))

    (letter,) = letters_to(hospital, patient, 1)

    assert "congress" in letter.text
    states = {(one["kind"], one["status"]) for one in told(hospital, visit)}
    assert states == {("appointment-booked", "SKIPPED"), ("appointment-cancelled-by-clinic", "SENT")}
    if letter.calendar is not None:
        assert "METHOD:CANCEL" in letter.calendar


def test_reminders_follow_a_visit_and_end_with_it(hospital: Hospital) -> None:
    """One story, because the clock that is moved is everybody's."""
    doctor = hospital.doctor()
    plain, moved, cancelled = (
        hospital.confirmed(agreed(hospital.book(someone(hospital), doctor, slot(at, FRIDAY)), 201))
        for at in ("11:00", "12:00", "13:00")
    )
    for at in ("14:00", "11:30"):
        path = f"/v1/appointments/{moved['appointment_id']}/reschedule"
        moved = hospital.confirmed(agreed(hospital.reception.post(path, slot(at, FRIDAY))))
    agreed(hospital.reception.post(f"/v1/appointments/{cancelled['appointment_id']}/cancel"))

    assert eventually(lambda: planned(hospital, plain), lambda times: times == due(plain), SECONDS) == due(plain)
    assert eventually(lambda: planned(hospital, moved), lambda times: times == due(moved), SECONDS) == due(moved)

    for at, day in (("11:00", FRIDAY - DAY), ("13:30", FRIDAY - DAY), ("09:30", FRIDAY), ("13:00", FRIDAY)):
        for _ in range(2):
            sweep(hospital, instant(at, day))

    pair = [(f"reminder-{kind}", channel, "SENT") for kind in ("24h", "2h") for channel in ("email", "sms")]
    assert eventually(lambda: reminders(hospital, plain), lambda found: found == pair, SECONDS) == pair
    assert eventually(lambda: reminders(hospital, moved), lambda found: found == pair, SECONDS) == pair
    assert reminders(hospital, cancelled) == []
    assert planned(hospital, plain) == planned(hospital, moved) == planned(hospital, cancelled) == []


def test_an_address_that_bounced_is_left_alone_until_reception_restores_it(hospital: Hospital) -> None:
    patient = someone(hospital)
    visit = agreed(hospital.book(patient, hospital.doctor(), slot("10:00")), 201)
    sent = next(one for one in told(hospital, visit) if one["channel"] == "email")
    bounce = {
        "eventType": "Bounce",
        "mail": {"messageId": sent["provider_message_id"], "tags": {"notification_id": [sent["notification_id"]]}},
        "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": patient["email"]}]},
    }
    hospital.aws("sns").publish(TopicArn=hospital.resource("NotificationsDeliveries"), Message=json.dumps(bounce))
    path = f"/v1/notifications/{sent['notification_id']}"
    reported = eventually(
        lambda: agreed(hospital.reception.get(path)), lambda one: one["delivery"] == "BOUNCED", SECONDS
    )
    assert reported["status"] == "SENT"

    again = agreed(hospital.reception.post(f"{path}/resend"), 201)
    skipped = eventually(
        lambda: agreed(hospital.reception.get(f"/v1/notifications/{again['notification_id']}")),
        lambda one: one["status"] != "PENDING",
        SECONDS,
    )
    assert (skipped["status"], skipped["reason"], skipped["attempt"]) == ("SKIPPED", "ADDRESS_SUPPRESSED", 2)

    restore = f"/v1/patients/{patient['patient_id']}/notification-addresses/restore"
    assert hospital.reception.post(restore).status_code == 204
    agreed(hospital.reception.post(f"{path}/resend"), 201)
    assert len(letters_to(hospital, patient, 2)) == 2


def test_a_resend_with_one_key_is_one_message(hospital: Hospital) -> None:
    patient = someone(hospital)
    visit = agreed(hospital.book(patient, hospital.doctor(), slot("10:00")), 201)
    sms = next(one for one in told(hospital, visit) if one["channel"] == "sms")
    path = f"/v1/notifications/{sms['notification_id']}/resend"

    first = agreed(hospital.reception.post(path, key="again"), 201)
    replayed = hospital.reception.post(path, key="again")

    assert replayed.headers["Idempotency-Replayed"] == "true"
    assert replayed.json()["notification_id"] == first["notification_id"]
    assert len(texts_to(hospital, patient, 2)) == 2
    assert {one["attempt"] for one in told(hospital, visit, channel="sms")} == {1, 2}


def test_patients_see_their_own_messages_and_preferences_only(hospital: Hospital) -> None:
    patient = someone(hospital)
    herself = hospital.user("patient", patient_id=patient["patient_id"])
    visit = agreed(hospital.book(patient, hospital.doctor(), slot("10:00")), 201)
    one = told(hospital, visit)[0]
    stranger = hospital.role("patient")
    preferences = f"/v1/patients/{patient['patient_id']}/notification-preferences"

    mine = agreed(herself.get("/v1/notifications"))["items"]
    assert {item["subject_id"] for item in mine} == {visit["appointment_id"]}
    assert agreed(herself.put(preferences, {"channels": ["sms"]}))["channels"] == ["sms"]
    for path in (f"/v1/notifications/{one['notification_id']}", preferences):
        refused(stranger.get(path), 403, "FORBIDDEN")
    refused(stranger.get("/v1/notifications", query={"patient_id": patient["patient_id"]}), 403, "FORBIDDEN")
    refused(herself.post(f"/v1/notifications/{one['notification_id']}/resend"), 403, "FORBIDDEN")
    refused(herself.put(preferences, {"muted": ["gossip"]}), 422, "INVALID")
