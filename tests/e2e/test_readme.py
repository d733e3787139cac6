"""The first booking of the README, pasted as it stands there."""

from __future__ import annotations

import json
import re
import subprocess
from functools import partial
from typing import TYPE_CHECKING

from tests.support.client import eventually
from tools.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.client import Answer
    from tests.support.hospital import Hospital

SECONDS = 60


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


def test_the_first_booking_works_when_it_is_pasted(hospital: Hospital, tmp_path: Path) -> None:
    _prepare(tmp_path, hospital)

    pasted = subprocess.run(
        ["/bin/bash", "-eo", "pipefail", "-c", _block("A first booking")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert pasted.returncode == 0, pasted.stderr
    booked, cancelled = pasted.stdout.splitlines()
    assert json.loads(booked)["status"] == "SCHEDULED"
    assert cancelled == "CANCELLED"
