"""An insurer that is simulated in this process: deterministic, and with a memory of its own.

What it does depends on how the member number ends (README.md, "What the simulated insurer does").

| row | pk | sk |
|---|---|---|
| what became of a claim | `insurer#claim#<key>` | `file` |
| what a member has been granted | `insurer#member#<payer>#<number>` | `year#<calendar year>` |
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict

from hms import clock, numbers
from hms.call import decided
from hms.errors import Busy
from hms.money import half_up
from hms.rows import Insert, Item, Key, Replace
from insurance.claim import ClaimStatus
from insurance.insurers import Eligibility, Ruling, Unanswered, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from hms.rows import Change, Table
    from insurance.insurers import Demand, Membership, Question

_LATER = timedelta(minutes=2)
_WHOLE = 10_000


class Behaviour(StrEnum):
    """By the last two characters of the member number; whatever else they are, it approves."""

    APPROVES = ""
    APPROVES_IN_PART = "02"
    DENIES = "03"
    DECIDES_LATER = "04"
    ANSWERS_TOO_LATE = "05"
    KNOWS_NO_SUCH_MEMBER = "06"

    @classmethod
    def of(cls, membership: Membership) -> Behaviour:
        suffix = membership.member_number[-2:]
        return cls(suffix) if suffix in list(cls) else cls.APPROVES


class _File(BaseModel):
    """What it will say about a claim from `decides_at` on, and whose grants of which year it counts to."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    status: Ruling | Literal["WITHDRAWN"]
    approved: int = 0
    reference: str | None = None
    code: str | None = None
    detail: str | None = None
    decides_at: AwareDatetime | None = None
    granted_to: tuple[str, str] | None = None


class _Grants(NamedTuple):
    """What a member has been granted in a year so far."""

    key: Key
    amount: int
    version: int

    def change(self, by: int) -> Change:
        item = Item(*self.key, version=self.version + 1, body=str(self.amount + by))
        return Replace(item) if self.version else Insert(item)


class SimulatedInsurer:
    """`insurers.Insurer` on rows of the domain's own table."""

    name = "simulator"

    def __init__(self, table: Table) -> None:
        self._table = table

    def eligible(self, question: Question) -> Eligibility:
        membership, amount = question.membership, question.amount
        if Behaviour.of(membership) is Behaviour.ANSWERS_TOO_LATE:
            raise Unanswered("no answer about eligibility")
        left = _answered(lambda: self._left(membership, question.on))
        now, nothing = clock.now(), None if amount is None else 0
        if reason := _objection(membership, question.on, left):
            return Eligibility(False, 0, nothing, *reason, now)
        covered = None if amount is None else _limited(_share(amount, membership), left)
        return Eligibility(True, _WHOLE - membership.copay_percent, covered, "COVERED", "Covered.", now)

    def submit(self, demand: Demand) -> Verdict:
        verdict = _answered(lambda: self._take(demand))
        if Behaviour.of(demand.membership) is Behaviour.ANSWERS_TOO_LATE:
            raise Unanswered("no answer to a claim that was taken")
        return verdict

    def look(self, key: str) -> Verdict:
        file = _answered(lambda: self._file(key))
        return _said(file[0]) if file else Verdict("ABSENT")

    def withdraw(self, key: str) -> Verdict:
        return _answered(lambda: self._withdraw(key))

    def _take(self, demand: Demand) -> Verdict:
        if known := self._file(demand.key):
            return _said(known[0])
        grants = self._grants(_year_key(demand.membership, demand.on))
        file = _judged(demand, grants)
        changes: list[Change] = [Insert(Item(*_file_key(demand.key), body=file.model_dump_json()))]
        if file.approved:
            changes.append(grants.change(file.approved))
        self._table.commit(changes)
        return _said(file)

    def _withdraw(self, key: str) -> Verdict:
        withdrawn = _File(status="WITHDRAWN")
        known = self._file(key)
        if known is None:
            self._table.commit([Insert(Item(*_file_key(key), body=withdrawn.model_dump_json()))])
            return _said(withdrawn)
        file, version = known
        if _said(file).status != "PENDING":
            return _said(file)
        changes: list[Change] = [Replace(Item(*_file_key(key), version=version + 1, body=withdrawn.model_dump_json()))]
        if file.granted_to:
            changes.append(self._grants(Key(*file.granted_to)).change(-file.approved))
        self._table.commit(changes)
        return _said(withdrawn)

    def _file(self, key: str) -> tuple[_File, int] | None:
        item = self._table.get(_file_key(key))
        return (_File.model_validate_json(item.body or ""), item.version) if item else None

    def _grants(self, key: Key) -> _Grants:
        item = self._table.get(key)
        return _Grants(key, int(item.body or 0), item.version) if item else _Grants(key, 0, 0)

    def _left(self, membership: Membership, on: date) -> int | None:
        return _left(membership, self._grants(_year_key(membership, on)).amount)


