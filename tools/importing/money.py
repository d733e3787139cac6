"""Bills and payments to the domains that own them: a bill with what was paid on it, then the payments themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.importing import bills, payments
from tools.importing.accounts import by_bill

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tools.importing.bills import Known, LegacyBill
    from tools.importing.entry import Batch, Entry
    from tools.importing.payments import LegacyPayment
    from tools.importing.sending import Ask

type Answers = list[dict[str, Any]]


class Money:
    """What billing says of a payment is kept until payments is told of it: only it knows the bill.

    An import that broke off between the two finds the payment in the ledger and goes on to payments.
    """

    def __init__(self, paid: Batch[LegacyPayment], known: Known, ask: Ask) -> None:
        self._of_bill = by_bill(paid)
        self._known = known
        self._ask = ask
        self._posted: dict[str, Mapping[str, str]] = {}

    def record_bills(self, entries: Sequence[Entry[LegacyBill]]) -> Answers:
        paid = [
            payment for entry in entries for payment in self._of_bill.get(entry.value("bill_id"), ()) if payment.right
        ]
        return self._post([bills.recording(entry, self._known).model_dump_json() for entry in entries], paid)

    def record_payments(self, entries: Sequence[Entry[LegacyPayment]]) -> Answers:
        """Bills of payments that no file names may be in the hospital: billing is asked for these only now."""
        if unposted := [entry for entry in entries if _number(entry) not in self._posted]:
            self._post([], unposted)
        posted = [self._posted[_number(entry)] for entry in entries]
        accepted = [(entry, bill) for entry, bill in zip(entries, posted, strict=True) if _is_in(bill)]
        recorded = iter(self._recorded(accepted))
        return [next(recorded) if _is_in(bill) else dict(bill) for bill in posted]

    def _post(self, recorded: list[str], paid: Sequence[Entry[LegacyPayment]]) -> Answers:
        texts = [payments.posting(entry).model_dump_json() for entry in paid]
        answer = self._ask("billing", "record_bills", bills=recorded, payments=texts)
        self._posted |= {_number(entry): bill for entry, bill in zip(paid, answer["paid"], strict=True)}
        return list(answer["recorded"])

    def _recorded(self, accepted: Iterable[tuple[Entry[LegacyPayment], Mapping[str, str]]]) -> Answers:
        texts = [payments.recording(entry, bill).model_dump_json() for entry, bill in accepted]
        return list(self._ask("payments", "record_payments", payments=texts)["recorded"]) if texts else []


def _number(entry: Entry[LegacyPayment]) -> str:
    return entry.value("payment_id")


def _is_in(bill: Mapping[str, str]) -> bool:
    return bill["outcome"] != "refused"
