"""Builds Lambda artefacts: installed for Lambda's platform, stripped, compiled.

    python -m tools.artefact dependencies|documents|kernel|function <artefact directory>

Bytecode is `unchecked-hash`: a zip does not keep the times that ordinary bytecode is checked against, and
stale or missing bytecode doubles a cold start.
"""

import gzip
import hashlib
import importlib.util
import json
import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
KERNEL = ROOT / "layers" / "hms" / "hms"
CACHE = ROOT / ".tools" / "layers"
UV = ROOT / ".tools" / "uv" / "bin" / "uv"
ARCHITECTURE = "x86_64"
PLATFORMS = {"x86_64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}

BOTOCORE_SERVICES = {"dynamodb", "kms", "lambda", "ses", "sns", "sqs", "ssm", "states", "stepfunctions", "sts"}
# The model of every function's first client, and the largest: what a function does to its table, nothing else.
TABLE_OPERATIONS = {
    "BatchGetItem",
    "BatchWriteItem",
    "DeleteItem",
    "DescribeTable",
    "GetItem",
    "PutItem",
    "Query",
    "TransactGetItems",
    "TransactWriteItems",
    "UpdateItem",
}
# What is left of the largest models, by their `endpointPrefix`.
KEPT_OPERATIONS = {"dynamodb": TABLE_OPERATIONS, "ssm": {"GetParameter"}}
UNUSED_DIRECTORIES = {"tests", "test", "__pycache__", "bin", "boto3", "s3transfer"}
# An address is never looked up, nothing is compiled in Lambda, and our own page shows the API.
UNUSED_DIRECTORIES |= {"dns", "pycparser", "swagger_ui"}
# No picture is ever printed.
UNUSED_DIRECTORIES |= {"PIL", "pillow.libs", "share"}
UNUSED_SUFFIXES = {".pyi", ".pyc", ".exe", ".c", ".h", ".pxd", ".pyx"}
UNUSED_FILES = {"examples-1.json", "Makefile"}
KEPT_METADATA = {"METADATA", "entry_points.txt"}


def dependencies(target: Path, architecture: str = ARCHITECTURE) -> None:
    """The layer of third-party packages that every function has."""
    _layer(LOCKS / "layer.lock", target, architecture)


def documents(target: Path, architecture: str = ARCHITECTURE) -> None:
    """The layer of what documents are printed with: only functions that print have it (docs/adr/0031)."""
    _layer(LOCKS / "documents.lock", target, architecture)


def _layer(lock: Path, target: Path, architecture: str) -> None:
    """From a cache that follows the lock and this module."""
    built = CACHE / f"{architecture}-{hashlib.sha256(lock.read_bytes() + Path(__file__).read_bytes()).hexdigest()}"
    if not built.exists():
        work = built.with_suffix(f".{os.getpid()}")
        install(work, lock, architecture)
        strip(work)
        if (work / "botocore").exists():
            slim(work / "botocore" / "data")
        replace_source(work, "/opt/python")
        settle(work, built)
    shutil.copytree(built, target / "python")


def settle(work: Path, built: Path) -> None:
    """Two builds may end at once: the later one's work is the same, so it is thrown away."""
    try:
        work.rename(built)
    except OSError:
        if not built.exists():
            raise
        shutil.rmtree(work)


def kernel(target: Path) -> None:
    """The layer of what every domain shares."""
    _copy_package(KERNEL, target / "python" / "hms", "/opt/python/hms")


def function(target: Path) -> None:
    """The package of the domain in the working directory, under its own name."""
    domain = Path.cwd().name
    _copy_package(Path(), target / domain, f"/var/task/{domain}")


def _copy_package(source: Path, target: Path, mounted_at: str) -> None:
    shutil.copytree(
        source, target, ignore=shutil.ignore_patterns("__pycache__", "Makefile", "*.md"), copy_function=_copy
    )
    compile_bytecode(target, mounted_at)


def _copy(source: str, target: str) -> None:
    shutil.copyfile(source, target)


def install(target: Path, lock: Path, architecture: str) -> None:
    subprocess.run(
        [
            *(UV, "pip", "install", "--quiet", "--require-hashes", "-r", lock, "--target", target),
            *("--python-platform", PLATFORMS[architecture], "--python-version", "3.13"),
            *("--only-binary", ":all:", "--no-compile-bytecode", "--link-mode", "copy"),
        ],
        check=True,
    )


def strip(root: Path) -> None:
    """Deletes what a function never reads: tests, stubs, and the data of AWS services it does not call."""
    for path in [*_unused(root)]:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()


def slim(data: Path) -> None:
    """Rewrites what botocore parses at the first client: no prose, no endpoints of services that are never called."""
    endpoints = json.loads((data / "endpoints.json").read_text())
    for partition in endpoints["partitions"]:
        partition["services"] = {
            name: service for name, service in partition["services"].items() if name in BOTOCORE_SERVICES
        }
    (data / "endpoints.json").write_text(json.dumps(endpoints, separators=(",", ":")))
    for packed in data.rglob("service-2.json.gz"):
        model = _without_prose(json.loads(gzip.decompress(packed.read_bytes())))
        if kept := KEPT_OPERATIONS.get(model["metadata"]["endpointPrefix"]):
            model = only(kept, model)
        packed.with_suffix("").write_text(json.dumps(model, separators=(",", ":")))
        packed.unlink()


def only(operations: set[str], model: dict[str, Any]) -> dict[str, Any]:
    """A service model with these operations and the shapes that they need."""
    kept = {name: operation for name, operation in model["operations"].items() if name in operations}
    shapes: dict[str, Any] = {}
    wanted = _shapes_in(kept)
    while wanted:
        shapes |= {name: model["shapes"][name] for name in wanted}
        wanted = _shapes_in([model["shapes"][name] for name in wanted]) - shapes.keys()
    return {**model, "operations": kept, "shapes": shapes}


def _shapes_in(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_shapes_in, value))
    if not isinstance(value, dict):
        return set()
    own = {value["shape"]} if isinstance(value.get("shape"), str) else set()
    return own.union(*map(_shapes_in, value.values()))


