"""A MiniStack of our own: on one address of this machine, its state in one folder, which it saves when stopped."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tools.paths import MINISTACK_PYTHON

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOOPBACK = "127.0.0.1"
START_SECONDS = 180
STOP_SECONDS = 60
# All that a function should inherit from the operator's shell, since MiniStack hands its environment down.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")
# A running function holds a thread and each call it makes needs another: with its default of 64, MiniStack stands
# still when 64 functions run at once.
THREADS = 512
PORTS = range(20_000, 32_000)


class EmulatorError(Exception):
    """The emulator cannot be started or stopped; the message says why and what to do."""


@dataclass(frozen=True)
class MiniStack:
    port: int
    home: Path
    persistent: bool = True
    address: str = LOOPBACK

    @property
    def endpoint_url(self) -> str:
        return f"http://{'localhost' if self.address == LOOPBACK else self.address}:{self.port}"

    @property
    def log(self) -> Path:
        return self.home / "ministack.log"

    def start(self) -> None:
        """Starts the emulator, or does nothing when this one is running already.

        Raises EmulatorError when something else has the port or it does not come up.
        """
        if self.running():
            return
        self.require_port()
        mend_stream_positions(self.home / "state")
        self._record().write_text(json.dumps({"pid": self._spawn(), "port": self.port}))
        self._wait_until_ready()

    def require_port(self) -> None:
        """Raises EmulatorError when something else has the port."""
        if _taken(self.address, self.port):
            message = f"port {self.port} is taken by another program; stop it, or choose a port with HMS_PORT"
            raise EmulatorError(message)

    def stop(self) -> None:
        """Ends the emulator, which saves its state on the way out."""
        pid = self._pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        if not _within(STOP_SECONDS, lambda: not _is_ministack(pid)):
            message = f"MiniStack (process {pid}) does not stop; see {self.log}"
            raise EmulatorError(message)
        self._record().unlink(missing_ok=True)

    def running(self) -> bool:
        return self._pid() is not None and _answers(self.endpoint_url)

    def saved_at(self) -> datetime | None:
        """When it was stopped and saved its state; None where there is none."""
        saved = [path.stat().st_mtime for path in (self.home / "state").glob("*.json")]
        return datetime.fromtimestamp(max(saved), UTC) if saved else None

    def _spawn(self) -> int:
        shutil.rmtree(self.home / "tmp", ignore_errors=True)
        (self.home / "tmp").mkdir(parents=True)
        appended = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.posix_spawn(
            MINISTACK_PYTHON,
            [str(MINISTACK_PYTHON), "-m", "ministack"],
            self._environment(),
            setsid=True,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), appended, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )

    def _environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        switches = {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "LOG_LEVEL": "WARNING"}
        switches["MINISTACK_WORKER_THREADS"] = str(THREADS)
        place = {"BIND_HOST": self.address, "GATEWAY_PORT": str(self.port), "TMPDIR": str(self.home / "tmp")}
        # Its functions reach it at 127.0.0.1 unless told otherwise.
        place["AWS_ENDPOINT_URL"] = f"http://{self.address}:{self.port}"
        return inherited | switches | place | (self._storage() if self.persistent else {})

    def _storage(self) -> dict[str, str]:
        state = {"PERSIST_STATE": "1", "STATE_DIR": str(self.home / "state")}
        return state | {"S3_PERSIST": "1", "S3_DATA_DIR": str(self.home / "s3")}

    def _wait_until_ready(self) -> None:
        if not _within(START_SECONDS, lambda: _answers(self.endpoint_url) or self._pid() is None) or not self.running():
            message = f"MiniStack did not start; see {self.log}"
            raise EmulatorError(message)

    def _record(self) -> Path:
        return self.home / "instance.json"

    def _pid(self) -> int | None:
        pid = recorded(self.home).get("pid")
        return pid if pid is not None and _is_ministack(pid) else None


def recorded(home: Path) -> dict[str, int]:
    """`pid` and `port` of the instance last started in this folder, empty when it was stopped."""
    try:
        record: dict[str, int] = json.loads((home / "instance.json").read_text())
    except FileNotFoundError:
        return {}
    return record


def mend_stream_positions(state: Path) -> None:
    """Drops the saved stream positions: the streams themselves are not saved, so readers would wait for ever."""
    saved = state / "lambda.json"
    if not saved.exists():
        return
    content = json.loads(saved.read_text())
    content.get("payload", {}).pop("dynamodb_stream_positions", None)
    replacement = saved.with_suffix(".mended")
    replacement.write_text(json.dumps(content))
    shutil.move(replacement, saved)


def free_port(address: str = LOOPBACK) -> int:
    """Below those that outgoing connections get, one of which would have it before its server has."""
    ports = random.sample(PORTS, 100)
    return next(port for port in ports if _is_free(address, port))


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


def _taken(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def _is_ministack(pid: int) -> bool:
    question = f"ps -o stat=,command= -p {pid}".split()
    command = subprocess.run(question, capture_output=True, text=True, check=False)
    return "ministack" in command.stdout and not command.stdout.startswith("Z")


def _answers(endpoint_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint_url}/_ministack/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False
