"""The layers of third-party packages as they are shipped."""

from __future__ import annotations

import ast
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tools.artefact import dependencies, documents, foreign_libraries
from tools.paths import DOMAINS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

X86_64 = 62
MAX_UNZIPPED_MEGABYTES = 60
MAX_MEGABYTES_FOR_DOCUMENTS = 40
# The domains whose functions have the documents' layer: tests/contract/test_template.py.
PRINTING = {"billing"}
PROGRAM = """
import argon2, email_validator, cryptography, icalendar, jinja2.sandbox, phonenumbers, pydantic, pynamodb.models
import aws_lambda_powertools.event_handler, cryptography.hazmat.primitives.asymmetric.ec
import botocore.session, importlib.metadata, zoneinfo
session = botocore.session.get_session()
for service in ("dynamodb", "kms", "lambda", "sns", "sqs", "ssm", "stepfunctions"):
    session.create_client(service, region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-")
importlib.metadata.version("aws-lambda-powertools")
assert phonenumbers.is_valid_number(phonenumbers.parse("+919876543210"))
zoneinfo.reset_tzpath(to=[])
zoneinfo.ZoneInfo("Asia/Kolkata")
print(pydantic.__file__)
"""
# It warns that it prints no pictures.
PRINTING_PROGRAM = """
import warnings
warnings.simplefilter("ignore")
import fpdf, uharfbuzz
page = fpdf.FPDF()
page.add_page()
print(bytes(page.output())[:4].decode())
"""


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("layer")
    dependencies(target)
    return target / "python"


@pytest.fixture(scope="module")
def printing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("documents")
    documents(target)
    return target / "python"


def test_every_library_is_for_the_machine_lambda_runs_on(layer: Path, printing: Path) -> None:
    assert len(list(layer.rglob("*.so"))) >= 4
    assert len(list(printing.rglob("*.so"))) >= 1
    assert foreign_libraries(layer, X86_64) == foreign_libraries(printing, X86_64) == []


def test_every_module_is_its_bytecode_alone(layer: Path, printing: Path) -> None:
    files = [path for root in (layer, printing) for path in root.rglob("*") if path.is_file()]

    assert len([path for path in files if path.suffix == ".pyc" and path.parent.name != "__pycache__"]) > 500
    assert [path for path in files if path.suffix == ".py" or path.parent.name == "__pycache__"] == []


def test_it_leaves_room_for_the_functions(layer: Path, printing: Path) -> None:
    assert _size(layer) < MAX_UNZIPPED_MEGABYTES * 1_000_000
    assert _size(printing) < MAX_MEGABYTES_FOR_DOCUMENTS * 1_000_000


def _size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def test_documents_bring_nothing_that_all_functions_have(layer: Path, printing: Path) -> None:
    assert _packages(layer) & _packages(printing) == set()


def test_it_holds_neither_boto3_nor_a_crt(layer: Path) -> None:
    assert not [name for name in ("boto3", "s3transfer", "awscrt", "aws_xray_sdk") if (layer / name).exists()]


@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="runs the layer's libraries")
def test_what_the_functions_use_works_from_it_alone(layer: Path) -> None:
    assert _said(PROGRAM, layer) == str(layer / "pydantic" / "__init__.pyc")


@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="runs the layer's libraries")
def test_documents_are_printed_from_the_layers_alone(layer: Path, printing: Path) -> None:
    assert _said(PRINTING_PROGRAM, layer, printing) == "%PDF"


def _said(program: str, *layers: Path) -> str:
    found = "".join(f"sys.path.insert(0, {str(one)!r})\n" for one in layers)
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", f"import sys\n{found}{program}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stderr == ""
    return run.stdout.strip()


def test_they_hold_every_package_that_the_deployed_code_imports(layer: Path, printing: Path) -> None:
    present, ours = _packages(layer), {"hms", "hms_testing", *DOMAINS}
    imported = {root.name: _imported(root) - ours - sys.stdlib_module_names for root in _deployed()}

    assert {"pydantic", "botocore"} <= imported["hms"]
    for name, packages in imported.items():
        assert packages <= present | (_packages(printing) if name in PRINTING else set()), name


def _packages(layer: Path) -> set[str]:
    return {path.name.partition(".")[0] for path in layer.iterdir() if not path.name.startswith(".")}


def _deployed() -> Iterator[Path]:
    yield from (ROOT / "functions" / domain for domain in DOMAINS)
    yield ROOT / "layers" / "hms"


def _imported(root: Path) -> set[str]:
    return {name for source in root.rglob("*.py") for name in _imports(ast.parse(source.read_text()))}


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
