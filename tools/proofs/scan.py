"""The invariant scan: every row of the appointments table, read from outside and judged without the code it judges."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tools.system import System

type Row = Mapping[str, Any]
type Line = tuple[str, int, int, str, str]

_SECOND = timedelta(seconds=1)


@dataclass
class Findings:
    """What is wrong, by kind; `visits` and `sheets` are how many were looked at."""

    visits: int = 0
    sheets: int = 0
    overlaps: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    above_cap: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[str]:
        return [*self.overlaps, *self.disagreements, *self.above_cap, *self.lost]


def rows(system: System) -> Iterator[Row]:
    """`pk`, `sk`, `body` and `entries` of every row."""
    stack = system.client("cloudformation")
    resource = stack.describe_stack_resource(StackName=system.stack, LogicalResourceId="AppointmentsTable")
    table = resource["StackResourceDetail"]["PhysicalResourceId"]
    pages = system.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    for item in (item for page in pages for item in page["Items"]):
        entries = {name: value["S"] for name, value in item.get("entries", {}).get("M", {}).items()}
        yield {"pk": item["pk"]["S"], "sk": item["sk"]["S"], "body": item.get("body", {}).get("S"), "entries": entries}


def judged(table: Iterable[Row], caps: Mapping[str, int], told: Iterable[tuple[str, int]] = ()) -> Findings:
    """Judges the visits to the doctors in `caps` (doctor id to daily cap).

    `told` are the versions of visits that callers were told of: each must be there.
    """
    visits: dict[str, dict[str, Any]] = {}
    versions: dict[str, set[int]] = defaultdict(set)
    sheets: dict[tuple[str, str], set[Line]] = {}
    for row in table:
        kind, _, owner_id = row["pk"].partition("#")
        if (kind, row["sk"]) == ("appointment", "state"):
            visits[owner_id] = json.loads(row["body"])
        elif kind == "appointment" and row["sk"].startswith("event#"):
            versions[owner_id].add(int(row["sk"].partition("#")[2]))
        elif row["sk"].startswith("day#"):
            sheets[row["pk"], row["sk"][4:]] = {_line(name, text) for name, text in row["entries"].items()}
    ours = {name: visit for name, visit in visits.items() if visit["doctor_id"] in caps}
    findings = Findings(len(ours), len(sheets))
    findings.overlaps = [*_overlaps(ours, "doctor_id"), *_overlaps(ours, "patient_id")]
    findings.disagreements = _disagreements(visits, sheets, set(ours))
    findings.above_cap = _above_cap(ours, caps)
    findings.lost = _lost(ours, versions, told)
    return findings


def _line(name: str, text: str) -> Line:
    start, end, status, other, *_ = json.loads(text)
    return name, start, end, status, other


def _instants(visit: Mapping[str, Any]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(visit["slot_start"]), datetime.fromisoformat(visit["slot_end"])


def _overlaps(visits: Mapping[str, Mapping[str, Any]], person: str) -> Iterator[str]:
    """Pairs of one person's visits that share time, whoever of a run of them is the longest."""
    agendas: dict[str, list[tuple[datetime, datetime, str]]] = defaultdict(list)
    for name, visit in visits.items():
        if visit["status"] not in ("CANCELLED", "NO_SHOW"):
            agendas[visit[person]].append((*_instants(visit), name))
    for owner, agenda in agendas.items():
        latest, holder = datetime.min.replace(tzinfo=UTC), ""
        for start, end, name in sorted(agenda):
            if start < latest:
                yield f"{person} {owner}: {holder} and {name}"
            latest, holder = max((latest, holder), (end, name))


def _days(visit: Mapping[str, Any], zone: str) -> list[date]:
    start, end = _instants(visit)
    first, last = (instant.astimezone(ZoneInfo(zone)).date() for instant in (start, end - _SECOND))
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _disagreements(
    visits: Mapping[str, Mapping[str, Any]], sheets: Mapping[tuple[str, str], set[Line]], ours: set[str]
) -> list[str]:
    """Lines that sheets should have by the visits but have not, and lines that they have but should not."""
    expected = {(place, line) for name in ours for place, line in _standing(name, visits[name])}
    present = {
        (place, line) for place, lines in sheets.items() for line in lines if line[0] in ours or line[0] not in visits
    }
    missing = [f"not on {place}: {line}" for place, line in sorted(expected - present)]
    return missing + [f"wrongly on {place}: {line}" for place, line in sorted(present - expected)]


def _standing(name: str, visit: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Line]]:
    start, end = (int(instant.timestamp()) for instant in _instants(visit))
    for owner, other, zone in (("doctor", "patient", visit["timezone"]), ("patient", "doctor", "UTC")):
        for day in _days(visit, zone):
            place = f"{owner}#{visit[f'{owner}_id']}", str(day)
            yield place, (name, start, end, visit["status"], visit[f"{other}_id"])


def _above_cap(visits: Mapping[str, Mapping[str, Any]], caps: Mapping[str, int]) -> list[str]:
    """Days on which more were let in by the rule than it allows; emergencies are let in beside it."""
    counted: dict[tuple[str, date], int] = defaultdict(int)
    for visit in visits.values():
        if visit["status"] != "CANCELLED" and not visit.get("exemption"):
            counted[visit["doctor_id"], _days(visit, visit["timezone"])[0]] += 1
    return [f"{number} on {day} at {who}" for (who, day), number in counted.items() if number > caps[who]]


def _lost(
    visits: Mapping[str, Mapping[str, Any]], versions: Mapping[str, set[int]], told: Iterable[tuple[str, int]]
) -> list[str]:
    """Versions that somebody was told of, or that must have been, and that are not there; versions told twice."""
    gaps = [
        f"{name} is at {visit['version']} with events {sorted(versions[name])}"
        for name, visit in visits.items()
        if versions[name] != set(range(1, visit["version"] + 1))
    ]
    heard = sorted(told)
    absent = [f"{name} was told as {version}" for name, version in heard if version not in versions.get(name, ())]
    return gaps + absent + [f"{one} was told twice" for one, other in pairwise(heard) if one == other]
