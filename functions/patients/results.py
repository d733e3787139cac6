"""What comes back from an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from patients.model import Patient


class Hit(NamedTuple):
    """A row that leads to a patient."""

    patient_id: str
    name: str


class Hits(NamedTuple):
    """`last` is where the next page goes on, None at the end."""

    found: tuple[Hit, ...]
    last: str | None


class Page(NamedTuple):
    patients: tuple[Patient, ...]
    last: str | None
