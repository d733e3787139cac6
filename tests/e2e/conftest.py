"""The hospital that the tests of one worker share. Each test brings its own patients and doctors."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.support.hospital import Hospital

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.system import System


@pytest.fixture(scope="session")
def hospital(system: System) -> Iterator[Hospital]:
    with closing(Hospital(system)) as hospital:
        hospital.ready()
        yield hospital
        hospital.settled()
