"""What was not taken, in files that can be corrected and imported again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.importing.reading import REASONS

if TYPE_CHECKING:
    from pathlib import Path

    from doctors.legacy import LegacyDoctor
    from patients.legacy import LegacyPatient
    from tools.importing.bills import LegacyBill
    from tools.importing.entry import Batch
    from tools.importing.payments import LegacyPayment
    from tools.importing.visits import LegacyVisit

    type AnyBatch = (
        Batch[LegacyPatient] | Batch[LegacyDoctor] | Batch[LegacyVisit] | Batch[LegacyBill] | Batch[LegacyPayment]
    )


def write(batch: AnyBatch, folder: Path) -> Path | None:
    """The wrong rows as they were, byte for byte, behind a first column of reasons; None where there are none."""
    if not batch.quarantined:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / batch.sheet.name
    lines = [REASONS.encode() + b"," + batch.sheet.header]
    lines += [";".join(entry.ordered_reasons).encode() + b"," + entry.row.raw for entry in batch.quarantined]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path
