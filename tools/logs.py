"""What the functions logged: as it is kept, and for people all in one stream by time."""

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


def events(client: Any, group: str, since: int = 0) -> Iterator[dict[str, Any]]:
    """Every event of a group since an instant (epoch milliseconds), stream by stream, each in order.

    MiniStack answers FilterLogEvents with the first 10,000 and no token to go on, so that the rest would be missed.
    """
    for page in client.get_paginator("describe_log_streams").paginate(logGroupName=group):
        for name in (stream["logStreamName"] for stream in page["logStreams"]):
            yield from (event | {"logStreamName": name} for event in _of_stream(client, group, name, since))


def _of_stream(client: Any, group: str, stream: str, since: int) -> Iterator[dict[str, Any]]:
    asked = {"logGroupName": group, "logStreamName": stream, "startTime": since, "startFromHead": True}
    answer, token = client.get_log_events(**asked), None
    while answer["nextForwardToken"] != token:
        yield from answer["events"]
        token = answer["nextForwardToken"]
        answer = client.get_log_events(**asked, nextToken=token)


def show(function: str, *, follow: bool) -> None:
    client = running_system().client("logs")
    seen: set[tuple[str, int, str]] = set()
    since = 0
    while True:
        for event in sorted(_shown(client, function, since), key=lambda event: event["timestamp"]):
            since = max(since, event["timestamp"] - OVERLAP_MILLISECONDS)
            if event["key"] not in seen:
                seen.add(event["key"])
                _print(event)
        if not follow:
            return
        time.sleep(POLL_SECONDS)


def _shown(client: Any, function: str, since: int) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=PREFIX):
        for name in (group["logGroupName"] for group in page["logGroups"]):
            for event in events(client, name, since) if function in name else ():
                if not event["message"].startswith(FRAME):
                    key = (event["logStreamName"], event["timestamp"], event["message"])
                    yield event | {"function": name.removeprefix(PREFIX), "key": key}


def _print(event: dict[str, Any]) -> None:
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).strftime("%H:%M:%S")
    console.print(f"{at} {event['function']} {event['message'].rstrip()}", markup=False, soft_wrap=True)
