"""A deployed system of its own, for tests and proofs: with the test-only layer, apart from what `up` left running."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tools.emulator import MiniStack, free_port, recorded
from tools.paths import TEST_LAYER
from tools.system import System, build, publish_test_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

# Apart from the stack of `up`. Each run deploys it anew, since LocalStack cannot point an alias to another version.
STACK = "hms-e2e"


@contextmanager
def own_system() -> Iterator[System]:
    """A system for the length of a `with` block."""
    with TemporaryDirectory(prefix="hms-") as directory:
        home = Path(directory)
        try:
            yield start(home)
        finally:
            stop(home)


def start(home: Path, endpoint_url: str | None = None, stack: str = STACK) -> System:
    """Deploys to the emulator at `endpoint_url`, or to one started on a free port that keeps all it has in `home`."""
    build()
    system = System(endpoint_url or _emulator(home), stack=stack)
    system.remove()
    if TEST_LAYER.is_dir():
        system = replace(system, parameters={"TestLayerArn": publish_test_layer(system)})
    system.deploy()
    return system


def stop(home: Path) -> None:
    """Ends the emulator that `start` started in this folder, if it did."""
    if port := recorded(home).get("port"):
        MiniStack(port, home).stop()


def _emulator(home: Path) -> str:
    instance = MiniStack(free_port(), home, persistent=False)
    instance.start()
    return instance.endpoint_url
