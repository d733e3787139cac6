"""The deployed relay: a row that can never be published takes no other with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from tests.support.client import eventually
from tools import contracts

if TYPE_CHECKING:
    from tests.support.hospital import Hospital

pytestmark = pytest.mark.e2e

NEIGHBOURS = 3
TOO_LONG = 300_000


def event_row(patient_id: str, body: str) -> dict[str, Any]:
    row = {"pk": f"patient#{patient_id}", "sk": "event#00000001", "event_id": ids.new(), "body": body}
    return {name: {"S": value} for name, value in row.items()} | {"version": {"N": "1"}}


def registered(patient_id: str) -> str:
    event = contracts.example_of("patients.registered.v1")
    data = event.data | {"patient_id": patient_id, "version": 1}
    return event.model_copy(update={"subject": patient_id, "data": data}).model_dump_json()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("no event", id="unreadable"),
        pytest.param('{"type": null}', id="without a type"),
        pytest.param(json.dumps({"type": "patients.registered.v1", "x": "y" * TOO_LONG}), id="too long"),
    ],
)
def test_a_poisoned_row_does_not_take_its_neighbours_along(hospital: Hospital, body: str) -> None:
    poisoned, *good = [ids.new() for _ in range(1 + NEIGHBOURS)]
    rows = [event_row(one, registered(one)) for one in good]
    rows.insert(1, event_row(poisoned, body))
    write(hospital, rows)

    arrived = eventually(lambda: [one for one in good if known(hospital, one)], lambda found: found == good)

    assert arrived == good
    letter = eventually(lambda: taken(hospital, poisoned), bool)
    assert letter["event_id"] == rows[1]["event_id"]["S"]
    assert letter["sk"] == "event#00000001"
    assert letter["table"] == hospital.resource("PatientsTable")
    assert set(letter) == {"table", "pk", "sk", "event_id", "error"}


def write(hospital: Hospital, rows: list[dict[str, Any]]) -> None:
    """At one go, so that one batch of the stream holds them all."""
    table = hospital.resource("PatientsTable")
    puts = [{"PutRequest": {"Item": row}} for row in rows]
    hospital.aws("dynamodb").batch_write_item(RequestItems={table: puts})


def known(hospital: Hospital, patient_id: str) -> bool:
    key = {"pk": {"S": f"patient#{patient_id}"}, "sk": {"S": "profile"}}
    return "Item" in hospital.aws("dynamodb").get_item(TableName=hospital.resource("AppointmentsTable"), Key=key)


def taken(hospital: Hospital, patient_id: str) -> dict[str, Any]:
    """The relay's dead letter of this patient, which is dead no longer."""
    sqs, queue = hospital.aws("sqs"), hospital.resource("RelayDeadLetters")
    for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", []):
        letter: dict[str, Any] = json.loads(message["Body"])
        if letter["pk"] == f"patient#{patient_id}":
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return letter
    return {}
