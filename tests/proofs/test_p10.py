"""P10 at a small size, and that the proof has teeth."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

import pytest

from appointments import hours
from tools.proofs import p10

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

pytestmark = pytest.mark.proof


@pytest.mark.parametrize("zone", sorted({zone for zone, _ in p10.PLACES}))
def test_slots_are_right_around_the_changes_of_clocks(zone: str) -> None:
    for place, day in p10.PLACES:
        if place == zone:
            change = date.fromisoformat(day)
            found = p10.compared(zone, change, change)
            assert found.slots > 0 or place == "Pacific/Apia"
            assert found.differing == []


def test_a_small_proof_is_kept() -> None:
    report = p10.prove(None, full=False)

    assert report.met
    assert report.figure.startswith("0 differences")


def test_reading_local_time_carelessly_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(day: date, clock: time, zone: ZoneInfo) -> datetime:
        return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)

    monkeypatch.setattr(hours, "instant_of", careless)

    assert len(p10.at_the_odd_places().differing) > 5
