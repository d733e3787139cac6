"""The import contracts, written for every domain found under `functions/` and checked by import-linter.

Generated, so that a new domain is under contract from its first commit.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile

from tools.paths import ROOT

OUTER = ("api", "inbox", "tasks")
PURE = ("service", "rules", "model")
AWS = ("boto3", "botocore", "pynamodb", "aws_lambda_powertools")


def check() -> int:
    """Runs import-linter over the contracts; returns its exit code."""
    with NamedTemporaryFile("w", suffix=".ini") as contracts:
        contracts.write(render(domains(), ROOT / "functions"))
        contracts.flush()
        command: list[str | Path] = [
            Path(sys.executable).with_name("lint-imports"),
            "--config",
            contracts.name,
            "--no-cache",
        ]
        return subprocess.run(command, cwd=ROOT, check=False).returncode


def domains() -> list[str]:
    return sorted(path.parent.name for path in ROOT.glob("functions/*/__init__.py"))


def render(names: list[str], packages: Path) -> str:
    """The contracts for the domains of these names, whose packages lie side by side in one folder."""
    pure = [f"{name}.{module}" for name in names for module in PURE if _exists(packages / name, module)]
    contracts = [
        _contract("kernel", "hms imports no domain", "forbidden", source_modules=["hms"], forbidden_modules=names),
        *([_contract("domains", "domains are independent", "independence", modules=names)] if len(names) > 1 else []),
        *(_layers(name) for name in names),
        *(
            [_contract("pure", "decisions never reach AWS", "forbidden", source_modules=pure, forbidden_modules=AWS)]
            if pure
            else []
        ),
    ]
    return _section(
        "importlinter",
        root_packages=["hms", *names],
        include_external_packages="True",
        exclude_type_checking_imports="True",
    ) + "".join(contracts)


def _layers(name: str) -> str:
    outer, beside = " | ".join(f"({module})" for module in OUTER), "(service) | (store)"
    return _contract(
        f"layers:{name}",
        f"{name}: imports go down only",
        "layers",
        containers=[name],
        layers=[outer, beside, "(rules)", "(model)"],
    )


def _contract(key: str, title: str, kind: str, **options: list[str] | tuple[str, ...] | str) -> str:
    return _section(f"importlinter:contract:{key}", name=title, type=kind, **options)


def _section(header: str, **options: list[str] | tuple[str, ...] | str) -> str:
    return f"[{header}]\n" + "".join(f"{key} ={_value(value)}\n" for key, value in options.items()) + "\n"


def _value(value: list[str] | tuple[str, ...] | str) -> str:
    return f" {value}" if isinstance(value, str) else "".join(f"\n    {item}" for item in value)


def _exists(package: Path, module: str) -> bool:
    return (package / f"{module}.py").exists() or (package / module).is_dir()
