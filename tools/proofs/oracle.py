"""What a bill comes to by docs/rules.md "Money", reckoned apart from the code: in exact fractions of a rupee.

Nothing here is taken from `billing`. What is refused is told by its code, as the API tells it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import floor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

NOTHING, HALF = Fraction(0), Fraction(1, 2)
TAX_PERCENT = Fraction(5)
IN_TIME_SECONDS = 2 * 60 * 60
# Of the consultation fee.
LATE_PERCENT, NO_SHOW_PERCENT = 50, 100
STAFF = ("DOCTOR", "CLINIC")


class Against(Exception):
    """The rules refuse it; the text is the code."""


def to_the_cent(exact: Fraction) -> Fraction:
    """A half goes up, and of what is taken off, down: away from nothing."""
    size = floor(abs(exact) * 100 + HALF)
    return Fraction(size if exact >= 0 else -size, 100)


@dataclass(frozen=True)
class Line:
    """`kind` is CHARGE, FEE or DISCOUNT; `net` of a discount is below zero. The rate is in percent."""

    kind: str
    net: Fraction
    rate: Fraction = TAX_PERCENT
    consultation: bool = False

    @cached_property
    def tax(self) -> Fraction:
        return to_the_cent(self.net * self.rate / 100)

    @cached_property
    def total(self) -> Fraction:
        return self.net + self.tax


class End(NamedTuple):
    """How a visit ended: COMPLETED, NO_SHOW, or CANCELLED by whom and how many seconds before the start."""

    outcome: str
    by: str = "PATIENT"
    seconds: int = 0

    @property
    def fee_percent(self) -> int:
        """Of the consultation fee, for a visit that did not take place; one that did is paid for by its lines."""
        if self.outcome == "NO_SHOW":
            return NO_SHOW_PERCENT
        if self.outcome == "COMPLETED" or self.by in STAFF or self.seconds > IN_TIME_SECONDS:
            return 0
        return LATE_PERCENT


@dataclass(frozen=True)
class _Before:
    """What a bill was when its visit ended."""

    outcome: str
    lines: tuple[Line, ...]
    written_off: Fraction
    refunded: Fraction
    provisional: bool


@dataclass(frozen=True)
class Account:
    """A bill. Every change gives another; `fee` is the visit's consultation fee, net.

    Where it waits for a person, `flagged` is the version of the visit at which it does.
    """

    lines: tuple[Line, ...]
    fee: Fraction = NOTHING
    provisional: bool = False
    voided: bool = False
    flagged: int = 0
    before: _Before | None = None
    written_off: Fraction = NOTHING
    paid: Fraction = NOTHING
    refunded: Fraction = NOTHING
    reserved: Fraction = NOTHING
    refund_reserved: Fraction = NOTHING

    @cached_property
    def charged(self) -> Fraction:
        return sum((line.total for line in self.lines), NOTHING)

    @cached_property
    def tax(self) -> Fraction:
        return sum((line.tax for line in self.lines), NOTHING)

    @cached_property
    def outstanding(self) -> Fraction:
        return self.charged - self.written_off - (self.paid - self.refunded)

    @cached_property
    def payable(self) -> Fraction:
        return max(NOTHING, self.outstanding - self.reserved)

    @cached_property
    def credit(self) -> Fraction:
        """What is to be paid back and is not on its way."""
        return max(NOTHING, -self.outstanding - self.refund_reserved)

    @cached_property
    def status(self) -> str:
        if self.outstanding > 0:
            return "PARTIALLY_PAID" if self.paid > self.refunded else "OPEN"
        if self.voided and not self.lines and not self.paid:
            return "VOID"
        if self.refunded:
            return "PARTIALLY_REFUNDED" if self.paid > self.refunded else "REFUNDED"
        return "PAID"

    # By hand.

    def charging(self, lines: Iterable[Line]) -> Account:
        self._must_not_be_void()
        return replace(self, lines=(*self.lines, *lines))

    def discounted(self, net: Fraction, rate: Fraction) -> Account:
        """With its tax never more than is still to be paid; nor may net or tax of the bill fall below nothing."""
        self._must_not_be_void()
        discount = Line("DISCOUNT", -net, rate)
        after = replace(self, lines=(*self.lines, discount))
        if -discount.total > self.payable or not after.adds_up():
            raise Against("DISCOUNT_EXCEEDS_OUTSTANDING")
        return after

    def writing_off(self, amount: Fraction) -> Account:
        self._must_not_be_void()
        if amount > self.payable:
            raise Against("WRITE_OFF_EXCEEDS_OUTSTANDING")
        return replace(self, written_off=self.written_off + amount)

    def voiding(self) -> Account:
        self._must_not_be_void()
        if self.paid or self.reserved or self.refund_reserved:
            raise Against("BILL_HAS_PAYMENTS")
        return replace(self, lines=(), written_off=NOTHING, voided=True)

    # Money on its way.

    def reserving(self, amount: Fraction) -> Account:
        if self.status == "VOID":
            raise Against("BILL_VOID")
        if self.outstanding <= 0:
            raise Against("BILL_ALREADY_PAID")
        if not self.payable:
            raise Against("PAYMENT_IN_PROGRESS")
        if amount > self.payable:
            raise Against("OVERPAYMENT")
        return replace(self, reserved=self.reserved + amount)

    def paying(self, amount: Fraction) -> Account:
        return replace(self, reserved=self.reserved - amount, paid=self.paid + amount)

    def declining(self, amount: Fraction) -> Account:
        return replace(self, reserved=self.reserved - amount)

    def giving_back(self, amount: Fraction) -> Account:
        if amount > self.paid - self.refunded - self.refund_reserved:
            raise Against("REFUND_EXCEEDS_PAYMENT")
        return replace(self, refund_reserved=self.refund_reserved + amount)

    def given_back(self, amount: Fraction) -> Account:
        return replace(self, refund_reserved=self.refund_reserved - amount, refunded=self.refunded + amount)

    def not_given_back(self, amount: Fraction) -> Account:
        return replace(self, refund_reserved=self.refund_reserved - amount)

    # By the visit.

    def moved(self, fee: Fraction) -> Account:
        """To a doctor who costs something else. A consultation that is not on the bill any more stays off."""
        if not self.provisional or self.flagged:
            return self
        return self.priced(fee)

    def ended(self, end: End, fee: Fraction, version: int = 1) -> Account:
        """Nothing while money is on its way, or while a person has to look at the bill as this version left it."""
        if version <= self.flagged or (self.before and self.before.outcome == end.outcome):
            return self
        if self.reserved or self.refund_reserved:
            raise Against("RESERVED")
        open_again = self.back() if self.before else self
        after = open_again.priced(fee) if end.outcome == "COMPLETED" else open_again.called_off(end, fee)
        lines = () if end.outcome == "COMPLETED" else open_again.lines
        before = _Before(
            end.outcome,
            lines,
            open_again.written_off if lines else NOTHING,
            open_again.refunded,
            open_again.provisional,
        )
        return replace(after, fee=fee, provisional=False, before=before, flagged=0)

    def resumed(self, fee: Fraction, version: int) -> Account:
        """The visit's end was taken back."""
        if version <= self.flagged or self.before is None:
            return self
        if self.reserved or self.refund_reserved:
            raise Against("RESERVED")
        return replace(self.back().priced(fee), flagged=0)

    def back(self) -> Account:
        """As it was before the visit ended, with what was charged since."""
        before = self.before
        if before is None:
            return self
        undone = replace(self, before=None, provisional=before.provisional)
        if not before.lines:
            return undone
        since = tuple(line for line in self.lines if line.kind == "CHARGE")
        return replace(undone, lines=(*since, *before.lines), written_off=before.written_off, voided=False)

    def unsettled(self, version: int) -> Account:
        """What was to be given back could not be: a person has to look."""
        refunded = self.before.refunded if self.before else NOTHING
        undone = self if self.refunded != refunded or self.refund_reserved else self.back()
        return replace(undone, flagged=version)

    def tried_again(self) -> Account:
        return replace(self, flagged=0)

    def put_right(self) -> Account:
        """By words alone it is not."""
        raise Against("INVALID_TRANSITION")

    def called_off(self, end: End, fee: Fraction) -> Account:
        """Every line taken back, a fee in their place where there is one."""
        if self.voided:
            return self
        net = to_the_cent(fee * end.fee_percent / 100)
        lines = (Line("FEE", net),) if net else ()
        return replace(self, lines=lines, written_off=NOTHING, voided=not lines)

    def priced(self, fee: Fraction) -> Account:
        """Discounts and write-offs that the new price does not bear go with the old one."""
        there = any(line.consultation for line in self.lines)
        if not there or fee == self.fee:
            return replace(self, fee=fee)
        others = tuple(line for line in self.lines if not line.consultation)
        after = replace(self, fee=fee, lines=(*others, Line("CHARGE", fee, consultation=True)))
        if after.adds_up():
            return after
        kept = tuple(line for line in after.lines if line.kind != "DISCOUNT")
        return replace(after, lines=kept, written_off=NOTHING)

    def adds_up(self) -> bool:
        return min(self.charged - self.written_off, self.tax, self.charged - self.tax) >= 0

    def _must_not_be_void(self) -> None:
        if self.voided:
            raise Against("BILL_VOID")


def opened(fee: Fraction) -> Account:
    """The provisional bill of a visit."""
    return Account((Line("CHARGE", fee, consultation=True),), fee=fee, provisional=True)


def spread(amount: Fraction, payments: Iterable[tuple[str, Fraction]]) -> list[tuple[str, Fraction]]:
    """An amount over payments, each with what is left of it, the newest first."""
    shares = []
    for name, left in payments:
        share = min(amount, left)
        if share > 0:
            shares.append((name, share))
            amount -= share
    return shares
