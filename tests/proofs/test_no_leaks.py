"""P12 at a small size, and that what searches for leaks finds them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tools.proofs import p12
from tools.proofs.planted import Planted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.system import System

pytestmark = pytest.mark.proof


@pytest.mark.e2e
@pytest.mark.chaos
def test_nothing_personal_is_told_to_operators(failing_system: System) -> None:
    report = p12.prove(failing_system, full=False)

    assert report.met, report.figure


@pytest.mark.parametrize("kind", ["name", "hindi_name", "email", "phone", "birth_date"])
@pytest.mark.parametrize(
    "written",
    [
        str,
        str.upper,
        str.lower,
        lambda value: json.dumps({"error": value}),
        lambda value: quote(f"/v1/patients?name={value}"),
        lambda value: base64.b64encode(f"{value}.".encode()).decode(),
        lambda value: base64.b64encode(f"1{value}.".encode()).decode(),
        lambda value: base64.b64encode(f"12{value}.".encode()).decode(),
    ],
)
def test_a_planted_value_is_found_however_it_is_written(kind: str, written: Callable[[str], str]) -> None:
    planted = Planted()
    value = getattr(planted, kind)()

    assert planted.found_in([f"some {written(value)} here", "nothing"]).total() >= 1


def test_what_is_masked_or_of_others_is_not_found() -> None:
    planted = Planted()
    planted.email(), planted.phone(), planted.name()

    assert not planted.found_in(["jo****@example.com", "******7890", "Asha Verma", ""])
