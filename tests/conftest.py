"""The deployed system for tests over HTTP: one instance for all workers, started by the first that asks."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tools.instance import STACK, start, stop
from tools.system import System

HOME = "HMS_TEST_HOME"


def pytest_configure(config: pytest.Config) -> None:
    if not _is_worker(config):
        os.environ[HOME] = tempfile.mkdtemp(prefix="hms-test-")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if _is_worker(session.config):
        return
    home = Path(os.environ.pop(HOME))
    stop(home)
    if exitstatus == pytest.ExitCode.TESTS_FAILED and (home / "ministack.log").exists():
        print(f"\nlogs of the instance: {home}")
    else:
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def system() -> System:
    """The hospital with the test-only layer, on an instance of its own or, with ENDPOINT_URL, on the emulator there."""
    return _shared(STACK, os.environ.get("ENDPOINT_URL") or None)


@pytest.fixture(scope="session")
def failing_system(system: System) -> System:
    """Another hospital beside it, for tests that let its functions fail while others rely on theirs."""
    return _shared(f"{STACK}-failing", system.endpoint_url)


def _shared(stack: str, endpoint_url: str | None) -> System:
    """Started by the first worker that asks."""
    home = Path(os.environ[HOME])
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        facts = home / f"{stack}.json"
        if not facts.exists():
            started = start(home, endpoint_url, stack)
            facts.write_text(json.dumps({"endpoint_url": started.endpoint_url, "stack": started.stack}))
        return System(**json.loads(facts.read_text()))


@pytest.fixture(scope="session")
def base_url(system: System) -> str:
    return system.base_url


@pytest.fixture(scope="session")
def endpoint_url(system: System) -> str:
    return system.endpoint_url


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
