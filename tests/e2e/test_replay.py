"""What was given up is sent on its way again, and telling anything again changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from hms import ids
from tests.e2e.test_events import copy_of
from tests.e2e.test_relay import event_row, known, registered, write
from tests.support.client import agreed, eventually
from tests.support.hospital import TUESDAY, slot
from tools import runner
from tools.cli import app
from tools.replay.place import ReplayError

if TYPE_CHECKING:
    from typer.testing import Result

    from tests.support.hospital import Hospital

pytestmark = pytest.mark.e2e


def hms(hospital: Hospital, *command: str) -> Result:
    place = ("--endpoint-url", hospital.system.endpoint_url, "--stack", hospital.system.stack)
    return CliRunner().invoke(app, [*command, *place])


def put(hospital: Hospital, queue: str, letter: dict[str, Any]) -> str:
    """A letter in a queue of failures, and its message id."""
    sent = hospital.aws("sqs").send_message(QueueUrl=hospital.resource(queue), MessageBody=json.dumps(letter))
    message_id: str = sent["MessageId"]
    return message_id


def forget(hospital: Hospital, patient_id: str) -> None:
    """As if the patient's events had never reached the visits' domain."""
    key = {"pk": {"S": f"patient#{patient_id}"}, "sk": {"S": "profile"}}
    hospital.aws("dynamodb").delete_item(TableName=hospital.resource("AppointmentsTable"), Key=key)


def lost(hospital: Hospital) -> dict[str, Any]:
    """A patient of whom the visits' domain has no copy."""
    patient = hospital.patient()
    assert eventually(lambda: known(hospital, patient["patient_id"]), bool)
    forget(hospital, patient["patient_id"])
    return patient


def made_at(patient: dict[str, Any]) -> datetime:
    """Until the copy was there, which is taken away then, minutes may have passed."""
    return datetime.fromisoformat(patient["created_at"])


def rows_of(hospital: Hospital, patient_id: str, doctor_id: str) -> dict[str, Any]:
    """All that both domains keep of two people, but for the relation of time."""
    found: dict[str, Any] = {}
    for table in ("AppointmentsTable", "PatientsTable"):
        for pk in (f"patient#{patient_id}", f"doctor#{doctor_id}"):
            rows = hospital.aws("dynamodb").query(
                TableName=hospital.resource(table),
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": pk}},
                ConsistentRead=True,
            )["Items"]
            found |= {f"{table} {row['pk']['S']} {row['sk']['S']}": row for row in rows}
    return found


def test_a_pointer_is_sent_again_from_its_owners_table(hospital: Hospital) -> None:
    patient = lost(hospital)
    (event,) = events_of(hospital, patient["patient_id"])
    fields = ("id", "type", "source", "subject", "version", "time", "correlationid")
    pointer = {"pointer": "event", **{name: event[name] for name in fields}, "message_id": "m", "received": 6}
    message = put(hospital, "AppointmentsDeadLetters", pointer)

    shown = hms(hospital, "replay", "show", "AppointmentsDeadLetters", "--message", message)
    done = hms(hospital, "replay", "redrive", "AppointmentsDeadLetters", "--message", message)

    assert json.loads(shown.output)["content"] == pointer
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "1 done, 0 left")
    assert eventually(lambda: known(hospital, patient["patient_id"]), bool)
    gone = hms(hospital, "replay", "redrive", "AppointmentsDeadLetters", "--message", message)
    assert gone.exit_code == 1


def test_a_whole_event_is_shown_masked_and_sent_again(hospital: Hospital) -> None:
    patient = lost(hospital)
    (event,) = events_of(hospital, patient["patient_id"])
    message = put(hospital, "AppointmentsDeadLetters", event)

    shown = hms(hospital, "replay", "show", "AppointmentsDeadLetters", "--message", message).output
    still_there = hms(hospital, "replay", "show", "AppointmentsDeadLetters", "--message", message).output
    done = hms(hospital, "replay", "redrive", "AppointmentsDeadLetters", "--message", message)

    told = json.loads(shown)["content"]
    assert told["data"]["patient_id"] == patient["patient_id"]
    assert told["data"]["name"] == "Um***"
    assert told["data"]["email"] == f"um****@{patient['email'].rpartition('@')[2]}"
    assert json.loads(still_there)["content"] == told
    assert done.exit_code == 0, done.output
    assert eventually(lambda: known(hospital, patient["patient_id"]), bool)


def test_what_the_relay_put_aside_is_published_from_its_row(hospital: Hospital) -> None:
    patient = lost(hospital)
    (event,) = events_of(hospital, patient["patient_id"])
    table = hospital.resource("PatientsTable")
    row = {"table": table, "pk": f"patient#{event['subject']}", "sk": "event#00000001", "event_id": event["id"]}
    message = put(hospital, "RelayDeadLetters", row | {"error": "InvalidParameter"})

    done = hms(hospital, "replay", "redrive", "RelayDeadLetters", "--message", message)

    assert done.exit_code == 0, done.output
    assert eventually(lambda: known(hospital, patient["patient_id"]), bool)


def test_a_position_of_a_stream_brings_all_of_its_time(hospital: Hospital) -> None:
    patient = lost(hospital)
    now = made_at(patient)
    stream = f"arn:aws:dynamodb:us-east-1:000000000000:table/{hospital.resource('PatientsTable')}/stream/1"
    arrivals = {f"approximateArrivalOf{which}Record": now.isoformat() for which in ("First", "Last")}
    message = put(
        hospital, "RelayDeadLetters", {"DDBStreamBatchInfo": {"streamArn": stream, "batchSize": 1, **arrivals}}
    )

    done = hms(hospital, "replay", "redrive", "RelayDeadLetters", "--message", message)

    assert done.exit_code == 0, done.output
    assert eventually(lambda: known(hospital, patient["patient_id"]), bool)


