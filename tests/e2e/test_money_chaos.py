"""Functions die at every call that they make while money is on its way, a journey for each. After the sweep, money and
states are right without a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.proofs import contests
from tools.proofs.breakdowns import Breakdowns
from tools.proofs.deaths import Deaths
from tools.proofs.settling import Settling
from tools.proofs.tills import Till

if TYPE_CHECKING:
    from tools.proofs.accounts import Accounts
    from tools.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]
CALLERS = 50


@pytest.fixture
def till(failing_system: System) -> Till:
    failing_system.wait_until_ready()
    return Till(failing_system)


def agreed(till: Till) -> Accounts:
    """The ledger, the payments and the processor's statement, which tell the same."""
    accounts = till.accounts()
    assert till.judged(accounts).all == []
    return accounts


def test_wherever_a_function_dies_a_payment_and_a_refund_move_once_and_their_caller_is_told(till: Till) -> None:
    deaths = Deaths(till, full=True)

    deaths.all_happen()
    till.comes_to_rest()
    deaths.callers_ask_again()

    accounts = agreed(till)
    assert [fault for one in deaths.journeys for fault in one.wrong(accounts)] == []


def test_wherever_a_function_dies_a_bill_is_settled_and_its_events_may_come_again(till: Till) -> None:
    settling = Settling(till, full=True)

    settling.all_happen()

    accounts = agreed(till)
    assert settling.judged(accounts) == []
    assert settling.events_come_again(accounts) == []
    agreed(till)


def test_wherever_the_processor_or_the_sweep_dies_another_sweep_decides(till: Till) -> None:
    breakdowns, asked = Breakdowns(till, full=True), Deaths(till, full=True)

    breakdowns.all_happen()
    till.comes_to_rest()
    asked.callers_ask_again(breakdowns.deaths)

    accounts = agreed(till)
    assert breakdowns.swept > 0
    assert [fault for one in asked.journeys for fault in one.wrong(accounts)] == []


def test_fifty_who_pay_at_the_same_moment_pay_one_bill_once(till: Till) -> None:
    held = contests.held(till, CALLERS)

    accounts = agreed(till)
    assert [fault for one in held for fault in contests.judged(one, accounts)] == []
