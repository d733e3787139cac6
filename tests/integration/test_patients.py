"""Patients on the emulator's own engine: moto lets through what DynamoDB refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from patients.store import Patients
from tests.contract.test_patients import PatientsContract
from tests.support.tables import dynamo_table

if TYPE_CHECKING:
    from collections.abc import Iterator


class TestEngine(PatientsContract):
    @pytest.fixture
    def patients(self, endpoint_url: str) -> Iterator[Patients]:
        with dynamo_table(endpoint_url) as table:
            yield Patients(table)