def test_what_names_no_event_stays_until_it_is_dropped(hospital: Hospital) -> None:
    message = put(hospital, "PatientsDeadLetters", {"pointer": "unreadable", "sha256": "0", "received": 6})

    refused = hms(hospital, "replay", "redrive", "PatientsDeadLetters", "--message", message)
    dropped = hms(hospital, "replay", "drop", "PatientsDeadLetters", "--message", message)

    assert refused.exit_code == 1
    assert f"{message} stays" in refused.output
    assert (dropped.exit_code, dropped.output) == (0, "1 done, 0 left\n")


def test_the_list_names_every_queue_of_failures(hospital: Hospital) -> None:
    message = put(hospital, "PatientsDeadLetters", {"pointer": "unreadable", "sha256": "0", "received": 6})

    listed = hms(hospital, "replay", "list").output.splitlines()
    hms(hospital, "replay", "drop", "PatientsDeadLetters", "--message", message)

    rows = {line.split()[0]: line.split()[1:] for line in listed[1:]}
    assert {"AppointmentsDeadLetters", "PatientsDeadLetters", "RelayDeadLetters"} <= rows.keys()
    assert int(rows["PatientsDeadLetters"][0]) >= 1
    assert rows["PatientsDeadLetters"][1:3] == ["0", "h"]


def test_everything_told_twice_more_changes_nothing(hospital: Hospital) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    patient, doctor = hospital.patient(), hospital.doctor()
    visit = agreed(hospital.book(patient, doctor, slot("10:00")), 201)
    agreed(hospital.reception.post(f"/v1/appointments/{visit['appointment_id']}/reschedule", slot("11:00", TUESDAY)))
    agreed(hospital.admin.patch(f"/v1/patients/{patient['patient_id']}", {"name": "Uma Iyengar"}))
    people = patient["patient_id"], doctor["doctor_id"]
    eventually(lambda: copy_of("patient", people[0], hospital).get("name"), lambda name: name == "Uma Iyengar")
    hospital.settled()
    before = rows_of(hospital, *people)

    for _ in range(2):
        for domain in ("patients", "doctors", "appointments"):
            done = hms(hospital, "replay", "republish", domain, "--from", began.isoformat())
            assert done.exit_code == 0, done.output
        again = hms(hospital, "replay", "republish", "appointments", "--aggregate", visit["appointment_id"])
        assert "2 events published" in again.output
    hospital.settled()

    assert rows_of(hospital, *people) == before


def test_an_aggregate_is_told_again_to_all_who_hear_it(hospital: Hospital) -> None:
    patient = lost(hospital)

    done = hms(hospital, "replay", "republish", "patients", "--aggregate", patient["patient_id"])

    assert done.output == "1 events published\n"
    assert eventually(lambda: known(hospital, patient["patient_id"]), bool)


def test_a_row_that_holds_no_event_is_passed_over(hospital: Hospital) -> None:
    began, good, bad = datetime.now(UTC) - timedelta(seconds=1), ids.new(), ids.new()
    write(hospital, [event_row(bad, '{"type": "nobody.hears.v1"}'), event_row(good, registered(good))])

    done = hms(hospital, "replay", "republish", "patients", "--from", began.isoformat())

    assert done.exit_code == 0, done.output


def events_of(hospital: Hospital, patient_id: str) -> list[dict[str, Any]]:
    rows = hospital.aws("dynamodb").query(
        TableName=hospital.resource("PatientsTable"),
        KeyConditionExpression="pk = :pk AND begins_with(sk, :event)",
        ExpressionAttributeValues={":pk": {"S": f"patient#{patient_id}"}, ":event": {"S": "event#"}},
    )["Items"]
    return [json.loads(row["body"]["S"]) for row in rows]


def test_a_copy_that_went_bad_is_mended_and_the_system_answers_meanwhile(hospital: Hospital) -> None:
    patient, doctor = hospital.patient(), hospital.doctor()
    agreed(hospital.book(patient, doctor, slot("10:00")), 201)
    spoil(hospital, patient["patient_id"])
    assert copy_of("patient", patient["patient_id"], hospital)["name"] == "Spoilt"

    done = hms(hospital, "rebuild", "appointments")
    booked = hospital.book(patient, doctor, slot("11:00"))

    assert done.exit_code == 0, done.output
    agreed(booked, 201)
    mended = eventually(
        lambda: copy_of("patient", patient["patient_id"], hospital), lambda copy: copy.get("name") == patient["name"]
    )
    assert mended["name"] == patient["name"]
    assert mended["version"] == 1


def test_what_copies_nothing_cannot_be_rebuilt(hospital: Hospital) -> None:
    refused = hms(hospital, "rebuild", "doctors")

    assert isinstance(refused.exception, ReplayError)
    assert "appointments" in str(refused.exception)


def spoil(hospital: Hospital, patient_id: str) -> None:
    """Another name under the same version, which no late event would mend."""
    copy = copy_of("patient", patient_id, hospital) | {"name": "Spoilt"}
    hospital.aws("dynamodb").update_item(
        TableName=hospital.resource("AppointmentsTable"),
        Key={"pk": {"S": f"patient#{patient_id}"}, "sk": {"S": "profile"}},
        UpdateExpression="SET body = :body",
        ExpressionAttributeValues={":body": {"S": json.dumps(copy)}},
    )


def test_what_was_told_before_a_stop_is_told_again_at_the_next_start(hospital: Hospital) -> None:
    patient = lost(hospital)

    runner._catch_up(hospital.system, made_at(patient) + timedelta(seconds=1))

    assert eventually(lambda: known(hospital, patient["patient_id"]), bool)
