"""Who is told what of bills, payments and refunds: the events as their owners publish them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from notifications import service
from notifications.kinds import kinds
from tests.support.notifications import PATIENT
from tools import contracts

if TYPE_CHECKING:
    from tests.support.notifications import PostOffice

ISSUED = "billing.issued.v1"
DUE = {"amount": "525.00", "currency": "INR"}
LESS = {"amount": "425.00", "currency": "INR"}
NOTHING = {"amount": "0.00", "currency": "INR"}


def hear(post: PostOffice, kind: str, version: int = 2, **changes: Any) -> None:
    event = contracts.example_of(kind)
    data = event.data | {"patient_id": PATIENT, "version": version} | changes
    service.hear(event.model_copy(update={"version": version, "data": data}), post.call(), post.office)


def both(kind: str, state: str) -> list[tuple[str, str, str]]:
    return [(kind, "email", state), (kind, "sms", state)]


@pytest.mark.parametrize("status", ["OPEN", "PARTIALLY_PAID"])
def test_a_bill_is_told_of_when_something_is_to_be_paid(post: PostOffice, status: str) -> None:
    hear(post, ISSUED, status=status)
    post.sends()

    assert post.told() == both("bill-issued", "SENT")
    assert "B4839201735" in post.sms.letters[0].text


@pytest.mark.parametrize("status", ["PAID", "VOID", "REFUNDED", "PARTIALLY_REFUNDED"])
def test_a_bill_with_nothing_to_be_paid_is_not_told_of(post: PostOffice, status: str) -> None:
    hear(post, ISSUED, status=status, outstanding=NOTHING)

    assert post.told() == []


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("billing.paid.v1", {"status": "PAID", "outstanding": NOTHING}),
        ("billing.paid.v1", {"status": "PARTIALLY_PAID", "outstanding": LESS}),
        ("billing.adjusted.v1", {"outstanding": LESS}),
        ("billing.voided.v1", {"status": "VOID", "outstanding": NOTHING}),
        ("billing.reopened.v1", {"provisional": True}),
    ],
)
@pytest.mark.parametrize("first", [True, False], ids=["in order", "late"])
def test_a_bill_that_has_changed_is_not_told_of_as_it_was(
    post: PostOffice, kind: str, changes: dict[str, Any], *, first: bool
) -> None:
    if first:
        hear(post, ISSUED, outstanding=DUE)
    hear(post, kind, version=3, **changes)
    if not first:
        hear(post, ISSUED, outstanding=DUE)
    post.now += timedelta(minutes=1)
    post.sends()

    assert post.told() == both("bill-issued", "SUPERSEDED")


def test_a_bill_that_has_changed_in_nothing_that_is_told_is_told_of(post: PostOffice) -> None:
    hear(post, ISSUED, outstanding=DUE)
    hear(post, "billing.refunded.v1", version=3, status="OPEN", outstanding=DUE)
    post.sends()

    assert post.told() == both("bill-issued", "SENT")


@pytest.mark.parametrize("method", ["CARD", "UPI", "CASH", "BANK_TRANSFER"])
def test_every_payment_has_a_receipt(post: PostOffice, method: str) -> None:
    hear(post, "payments.completed.v1", method=method)
    post.sends()

    assert post.told() == both("payment-received", "SENT")
    assert "₹525.00" in post.email.letters[0].text


@pytest.mark.parametrize(("method", "told"), [("CARD", True), ("UPI", True), ("CASH", False), ("BANK_TRANSFER", False)])
def test_a_failure_is_told_of_where_nobody_stood_at_the_desk(post: PostOffice, method: str, *, told: bool) -> None:
    hear(post, "payments.failed.v1", method=method)
    post.sends()

    assert post.told() == (both("payment-failed", "SENT") if told else [])
    assert not any("CARD_DECLINED" in letter.text for letter in post.email.letters)


@pytest.mark.parametrize("method", ["CARD", "UPI", "CASH", "BANK_TRANSFER"])
def test_a_refund_is_told_of(post: PostOffice, method: str) -> None:
    hear(post, "payments.refund_completed.v1", method=method)
    post.sends()

    assert post.told() == both("refund", "SENT")
    assert "Rs 262.50" in post.sms.letters[0].text


def test_what_comes_twice_is_told_once(post: PostOffice) -> None:
    for _ in range(2):
        hear(post, "payments.completed.v1")
        hear(post, ISSUED)
        post.sends()

    assert sorted(post.told()) == [*both("bill-issued", "SENT"), *both("payment-received", "SENT")]


def test_every_event_that_is_heard_of_is_published_with_the_fields_that_are_looked_at() -> None:
    for name, subject in kinds().subjects.items():
        stands = [kind.stands for kind in kinds().kinds.values() if kind.subject == name]
        fields = {subject.id, *subject.people.values(), *(field for one in stands for field in (*one.same, *one.among))}
        for event in subject.events:
            assert fields <= set(contracts.example_of(event).data), event
