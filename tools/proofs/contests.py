"""Many who pay at the same moment: under one key, each under their own, and each a part."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tools.proofs.callers import Ask
from tools.proofs.load import together
from tools.proofs.tills import TOTAL, paying

if TYPE_CHECKING:
    from tools.proofs.accounts import Accounts
    from tools.proofs.callers import Answer
    from tools.proofs.ledgers import Body
    from tools.proofs.tills import Till

_STARTED_AT_ONCE, _MOST_ROUNDS = 5, 60
_PARTS = 12
# Taken, on its way, or refused; and 503, which asks to ask again.
_EXPECTED = {(201, ""), (200, ""), (202, ""), (503, "BUSY")}
_LATE = {(402, "PAYMENT_DECLINED")}
_TAKEN = {(409, "BILL_ALREADY_PAID"), (409, "PAYMENT_IN_PROGRESS"), (422, "OVERPAYMENT")}


@dataclass
class Contest:
    """`wrong` says what is wrong with the answers; `late` counts payments that took too long and were called off."""

    what: str
    bill_id: str
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    slowest: float = 0
    late: int = 0
    wrong: list[str] = field(default_factory=list)

    def heard(self, answers: list[Answer], expected: set[tuple[int, str]]) -> None:
        said = [(one.status, one.code if one.status >= 400 else "") for one in answers]
        self.answers.update(said)
        self.slowest = max([self.slowest, *(one.seconds for one in answers)])
        self.wrong += [f"answered {one}" for one in said if one not in expected | _LATE]

    def __str__(self) -> str:
        counted = sorted(self.answers.items())
        said = " · ".join(f"{status or 'none'} {code}".strip() + f": {number}" for (status, code), number in counted)
        return f"{self.what}: {said}; slowest {self.slowest:.1f} s"


def held(till: Till, callers: int) -> list[Contest]:
    """All contests, so many callers each; what is on its way afterwards is decided."""
    with ThreadPoolExecutor(max(callers, _PARTS)) as crew:
        _warm_up(crew, till, callers)
        contests = [
            _one_key(crew, till, callers),
            _own_keys(crew, till, callers),
            _parts(crew, till, "12 pay a twelfth each", TOTAL // _PARTS),
            _parts(crew, till, "12 pay an eighth each", TOTAL // 8),
        ]
    till.comes_to_rest()
    for one in contests:
        _paid_by_the_next(till, one)
    return contests


def _one_key(crew: ThreadPoolExecutor, till: Till, callers: int) -> Contest:
    """All are answered with the same payment, in the end as what became of it."""
    what = f"{callers} with one key"
    contest = Contest(what, till.bill(what))
    ask = paying(contest.bill_id)
    answers = together(crew, till.way, [ask] * callers)
    contest.heard(answers, _EXPECTED)
    again = list(crew.map(till.persists, [ask] * callers))
    payments = {one.body.get("payment_id") for one in (*answers, *again) if one.status < 300}
    if len(payments) > 1:
        contest.wrong.append(f"{len(payments)} payments under one key")
    if len({one.status for one in again} - {202}) > 1:
        contest.wrong.append(f"one key was answered with {Counter(one.status for one in again)}")
    return contest


def _own_keys(crew: ThreadPoolExecutor, till: Till, callers: int) -> Contest:
    what = f"{callers} with their own keys"
    contest = Contest(what, till.bill(what))
    _all_pay(crew, till, contest, callers, TOTAL)
    return contest


def _parts(crew: ThreadPoolExecutor, till: Till, what: str, amount: int) -> Contest:
    contest = Contest(what, till.bill(what))
    _all_pay(crew, till, contest, _PARTS, amount)
    return contest


def _all_pay(crew: ThreadPoolExecutor, till: Till, contest: Contest, callers: int, amount: int) -> None:
    """Each under a key of their own, and again where they were asked to ask again."""
    asks = [paying(contest.bill_id, amount) for _ in range(callers)]
    answers = together(crew, till.way, asks)
    contest.heard(answers, _EXPECTED | _TAKEN)
    undecided = [ask for ask, one in zip(asks, answers, strict=True) if one.status in (0, 202, 503)]
    contest.heard(list(crew.map(till.persists, undecided)), _EXPECTED | _TAKEN)


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
    """Emulators start an interpreter for each concurrent call: all at once would be a test of the machine."""
    ask = Ask("GET", "/v1/payments", query={"patient_id": till.patient_id})
    size = 0
    for _ in range(_MOST_ROUNDS):
        size = min(size + _STARTED_AT_ONCE, callers)
        done = sum(answer.done for answer in together(crew, till.way, [ask] * size))
        if done == callers:
            break
        size = done * 3 // 4 if done < size else size
