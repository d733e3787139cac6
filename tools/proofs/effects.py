"""What became of every committed change: who heard of it and when, and whether its effects are there, each once.

Everything is read from outside: tables, logs and the providers' outboxes.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from notifications.kinds import kinds
from notifications.rules import NO_ANSWER
from tools import outbox
from tools.logs import events
from tools.paths import DOMAINS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Set

    from tools.system import System

type Taken = tuple[str, str]

AT_PROVIDERS = ("ses.SendRawEmail#", "sns.Publish#")
# A sweep runs every minute, on a slow machine a little later.
_SWEPT_WITHIN = timedelta(minutes=3)
_PLANNED = {"appointments.booked.v1", "appointments.rescheduled.v1"}
_HEARD, _FAILED, _AGAIN = ("consumed", "flow decided"), ("not consumed", "flow undecided"), "comes again"


class Change(NamedTuple):
    """An event row of its owner's table."""

    event_id: str
    kind: str
    subject: str
    version: int
    data: Mapping[str, Any]


@dataclass
class World:
    """The tables' rows by domain and key, and the changes that were committed."""

    rows: dict[str, dict[tuple[str, str], dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    changes: list[Change] = field(default_factory=list)


@dataclass
class Heard:
    """When each function was first done with each event, in epoch seconds, and the faults that struck on the way.

    `unrecorded` counts messages that a provider had taken when their sender failed: it sends them again.
    """

    at: dict[tuple[str, str], float] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    unrecorded: int = 0


def world_of(system: System, subjects: Set[str]) -> World:
    """With the changes of these aggregates."""
    world = World()
    for domain in DOMAINS:
        for item in _items(system, f"{domain.title()}Table"):
            row = {name: next(iter(value.values())) for name, value in item.items()}
            world.rows[domain][row["pk"], row["sk"]] = row
            if "event_id" in row and row["pk"].partition("#")[2] in subjects:
                event = json.loads(row["body"])
                fields = (event[name] for name in ("id", "type", "subject", "version", "data"))
                world.changes.append(Change(*fields))
    return world


def _items(system: System, table: str) -> Iterator[dict[str, Any]]:
    client = system.client("cloudformation")
    for one in client.describe_stack_resources(StackName=system.stack)["StackResources"]:
        if one["LogicalResourceId"] == table:
            pages = system.client("dynamodb").get_paginator("scan")
            for page in pages.paginate(TableName=one["PhysicalResourceId"], ConsistentRead=True):
                yield from page["Items"]


def heard_by(system: System, functions: Iterable[str], since: float) -> Heard:
    """From the functions' logs since an instant (epoch seconds)."""
    heard, client = Heard(), system.client("logs")
    for function in functions:
        streams: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for event in events(client, f"/aws/lambda/{function}", int(since * 1000)):
            _note(heard, function, event["timestamp"] / 1000, line := _line(event["message"]))
            streams[event["logStreamName"]].append(line)
        heard.unrecorded += sum(map(_unrecorded, streams.values()))
    return heard


def _line(text: str) -> dict[str, Any]:
    """What a line says; the platform's own frame the calls."""
    said: dict[str, Any] = json.loads(text) if text.startswith("{") else {"message": text.partition(" ")[0]}
    return said


def _note(heard: Heard, function: str, at: float, line: Mapping[str, Any]) -> None:
    if line.get("message") in _HEARD:
        key = function, line["event_id"]
        heard.at[key] = min(at, heard.at.get(key, at))
        heard.done[function] += 1
    elif line.get("message") in _FAILED:
        heard.failed[function] += 1
    elif line.get("fault", "trace") != "trace":
        heard.faults[line["fault"], line["point"]] += 1


def _unrecorded(lines: Iterable[Mapping[str, Any]]) -> int:
    """How often a provider took a message, as a traced point tells, and the call did not go on to be done with it."""
    count, taken = 0, False
    for line in lines:
        at_provider = line.get("point", "").startswith(AT_PROVIDERS)
        if at_provider and line["fault"] == "lose":
            count, taken = count + taken, False
        elif line.get("message") in _HEARD:
            taken = False
        elif taken and line.get("message") in (*_FAILED, _AGAIN, "END", "START"):
            count, taken = count + 1, False
        taken = taken or (at_provider and line["fault"] == "trace")
    return count + taken


def subscribers(system: System) -> dict[str, set[str]]:
    """Each consuming function, and the types that the topic sends it."""
    sqs, sns, client = system.client("sqs"), system.client("sns"), system.client("lambda")
    found: dict[str, set[str]] = {}
    for page in sns.get_paginator("list_subscriptions").paginate():
        for one in page["Subscriptions"]:
            if one["Protocol"] == "sqs" and one["TopicArn"].endswith(f":{system.stack}-events"):
                attributes = sns.get_subscription_attributes(SubscriptionArn=one["SubscriptionArn"])["Attributes"]
                mapping = client.list_event_source_mappings(EventSourceArn=one["Endpoint"])["EventSourceMappings"][0]
                function = mapping["FunctionArn"].partition(":function:")[2]
                found.setdefault(function, set()).update(json.loads(attributes["FilterPolicy"])["type"])
    sqs.close()
    return found


class Effects(NamedTuple):
    """The lists say what; `told` is how many messages there are, by state.

    `doubled` are messages that were made twice, `again` what a provider has and nobody has recorded. `unanswered` were
    given up as their answers were lost, so that nobody knows whether they are missing.
    """

    missing: list[str]
    doubled: list[str]
    again: list[str]
    unanswered: list[str]
    told: Counter[str]


def judged(world: World, taken: Counter[Taken], now: datetime) -> Effects:
    """`taken` is what the providers took; at `now` every queue is empty."""
    missing = [*_stale_copies(world), *_unknown_treatments(world), *_stale_subjects(world), *_unplanned(world)]
    subjects = {change.subject for change in world.changes}
    messages = [message for message in _messages(world) if message["subject_id"] in subjects]
    expected = Counter(_expected_messages(world))
    made = Counter(_named(one) for one in messages if one["attempt"] == 1 and not one["kind"].startswith("reminder"))
    missing += [f"no message {one}" for one in expected - made]
    missing += [f"{_named(one)} waits for nothing" for one in messages if _is_stranded(world, one, now)]
    failed = [one for one in messages if one["status"] == "FAILED" and not _is_refused(one)]
    missing += [f"{_named(one)} failed: {one['reason']}" for one in failed if one["reason"] != NO_ANSWER]
    unanswered = [f"{_named(one)} has no answer" for one in failed if one["reason"] == NO_ANSWER]
    # What is known to have gone by its report alone has no id, and its sender is one that failed at the provider.
    sent = Counter(_recorded(world, one) for one in messages if one["status"] == "SENT" and one["provider_message_id"])
    missing += [f"no provider has {one[1]}" for one in (sent - taken).elements()]
    doubled = [f"another message {one}" for one in made - expected]
    again = [f"a provider has {one[1]} again" for one in (taken - sent).elements()]
    return Effects(missing, doubled, again, unanswered, Counter(one["status"] for one in messages))


def _is_stranded(world: World, message: Mapping[str, Any], now: datetime) -> bool:
    """PENDING, and nothing brings it on its way: its request is done with, its timer is gone or was not fired."""
    if message["status"] != "PENDING":
        return False
    if message["not_before"]:
        timer = f"notification#{message['notification_id']}", "due"
        return timer not in world.rows["notifications"] or _is_long_ago(message["not_before"], now)
    # The sweep may have sent one on its way a moment ago that had been put off.
    return not message["retry_count"] or _is_long_ago(message["updated_at"], now)


def _is_long_ago(instant: str, now: datetime) -> bool:
    return datetime.fromisoformat(instant) < now - _SWEPT_WITHIN


def _is_refused(message: Mapping[str, Any]) -> bool:
    """Which provider it was given to is recorded only where that has said something final."""
    return message["provider"] is not None


def _stale_copies(world: World) -> Iterator[str]:
    for domain in ("appointments", "notifications"):
        inbox = import_module(f"{domain}.inbox").inbox
        newest: dict[tuple[str, str], int] = {}
        for change in world.changes:
            kind = change.kind.partition("s.")[0]
            if change.kind in inbox.types and kind in ("patient", "doctor"):
                key = f"{kind}#{change.subject}", "profile"
                newest[key] = max(change.version, newest.get(key, 0))
        for key, version in newest.items():
            if int(world.rows[domain].get(key, {}).get("version", 0)) < version:
                yield f"{domain} does not know {key[0]} at {version}"


def _unknown_treatments(world: World) -> Iterator[str]:
    for change in world.changes:
        if change.kind in ("appointments.booked.v1", "appointments.rescheduled.v1"):
            key = f"patient#{change.data['patient_id']}", f"treated_by#{change.data['doctor_id']}"
            if key not in world.rows["patients"]:
                yield f"{key[0]} is not known to be treated by {change.data['doctor_id']}"


def _stale_subjects(world: World) -> Iterator[str]:
    newest: Counter[str] = Counter()
    for change in world.changes:
        if change.kind in kinds().event_types:
            newest[change.subject] = max(change.version, newest[change.subject])
    for subject, version in newest.items():
        if int(world.rows["notifications"].get((f"subject#{subject}", "latest"), {}).get("version", 0)) < version:
            yield f"messages about {subject} do not know version {version}"


def _unplanned(world: World) -> Iterator[str]:
    """The flow plans two reminders of every visit that is to come, for when it now is."""
    newest: dict[str, Change] = {}
    for change in sorted(world.changes, key=lambda change: change.version):
        if change.kind in kinds().event_types:
            newest[change.subject] = change
    for subject, change in newest.items():
        for name in kinds().reminders("visit") if change.kind in _PLANNED else ():
            row = world.rows["notifications"].get((f"subject#{subject}", f"reminder#{name}"))
            if row is None or json.loads(row["body"])["data"]["slot_start"] != change.data["slot_start"]:
                yield f"no {name} of {subject} at {change.version}"


def _messages(world: World) -> list[dict[str, Any]]:
    rows = world.rows["notifications"]
    return [
        json.loads(row["body"]) for (pk, sk), row in rows.items() if pk.startswith("notification#") and sk == "state"
    ]


def _expected_messages(world: World) -> Iterator[tuple[str, int, str, str]]:
    """Every patient here has an e-mail address and a phone; a message that is not wanted is there as skipped."""
    for change in world.changes:
        for name in kinds().following(change.kind, change.data):
            for channel in ("email", "sms"):
                yield change.subject, change.version, name, channel


def _named(message: Mapping[str, Any]) -> tuple[str, int, str, str]:
    return message["subject_id"], message["subject_version"], message["kind"], message["channel"]


def outbox_of(system: System, addresses: Set[str]) -> Counter[Taken]:
    """What the emulator's providers took for these addresses: e-mails by id, text messages by number and text."""
    mails = [("ses", _bare(one.message_id)) for one in outbox.letters(system) if one.address in addresses]
    texts = outbox.texts(system).items()
    return Counter([*mails, *((number, text) for number, said in texts if number in addresses for text in said)])


def _bare(message_id: str) -> str:
    return message_id.partition("@")[0]


def _recorded(world: World, message: Mapping[str, Any]) -> Taken:
    if message["channel"] == "email":
        return "ses", _bare(message["provider_message_id"])
    copy = json.loads(world.rows["notifications"][f"patient#{message['patient_id']}", "profile"]["body"])
    return copy["phone"], message["text"]
