from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tools.emulator import MiniStack, mend_stream_positions, recorded

if TYPE_CHECKING:
    from pathlib import Path


def test_saved_stream_positions_are_dropped_and_the_rest_of_the_state_is_kept(tmp_path: Path) -> None:
    payload = {"functions": {"hms-relay": {"a": 1}}, "dynamodb_stream_positions": {"mapping": 7}}
    saved = tmp_path / "lambda.json"
    saved.write_text(json.dumps({"version": 1, "payload": payload}))

    mend_stream_positions(tmp_path)

    expected = {"version": 1, "payload": {"functions": {"hms-relay": {"a": 1}}}}
    assert json.loads(saved.read_text()) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["lambda.json"]


def test_a_first_start_has_no_state_to_mend(tmp_path: Path) -> None:
    mend_stream_positions(tmp_path / "state")

    assert not (tmp_path / "state").exists()


def test_a_folder_without_an_instance_records_nothing(tmp_path: Path) -> None:
    assert recorded(tmp_path) == {}


def test_an_instance_that_was_stopped_knows_when(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    for name, at in (("dynamodb.json", 1_763_700_000), ("lambda.json", 1_763_700_007)):
        (state / name).write_text("{}")
        os.utime(state / name, (at, at))

    assert MiniStack(1, tmp_path).saved_at() == datetime.fromtimestamp(1_763_700_007, UTC)


def test_an_instance_that_never_ran_has_nothing_to_tell(tmp_path: Path) -> None:
    assert MiniStack(1, tmp_path).saved_at() is None
