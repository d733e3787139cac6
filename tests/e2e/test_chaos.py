"""Consumers die at every call that they make, one after the other, as a recorded trace names them. The next delivery
makes each good: what is left is what is left without a death, and once more changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from tests.support.client import agreed, eventually
from tests.support.hospital import slot
from tools import contracts, outbox
from tools.paths import ROOT
from tools.proofs.crashes import Function, alike, renamed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.hospital import Hospital

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]
INBOXES = sorted(path.parent.name for path in ROOT.glob("functions/*/inbox.py"))
REQUESTED = "notifications.requested.v1"
AFTER_THE_LEASE = timedelta(seconds=61)


def one_type_for_each_consumer(domain: str) -> Iterator[str]:
    inbox = import_module(f"{domain}.inbox").inbox
    yield from {inbox.consumer(kind): kind for kind in reversed(inbox.types) if kind != REQUESTED}.values()


CONSUMERS = [pytest.param(domain, kind) for domain in INBOXES for kind in one_type_for_each_consumer(domain)]


def batch(*events: dict[str, Any]) -> dict[str, Any]:
    return {"Records": [{"messageId": ids.new(), "body": json.dumps(event)} for event in events]}


def example(kind: str, **data: Any) -> dict[str, Any]:
    event = contracts.example_of(kind).model_dump(mode="json")
    known = {name: value for name, value in data.items() if name in event["data"]}
    return event | {"data": event["data"] | known}


def left(domain: str, about: set[str], hospital: Hospital) -> list[str]:
    """Key and version of every row of a domain that tells of these ids."""
    pages = hospital.aws("dynamodb").get_paginator("scan")
    table = hospital.resource(f"{domain.title()}Table")
    items = [item for page in pages.paginate(TableName=table, ConsistentRead=True) for item in page["Items"]]
    found = [item for item in items if any(one in json.dumps(item) for one in about)]
    return sorted(alike(f"{item['pk']['S']} {item['sk']['S']} {item['version']['N']}") for item in found)


@pytest.mark.parametrize(("domain", "kind"), CONSUMERS)
def test_wherever_a_consumer_dies_the_next_delivery_makes_it_good(domain: str, kind: str, hospital: Hospital) -> None:
    # Messages need somebody to go to.
    people = {"patient_id": hospital.patient()["patient_id"], "doctor_id": hospital.doctor()["doctor_id"]}
    kept = set(people.values()) if domain == "notifications" else set()
    event = example(kind, **people) if kept else example(kind)
    consumer = Function(hospital.system, f"{domain}-inbox")

    calm, about = renamed(batch(event), kept=kept)
    points = consumer.calls(calm)
    expected = settled_rows(domain, about, hospital)
    assert expected
    assert "dynamodb.TransactWriteItems#1:after" in points

    for point in points:
        again, about = renamed(batch(event), kept=kept)
        assert consumer.dies(again, point), point
        assert consumer.handles(again), point
        assert consumer.handles(again), point
        assert settled_rows(domain, about, hospital) == expected, point


def settled_rows(domain: str, about: set[str], hospital: Hospital) -> list[str]:
    """Messages that were made are sent at once: what is left is told when that is over."""

    def settled(rows: list[str]) -> bool:
        return not any(row.endswith((" state 1", " lease 1")) for row in rows if row.startswith("notification#"))

    return eventually(lambda: left(domain, about, hospital), settled, 180)


@pytest.fixture
def asked(hospital: Hospital) -> Any:
    """Makes a message that waits to be sent, and gives the request for it."""
    patient_id = hospital.patient(phone="+919752166954")["patient_id"]
    doctor_id = hospital.doctor()["doctor_id"]
    visit: dict[str, Any] = example("appointments.booked.v1")["data"] | {
        "patient_id": patient_id,
        "doctor_id": doctor_id,
    }
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    visit |= {"slot_start": start.isoformat(), "slot_end": (start + timedelta(minutes=30)).isoformat()}

    def make() -> dict[str, Any]:
        name, subject = ids.new(), ids.new()
        request = example(REQUESTED)
        facts = {"notification_id": name, "patient_id": patient_id, "doctor_id": doctor_id, "subject_id": subject}
        data = request["data"] | facts | {"subject_version": 1, "version": 1, "channel": "email"}
        # The department is in the words, by which this message is found again.
        told = visit | {"department": name}
        state = data | {"first_id": name, "data": told, "created_at": now(), "updated_at": now()}
        row = {"pk": f"notification#{name}", "sk": "state", "body": json.dumps(state)}
        item = {key: {"S": value} for key, value in row.items()} | {"version": {"N": "1"}}
        hospital.aws("dynamodb").put_item(TableName=hospital.resource("NotificationsTable"), Item=item)
        return request | {"subject": name, "data": data}

    return make


def now() -> str:
    return datetime.now(UTC).isoformat()


def mails(name: str, hospital: Hospital) -> int:
    """How many e-mails the provider took for a message."""
    return sum(f", {name}" in letter.text for letter in outbox.letters(hospital.system))


def test_a_sender_that_dies_sends_twice_only_after_the_provider_took_it(asked: Any, hospital: Hospital) -> None:
    sender = Function(hospital.system, "notifications-inbox")
    request = asked()
    points = sender.calls(batch(request))
    assert mails(request["data"]["notification_id"], hospital) == 1
    taken = points.index("ses.SendRawEmail#1:after")
    recorded = points.index("dynamodb.TransactWriteItems#2:after")

    for number, point in enumerate(points):
        request = asked()
        later = (datetime.now(UTC) + AFTER_THE_LEASE).isoformat()
        assert sender.dies(batch(request), point), point
        assert sender.handles(batch(request) | {"x-test-clock": later}), point
        assert sender.handles(batch(request) | {"x-test-clock": later}), point
        expected = 2 if taken <= number < recorded else 1
        assert mails(request["data"]["notification_id"], hospital) == expected, point


def test_a_provider_that_is_asked_too_often_is_asked_again_later(asked: Any, hospital: Hospital) -> None:
    sender, request = Function(hospital.system, "notifications-inbox"), asked()
    name = request["data"]["notification_id"]

    assert sender.handles(batch(request), "throttle@ses.SendRawEmail#*:before")
    assert sender.handles(batch(request))

    message = agreed(hospital.admin.get(f"/v1/notifications/{name}"))
    assert (message["status"], message["retry_count"]) == ("PENDING", 1)
    assert message["not_before"] is not None
    assert mails(name, hospital) == 0


def test_a_flow_whose_starter_dies_is_run_again_and_changes_nothing_twice(hospital: Hospital) -> None:
    visit = agreed(hospital.book(hospital.patient(), hospital.doctor(), slot("10:00")), 201)
    about = {visit["appointment_id"]}
    reminders = eventually(lambda: reminders_of(about, hospital), lambda found: len(found) == 2, 180)
    assert len(reminders) == 2
    starter = Function(hospital.system, "confirm-appointment-starter")
    event = example("appointments.booked.v1", **visit) | {"subject": visit["appointment_id"]}

    for point in starter.calls(batch(event)):
        assert starter.dies(batch(event), point), point
        assert starter.handles(batch(event)), point
        assert reminders_of(about, hospital) == reminders


def reminders_of(about: set[str], hospital: Hospital) -> list[str]:
    return [row for row in left("notifications", about, hospital) if " reminder#" in row]
