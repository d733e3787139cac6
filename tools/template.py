"""Whether SAM and cfn-lint accept the template."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tools.paths import ROOT, SAM

REGION = {"AWS_DEFAULT_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0"}


def check() -> int:
    """Runs both at once and prints what they found; returns the number of them that object."""
    linter: list[str | Path] = [Path(sys.executable).with_name("cfn-lint"), "template.yaml"]
    return sum(_objects(checker) for checker in [_started(linter), _started([SAM, "validate", "--lint"])])


def _started(command: list[str | Path]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | REGION, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _objects(checker: subprocess.Popen[str]) -> bool:
    output, _ = checker.communicate()
    if checker.returncode:
        print(output)
    return checker.returncode != 0
