"""The hospital on this machine: up, down, reset, status, logs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tools import system as deployment
from tools.emulator import EmulatorError, MiniStack, recorded
from tools.paths import GATEWAY, LOCAL
from tools.progress import console, step
from tools.replay.place import of_system
from tools.replay.republish import republish_span
from tools.replay.rows import Span, Wanted, owners
from tools.replay.sending import to_topic
from tools.seed import seed
from tools.system import System

if TYPE_CHECKING:
    from datetime import datetime

HOME = LOCAL / "ministack"
FACTS = LOCAL / "hms.json"
DEFAULT_PORT = 4566
# Far more than the relay is ever late on a machine of its own.
CATCH_UP = timedelta(minutes=5)


def up() -> None:
    instance = MiniStack(_wanted_port(), HOME)
    _move(instance)
    stopped_at = None if instance.running() else instance.saved_at()
    with step("MiniStack") as current:
        current.outcome = "running already" if instance.running() else instance.endpoint_url
        instance.start()
    system = System(instance.endpoint_url)
    _deploy(system)
    with step("Waking the functions"):
        system.wait_until_ready()
    if stopped_at:
        _catch_up(system, stopped_at)
    users = seed(system)
    _write_facts(system, users)
    _introduce(system, users)


def _catch_up(system: System, stopped_at: datetime) -> None:
    """Tells again what was told shortly before the stop: the streams, with what was not relayed yet, are not kept."""
    span = Span(stopped_at - CATCH_UP, stopped_at)
    with step("What was not yet told") as current, closing(of_system(system)) as place:
        told = sum(republish_span(place, domain, Wanted(span), to_topic(place)) for domain in owners(place))
        current.outcome = f"{told} events of the last {CATCH_UP.seconds // 60} minutes"


def down() -> None:
    instance = _instance()
    with step("MiniStack") as current:
        current.outcome = "stopped, its data kept" if instance.running() else "was not running"
        instance.stop()


def reset() -> None:
    down()
    with step("Data"):
        for path in (HOME, FACTS):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def status() -> bool:
    """Prints whether the hospital is running, and where."""
    instance = _instance()
    if not instance.running():
        console.print("not running; start it with `make run`")
        return False
    system = System(instance.endpoint_url)
    console.print(f"{system.base_url}  {'deployed' if system.deployed() else 'not deployed'}")
    return True


def running_system() -> System:
    """The system that `up` left running, for the commands that work on it."""
    instance = _instance()
    if not instance.running():
        message = "not running; start it with `make run`"
        raise EmulatorError(message)
    return System(instance.endpoint_url)


def _wanted_port() -> int:
    return int(os.environ.get("HMS_PORT") or DEFAULT_PORT)


def _instance() -> MiniStack:
    return MiniStack(recorded(HOME).get("port", _wanted_port()), HOME)


def _move(wanted: MiniStack) -> None:
    current = _instance()
    if current.port != wanted.port and current.running():
        wanted.require_port()
        with step(f"Leaving port {current.port}"):
            current.stop()


def _deploy(system: System) -> None:
    with step("Building layers and functions") as current:
        current.outcome = "built" if deployment.build() else "up to date"
    with step("Deploying") as current:
        current.outcome = f"stack {system.stack}" if _update(system) else "up to date"


def _update(system: System) -> bool:
    """Deploys what was built, unless that is what is there; says whether it had to."""
    marker = HOME / "deployed.json"
    before = json.loads(marker.read_text()) if marker.exists() else {}
    now = {"build": deployment.built(), "gateway": hashlib.sha256(GATEWAY.read_bytes()).hexdigest()}
    if before == now and system.deployed():
        return False
    if before.get("gateway", now["gateway"]) == now["gateway"]:
        system.deploy()
    else:
        system.deploy_new_gateway()
    deployment.prune(system)
    marker.write_text(json.dumps(now))
    return True


def _write_facts(system: System, users: list[dict[str, Any]]) -> None:
    facts = {"base_url": system.base_url, "endpoint_url": system.endpoint_url, "users": users}
    FACTS.write_text(json.dumps(facts, indent=2) + "\n")


def _introduce(system: System, users: list[dict[str, Any]]) -> None:
    console.print(f"\nBase URL  {system.base_url}", soft_wrap=True)
    console.print(f"Docs      {system.base_url}/docs", soft_wrap=True)
    for user in users:
        console.print(
            f"Login     {user['email']:<40} {user['password']:<24} {', '.join(user['roles'])}", soft_wrap=True
        )
