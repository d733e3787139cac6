"""Many who pay at the same moment: under one key, each under their own, and each a part."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError

from hms import ids
from tools.proofs.callers import Ask
from tools.proofs.load import together
from tools.proofs.tills import TOTAL, paying

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.proofs.accounts import Accounts
    from tools.proofs.callers import Answer
    from tools.proofs.ledgers import Body
    from tools.proofs.tills import Till

_STARTED_AT_ONCE, _MOST_ROUNDS = 5, 60
_PARTS = 12
# What costs nothing to ask of the functions that every flow calls.
_QUESTIONS = {
    "billing-tasks:live": {"task": "snapshot", "bill_id": "nobody"},
    "payments-tasks:live": {"task": "snapshot", "payment_id": "nobody"},
}
_HELD_UP = "delay@*#1:before"
# Paid, on its way, asked to ask again, or refused; where it took too long it was called off.
_EXPECTED = {(201, ""), (200, ""), (202, ""), (503, "BUSY"), (402, "PAYMENT_DECLINED")}
_EXPECTED |= {(409, "BILL_ALREADY_PAID"), (409, "PAYMENT_IN_PROGRESS"), (422, "OVERPAYMENT")}
_FINAL = (200, 201, 402, 409, 422)


@dataclass
class Contest:
    """`wrong` says what is wrong with the answers; `late` counts payments that took too long and were called off."""

    what: str
    bill_id: str
    asks: list[Ask]
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    slowest: float = 0
    late: int = 0
    wrong: list[str] = field(default_factory=list)

    def heard(self, answers: list[Answer]) -> None:
        said = [(one.status, one.code if one.status >= 400 else "") for one in answers]
        self.answers.update(said)
        self.slowest = max([self.slowest, *(one.seconds for one in answers)])
        self.wrong += [f"answered {one}" for one in said if one not in _EXPECTED]

    def __str__(self) -> str:
        counted = sorted(self.answers.items())
        said = " · ".join(f"{status or 'none'} {code}".strip() + f": {number}" for (status, code), number in counted)
        return f"{self.what}: {said}; slowest {self.slowest:.1f} s"


def held(till: Till, callers: int) -> list[Contest]:
    """All contests, so many callers each; what is on its way afterwards is decided, and everybody asks again."""
    contests = [
        _contest(till, f"{callers} with one key", callers, TOTAL, key=ids.new()),
        _contest(till, f"{callers} with their own keys", callers, TOTAL),
        _contest(till, f"{_PARTS} pay a twelfth each", _PARTS, TOTAL // _PARTS),
        _contest(till, f"{_PARTS} pay an eighth each", _PARTS, TOTAL // 8),
    ]
    with ThreadPoolExecutor(max(callers, _PARTS)) as crew:
        _warm_up(crew, till, callers)
        for one in contests:
            _pay(crew, till, one)
        till.comes_to_rest()
        for one in contests:
            _asked_again(one, list(crew.map(till.persists, one.asks)))
    for one in contests:
        _paid_by_the_next(till, one)
    return contests


def _contest(till: Till, what: str, callers: int, amount: int, key: str = "") -> Contest:
    bill_id = till.bill(what)
    return Contest(what, bill_id, [paying(bill_id, amount, key=key or ids.new()) for _ in range(callers)])


def _pay(crew: ThreadPoolExecutor, till: Till, contest: Contest) -> None:
    """All at once; who was told to ask again does so."""
    answers = together(crew, till.way, contest.asks)
    contest.heard(answers)
    busy = [ask for ask, one in zip(contest.asks, answers, strict=True) if one.status in (0, 503)]
    contest.heard(list(crew.map(till.way.send, busy)))


def _asked_again(contest: Contest, answers: list[Answer]) -> None:
    """Each key is answered by what became of its payment: one key by one payment, however often it was asked with."""
    contest.wrong += [f"answered {one.status} when all was decided" for one in answers if one.status not in _FINAL]
    keys = {ask.headers["Idempotency-Key"] for ask in contest.asks}
    payments = {one.body["payment_id"] for one in answers if one.done}
    if len(payments) > len(keys) or (len(keys) == 1 and len({one.status for one in answers}) > 1):
        contest.wrong.append(f"{len(keys)} keys are answered by {len(payments)} payments")


def _paid_by_the_next(till: Till, contest: Contest) -> None:
    """Where a payment took too long and was called off, the bill is free for whoever comes next."""
    accounts = till.accounts()
    ours = _of(accounts, contest.bill_id)
    contest.late = sum(one["status"] == "FAILED" and one["failure"]["code"] == "EXPIRED" for one in ours)
    left = accounts.bills[contest.bill_id].balance.outstanding
    if left > 0:
        till.paid(contest.bill_id, left)


def judged(contest: Contest, accounts: Accounts) -> list[str]:
    """What is wrong, now that everything is still: the bill is paid, once, and by nobody twice."""
    balance = accounts.bills[contest.bill_id].balance
    taken = [one for one in _of(accounts, contest.bill_id) if one["status"] == "COMPLETED"]
    wrong = list(contest.wrong)
    if (balance.paid, sum(one["amount"] for one in taken)) != (TOTAL, TOTAL):
        wrong.append(f"{balance.paid} of {TOTAL} in the ledger, {[one['amount'] for one in taken]} taken")
    if " key" in contest.what and len(taken) != 1:
        wrong.append(f"{len(taken)} payments of the whole bill")
    return [f"{contest.what}: {one}" for one in wrong]


def _of(accounts: Accounts, bill_id: str) -> list[Body]:
    return [one for one in accounts.payments.values() if one["bill_id"] == bill_id]


def _warm_up(crew: ThreadPoolExecutor, till: Till, callers: int) -> None:
    """Emulators start an interpreter for each concurrent call: all at once would be a test of the machine.

    Round by round, so that none is idle for so long that it is ended; and each call is held up, so that none can use
    the interpreter of another.
    """
    listing = Ask("GET", "/v1/payments", query={"patient_id": till.patient_id}, headers={"X-Test-Fault": _HELD_UP})
    asks: list[Callable[[], bool]] = [lambda: till.way.send(listing).done]
    asks += [partial(_is_up, till, function, asked) for function, asked in _QUESTIONS.items()]
    sizes = [0] * len(asks)
    for _ in range(_MOST_ROUNDS):
        sizes = [_grown(crew, ask, size, callers) for ask, size in zip(asks, sizes, strict=True)]
        if min(sizes) == callers:
            break


def _grown(crew: ThreadPoolExecutor, ask: Callable[[], bool], size: int, most: int) -> int:
    """How many are up after a round; those that took too long were ended, and are to be started again."""
    wanted = min(size + _STARTED_AT_ONCE, most)
    done = sum(crew.map(lambda _: ask(), range(wanted)))
    return wanted if done == wanted else done * 3 // 4


def _is_up(till: Till, function: str, asked: dict[str, str]) -> bool:
    try:
        return bool(till.asks(function, **asked, **{"x-test-fault": _HELD_UP}).get("outcome") != "failed")
    except BotoCoreError:
        return False
