"""Visits as a plain list, and the rules of booking once more: slow, simple, and sharing nothing with the code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
ACTIVE = ("SCHEDULED", "CHECKED_IN", "IN_CONSULTATION")


class Hours(NamedTuple):
    """A doctor with one period a day, in minutes after local midnight. Their clocks never change."""

    zone: str
    start: int
    end: int
    length: int
    cap: int


@dataclass
class Visit:
    name: str
    patient: str
    doctor: str
    start: datetime
    end: datetime
    status: str = "SCHEDULED"
    moves: int = 0
    exempt: bool = False
    changes: int = 1

    def touches(self, zone: str) -> set[date]:
        days, moment = set(), self.start
        while moment < self.end:
            days.add(moment.astimezone(ZoneInfo(zone)).date())
            moment += MINUTE
        return days


@dataclass(frozen=True)
class Place:
    """Where a visit might stand."""

    patient: str
    doctor: str
    start: datetime
    end: datetime
    exempt: bool


@dataclass
class Ledger:
    doctors: dict[str, Hours]
    visits: list[Visit] = field(default_factory=list)

    def visit(self, name: str) -> Visit:
        return next(visit for visit in self.visits if visit.name == name)

    def refusal(self, place: Place, now: datetime, own: str = "") -> str | None:
        """Why a visit may not stand there; `own` is the visit that would move there."""
        others = [visit for visit in self.visits if visit.name != own]
        wrong_time = _late(place, now) if place.exempt else self._misplaced(place, now)
        return wrong_time or self._clash(place, others) or self._full(place, others)

    def _misplaced(self, place: Place, now: datetime) -> str | None:
        hours = self.doctors[place.doctor]
        start, end = (_minute_of_day(moment, place.start, hours.zone) for moment in (place.start, place.end))
        if start < 9 * 60 or end > 18 * 60:
            return "OUTSIDE_CLINIC_HOURS"
        if start < hours.start or end > hours.end:
            return "DOCTOR_NOT_AVAILABLE"
        if (start - hours.start) % hours.length or end - start != hours.length:
            return "SLOT_NOT_ON_GRID"
        return "LEAD_TIME" if place.start < now + 120 * MINUTE else None

    def _clash(self, place: Place, others: list[Visit]) -> str | None:
        at_once = [visit for visit in others if visit.start < place.end and place.start < visit.end]
        if any(visit.doctor == place.doctor and visit.status not in ("CANCELLED", "NO_SHOW") for visit in at_once):
            return "SLOT_TAKEN"
        if any(visit.patient == place.patient and visit.status in ACTIVE for visit in at_once):
            return "PATIENT_DOUBLE_BOOKED"
        return None

    def _full(self, place: Place, others: list[Visit]) -> str | None:
        hours = self.doctors[place.doctor]
        day = place.start.astimezone(ZoneInfo(hours.zone)).date()
        same_day = [visit for visit in others if visit.doctor == place.doctor and self.day_of(visit) == day]
        counting = [visit for visit in same_day if visit.status != "CANCELLED"]
        return "DAY_FULL" if len(counting) >= hours.cap and not place.exempt else None

    def free_again(self, visit: Visit) -> str | None:
        """Why a missed visit cannot be taken back."""
        place = Place(visit.patient, visit.doctor, visit.start, visit.end, exempt=True)
        return self._clash(place, [other for other in self.visits if other is not visit])

    def day_of(self, visit: Visit) -> date:
        return visit.start.astimezone(ZoneInfo(self.doctors[visit.doctor].zone)).date()

    def sheets(self) -> dict[tuple[str, date], dict[str, str]]:
        """What every sheet should hold: the status of each visit that touches its day."""
        found: dict[tuple[str, date], dict[str, str]] = {}
        for visit in self.visits:
            zone = self.doctors[visit.doctor].zone
            places = [(f"doctor#{visit.doctor}", day) for day in visit.touches(zone)]
            places += [(f"patient#{visit.patient}", day) for day in visit.touches("UTC")]
            for place in places:
                found.setdefault(place, {})[visit.name] = visit.status
        return found

    def overlaps(self) -> list[tuple[str, str]]:
        """Pairs of visits that would need a doctor or a patient twice at one time."""
        return [
            (one.name, other.name)
            for n, one in enumerate(self.visits)
            for other in self.visits[n + 1 :]
            if one.start < other.end and other.start < one.end and _share(one, other)
        ]

    def above_cap(self) -> list[tuple[str, date]]:
        booked = [visit for visit in self.visits if visit.status != "CANCELLED" and not visit.exempt]
        counted = Counter((visit.doctor, self.day_of(visit)) for visit in booked)
        return [place for place, count in counted.items() if count > self.doctors[place[0]].cap]


def _share(one: Visit, other: Visit) -> bool:
    present = [visit.status not in ("CANCELLED", "NO_SHOW") for visit in (one, other)]
    active = [visit.status in ACTIVE for visit in (one, other)]
    return (one.doctor == other.doctor and all(present)) or (one.patient == other.patient and all(active))


def _late(place: Place, now: datetime) -> str | None:
    minutes = int(now.astimezone(UTC).timestamp()) // 60
    return "LEAD_TIME" if place.start.timestamp() < minutes // 5 * 5 * 60 else None


def _minute_of_day(moment: datetime, first: datetime, zone: str) -> int:
    """Minutes after the local midnight before `first`."""
    local, day = moment.astimezone(ZoneInfo(zone)), first.astimezone(ZoneInfo(zone)).date()
    return (local.date() - day).days * 24 * 60 + local.hour * 60 + local.minute
