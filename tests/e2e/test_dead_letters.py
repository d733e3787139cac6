"""What a deployed consumer gives up lies in its queue of failures as a pointer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from tests.support.client import eventually
from tools.paths import ROOT

if TYPE_CHECKING:
    from tests.support.hospital import Hospital

SAMPLES = ROOT / "events" / "samples"


def taken_from(queue: str, subject: str, hospital: Hospital) -> list[dict[str, Any]]:
    """The pointers to an aggregate that lie there, which are gone afterwards."""
    sqs, url = hospital.aws("sqs"), hospital.resource(queue)
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1).get("Messages", [])
    ours = [one for one in found if json.loads(one["Body"])["subject"] == subject]
    for one in ours:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    return [json.loads(one["Body"]) for one in ours]


@pytest.mark.parametrize(
    "domain", sorted(path.name.removesuffix("-inbox.json") for path in SAMPLES.glob("*-inbox.json"))
)
def test_a_message_that_came_too_often_becomes_a_pointer(domain: str, hospital: Hospital) -> None:
    sample = json.loads((SAMPLES / f"{domain}-inbox.json").read_text())["Records"][0]
    event = json.loads(sample["body"]) | {"subject": ids.new()}
    message = sample | {"body": json.dumps(event), "attributes": {"ApproximateReceiveCount": "6"}}

    answer = hospital.aws("lambda").invoke(
        FunctionName=f"{hospital.system.stack}-{domain}-inbox", Payload=json.dumps({"Records": [message]}).encode()
    )

    assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}
    queue = f"{domain.title()}DeadLetters"
    (pointer,) = eventually(lambda: taken_from(queue, event["subject"], hospital), bool)
    assert (pointer["id"], pointer["type"], pointer["received"]) == (event["id"], event["type"], 6)
    assert "data" not in pointer
