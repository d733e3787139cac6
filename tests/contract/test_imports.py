"""That the import contracts catch what they are there for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.imports import render

SOUND = {
    "hms/__init__.py": "",
    "hms/rows.py": "",
    "hms/store.py": "import botocore",
    "alpha/__init__.py": "",
    "alpha/api.py": "from alpha import service, store",
    "alpha/service.py": "from alpha import rules\nfrom hms import rows",
    "alpha/store.py": "from alpha import model\nfrom hms import store",
    "alpha/rules.py": "import typing\nfrom alpha import model\nif typing.TYPE_CHECKING:\n    import pynamodb",
    "alpha/model.py": "",
    "beta/__init__.py": "",
    "beta/model.py": "",
}


def _verdict(root: Path, files: dict[str, str]) -> str:
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    (root / "contracts.ini").write_text(render(["alpha", "beta"], root))
    command: list[str | Path] = [
        Path(sys.executable).with_name("lint-imports"),
        "--config",
        "contracts.ini",
        "--no-cache",
        "--no-logo",
    ]
    environment = os.environ | {"PYTHONPATH": str(root)}
    result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert "Contracts: " in result.stdout, result.stdout + result.stderr
    return result.stdout


def test_imports_that_go_down_are_kept(tmp_path: Path) -> None:
    assert "0 broken" in _verdict(tmp_path, SOUND)


@pytest.mark.parametrize(
    ("module", "source", "contract"),
    [
        ("hms/rows.py", "import alpha.model", "hms imports no domain"),
        ("beta/model.py", "import alpha.model", "domains are independent"),
        ("alpha/model.py", "from alpha import rules", "alpha: imports go down only"),
        ("alpha/service.py", "from alpha import store", "alpha: imports go down only"),
        ("alpha/rules.py", "import boto3", "decisions never reach AWS"),
        ("hms/rows.py", "import hms.store", "decisions never reach AWS"),
    ],
)
def test_an_import_that_goes_elsewhere_is_refused(tmp_path: Path, module: str, source: str, contract: str) -> None:
    verdict = _verdict(tmp_path, SOUND | {module: source})

    assert f"{contract} BROKEN" in verdict
