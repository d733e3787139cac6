"""The first booking and the first payment of the README, pasted one after the other as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.support.client import eventually
from tools.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.client import Answer
    from tests.support.hospital import Hospital

pytestmark = pytest.mark.any_engine

# The bill is opened, and settled, by flows that events start; on a slow machine these come twice.
SECONDS = 300


def _block(heading: str) -> str:
    form = rf"^## {heading}$.*?^```sh$(.*?)^```$"
    found = re.search(form, (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def _prepare(folder: Path, hospital: Hospital) -> None:
    """The folder as `make run` leaves it, with a doctor and a patient of the names that are asked for."""
    login = hospital.reception.login
    assert login
    users = [{"email": login.email, "password": login.password, "roles": ["receptionist"]}]
    (folder / ".local").mkdir()
    (folder / ".local" / "hms.json").write_text(json.dumps({"base_url": hospital.system.base_url, "users": users}))
    (folder / ".venv").symlink_to(ROOT / ".venv")
    # The first of her name, whoever else is there.
    hospital.doctor(name="Dr. Amrit Kaur", department="Gynaecology")
    hospital.patient(name="Rohan Mehta")
    for path, name in (("/v1/doctors", "kaur"), ("/v1/patients", "mehtha rohan")):
        listed = partial(hospital.reception.get, path, query={"name": name})
        assert eventually(listed, _holds_somebody).json()["items"], path


def _holds_somebody(answer: Answer) -> bool:
    return bool(answer.json()["items"])


def test_what_it_says_works_when_it_is_pasted(hospital: Hospital, tmp_path: Path) -> None:
    _prepare(tmp_path, hospital)

    pasted = subprocess.run(
        ["/bin/bash", "-eo", "pipefail", "-c", _block("A first booking") + _block("A first payment")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert pasted.returncode == 0, pasted.stderr
    booked, *said = pasted.stdout.splitlines()
    assert json.loads(booked)["status"] == "SCHEDULED"
    # On a slow machine a payment is decided a moment later.
    assert said[:2] + said[3:6] == ["CANCELLED", "OPEN", "PAID", "CANCELLED", "REFUNDED"]
    assert said[2] in {"COMPLETED", "PENDING"}
    ledger = [("CHARGE", "525.00"), ("PAYMENT", "-525.00"), ("VOID", "-525.00"), ("REFUND", "525.00")]
    assert [tuple(line.split()) for line in said[6:]] == ledger
    assert (tmp_path / ".local" / "statement.pdf").read_bytes().startswith(b"%PDF-")
