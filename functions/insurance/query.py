"""What may be asked about insurance."""

from __future__ import annotations

from hms.fields import Id
from hms.pages import PageParams


class ListCoverages(PageParams):
    """A patient's; patients and guardians mean their own where it is left out."""

    patient_id: Id | None = None


class ListChecks(PageParams):
    """A coverage's, which the path names."""


class ListClaims(PageParams):
    """A bill's or a patient's; with both, the patient's for that bill."""

    bill_id: Id | None = None
    patient_id: Id | None = None
