"""What the functions logged, all in one stream by time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tools.progress import console
from tools.runner import running_system

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "/aws/lambda/"
POLL_SECONDS = 1.0
OVERLAP_MILLISECONDS = 5_000
# The platform's own lines around each call.
FRAME = ("INIT_START ", "START RequestId", "END RequestId", "REPORT RequestId")


def show(function: str, *, follow: bool) -> None:
    client = running_system().client("logs")
    seen: set[tuple[str, int, str]] = set()
    since = 0
    while True:
        for event in sorted(_events(client, function, since), key=lambda event: event["timestamp"]):
            since = max(since, event["timestamp"] - OVERLAP_MILLISECONDS)
            if event["key"] not in seen:
                seen.add(event["key"])
                _print(event)
        if not follow:
            return
        time.sleep(POLL_SECONDS)


def _events(client: Any, function: str, since: int) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=PREFIX):
        for name in (group["logGroupName"] for group in page["logGroups"]):
            if function in name:
                yield from _of_group(client, name, since)


def _of_group(client: Any, name: str, since: int) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("filter_log_events").paginate(logGroupName=name, startTime=since):
        for event in page["events"]:
            if not event["message"].startswith(FRAME):
                key = (event["logStreamName"], event["timestamp"], event["message"])
                yield event | {"function": name.removeprefix(PREFIX), "key": key}


def _print(event: dict[str, Any]) -> None:
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).strftime("%H:%M:%S")
    console.print(f"{at} {event['function']} {event['message'].rstrip()}", markup=False, soft_wrap=True)
