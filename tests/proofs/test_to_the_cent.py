"""P11 at a small size, and that what judges it has teeth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from billing import clinic, ledger, rules, settlement, terms
from hms import money
from payments import rules as payments_rules
from tools.proofs import cancellations, ledgers, oracle, p11
from tools.proofs.accounts import Accounts
from tools.proofs.accounts import Line as Moved
from tools.proofs.asked import Item, Money, answered, minor_units, rupees
from tools.proofs.bill_lives import Life, led
from tools.proofs.ledgers import Balance
from tools.proofs.oracle import Account, Against, End, Line
from tools.proofs.twofold import Twofold

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.proofs.ledgers import Kept
    from tools.system import System

pytestmark = pytest.mark.proof
LIVES = 5_000
# Of lives in which a fault is planted.
FEW = 600
FEE, TOTAL = 50_000, 52_500


def test_no_bill_is_off_by_a_cent() -> None:
    tally = led(range(LIVES))

    assert tally.off == ()
    assert tally.lives == LIVES
    assert min(tally.steps, tally.refused, tally.entries) > LIVES / 2


# The rules by hand: how the visit ended, what was paid; what the bill comes to, what goes back, what is still due.
BY_HAND = [
    (End("COMPLETED"), 0, TOTAL, 0, TOTAL, "OPEN"),
    (End("COMPLETED"), 20_000, TOTAL, 0, 32_500, "PARTIALLY_PAID"),
    (End("COMPLETED"), TOTAL, TOTAL, 0, 0, "PAID"),
    (End("CANCELLED", "PATIENT", 7201), 0, 0, 0, 0, "VOID"),
    (End("CANCELLED", "PATIENT", 7201), 20_000, 0, 20_000, 0, "REFUNDED"),
    (End("CANCELLED", "PATIENT", 7201), TOTAL, 0, TOTAL, 0, "REFUNDED"),
    (End("CANCELLED", "PATIENT", 7200), 0, 26_250, 0, 26_250, "OPEN"),
    (End("CANCELLED", "PATIENT", 7200), 20_000, 26_250, 0, 6_250, "PARTIALLY_PAID"),
    (End("CANCELLED", "PATIENT", 7200), 26_250, 26_250, 0, 0, "PAID"),
    (End("CANCELLED", "PATIENT", 7200), TOTAL, 26_250, 26_250, 0, "PARTIALLY_REFUNDED"),
    (End("CANCELLED", "PATIENT", 7199), TOTAL, 26_250, 26_250, 0, "PARTIALLY_REFUNDED"),
    (End("CANCELLED", "CLINIC", 0), 0, 0, 0, 0, "VOID"),
    (End("CANCELLED", "CLINIC", 0), TOTAL, 0, TOTAL, 0, "REFUNDED"),
    (End("CANCELLED", "DOCTOR", 60), 20_000, 0, 20_000, 0, "REFUNDED"),
    (End("NO_SHOW"), 0, TOTAL, 0, TOTAL, "OPEN"),
    (End("NO_SHOW"), TOTAL, TOTAL, 0, 0, "PAID"),
]


@pytest.mark.parametrize(("end", "paid", "total", "back", "due", "status"), BY_HAND)
def test_the_oracle_says_what_the_rules_say(  # noqa: PLR0917
    end: End, paid: int, total: int, back: int, due: int, status: str
) -> None:
    account = oracle.opened(rupees(FEE))
    if paid:
        account = account.reserving(rupees(paid)).paying(rupees(paid))
    account = account.ended(end, rupees(FEE))
    assert minor_units(account.credit) == back
    if back:
        account = account.giving_back(rupees(back)).given_back(rupees(back))

    found = minor_units(account.charged), minor_units(account.outstanding), account.status
    assert found == (total, due, status)


@pytest.mark.parametrize(
    ("exact", "rounded"), [("1/200", "1/100"), ("-1/200", "-1/100"), ("1/201", "0"), ("5/2", "5/2"), ("1/3", "33/100")]
)
def test_the_oracle_rounds_a_half_away_from_nothing(exact: str, rounded: str) -> None:
    assert oracle.to_the_cent(Fraction(exact)) == Fraction(rounded)


def test_the_oracle_refuses_what_the_rules_refuse() -> None:
    account = Account((Line("CHARGE", Fraction(100)),))
    held = account.reserving(Fraction(105))

    refusals: dict[str, Callable[[], Account]] = {
        "OVERPAYMENT": lambda: account.reserving(Fraction(106)),
        "PAYMENT_IN_PROGRESS": lambda: held.reserving(Fraction(1)),
        "BILL_ALREADY_PAID": lambda: held.paying(Fraction(105)).reserving(Fraction(1)),
        "BILL_VOID": lambda: account.voiding().reserving(Fraction(1)),
        "BILL_HAS_PAYMENTS": held.voiding,
        "REFUND_EXCEEDS_PAYMENT": lambda: account.giving_back(Fraction(1)),
        "WRITE_OFF_EXCEEDS_OUTSTANDING": lambda: held.writing_off(Fraction(1)),
        "DISCOUNT_EXCEEDS_OUTSTANDING": lambda: account.discounted(Fraction(101), Fraction(5)),
        "RESERVED": lambda: held.ended(End("NO_SHOW"), Fraction(0)),
    }
    for code, refused in refusals.items():
        with pytest.raises(Against, match=f"^{code}$"):
            refused()


def to_even(numerator: int, denominator: int) -> int:
    return round(Fraction(numerator, denominator))


def down(numerator: int, denominator: int) -> int:
    return numerator // denominator


# A fault of one cent or one second each, and where it is planted.
FAULTS: dict[str, list[tuple[Any, str, Any]]] = {
    "tax is rounded to even": [(money, "half_up", to_even)],
    "tax is rounded down": [(money, "half_up", down)],
    "fees are rounded to even": [(terms, "half_up", to_even)],
    "two hours are in time": [(clinic.Clinic, "late_seconds", property(lambda self: self.late_minutes * 60 - 1))],
    "a second more is late": [(clinic.Clinic, "late_seconds", property(lambda self: self.late_minutes * 60 + 1))],
    "the clinic's own cancellations cost": [(terms, "fee_percent", lambda visit, policy: 50)],
    "more than is owed may be paid": [(rules, "_check_payment", lambda bill, amount: None)],
    "more than was paid may go back": [(rules, "_check_refund", lambda bill, amount: None)],
    "discounts know no end": [(rules, "_is_sound", lambda posted: True)],
    "a bill is settled while money is on its way": [(settlement, "Reserved", KeyError)],
    "what was taken off is not put back": [(terms, "restored", lambda posted: posted)],
    "the oldest payment goes back first": [
        (payments_rules, "spread", lambda amount, paid, spread=payments_rules.spread: spread(amount, [*paid][::-1]))
    ],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_cent_or_a_second_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for where, name, planted in FAULTS[fault]:
        monkeypatch.setattr(where, name, planted)

    def lead(number: int) -> bool:
        try:
            return bool(Life(number).led().off)
        except Exception:  # noqa: BLE001  (whatever a fault leads to, it is noticed)
            return True

    assert any(lead(number) for number in range(FEW))


def test_a_reversal_that_reckons_tax_anew_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken back is what was put on, its rounding too."""
    entered = ledger.Posted.entered

    def careless(self: ledger.Posted, kind: Any, amount: int, **more: Any) -> ledger.Posted:
        if kind == "REVERSAL":
            more["tax_amount"] = -money.tax_of(-amount, 500)
        return entered(self, kind, amount, **more)

    monkeypatch.setattr(ledger.Posted, "entered", careless)

    assert led(range(60)).off


