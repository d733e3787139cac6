"""Another domain's messages are data: a row, a subject and a folder of wording, and no code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.new_kind import KIND, ROW, SAMPLES, SUBJECT, WORDING

ROOT = Path(__file__).parents[3]


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    """The notifications as they are, and the data of a new kind."""
    domain = tmp_path / "notifications"
    shutil.copytree(ROOT / "functions" / "notifications", domain, ignore=shutil.ignore_patterns("__pycache__"))
    table = json.loads((domain / "kinds.json").read_text())
    table["subjects"]["stay"], table["kinds"][KIND] = SUBJECT, ROW
    (domain / "kinds.json").write_text(json.dumps(table))
    folder = domain / "wording" / KIND
    folder.mkdir()
    for name, text in WORDING.items():
        (folder / name).write_text(text)
    (folder / "samples.json").write_text(json.dumps(SAMPLES))
    return tmp_path


def test_a_new_kind_is_planned_and_worded_without_code(functions: Path) -> None:
    path = os.pathsep.join(map(str, (functions, ROOT / "layers" / "hms", ROOT)))
    run, env = [sys.executable, "-m", "tests.support.new_kind"], {**os.environ, "PYTHONPATH": path}

    told = subprocess.run(run, env=env, cwd=functions, capture_output=True, text=True, check=False)

    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == {
        "read": [
            "Asha Rao, your bed is in ward 4 from Wed 23 Dec, at ₹1,500.00 a day. HMS Clinic",
            "Asha Rao, your bed is in ward 4 from Wed 23 Dec, at Rs 1,500.00 a day. HMS Clinic",
        ],
        "ended": ["SUPERSEDED", "SUPERSEDED"],
    }
