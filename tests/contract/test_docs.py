"""The documents lead somewhere: links, commands, sections."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from typing import TYPE_CHECKING

import pytest
import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from tools.cli import app
from tools.paths import DOMAINS, ROOT

if TYPE_CHECKING:
    from pathlib import Path


LONGEST_DECISION = 60
SECTIONS = ("owns", "commands", "events", "invariants")
SKIPPED = {".venv", ".tools", ".local", ".aws-sam", ".pytest_cache", "node_modules"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _documents() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.md") if not SKIPPED & set(path.relative_to(ROOT).parts))


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


DOCUMENTS = _documents()
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))
OWNERS = [domain for domain in DOMAINS if (ROOT / "functions" / domain / "tasks.py").exists()]


@cache
def _verbs() -> set[str]:
    return set(re.findall(r"^([a-z0-9]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


@cache
def _commands() -> set[str]:
    return set(typer.main.get_group(app).commands)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_named)
def test_every_relative_link_leads_to_something(document: Path) -> None:
    targets = {target.partition("#")[0] for target in LINK.findall(CODE.sub("", document.read_text()))}
    local = {target for target in targets if target and "://" not in target}

    assert {target for target in local if not (document.parent / target).exists()} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=_named)
def test_every_command_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    # In prose `make` and `hms` are words like others: commands are those in code.
    code = "\n".join([*re.findall(r"`([^`\n]+)`", text), *CODE.findall(text)])
    verbs = set(re.findall(r"(?:^|[^\w./-])make ([a-z0-9]+)", code, re.MULTILINE))
    commands = set(re.findall(r"(?:\.venv/bin/|^)hms ([a-z][a-z-]*)", code, re.MULTILINE))

    assert verbs <= _verbs()
    assert commands <= _commands()


def _lines() -> list[str]:
    """Every command of ours that a document shows in a block."""
    blocks = [block for document in DOCUMENTS for block in CODE.findall(document.read_text())]
    found = re.findall(r"^ *\.venv/bin/hms ([^\n#]+)", "\n".join(blocks), re.MULTILINE)
    return sorted({line.strip() for line in found})


@pytest.mark.parametrize("line", _lines())
def test_a_command_takes_what_a_document_gives_it(line: str) -> None:
    """It is parsed as it stands; nothing is run."""
    parse(line)


@pytest.mark.parametrize("line", ["replay lost", "replay show Queue --all", "replay drop Queue", "seed --much"])
def test_a_command_that_is_not_there_is_noticed(line: str) -> None:
    with pytest.raises((KeyError, TyperException)):
        parse(line)


def parse(line: str) -> None:
    arguments, command = line.split(), typer.main.get_command(app)
    while isinstance(command, TyperGroup):
        command = command.commands[arguments.pop(0)]
    command.make_context("hms", arguments)


def test_the_readme_names_the_commands_that_everybody_needs() -> None:
    text = (ROOT / "README.md").read_text()

    assert all(f"make {verb}" in text for verb in ("run", "test", "stop", "reset", "help", "bench"))


def test_the_help_of_make_lists_every_verb() -> None:
    command = ["/usr/bin/env", "make", "--no-print-directory", "help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert {line.split()[0] for line in shown.splitlines() if line[:1].isalpha()} == _verbs()


@pytest.mark.parametrize("domain", OWNERS)
def test_a_domain_says_what_it_owns_hears_and_holds(domain: str) -> None:
    text = (ROOT / "functions" / domain / "README.md").read_text()
    marked = {found.lower() for found in re.findall(r"^(?:## |\*\*)(\w+)", text, re.MULTILINE)}

    assert set(SECTIONS) <= marked


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_has_a_readme(domain: str) -> None:
    assert (ROOT / "functions" / domain / "README.md").read_text().startswith(f"# {domain}\n")


@pytest.mark.parametrize("decision", DECISIONS, ids=_named)
def test_a_decision_fits_on_a_page_and_says_what_was_measured(decision: Path) -> None:
    lines = decision.read_text().splitlines()

    assert len(lines) <= LONGEST_DECISION
    assert lines[0].startswith(f"# {decision.name[:4]} ")
    assert {"## Context", "## Decision", "## Measured", "## Consequences"} <= set(lines)


def test_every_decision_has_a_number_of_its_own() -> None:
    assert len({path.name[:4] for path in DECISIONS}) == len(DECISIONS)
