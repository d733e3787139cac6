"""P9 at a small size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.proofs import p9

if TYPE_CHECKING:
    from tools.system import System

pytestmark = [pytest.mark.proof, pytest.mark.e2e]


def test_what_was_written_is_read_at_once(system: System) -> None:
    report = p9.prove(system, full=False)

    assert report.met, report.figure
