"""What `up` does before it touches anything."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tools import runner
from tools.emulator import EmulatorError, MiniStack, free_port, recorded

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def test_a_move_to_a_taken_port_leaves_the_running_hospital_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "HOME", tmp_path)
    running = MiniStack(free_port(), tmp_path)
    running.start()
    before = recorded(tmp_path)
    try:
        with socket.create_server(("127.0.0.1", 0)) as other:
            monkeypatch.setenv("HMS_PORT", str(other.getsockname()[1]))
            with pytest.raises(EmulatorError, match="is taken"):
                runner.up()
        assert running.running()
        assert recorded(tmp_path) == before
    finally:
        running.stop()


def test_commands_on_a_hospital_that_is_down_say_how_to_start_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "HOME", tmp_path)
    with pytest.raises(EmulatorError, match="not running; start it with `make run`"):
        runner.running_system()
