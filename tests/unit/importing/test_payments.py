from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hms import clock, ids
from hms.fields import rfc3339
from payments.legacy import payment_id_of
from tests.support import legacy
from tools.importing.payments import payments, posting, recording
from tools.importing.reading import read
from tools.importing.run import PAYMENTS

if TYPE_CHECKING:
    from pathlib import Path

    from tools.importing.entry import Batch
    from tools.importing.payments import LegacyPayment


def _batch(folder: Path, *rows: dict[str, str]) -> Batch[LegacyPayment]:
    return payments(read(legacy.write(folder, PAYMENTS, rows)))


def _reasons(folder: Path, **given: str) -> list[str]:
    return _batch(folder, legacy.payment(1, **given)).entries[0].ordered_reasons


def test_ledger_and_payments_are_told_the_same(tmp_path: Path) -> None:
    entry = _batch(tmp_path, legacy.payment(1, method="Bank transfer", amount="499.99")).right[0]
    bill = {"bill_id": ids.new(), "bill_number": "B1", "patient_id": ids.new()}

    posted, recorded = posting(entry), recording(entry, bill)

    assert posted.transaction_id == payment_id_of(recorded.external_id)
    assert (posted.bill, recorded.bill_id, recorded.patient_id) == ("1", bill["bill_id"], bill["patient_id"])
    assert posted.amount == recorded.amount == 49999
    assert (posted.method.value, recorded.method.value) == ("BANK_TRANSFER", "BANK_TRANSFER")
    assert posted.paid_at.isoformat() == recorded.paid_at.isoformat() == "2025-01-14T05:15:00+00:00"
    assert recorded.reference == "R-1"


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        ({"payment_id": ""}, ["MISSING_FIELD"]),
        ({"bill_id": ""}, ["MISSING_FIELD"]),
        ({"reference": ""}, []),
        ({"amount": "0"}, ["BAD_AMOUNT"]),
        ({"amount": "-1"}, ["BAD_AMOUNT"]),
        ({"amount": "1.001"}, ["BAD_AMOUNT"]),
        ({"method": "CHEQUE"}, ["BAD_METHOD"]),
        ({"method": ""}, ["MISSING_FIELD"]),
        ({"method": "upi"}, []),
        ({"method": "bank-transfer"}, []),
        ({"paid_at": "never"}, ["BAD_DATE"]),
        ({"reference": "4242 4242 4242 4242"}, ["CARD_NUMBER"]),
        ({"reference": "UTR 412345678901"}, []),
        ({"reference": "R" * 201}, ["TOO_LONG"]),
        ({"amount": "x", "method": "x", "paid_at": "x"}, ["BAD_AMOUNT", "BAD_DATE", "BAD_METHOD"]),
    ],
)
def test_a_payment_has_an_amount_a_method_and_an_instant(
    tmp_path: Path, given: dict[str, str], reasons: list[str]
) -> None:
    assert _reasons(tmp_path, **given) == reasons


def test_nothing_was_paid_in_the_future(tmp_path: Path) -> None:
    past, future = clock.now() - timedelta(minutes=1), clock.now() + timedelta(minutes=1)

    assert _reasons(tmp_path, paid_at=rfc3339(past)) == []
    assert _reasons(tmp_path, paid_at=rfc3339(future)) == ["BAD_DATE"]


def test_a_payment_is_read_once(tmp_path: Path) -> None:
    batch = _batch(tmp_path, legacy.payment(1), legacy.payment(1, bill_id="2"))

    assert [entry.ordered_reasons for entry in batch.entries] == [[], ["DUPLICATE_ID"]]
