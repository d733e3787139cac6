"""What this domain understands of billing's word on a bill."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from hms.money import MoneyTold

VOID = "VOID"


class BillTold(BaseModel):
    """A bill as its owner tells it; `total` is what it comes to with tax, whatever has been paid."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    bill_id: str
    bill_number: str
    version: int
    patient_id: str
    status: str
    provisional: bool
    total: MoneyTold