@pytest.fixture
def kept() -> Kept:
    """A bill that was paid in two parts, called off late, and paid back in part."""
    bill = Twofold()
    bill.book(FEE)
    bill.adjust([Item(333, 3, 1250)])
    for money_ in (Money("payment-1", 20_000), Money("payment-2", 32_500)):
        bill.begins(money_)
        bill.comes(money_)
    end = End("CANCELLED", "PATIENT", 7200)
    bill.is_now("CANCELLED", FEE, end)
    bill.settle(end, FEE)
    back = Money("refund-1", 26_250, back=True)
    bill.begins(back)
    bill.comes(back)
    bill.rebuild()
    assert (bill.wrong, bill.account.status) == ([], "PARTIALLY_REFUNDED")
    (found,) = ledgers.bills_of(json.loads(json.dumps(list(bill._shelf.rows())))).values()
    return found


def test_a_bill_that_its_ledger_explains_is_found_so(kept: Kept) -> None:
    assert ledgers.unexplained(kept) == []
    assert (kept.balance.charged, kept.balance.paid, kept.balance.refunded) == (26_250, TOTAL, 26_250)
    assert kept.balance.status == "PARTIALLY_REFUNDED"


def test_an_entry_that_is_lost_or_there_twice_or_off_by_a_cent_is_found(kept: Kept) -> None:
    for version, posting in kept.ledger.items():
        entries = posting["entries"]
        spoiled = [entries[1:], [*entries, entries[0]], [entries[0] | {"amount": entries[0]["amount"] + 1}]]
        for planted in spoiled:
            kept.ledger[version] = posting | {"entries": planted}
            assert ledgers.unexplained(kept), (version, planted)
        kept.ledger[version] = posting
    assert ledgers.unexplained(kept) == []


def test_a_version_without_its_history_is_found(kept: Kept) -> None:
    del kept.history[3]

    assert ledgers.unexplained(kept)


