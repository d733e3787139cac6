from __future__ import annotations

import gzip
import importlib.util
import json
import py_compile
from typing import TYPE_CHECKING

import pytest

from tools.artefact import compile_bytecode, foreign_libraries, replace_source, settle, slim, strip

if TYPE_CHECKING:
    from pathlib import Path

X86_64, AARCH64 = 62, 183


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    for name in (
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "botocore/data/partitions.json",
        "botocore/tests/test_session.py",
        "pydantic/main.py",
        "pydantic/main.pyi",
        "pydantic-2.dist-info/METADATA",
        "pydantic-2.dist-info/RECORD",
        "pydantic-2.dist-info/licenses/LICENSE",
        "phonenumbers/shortdata/__init__.py",
        "phonenumbers/shortdata/region_IN.py",
        "phonenumbers/data/region_IN.py",
        "boto3/__init__.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path


def test_stripping_keeps_only_what_a_function_reads(layer: Path) -> None:
    strip(layer)

    assert sorted(str(path.relative_to(layer)) for path in layer.rglob("*") if path.is_file()) == [
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "botocore/data/partitions.json",
        "phonenumbers/data/region_IN.py",
        "phonenumbers/shortdata/__init__.py",
        "pydantic-2.dist-info/METADATA",
        "pydantic/main.py",
    ]


def test_bytecode_is_never_checked_against_its_source(tmp_path: Path) -> None:
    (tmp_path / "noun.py").write_text("NOUN = 1\n")

    compile_bytecode(tmp_path, "/opt/python")

    flags = (tmp_path / "__pycache__" / "noun.cpython-313.pyc").read_bytes()[4:8]
    assert int.from_bytes(flags, "little") == 0b01


def test_tracebacks_name_the_path_in_lambda(tmp_path: Path) -> None:
    (tmp_path / "noun.py").write_text("def fail(): pass\n")

    compile_bytecode(tmp_path, "/opt/python")

    compiled = tmp_path / "__pycache__" / "noun.cpython-313.pyc"
    spec = importlib.util.spec_from_file_location("noun", compiled)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.fail.__code__.co_filename == "/opt/python/noun.py"


def test_bytecode_is_the_same_wherever_it_is_built(tmp_path: Path) -> None:
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "noun.py").write_text("NOUN = 1\n")
        compile_bytecode(tmp_path / place, "/opt/python")

    here, there = (tmp_path / place / "__pycache__" / "noun.cpython-313.pyc" for place in ("here", "there"))
    assert here.read_bytes() == there.read_bytes()


def test_a_module_that_does_not_compile_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "noun.py").write_text("def\n")

    with pytest.raises(py_compile.PyCompileError):
        compile_bytecode(tmp_path, "/opt/python")


def test_bytecode_without_its_source_is_imported_and_has_no_docstrings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bare_noun.py").write_text('"""Long."""\nNOUN = 1\n')

    replace_source(tmp_path, "/opt/python")

    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("bare_noun")
    assert (module.NOUN, module.__doc__) == (1, None)
    assert [path.name for path in tmp_path.iterdir()] == ["bare_noun.pyc"]


@pytest.mark.parametrize(("service", "called"), [("dynamodb", "GetItem"), ("ssm", "GetParameter")])
def test_a_service_model_keeps_what_is_called_and_loses_its_prose(tmp_path: Path, service: str, called: str) -> None:
    model = {
        "metadata": {"endpointPrefix": service},
        "operations": {
            called: {"input": {"shape": "GetItemInput"}, "documentation": "<p>Reads</p>"},
            "CreateBackup": {"input": {"shape": "CreateBackupInput"}},
        },
        "shapes": {
            "GetItemInput": {"members": {"Key": {"shape": "Key"}, "documentation": {"shape": "Text"}}},
            "Key": {"type": "map"},
            "Text": {"type": "string", "documentation": "<p>Text</p>"},
            "CreateBackupInput": {"type": "structure"},
        },
    }
    folder = tmp_path / service / "2012-08-10"
    folder.mkdir(parents=True)
    (folder / "service-2.json.gz").write_bytes(gzip.compress(json.dumps(model).encode()))
    services: dict[str, dict[str, dict[str, str]]] = {"dynamodb": {"endpoints": {}}, "ec2": {"endpoints": {}}}
    (tmp_path / "endpoints.json").write_text(json.dumps({"partitions": [{"services": services}]}))

    slim(tmp_path)

    slimmed = json.loads((folder / "service-2.json").read_text())
    assert slimmed["operations"] == {called: {"input": {"shape": "GetItemInput"}}}
    assert set(slimmed["shapes"]) == {"GetItemInput", "Key", "Text"}
    assert slimmed["shapes"]["Text"] == {"type": "string"}
    endpoints = json.loads((tmp_path / "endpoints.json").read_text())
    assert endpoints == {"partitions": [{"services": {"dynamodb": {"endpoints": {}}}}]}


def test_a_library_for_another_machine_is_found(tmp_path: Path) -> None:
    for name, machine in (("ours.so", X86_64), ("theirs.so.1", AARCH64)):
        (tmp_path / name).write_bytes(b"\x7fELF".ljust(18, b"\0") + machine.to_bytes(2, "little"))
    (tmp_path / "text.so").write_text("not a library at all")

    assert {path.name for path in foreign_libraries(tmp_path, X86_64)} == {"theirs.so.1", "text.so"}


def test_the_second_of_two_builds_leaves_the_first_in_place(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "noun.py").write_text(name)

    for name in ("first", "second"):
        settle(tmp_path / name, tmp_path / "built")

    assert (tmp_path / "built" / "noun.py").read_text() == "first"
    assert not (tmp_path / "second").exists()
