"""How a statement says what it says: days, entries and what they come to, as its readers know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.model import EntryKind, Method
from hms.money import readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from billing.statements import Account, Statement, StatementLine

_KINDS = {
    EntryKind.CHARGE: "Charge",
    EntryKind.FEE: "Fee",
    EntryKind.DISCOUNT: "Discount",
    EntryKind.REVERSAL: "Taken back",
    EntryKind.VOID: "Voided",
    EntryKind.WRITE_OFF: "Written off",
    EntryKind.PAYMENT: "Payment",
    EntryKind.REFUND: "Refund",
}
_METHODS = {
    Method.CASH: "cash",
    Method.CARD: "card",
    Method.UPI: "UPI",
    Method.BANK_TRANSFER: "bank transfer",
}
_TOTALS = {
    "charges": "Charges",
    "fees": "Fees",
    "discounts": "Discounts",
    "reversals": "Taken back",
    "write_offs": "Written off",
    "payments": "Payments",
    "refunds": "Refunds",
}
_MOVED = ("payments", "refunds")
_PUT_ON = (EntryKind.CHARGE, EntryKind.FEE)


def day(when: date) -> str:
    """23 Nov 2026."""
    return f"{when:%d %b %Y}"


def period(statement: Statement) -> str:
    end = day(statement.end)
    return f"{day(statement.start)} – {end}" if statement.start else f"until {end}"


def description(line: StatementLine) -> str:
    """What the line is about. Lines that are put on a bill speak for themselves."""
    if line.kind in _PUT_ON and line.description:
        return _with_reason(line.description, line.reason)
    how = _METHODS[line.method] if line.method else None
    told = ", ".join(part for part in (_KINDS[line.kind], how) if part)
    about = line.description if line.description != told else None
    return _with_reason(f"{told}: {about}" if about else told, line.reason)


def _with_reason(text: str, reason: str | None) -> str:
    return f"{text} ({reason})" if reason else text


def amounts(line: StatementLine, currency: str) -> tuple[str, str]:
    """What is charged by a line and what is paid by it: one of them is empty. A refund is a payment below zero."""
    if line.kind in (EntryKind.PAYMENT, EntryKind.REFUND):
        return "", readable(-line.amount, currency)
    return readable(line.amount, currency), ""


def totals(account: Account) -> Iterator[tuple[str, str, str]]:
    """What the lines of each kind come to, where there are some: its name, what was charged, what was paid."""
    for field, name in _TOTALS.items():
        total: int = getattr(account.totals, field)
        if total and field in _MOVED:
            yield name, "", readable(-total, account.currency)
        elif total:
            yield name, readable(total, account.currency), ""
    if account.totals.tax:
        yield f"Tax within these: {readable(account.totals.tax, account.currency)}", "", ""


def title(account: Account) -> str:
    return f"Recorded by an older system, in {account.currency}" if account.historical else f"In {account.currency}"


def balance(account: Account) -> tuple[str, str]:
    """Who owes whom in the end, and how much."""
    closing = account.closing_balance
    name = "In your favour" if closing < 0 else "Balance due"
    return name, readable(abs(closing), account.currency)
