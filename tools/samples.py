"""`events/samples`: an input for each deployed function, from the examples of routes and events."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hms import ids
from tools import contracts, flows, openapi
from tools.paths import ROOT
from tools.routes import apis

if TYPE_CHECKING:
    from hms.api import Route
    from hms.events import Event

type Sample = dict[str, Any]

FOLDER = ROOT / "events" / "samples"
_HEADERS = {"Content-Type": "application/json", "X-Correlation-ID": "sample"}
_PATH_ID = "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60"


def write() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = files()
    for path in FOLDER.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)


def files() -> dict[str, str]:
    """Each sample by its file's name, `<domain>-<function>[-what].json`."""
    return {f"{name}.json": json.dumps(sample, indent=1, ensure_ascii=False) + "\n" for name, sample in all_().items()}


def all_() -> dict[str, Sample]:
    samples = {}
    for domain, app in apis().items():
        samples[f"{domain}-api"] = _request(app.routes["GET", f"/v1/{domain}/health"])
        create = next((route for route in app.routes.values() if route.method == "POST" and route.body), None)
        if create:
            samples[f"{domain}-api-{create.operation_id}"] = _request(create)
        if _has(domain, "inbox"):
            samples[f"{domain}-inbox"] = _queued(domain)
        if _has(domain, "tasks"):
            samples[f"{domain}-tasks"] = {"task": "ping"}
    samples["payments-simulator"] = {"task": "ping"}
    for flow, kinds in flows.STARTED_BY.items():
        samples[f"{flow}-starter"] = {"Records": [_message(contracts.example_of(kind)) for kind in kinds]}
    return dict(sorted(samples.items())) | {"relay": _streamed()}


def _has(domain: str, module: str) -> bool:
    return (ROOT / "functions" / domain / f"{module}.py").exists()


def _request(route: Route) -> Sample:
    names = [part.strip("{}") for part in route.path.split("/") if part.startswith("{")]
    path = dict.fromkeys(names, _PATH_ID)
    body = openapi.example_body(route)
    return {
        "httpMethod": route.method,
        "resource": route.path,
        "path": route.path.format(**path),
        "pathParameters": path or None,
        "headers": _HEADERS,
        "multiValueQueryStringParameters": None,
        "body": None if body is None else json.dumps(body, ensure_ascii=False),
        "isBase64Encoded": False,
    }


def _queued(domain: str) -> Sample:
    types = import_module(f"{domain}.inbox").inbox.types
    return {"Records": [_message(contracts.example_of(kind)) for kind in types]}


def _message(event: Event) -> Sample:
    return {"messageId": ids.derived("message", event.id), "eventSource": "aws:sqs", "body": event.model_dump_json()}


def _streamed() -> Sample:
    events = [contracts.example(fact) for fact in contracts.facts()[:1]]
    return {"Records": [_record(number, event) for number, event in enumerate(events, start=1)]}


def _record(number: int, event: Event) -> Sample:
    image = {
        "pk": {"S": f"{event.type.partition('.')[0].removesuffix('s')}#{event.subject}"},
        "sk": {"S": f"event#{event.version:08d}"},
        "version": {"N": str(event.version)},
        "event_id": {"S": event.id},
        "body": {"S": event.model_dump_json()},
    }
    return {
        "eventID": ids.derived("record", event.id),
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/hms/stream/2026-11-21T06:30:00.000",
        "dynamodb": {"SequenceNumber": f"{number:021d}", "NewImage": image, "StreamViewType": "NEW_IMAGE"},
    }
