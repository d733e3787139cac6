"""Random lives of bills: what is charged, taken off, paid and paid back, and how the visit ends."""

from __future__ import annotations

import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from typing import TYPE_CHECKING, Any, NamedTuple

from payments import rules as payments_rules
from payments.model import Payment, Status
from tools.proofs import oracle
from tools.proofs.asked import Item, Money, minor_units, rupees
from tools.proofs.oracle import IN_TIME_SECONDS, End
from tools.proofs.twofold import Twofold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Fees at which halves of a cent arise, and those that nobody thinks of; rates in hundredths of a percent.
_FEES = (50_000, 80_000, 50_105, 33_333, 1, 10, 19, 0, 99_999)
_RATES = (0, 500, 500, 1200, 1800, 2800, 10_000)
_QUANTITIES = (1, 1, 1, 2, 3, 7, 100)
_MOST_STEPS, _MOST_LINES = 14, 12
_AT_ONCE = 1000


class Off(NamedTuple):
    """A life in which billing and the oracle were not of one mind. The same number leads the same life again."""

    number: int
    told: tuple[str, ...]
    wrong: tuple[str, ...]


class Tally(NamedTuple):
    """So many lives, in so many steps, of which so many were refused; and the entries of all ledgers."""

    lives: int = 0
    steps: int = 0
    refused: int = 0
    entries: int = 0
    off: tuple[Off, ...] = ()

    def with_(self, other: Tally) -> Tally:
        return Tally(
            self.lives + other.lives,
            self.steps + other.steps,
            self.refused + other.refused,
            self.entries + other.entries,
            self.off + other.off,
        )


def led(numbers: range) -> Tally:
    tally = Tally()
    for number in numbers:
        tally = tally.with_(Life(number).led())
    return tally


def led_on_all_cores(lives: int) -> Iterator[Tally]:
    """Part by part."""
    parts = [range(first, min(first + _AT_ONCE, lives)) for first in range(0, lives, _AT_ONCE)]
    with ProcessPoolExecutor(cpu_count()) as crew:
        yield from crew.map(led, parts)


@dataclass
class _Paid:
    """A payment that came, and what of it went back or is on its way back."""

    name: str
    amount: int
    back: int = 0

    @property
    def left(self) -> int:
        return self.amount - self.back


class _Moving(NamedTuple):
    """Money on its way; a refund is `of` a payment."""

    money: Money
    of: _Paid | None = None


