"""The port to insurers: what they are asked, what they answer, and what an answer that does not come means.

Amounts are minor units. No names: a member is known by payer and number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from insurance.claim import ClaimStatus

if TYPE_CHECKING:
    from datetime import date, datetime


class Membership(NamedTuple):
    """A coverage as the patient's card says it. Whether it is so, the insurer knows."""

    payer_code: str
    member_number: str
    plan: str
    start: date
    end: date
    copay_percent: int
    annual_limit: int | None
    currency: str


class Question(NamedTuple):
    """Whether, on a clinic day, somebody is covered; and how much of `amount` is, where that is asked."""

    membership: Membership
    on: date
    amount: int | None


class Eligibility(NamedTuple):
    """`covered_percent` as a rate (8000 is 80 %)."""

    eligible: bool
    covered_percent: int
    covered_amount: int | None
    code: str
    detail: str
    as_of: datetime


class Demand(NamedTuple):
    """A claim as it is given to the insurer. The same `key` is the same claim, however often it comes."""

    key: str
    membership: Membership
    bill_number: str
    on: date
    amount: int


type Ruling = Literal[ClaimStatus.APPROVED, ClaimStatus.PARTIALLY_APPROVED, ClaimStatus.DENIED]
type Standing = Literal["PENDING", "WITHDRAWN", "ABSENT"]


class Verdict(NamedTuple):
    """How a claim stands with the insurer: decided, still to be, never to be, or not known there at all."""

    status: Ruling | Standing
    approved: int = 0
    reference: str | None = None
    code: str | None = None
    detail: str | None = None


class Unanswered(Exception):
    """No answer in time, or none that can be meant: nobody here knows what the insurer did. The text names no one."""


class Insurer(Protocol):
    """Every method raises `Unanswered`, and nothing else, where the insurer does not answer."""

    name: str

    def eligible(self, question: Question) -> Eligibility: ...

    def submit(self, demand: Demand) -> Verdict:
        """Takes the claim; a known key is not taken again, its verdict is told. Never `ABSENT`."""
        ...

    def look(self, key: str) -> Verdict: ...

    def withdraw(self, key: str) -> Verdict:
        """`WITHDRAWN`: nothing will ever be decided under this key, even if it comes only now. Else the ruling."""
        ...
