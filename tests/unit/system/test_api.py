"""Health and readiness of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hms.errors import Busy
from hms.tasks import Owner
from system import api
from tests.support.http import sent

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _two_domains(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PATIENTS_TASKS", "hms-patients-tasks:live")
    monkeypatch.setenv("DOCTORS_TASKS", "hms-doctors-tasks:live")
    api._owners.cache_clear()
    yield
    api._owners.cache_clear()


@pytest.mark.parametrize("path", ["/health", "/healthz", "/v1/system/health"])
def test_health_needs_nothing_behind_it(path: str) -> None:
    answer = sent(api.app, "GET", path)

    assert answer.status == 200
    assert answer.json["status"] == "ok"


def test_the_whole_is_ready_when_every_domain_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Owner, "ask", lambda _self, _task: {"outcome": "ok"})

    answer = sent(api.app, "GET", "/ready")

    assert answer.status == 200
    assert answer.json == {"status": "ok", "domains": ["doctors", "patients"]}


def test_a_silent_domain_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(self: Owner, _task: str) -> dict[str, Any]:
        if self._function == "DOCTORS_TASKS":
            raise Busy
        return {"outcome": "ok"}

    monkeypatch.setattr(Owner, "ask", ask)

    answer = sent(api.app, "GET", "/ready")

    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.json["code"] == "NOT_READY"
    assert answer.json["detail"] == "No answer from: doctors."


def test_the_reference_page_may_load_nothing_but_this_api() -> None:
    answer = sent(api.app, "GET", "/docs")

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "http://" not in answer.text.replace("http://www.w3.org", "")
    assert "https://" not in answer.text


def test_the_description_is_the_committed_one() -> None:
    assert sent(api.app, "GET", "/openapi.json").json["openapi"].startswith("3.1")