def _without_prose(value: Any) -> Any:
    """A service model without its documentation: a string under that name; a member that is called so is a dict."""
    if isinstance(value, list):
        return [_without_prose(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_prose(one) for name, one in value.items() if name != "documentation" or not isinstance(one, str)
    }


def _unused(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.is_dir():
            if path.name in UNUSED_DIRECTORIES or _is_unused_service(path):
                yield path
        elif path.suffix in UNUSED_SUFFIXES or path.name in UNUSED_FILES or _is_unused_data(path):
            yield path


def _is_unused_service(directory: Path) -> bool:
    return directory.parent.parts[-2:] == ("botocore", "data") and directory.name not in BOTOCORE_SERVICES


def _is_unused_data(file: Path) -> bool:
    return _is_unused_metadata(file) or _is_short_number(file)


def _is_unused_metadata(file: Path) -> bool:
    owner = next((part for part in file.parts if part.endswith(".dist-info")), None)
    return owner is not None and file.name not in KEPT_METADATA


def _is_short_number(file: Path) -> bool:
    """Metadata of a country's emergency and service numbers: nobody is reached there."""
    return file.parts[-3:-1] == ("phonenumbers", "shortdata") and file.name != "__init__.py"


def compile_bytecode(root: Path, mounted_at: str) -> None:
    """Compiles every module below root; tracebacks show the path it will have when mounted."""
    for path in root.rglob("*.py"):
        _compile(path, Path(importlib.util.cache_from_source(path, optimization="")), root, mounted_at)


def replace_source(root: Path, mounted_at: str) -> None:
    """Every module below root by its bytecode alone, without docstrings and assertions.

    Half as many files to unpack where a function starts. Tracebacks have file names and line numbers all the same.
    """
    for path in [*root.rglob("*.py")]:
        _compile(path, path.with_suffix(".pyc"), root, mounted_at, optimize=2)
        path.unlink()


def _compile(source: Path, target: Path, root: Path, mounted_at: str, optimize: int = 0) -> None:
    py_compile.compile(
        str(source),
        cfile=str(target),
        dfile=f"{mounted_at}/{source.relative_to(root)}",
        doraise=True,
        optimize=optimize,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def foreign_libraries(root: Path, machine: int) -> list[Path]:
    """Shared libraries whose ELF header names another machine (`e_machine`) than the one asked for."""
    return [path for path in root.rglob("*.so*") if _elf_machine(path) != machine]


def _elf_machine(path: Path) -> int | None:
    header = path.read_bytes()[:20]
    return int.from_bytes(header[18:20], "little") if header[:4] == b"\x7fELF" else None


if __name__ == "__main__":
    builds = {"dependencies": dependencies, "documents": documents, "kernel": kernel, "function": function}
    builds[sys.argv[1]](Path(sys.argv[2]))
