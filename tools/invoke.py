"""Every function run in its container with its samples, and what it answers held against its kind or its route."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from tools import samples
from tools.answers import WrongAnswer, check, is_public
from tools.containers import ContainerError, Containers, bridge
from tools.emulator import MiniStack, free_port
from tools.progress import console, step
from tools.system import System, build

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tools.samples import Sample

LOG_IN = "identity-api-log_in"
_AHEAD = timedelta(days=2)
# About a year: keeps the weekday, which the hours of the sample doctor go by.
_LATER = timedelta(weeks=52)


def samples_on(endpoint_url: str) -> bool:
    """Deploys to the emulator there, or without one to its own, and invokes every sample; whether all answered well."""
    with step("Building layers and functions") as current:
        current.outcome = "built" if build() else "up to date"
    with _emulator(endpoint_url) as place:
        system = System(place)
        with step("Deploying"):
            system.deploy()
        return Round(Containers(system)).run()


@contextmanager
def _emulator(endpoint_url: str) -> Iterator[str]:
    if endpoint_url:
        yield endpoint_url
        return
    address = bridge()
    with TemporaryDirectory(prefix="hms-") as home:
        instance = MiniStack(free_port(address), Path(home), persistent=False, address=address)
        try:
            with step("MiniStack") as current:
                current.outcome = instance.endpoint_url
                instance.start()
            yield instance.endpoint_url
        finally:
            instance.stop()


class Round:
    """One sample after the other: a booking needs the people of the inbox sample and the token of the login."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._samples = samples.all_()
        self._token = ""

    def run(self) -> bool:
        with step("A user for the samples"):
            self._containers.prepare()
            self._let_in()
        wrong = [name for name in in_order(self._samples) if not self._passes(name)]
        return not wrong

    def _let_in(self) -> None:
        credentials = json.loads(self._samples[LOG_IN]["body"])
        self._ask("publish_keys")
        self._ask("create_user", **credentials, roles=["administrator"])

    def _ask(self, task: str, **payload: Any) -> None:
        answer = self._containers.invoke("IdentityTasks", {"task": task, **payload})
        if answer.get("outcome") != "ok":
            raise ContainerError(f"identity answered {task} with {answer}")

    def _passes(self, name: str) -> bool:
        try:
            with step(name) as current:
                current.outcome = self._invoked(name)
        except (ContainerError, WrongAnswer) as error:
            console.print(escape(str(error)))
            return False
        return True

    def _invoked(self, name: str) -> str:
        sample = self._samples[name]
        if not is_public(name, sample):
            sample = signed_in(sample, self._token, datetime.now(UTC))
        answer = self._containers.invoke(function_of(name), sample)
        told = check(name, sample, answer)
        if name == LOG_IN:
            self._token = json.loads(answer["body"])["access_token"]
        return told


def in_order(all_: Mapping[str, Sample]) -> list[str]:
    """What needs no login first; of that, operations after health, events and tasks."""
    return sorted(all_, key=lambda name: (not is_public(name, all_[name]), name.count("-") > 1, name))


def function_of(name: str) -> str:
    """The logical id of the function that a sample is for."""
    parts = name.split("-")
    return "".join(part.capitalize() for part in (parts if parts[-1] == "starter" else parts[:2]))


def signed_in(sample: Sample, token: str, now: datetime) -> Sample:
    """The sample as somebody sends it who has logged in, with its slot in the days to come and a key to repeat it."""
    headers = {**sample["headers"], "Authorization": f"Bearer {token}", "Idempotency-Key": "sample"}
    body = json.loads(sample["body"])
    if "slot_start" in body:
        start, end = (datetime.fromisoformat(body[name]) for name in ("slot_start", "slot_end"))
        while start < now + _AHEAD:
            start, end = start + _LATER, end + _LATER
        body |= {"slot_start": start.isoformat(), "slot_end": end.isoformat()}
    return sample | {"headers": headers, "body": json.dumps(body, ensure_ascii=False)}