def test_a_state_that_no_event_told_is_found(kept: Kept) -> None:
    kept.state["notes"] = "changed by hand"

    assert ledgers.unexplained(kept)


@pytest.mark.parametrize(("name", "value"), [("status", "PAID"), ("paid", {"amount": "1.00", "currency": "INR"})])
def test_an_event_that_tells_something_else_is_found(name: str, value: Any, kept: Kept) -> None:
    kept.history[4][0][name] = value

    assert ledgers.unexplained(kept)


@pytest.mark.parametrize(
    ("balance", "status"),
    [
        (Balance(charged=1), "OPEN"),
        (Balance(charged=2, paid=1), "PARTIALLY_PAID"),
        (Balance(charged=2, paid=1, refunded=1), "OPEN"),
        (Balance(charged=1, paid=1), "PAID"),
        (Balance(), "PAID"),
        (Balance(charged=1, written_off=1), "PAID"),
        (Balance(voided=True), "VOID"),
        (Balance(voided=True, paid=1, refunded=1), "REFUNDED"),
        (Balance(charged=1, paid=2, refunded=1), "PARTIALLY_REFUNDED"),
        (Balance(voided=True, paid=2, refunded=1), "PARTIALLY_REFUNDED"),
    ],
)
def test_a_status_is_what_the_sums_say(balance: Balance, status: str) -> None:
    assert balance.status == status


# ── the cancellation table ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.e2e
@pytest.mark.chaos
def test_the_cancellation_table_is_as_the_rules_say(system: System) -> None:
    table = p11.worked_through(system, full=False)

    assert table.wrong == []
    assert (table.cases, table.findings.captures) == (21, 21)


CASES = {str(case): case for case in cancellations.cases(full=True)}
LATE = CASES["patient, exactly 2 h before, paid"]


def test_every_end_is_tried_unpaid_paid_in_part_and_paid() -> None:
    assert len(CASES) == 28
    assert {case.ending.end for case in CASES.values()} == {
        End("CANCELLED", "PATIENT", 7201),
        End("CANCELLED", "PATIENT", 7200),
        End("CANCELLED", "PATIENT", 7199),
        End("CANCELLED", "CLINIC", 1),
        End("CANCELLED", "DOCTOR", 1),
        End("NO_SHOW"),
        End("COMPLETED"),
    }


def test_half_of_a_fee_and_the_tax_on_it_are_rounded_up() -> None:
    """Half of 501.05 is 250.525; 5 % of that is 12.5265."""
    assert LATE.entries == [
        ("CHARGE", "526.10"),
        ("FEE", "263.06"),
        ("PAYMENT", "-226.10"),
        ("PAYMENT", "-300.00"),
        ("REFUND", "226.10"),
        ("REFUND", "36.94"),
        ("REVERSAL", "-526.10"),
    ]


@dataclass
class Case:
    """One that was worked through as the rules say, and what the processor moved for it."""

    worked: cancellations.Worked
    accounts: Accounts

    @property
    def wrong(self) -> list[str]:
        return cancellations.judged([self.worked], self.accounts)


@pytest.fixture
def case() -> Case:
    account, back = LATE.expected
    bill = answered(account) | {"provisional": False, "outcome": "CANCELLED", "reserved_amount": "0.00"}
    entries = [(kind, amount, "0.00") for kind, amount in LATE.entries]
    moved = {f"payment-{amount}": {"bill_id": "b"} for amount in LATE.payments}
    given = {f"refund-{amount}": {"bill_id": "b"} for amount in back}
    lines = [Moved("PAYMENT", f"payment-{amount}", amount) for amount in LATE.payments]
    lines += [Moved("REFUND", f"refund-{amount}", amount) for amount in back]
    return Case(cancellations.Worked(LATE, "b", bill, entries), Accounts({}, {}, moved, given, set(), {}, lines))


def test_a_case_that_is_as_the_rules_say_is_judged_so(case: Case) -> None:
    assert case.wrong == []


@pytest.mark.parametrize(
    ("name", "value"), [("status", "PAID"), ("total_amount", "263.05"), ("provisional", True), ("outcome", None)]
)
def test_a_bill_that_is_not_as_the_rules_say_is_found(name: str, value: Any, case: Case) -> None:
    case.worked.bill[name] = value

    assert len(case.wrong) == 1


def test_a_ledger_that_is_not_as_the_rules_say_is_found(case: Case) -> None:
    case.worked.entries.pop()

    assert len(case.wrong) == 1


def test_a_refund_that_the_processor_did_not_make_or_made_of_another_amount_is_found(case: Case) -> None:
    last = case.accounts.statement.pop()
    assert len(case.wrong) == 1
    case.accounts.statement.append(last._replace(amount=last.amount + 1))
    assert len(case.wrong) == 1
