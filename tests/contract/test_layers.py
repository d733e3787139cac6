"""The dependency layer as it is shipped."""

from __future__ import annotations

import ast
import importlib.util
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tools.artefact import dependencies, foreign_libraries
from tools.paths import DOMAINS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

X86_64 = 62
MAX_UNZIPPED_MEGABYTES = 60
PROGRAM = """
import argon2, email_validator, cryptography, icalendar, jinja2.sandbox, phonenumbers, pydantic, pynamodb.models
import aws_lambda_powertools.event_handler, cryptography.hazmat.primitives.asymmetric.ec
import botocore.session, importlib.metadata, zoneinfo
session = botocore.session.get_session()
for service in ("dynamodb", "kms", "lambda", "sns", "sqs", "stepfunctions"):
    session.create_client(service, region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-")
importlib.metadata.version("aws-lambda-powertools")
zoneinfo.reset_tzpath(to=[])
zoneinfo.ZoneInfo("Asia/Kolkata")
print(pydantic.__file__)
"""


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("layer")
    dependencies(target)
    return target / "python"


def test_every_library_is_for_the_machine_lambda_runs_on(layer: Path) -> None:
    assert len(list(layer.rglob("*.so"))) >= 4
    assert foreign_libraries(layer, X86_64) == []


def test_every_module_has_bytecode(layer: Path) -> None:
    modules = [path for path in layer.rglob("*.py") if path.parent.name != "__pycache__"]
    missing = [path for path in modules if not Path(importlib.util.cache_from_source(str(path))).exists()]

    assert len(modules) > 500
    assert missing == []


def test_it_leaves_room_for_the_functions(layer: Path) -> None:
    size = sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())

    assert size < MAX_UNZIPPED_MEGABYTES * 1_000_000


def test_it_holds_neither_boto3_nor_a_crt(layer: Path) -> None:
    assert not [name for name in ("boto3", "s3transfer", "awscrt", "aws_xray_sdk") if (layer / name).exists()]


@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="runs the layer's libraries")
def test_what_the_functions_use_works_from_it_alone(layer: Path) -> None:
    program = f"import sys; sys.path.insert(0, {str(layer)!r})\n{PROGRAM}"

    command = [sys.executable, "-I", "-S", "-W", "error", "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert run.stderr == ""
    assert run.stdout.strip() == str(layer / "pydantic" / "__init__.py")


def test_it_holds_every_package_that_the_deployed_code_imports(layer: Path) -> None:
    present = {path.name.partition(".")[0] for path in layer.iterdir()}
    ours = {"hms", "hms_testing", *DOMAINS}

    imported = {name for source in _deployed() for name in _imports(ast.parse(source.read_text()))}

    assert {"pydantic", "botocore"} <= imported
    assert imported - ours - sys.stdlib_module_names - present == set()


def _deployed() -> Iterator[Path]:
    yield from (ROOT / "functions").rglob("*.py")
    yield from (ROOT / "layers" / "hms").rglob("*.py")


def _imports(node: ast.AST) -> Iterator[str]:
    """The top-level packages that are imported when the code runs."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        children: Iterator[ast.AST] = iter(node.orelse)
    else:
        children = ast.iter_child_nodes(node)
    if isinstance(node, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in node.names)
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module.partition(".")[0]
    for child in children:
        yield from _imports(child)
