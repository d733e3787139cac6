"""The functions that events reach, and the faults that a proof arms them with."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tools.system import System

_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
# The poller of an emulator looks every second, and what it took is in no count for a moment.
_STILL_SECONDS = 3


@dataclass(frozen=True)
class Consumer:
    """A function behind a queue."""

    function: str
    queue_url: str
    dead_letters_url: str


def consumers(system: System) -> list[Consumer]:
    """Every function of the stack that reads a queue."""
    sqs, client, found = system.client("sqs"), system.client("lambda"), []
    for url in _queues(system):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy"])["Attributes"]
        if "RedrivePolicy" in attributes:
            arn = attributes["QueueArn"]
            (mapping,) = client.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"]
            dead = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"].rpartition(":")[2]
            function = mapping["FunctionArn"].partition(":function:")[2]
            found.append(Consumer(function, url, sqs.get_queue_url(QueueName=dead)["QueueUrl"]))
    return found


def _queues(system: System) -> list[str]:
    resources = system.client("cloudformation").describe_stack_resources(StackName=system.stack)["StackResources"]
    return [one["PhysicalResourceId"] for one in resources if one["ResourceType"] == "AWS::SQS::Queue"]


@contextmanager
def armed(system: System, functions: Sequence[str], faults: str, **environment: str) -> Iterator[None]:
    """For the length of a `with` block every call of these functions, which no alias names, meets the faults."""
    client = system.client("lambda")
    before = {name: _variables(client, name) for name in functions}
    try:
        for name in functions:
            _configure(client, name, before[name] | {"HMS_FAULTS": faults} | environment)
        yield
    finally:
        for name in functions:
            _configure(client, name, before[name])


def _variables(client: Any, function: str) -> dict[str, str]:
    return dict(client.get_function_configuration(FunctionName=function)["Environment"]["Variables"])


def _configure(client: Any, function: str, variables: Mapping[str, str]) -> None:
    client.update_function_configuration(FunctionName=function, Environment={"Variables": dict(variables)})
    client.get_waiter("function_updated_v2").wait(FunctionName=function)


@contextmanager
def redelivering(system: System, seconds: int) -> Iterator[None]:
    """For the length of a `with` block a message that failed comes again after so many seconds."""
    sqs, before = system.client("sqs"), {}
    for consumer in consumers(system):
        name, url = "VisibilityTimeout", consumer.queue_url
        before[url] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={name: str(seconds)})
    try:
        yield
    finally:
        for url, visibility in before.items():
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": visibility})


def wait_until_quiet(system: System, seconds: float) -> dict[str, int]:
    """Waits until no consumer has a message for a while; what is left in which queue when the time is up."""
    sqs, deadline, still_since = system.client("sqs"), time.monotonic() + seconds, time.monotonic()
    urls = {consumer.queue_url for consumer in consumers(system)}
    while True:
        waiting = {url.rpartition("/")[2]: count for url in urls if (count := _count(sqs, url))}
        now = time.monotonic()
        still_since = now if waiting else still_since
        if now - still_since > _STILL_SECONDS or now > deadline:
            return waiting
        time.sleep(0.3)


def _count(sqs: Any, url: str) -> int:
    return sum(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))["Attributes"].values()))


def taken_from(system: System, url: str) -> list[str]:
    """All that lies in a queue, which is gone from there afterwards."""
    sqs, bodies = system.client("sqs"), []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
        for message in found:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies
