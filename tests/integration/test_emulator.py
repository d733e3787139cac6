"""The emulator as the runner starts, stops and restarts it."""

from __future__ import annotations

import io
import json
import socket
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tools.emulator import EmulatorError, MiniStack, free_port, recorded
from tools.system import System

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

RELAY = """
import json, os, boto3
queue = boto3.client("sqs").get_queue_url(QueueName="seen")["QueueUrl"]
def handler(event, context):
    for record in event["Records"]:
        boto3.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(record["dynamodb"]["Keys"]["pk"]["S"]))
"""
ROLE = "arn:aws:iam::000000000000:role/any"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[MiniStack]:
    instance = MiniStack(free_port(), tmp_path)
    instance.start()
    try:
        yield instance
    finally:
        instance.stop()


def test_starting_it_twice_leaves_the_one_that_runs(instance: MiniStack) -> None:
    before = recorded(instance.home)

    instance.start()

    assert recorded(instance.home) == before


@pytest.mark.skipif(sys.platform != "linux", reason="needs a second loopback address")
def test_it_listens_on_this_machine_only(instance: MiniStack) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.2", instance.port))

    assert httpx.get(f"{instance.endpoint_url}/_ministack/ready").status_code == 200


def test_functions_inherit_nothing_from_the_operators_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_SHELL", "known to nobody")
    instance = MiniStack(free_port(), tmp_path)
    instance.start()
    try:
        answer = _invoked(System(instance.endpoint_url), "import os\ndef handler(e, c): return dict(os.environ)")
    finally:
        instance.stop()

    assert "A_SECRET_OF_THE_SHELL" not in answer
    assert answer["AWS_ENDPOINT_URL"].endswith(f":{instance.port}")


def test_a_stopped_one_is_not_running_and_stops_again_quietly(instance: MiniStack) -> None:
    instance.stop()
    instance.stop()

    assert not instance.running()
    assert recorded(instance.home) == {}


def test_a_port_that_another_program_has_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(EmulatorError, match=f"port {port} is taken .* HMS_PORT"):
            MiniStack(port, tmp_path).start()


def test_data_and_events_go_on_after_a_restart(instance: MiniStack) -> None:
    system = System(instance.endpoint_url)
    _relay(system)
    assert _seen_after_writing(system, "before") == {"before"}

    instance.stop()
    instance.start()

    assert _seen_after_writing(system, "after") == {"after"}
    kept = system.client("dynamodb").get_item(TableName="rows", Key={"pk": {"S": "before"}}, ConsistentRead=True)
    assert kept["Item"] == {"pk": {"S": "before"}}


def _relay(system: System) -> None:
    system.client("sqs").create_queue(QueueName="seen")
    table = system.client("dynamodb").create_table(
        TableName="rows",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    _function(system, "relay", RELAY)
    system.client("lambda").create_event_source_mapping(
        FunctionName="relay", EventSourceArn=table["LatestStreamArn"], StartingPosition="TRIM_HORIZON"
    )


def _seen_after_writing(system: System, pk: str) -> set[str]:
    system.client("dynamodb").put_item(TableName="rows", Item={"pk": {"S": pk}})
    sqs = system.client("sqs")
    queue = sqs.get_queue_url(QueueName="seen")["QueueUrl"]
    received = (sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20).get("Messages", []) for _ in range(3))
    messages: list[Any] = next(filter(None, received), [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return {json.loads(message["Body"]) for message in messages}


def _invoked(system: System, source: str) -> Any:
    _function(system, "any", source)
    return json.load(system.client("lambda").invoke(FunctionName="any")["Payload"])


def _function(system: System, name: str, source: str) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("module.py", source)
    system.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=ROLE,
        Handler="module.handler",
        Code={"ZipFile": package.getvalue()},
    )