def _answered[T](work: Callable[[], T]) -> T:
    """A table that does not answer is an insurer that does not."""
    try:
        return decided(work)
    except Busy as error:
        raise Unanswered("no answer from the simulator's table") from error


def _said(file: _File) -> Verdict:
    if file.decides_at and file.decides_at > clock.now():
        return Verdict("PENDING", reference=file.reference)
    return Verdict(file.status, file.approved, file.reference, file.code, file.detail)


def _judged(demand: Demand, grants: _Grants) -> _File:
    membership = demand.membership
    reference = f"SIM-{numbers.candidates(demand.key)[0]}"
    left = _left(membership, grants.amount)
    behaviour = Behaviour.of(membership)
    objection = _objection(membership, demand.on, left)
    if behaviour is Behaviour.DENIES:
        objection = ("NOT_COVERED", "The plan does not cover this.")
    due = _share(demand.amount, membership)
    if objection is None and due == 0:
        objection = ("NOTHING_COVERED", "The whole is the member's own share.")
    if objection:
        code, detail = objection
        return _File(status=ClaimStatus.DENIED, reference=reference, code=code, detail=detail)
    later = clock.now() + _LATER if behaviour is Behaviour.DECIDES_LATER else None
    approved, reason = _granted(due, left, behaviour)
    return _File(
        status=ClaimStatus.APPROVED if approved == due else ClaimStatus.PARTIALLY_APPROVED,
        approved=approved,
        reference=reference,
        code=reason and reason[0],
        detail=reason and reason[1],
        decides_at=later,
        granted_to=grants.key,
    )


def _granted(due: int, left: int | None, behaviour: Behaviour) -> tuple[int, tuple[str, str] | None]:
    """How much of what is due, and why less."""
    wanted = half_up(due, 2) if behaviour is Behaviour.APPROVES_IN_PART else due
    granted = _limited(wanted, left)
    if granted < wanted:
        return granted, ("ANNUAL_LIMIT", "That is what is left of the annual limit.")
    return granted, None if granted == due else ("PARTLY_COVERED", "The plan covers a part of this.")


def _objection(membership: Membership, on: date, left: int | None) -> tuple[str, str] | None:
    """Why nothing at all is paid on a day."""
    if Behaviour.of(membership) is Behaviour.KNOWS_NO_SUCH_MEMBER:
        return "UNKNOWN_MEMBER", "There is no such member."
    if not membership.start <= on <= membership.end:
        return "NOT_IN_FORCE", "The coverage is not in force on that day."
    return ("ANNUAL_LIMIT", "The annual limit is used up.") if left == 0 else None


def _left(membership: Membership, granted: int) -> int | None:
    return None if membership.annual_limit is None else max(0, membership.annual_limit - granted)


def _limited(amount: int, left: int | None) -> int:
    return amount if left is None else min(amount, left)


def _share(amount: int, membership: Membership) -> int:
    """The plan's share: all but the copayment."""
    return half_up(amount * (_WHOLE - membership.copay_percent), _WHOLE)


def _file_key(key: str) -> Key:
    return Key(f"insurer#claim#{key}", "file")


def _year_key(membership: Membership, on: date) -> Key:
    return Key(f"insurer#member#{membership.payer_code}#{membership.member_number.casefold()}", f"year#{on.year}")
