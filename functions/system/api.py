"""Health of the whole, and the description of the API."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hms.api import PUBLIC, Api, Health, Response
from hms.errors import Busy
from hms.fields import View
from hms.policy import Policy
from hms.tasks import Owner

if TYPE_CHECKING:
    from hms.api import Request

HERE = Path(__file__).parent
OWNERS = "_TASKS"
_PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

app = Api("system", Policy.load(HERE / "policy.json"))
handler = app.handler


class NotReady(Busy):
    """Some domain does not answer."""

    code = "NOT_READY"


class Readiness(View):
    """Every domain that answered."""

    status: str = "ok"
    domains: list[str]


@app.route("GET", "/health", PUBLIC, summary="Whether the API answers", answers=Health)
def get_health(_request: Request) -> Response:
    return Response(body=Health(domain="hms"))


@app.route("GET", "/healthz", PUBLIC, summary="Whether the API answers, where probes look for it", answers=Health)
def get_liveness(_request: Request) -> Response:
    return Response(body=Health(domain="hms"))


@app.route("GET", "/ready", PUBLIC, summary="Whether every domain answers", answers=Readiness, problems=(NotReady,))
def get_readiness(_request: Request) -> Response:
    owners = _owners()
    # One after the other: functions that start together on one machine make each other late.
    silent = [domain for domain, owner in owners.items() if not _answers(owner)]
    if silent:
        raise NotReady(f"No answer from: {', '.join(silent)}.")
    return Response(body=Readiness(domains=list(owners)))


@app.route("GET", "/openapi.json", PUBLIC, summary="This description")
def get_description(_request: Request) -> Response:
    return Response(body=_text("openapi.json"))


@app.route("GET", "/asyncapi.json", PUBLIC, summary="The events that the domains tell each other, in AsyncAPI 3.0")
def get_events(_request: Request) -> Response:
    return Response(body=_text("asyncapi.json"))


@app.route("GET", "/docs", PUBLIC, summary="This description, to read", media_type="text/html")
def get_docs(_request: Request) -> Response:
    headers = {"Content-Security-Policy": _PAGE_POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(body=_text("docs.html"), headers=headers, media_type="text/html; charset=utf-8")


@cache
def _owners() -> dict[str, Owner]:
    """One for each domain whose tasks function the environment names, as in PATIENTS_TASKS."""
    names = sorted(name for name in os.environ if name.endswith(OWNERS))
    return {name.removesuffix(OWNERS).lower(): Owner(name) for name in names}


def _answers(owner: Owner) -> bool:
    try:
        return owner.ask("ping") == {"outcome": "ok"}
    except Busy:
        return False


@cache
def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
