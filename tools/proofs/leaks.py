"""Every place where people other than a patient's carers look: all texts that lie there."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tools.logs import events
from tools.proofs.consumers import taken_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.system import System


def logs(system: System) -> Iterator[str]:
    """Every line that functions and flows logged; metrics are such lines too."""
    client = system.client("logs")
    for page in client.get_paginator("describe_log_groups").paginate():
        for group in (one["logGroupName"] for one in page["logGroups"] if system.stack in one["logGroupName"]):
            yield from (event["message"] for event in events(client, group))


def metrics(system: System) -> Iterator[str]:
    """Names and dimensions; values are numbers."""
    for page in system.client("cloudwatch").get_paginator("list_metrics").paginate():
        yield from (json.dumps(metric) for metric in page["Metrics"])


def dead_letters(system: System) -> Iterator[str]:
    """What lies in the queues of failures, which are empty afterwards."""
    resources = system.client("cloudformation").describe_stack_resources(StackName=system.stack)["StackResources"]
    for one in resources:
        if one["ResourceType"] == "AWS::SQS::Queue" and one["LogicalResourceId"].endswith("DeadLetters"):
            yield from taken_from(system, one["PhysicalResourceId"])


def executions(system: System) -> Iterator[str]:
    """Inputs, outputs and steps of flows, where the engine keeps those of express ones; they log them too."""
    client = system.client("stepfunctions")
    for machine in client.list_state_machines()["stateMachines"]:
        with suppress(ClientError):
            for one in client.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]:
                yield json.dumps(client.describe_execution(executionArn=one["executionArn"]), default=str)
                history = client.get_execution_history(executionArn=one["executionArn"], includeExecutionData=True)
                yield from (json.dumps(event, default=str) for event in history["events"])