class Life:
    def __init__(self, number: int) -> None:
        self._number = number
        self._luck = random.Random(number)  # noqa: S311  (a life that can be led again, not a secret)
        self._bill = Twofold()
        self._paid: list[_Paid] = []
        self._moving: list[_Moving] = []
        self._fee, self._status, self._end = 0, "", End("")

    def led(self) -> Tally:
        of_visit = self._luck.random() < 0.8
        self._is_booked() if of_visit else self._bill.create(self._items())
        steps = [*self._by_hand(), *(self._by_visit() if of_visit else ())]
        for _ in range(self._luck.randrange(2, _MOST_STEPS)):
            self._luck.choice(steps)()
        while self._moving:
            self._money_is_decided()
        if of_visit and self._luck.random() < 0.9:
            self._ends()
            self._credit_goes_back()
        bill, entries = self._bill, self._bill.rebuild()
        off = (Off(self._number, tuple(bill.told), tuple(bill.wrong)),) if bill.wrong else ()
        return Tally(1, len(bill.told), bill.refused, entries, off)

    def _by_hand(self) -> list[Callable[[], None]]:
        """Money moves more often than anything is taken off."""
        changes = [self._is_adjusted, self._is_discounted, self._is_written_off, self._is_voided]
        moves = [self._payment_begins, self._payment_begins, self._payment_begins, self._refund_begins]
        return [*changes, *moves, *[self._money_is_decided] * 3, self._credit_goes_back]

    def _by_visit(self) -> list[Callable[[], None]]:
        return [self._moves, self._ends, self._ends, self._is_taken_back, self._bill.is_opened_again]

    # By hand.

    def _is_adjusted(self) -> None:
        items = self._items()
        if len(self._bill.account.lines) + len(items) <= _MOST_LINES:
            self._bill.adjust(items)

    def _is_discounted(self) -> None:
        self._bill.discount(self._some(), self._rate())

    def _is_written_off(self) -> None:
        self._bill.write_off(self._some())

    def _is_voided(self) -> None:
        if self._luck.random() < 0.3:
            self._bill.void()

    # Money on its way.

    def _payment_begins(self) -> None:
        self._begins(_Moving(Money(f"payment-{len(self._bill.told)}", self._some())))

    def _refund_begins(self) -> None:
        """As it is asked for by hand: of one payment, and now and then more than was ever paid."""
        left = [one for one in self._paid if one.left]
        if left:
            paid = self._luck.choice(left)
            amount = self._luck.randint(1, paid.left)
            if self._luck.random() < 0.2:
                amount = minor_units(self._bill.account.paid) + 1
            self._begins(_Moving(self._refund(amount), paid))

    def _begins(self, moving: _Moving) -> None:
        if self._bill.begins(moving.money):
            self._moving.append(moving)
            if moving.of:
                moving.of.back += moving.money.amount

    def _money_is_decided(self) -> None:
        if self._moving:
            moving = self._luck.choice(self._moving)
            self._is_decided(moving, comes=self._luck.random() < 0.75)

    def _is_decided(self, moving: _Moving, *, comes: bool) -> None:
        money, paid = moving
        self._moving.remove(moving)
        self._bill.comes(money) if comes else self._bill.does_not_come(money)
        if paid is None and comes:
            self._paid.append(_Paid(money.name, money.amount))
        elif paid and not comes:
            paid.back -= money.amount

    def _credit_goes_back(self) -> None:
        """What is too much, over the payments; now and then the card takes nothing back, and a person has to look."""
        settled, credit = self._bill.bill.settlement_id, minor_units(self._bill.account.credit)
        if not credit or not settled or self._bill.account.flagged:
            return
        comes = self._luck.random() < 0.85
        for paid, share in self._spread(credit):
            self._begins(_Moving(self._refund(share), paid))
            self._is_decided(self._moving[-1], comes=comes)
        if not comes:
            self._bill.unsettle(settled)
            self._is_settled()
            self._luck.choice((self._bill.retry, self._bill.retry, self._bill.resolve, self._is_settled))()
            self._is_settled()

    def _spread(self, credit: int) -> list[tuple[_Paid, int]]:
        """The newest payment first, as payments do it and as the oracle does."""
        newest, known = self._paid[::-1], {one.name: one for one in self._paid}
        found = payments_rules.spread(credit, [(_payment(one), one.back) for one in newest])
        exact = oracle.spread(rupees(credit), [(one.name, rupees(one.left)) for one in newest])
        if [(name, rupees(share)) for name, share in found] != exact:
            self._bill.wrong.append(f"{credit} goes back as {found}, by the rules as {exact}")
        return [(known[name], share) for name, share in found]

    def _refund(self, amount: int) -> Money:
        return Money(f"refund-{len(self._bill.told)}", amount, back=True)

    # The visit.

    def _is_booked(self) -> None:
        self._fee, self._status = self._any_fee(), "SCHEDULED"
        self._bill.book(self._fee)

    def _moves(self) -> None:
        if self._status == "SCHEDULED":
            self._fee = self._any_fee()
            self._bill.move(self._fee)

    def _ends(self) -> None:
        """Where it has ended before, that is told again."""
        if self._status in ("SCHEDULED", "CHECKED_IN"):
            outcomes = ["COMPLETED", "CANCELLED", "CANCELLED", "CANCELLED"]
            outcomes += ["NO_SHOW"] * 2 if self._status == "SCHEDULED" else []
            by = self._luck.choice(("PATIENT", "PATIENT", "PATIENT", *oracle.STAFF))
            self._end = End(self._luck.choice(outcomes), by, self._seconds())
            self._is_now(self._end.outcome)
        self._is_settled()

    def _is_settled(self) -> None:
        if self._end.outcome:
            self._bill.settle(self._end, self._fee)

    def _is_taken_back(self) -> None:
        """The patient came after all. The bill may not hear of it before the visit's next end."""
        if self._status == "NO_SHOW":
            self._end = End("")
            self._is_now("CHECKED_IN")
            if self._luck.random() < 0.8:
                self._bill.resume(self._fee)

    def _is_now(self, status: str) -> None:
        self._status = status
        self._bill.is_now(status, self._fee, self._end)

    # What luck brings.

    def _seconds(self) -> int:
        """How long before the start it was cancelled: mostly around the edge, and on it."""
        dice = self._luck.random()
        if dice < 0.5:
            return IN_TIME_SECONDS + self._luck.choice((-1, 0, 1))
        if dice < 0.8:
            return IN_TIME_SECONDS + self._luck.randint(-60, 60)
        return self._luck.randint(-3600, 200_000)

    def _any_fee(self) -> int:
        return self._luck.choice(_FEES) if self._luck.random() < 0.7 else self._luck.randrange(200_000)

    def _rate(self) -> int:
        return self._luck.choice(_RATES) if self._luck.random() < 0.8 else self._luck.randrange(10_001)

    def _some(self) -> int:
        """Of what is still to be paid: a part, all of it, or a little more."""
        most = max(1, minor_units(self._bill.account.payable))
        dice = self._luck.random()
        if dice < 0.25:
            return most
        return most + self._luck.choice((1, 100)) if dice < 0.35 else self._luck.randint(1, most)

    def _items(self) -> list[Item]:
        return [
            Item(
                self._luck.randrange(self._luck.choice((100, 10_000, 1_000_000))),
                self._luck.choice(_QUANTITIES),
                self._rate() if self._luck.random() < 0.7 else None,
            )
            for _ in range(self._luck.randint(1, 3))
        ]


def _payment(paid: _Paid) -> Payment:
    """As far as it matters for what can go back of it."""
    fields: dict[str, Any] = {"payment_id": paid.name, "amount": paid.amount, "status": Status.COMPLETED}
    return Payment.model_construct(**fields)
