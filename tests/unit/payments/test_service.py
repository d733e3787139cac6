"""Bills are paid: what it takes, who may, and what the same key is answered, at once and later."""

from __future__ import annotations

import threading
from collections import Counter as Tally
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hms import ids
from hms.errors import Busy, Forbidden, IdempotencyKeyReused, Problem
from hms.rows import Key
from payments import listing, service
from payments.model import Status
from payments.query import ListPayments
from tests.support.payments import (
    ANOTHER_PATIENT,
    AUDITOR,
    BILL,
    CLERK,
    DECLINED,
    MINUTE,
    OTHER_BILL,
    OTHER_PATIENT,
    PATIENT,
    RECEPTIONIST,
    SECOND,
    SLOW,
    THE_PATIENT,
    TOKEN,
    Account,
    a_principal,
    in_cash,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hms.auth import Principal
    from payments.model import BillCopy, PaymentView
    from tests.support.payments import Counter

# Polls: whoever waits does so until the first has ended, however slow the machine.
LONG = 5_000


def refusal(work: Callable[[], Any]) -> str | None:
    try:
        work()
    except Problem as problem:
        return problem.code
    return None


def test_a_card_is_charged_and_the_bill_paid(counter: Counter) -> None:
    paid = counter.pay().state

    assert (paid.status, paid.amount, paid.refunded_amount) == (Status.COMPLETED, 52500, 0)
    assert (paid.gateway, paid.gateway_id) == ("bank", f"ch_{paid.payment_id}")
    assert (paid.patient_id, paid.received_by, paid.decided_at) == (PATIENT, "user-billing_clerk", counter.now)
    assert counter.bank.moved == [(paid.payment_id, 52500)]
    assert counter.account.outstanding == 0
    assert counter.events("payment", paid.payment_id) == ["payments.requested.v1", "payments.completed.v1"]


def test_what_a_payment_asks_of_others_is_counted(counter: Counter) -> None:
    """The request: two reads, one commit, the bill's owner and the flow. The flow: two steps on each side."""
    assert counter.calls_of(counter.pay) == [
        "read",
        "billing:snapshot",
        "commit",
        *("billing:reserve", "read", "commit", "bank:charge", "billing:apply", "read", "commit"),
        "read",
    ]


def test_a_replay_is_two_reads(counter: Counter) -> None:
    counter.pay(call=counter.call(key="one"))

    assert counter.calls_of(lambda: counter.pay(call=counter.call(key="one"))) == ["read", "read"]


@pytest.mark.parametrize("method", ["CASH", "BANK_TRANSFER"])
def test_what_the_desk_has_asks_no_bank(counter: Counter, method: str) -> None:
    paid = counter.pay(method=method, source=None, reference="R-17").state

    assert (paid.status, paid.gateway, paid.reference) == (Status.COMPLETED, "desk", "R-17")
    assert [name for name in counter.trouble.calls if name.startswith("bank")] == []


@pytest.mark.parametrize("method", ["CASH", "BANK_TRANSFER"])
def test_what_two_people_record_of_one_bill_by_one_reference_is_recorded_once(counter: Counter, method: str) -> None:
    desk: dict[str, Any] = {"method": method, "source": None}
    first = counter.pay("100.00", reference="NEFT 17", call=counter.call(key="one"), **desk)

    assert refusal(lambda: counter.pay("100.00", reference="neft  17", **desk)) == "REFERENCE_RECORDED"
    again = counter.pay("100.00", reference="NEFT 17", call=counter.call(key="one"), **desk)
    assert (again.replayed, again.state) == (True, first.state)
    counter.pay("100.00", reference="NEFT 18", **desk)
    assert counter.account.paid == 20000


def test_a_reference_may_be_as_long_as_a_line_in_any_script(counter: Counter) -> None:
    counter.pay("100.00", method="CASH", source=None, reference="ΐ" * 200)

    assert max(len(f"{key.pk}{key.sk}".encode()) for key in counter.table.items) < 1024


def test_a_bill_of_an_older_system_is_paid_there(counter: Counter) -> None:
    counter.account.historical = True

    assert refusal(lambda: counter.pay(method="CASH", source=None, reference="R-17")) == "INVALID_TRANSITION"
    assert counter.table.items == {}


def test_what_went_back_leaves_its_reference_to_the_next(counter: Counter) -> None:
    desk: dict[str, Any] = {"method": "CASH", "source": None, "reference": "R-17"}
    payment_id = counter.pay("100.00", **desk).state.payment_id
    counter.refund(payment_id, "99.99")
    assert refusal(lambda: counter.pay("200.00", **desk)) == "REFERENCE_RECORDED"
    counter.refund(payment_id, "0.01")

    counter.pay("200.00", **desk)

    assert refusal(lambda: counter.pay("200.00", **desk)) == "REFERENCE_RECORDED"
    assert counter.account.paid - counter.account.refunded == 20000


def test_what_has_failed_leaves_its_reference_to_the_next(counter: Counter) -> None:
    desk: dict[str, Any] = {"method": "CASH", "source": None, "reference": "R-17"}
    counter.waiting = True
    counter.pay(call=counter.call(key="one"), **desk)
    counter.waiting = False
    card = counter.pay().state
    counter.now += 31 * SECOND
    assert refusal(lambda: counter.pay(call=counter.call(key="one"), **desk)) == "BILL_ALREADY_PAID"
    counter.refund(card.payment_id, "100.00")

    assert counter.pay("100.00", **desk).state.status is Status.COMPLETED


def test_the_source_is_kept_only_while_the_payment_is_on_its_way(counter: Counter) -> None:
    payment_id = counter.tries(method="UPI", source="asha.rao@bank")
    pending = Key(f"payment#{payment_id}", "pending")
    holders = [key for key, item in counter.table.items.items() if "asha.rao@bank" in repr(item)]
    counter.sweep()

    assert holders == [pending]
    assert "asha.rao@bank" not in repr(counter.table.items)


def test_part_payments_add_up(counter: Counter) -> None:
    for amount in ("100.00", "400.00", "25.00"):
        counter.pay(amount)

    assert (counter.account.paid, counter.account.outstanding) == (52500, 0)
    assert refusal(lambda: counter.pay("0.01")) == "BILL_ALREADY_PAID"


@pytest.mark.parametrize(
    ("changes", "account", "code"),
    [
        ({"bill_id": OTHER_BILL}, {}, "BILL_NOT_FOUND"),
        ({}, {"void": True}, "BILL_VOID"),
        ({}, {"charged": 0}, "BILL_ALREADY_PAID"),
        ({"amount": "525.01"}, {}, "OVERPAYMENT"),
        ({}, {"currency": "EUR"}, "CURRENCY_MISMATCH"),
        ({}, {"reserved": 52500}, "PAYMENT_IN_PROGRESS"),
        ({"source": None}, {}, "INVALID"),
    ],
)
def test_what_cannot_be_paid_leaves_nothing_behind(
    counter: Counter, changes: dict[str, Any], account: dict[str, Any], code: str
) -> None:
    counter.billing.accounts[BILL] = Account(**account)

    assert refusal(lambda: counter.pay(**changes)) == code
    assert (counter.table.commits, counter.table.items, counter.bank.moved) == (0, {}, [])


def test_a_silent_owner_of_bills_is_busy_and_nothing_is_stored(counter: Counter) -> None:
    counter.billing.down = True

    with pytest.raises(Busy):
        counter.pay()
    assert counter.table.items == {}


def test_a_declined_card_is_told_each_time_and_frees_the_bill(counter: Counter) -> None:
    call = counter.call(key="one")
    for _ in range(2):
        with pytest.raises(Problem) as caught:
            counter.pay(call=call, source=DECLINED)
        assert (caught.value.status, caught.value.code) == (402, "PAYMENT_DECLINED")
        assert caught.value.detail == "The card was declined."

    (payment,) = counter.known()
    assert (payment.status, payment.failure and payment.failure.code) == (Status.FAILED, "CARD_DECLINED")
    assert (counter.account.reserved, counter.account.payable) == (0, 52500)
    assert counter.events("payment", payment.transaction_id) == ["payments.requested.v1", "payments.failed.v1"]
    assert counter.pay().state.status is Status.COMPLETED


def test_what_billing_refuses_in_the_flow_is_answered_in_its_own_words(counter: Counter) -> None:
    """The bill was payable when it was asked; somebody else is faster."""
    counter.waiting = True
    counter.pay(call=counter.call(key="one"))
    counter.waiting = False
    counter.pay(**in_cash())
    counter.now += 31 * SECOND

    for _ in range(2):
        with pytest.raises(Problem) as caught:
            counter.pay(call=counter.call(key="one"))
        assert (caught.value.status, caught.value.code) == (409, "BILL_ALREADY_PAID")
    assert counter.bank.moved == []
    assert "bank:void" not in counter.trouble.calls


def test_the_same_key_is_answered_the_same_and_charges_once(counter: Counter) -> None:
    first = counter.pay(call=counter.call(key="one"))
    counter.now += 90 * MINUTE
    again = counter.pay(call=counter.call(key="one"))

    assert (first.replayed, again.replayed) == (False, True)
    assert again.state == first.state
    assert len(counter.bank.moved) == 1


def test_a_replay_shows_what_was_refunded_since(counter: Counter) -> None:
    paid = counter.pay(call=counter.call(key="one")).state
    counter.refund(paid.payment_id, "25.00")

    assert counter.pay(call=counter.call(key="one")).state.refunded_amount == 2500


def test_another_request_under_the_same_key_is_refused(counter: Counter) -> None:
    call = counter.call(key="one", digest="this")
    counter.pay(call=call)

    with pytest.raises(IdempotencyKeyReused):
        counter.pay("1.00", call=replace(call, digest="that"))


def test_a_key_is_its_callers_own(counter: Counter) -> None:
    counter.pay("100.00", call=counter.call(key="one"))
    other = counter.pay("100.00", call=counter.call(RECEPTIONIST, key="one"))

    assert not other.replayed
    assert len(counter.bank.moved) == 2


def test_a_replay_waits_for_the_first_to_end(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.service._POLLS", LONG)
    payment_id = counter.tries(call=counter.call(key="one"))
    ends = threading.Timer(0.01, lambda: counter.run(counter.flows[0]))
    ends.start()
    replay = counter.pay(call=counter.call(key="one"))
    ends.join()

    assert (replay.replayed, replay.state.payment_id, replay.state.status) == (True, payment_id, Status.COMPLETED)
    assert len(counter.flows) == 1


@pytest.mark.parametrize(("age", "flows"), [(29, 1), (30, 2)])
def test_a_replay_of_what_nobody_waits_for_any_more_runs_the_flow_again(counter: Counter, age: int, flows: int) -> None:
    counter.tries(call=counter.call(key="one"))
    counter.now += age * SECOND
    replay = counter.pay(call=counter.call(key="one"))

    assert len(counter.flows) == flows
    assert replay.state.status is (Status.PENDING if flows == 1 else Status.COMPLETED)
    assert replay.replayed


def test_whoever_waits_in_vain_is_told_that_it_is_pending(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("payments.service._POLL_SECONDS", 0.5)
    monkeypatch.setattr("payments.service.time.sleep", slept.append)
    counter.tries(call=counter.call(key="one"))

    assert counter.pay(call=counter.call(key="one")).state.status is Status.PENDING
    assert sum(slept) == 10


def test_a_lost_answer_to_ones_own_write_is_no_replay(counter: Counter) -> None:
    counter.trouble.next("unanswered", after=2)
    paid = counter.pay(call=counter.call(key="one"))

    assert (paid.replayed, paid.state.status) == (False, Status.COMPLETED)
    assert len(counter.flows) == 1


def test_a_processor_that_does_not_answer_leaves_it_pending(counter: Counter) -> None:
    pending = counter.pay(source=SLOW).state

    assert (pending.status, pending.gateway_id, pending.decided_at) == (Status.PENDING, None, None)
    assert counter.account.reserved == 52500


@pytest.mark.parametrize(
    "how", [{}, {"method": "BANK_TRANSFER", "source": None, "reference": "UTR 1", "amount": "1.00"}]
)
def test_a_key_that_is_used_while_the_bill_is_read_is_replayed_not_refused(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    """What refuses it, a bill that is paid or a reference that is known, is of the request with the same key."""
    call, read = counter.call(key="one"), service._payable

    def overtaken(*asked: Any) -> BillCopy:
        monkeypatch.setattr(service, "_payable", read)
        counter.pay(call=call, **how)
        return read(*asked)

    monkeypatch.setattr(service, "_payable", overtaken)
    outcome = counter.pay(call=call, **how)

    assert (outcome.replayed, outcome.state.status) == (True, Status.COMPLETED)
    assert len(counter.flows) == 1


def test_fifty_callers_with_one_key_charge_once(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.service._POLLS", LONG)
    start = threading.Barrier(50)

    def pay(_number: int) -> tuple[bool, PaymentView]:
        start.wait()
        outcome = counter.pay(call=counter.call(key="one"))
        return outcome.replayed, outcome.state

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(pay, range(50)))

    assert Tally(replayed for replayed, _ in answers) == {False: 1, True: 49}
    assert {view for _, view in answers} == {answers[0][1]}
    assert answers[0][1].status is Status.COMPLETED
    assert (len(counter.bank.moved), len(counter.flows)) == (1, 1)


def test_fifty_keys_on_one_bill_pay_it_once(counter: Counter) -> None:
    start = threading.Barrier(50)

    def pay(number: int) -> str:
        start.wait()
        try:
            return counter.pay(call=counter.call(key=str(number))).state.status
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(50) as pool:
        answers = Tally(pool.map(pay, range(50)))

    assert answers.pop("COMPLETED") == 1
    assert set(answers) <= {"BILL_ALREADY_PAID", "PAYMENT_IN_PROGRESS", "OVERPAYMENT"}
    assert sum(answers.values()) == 49
    assert [amount for _, amount in counter.bank.moved] == [52500]
    counter.comes_to_rest()


WHO_PAYS = [
    (THE_PATIENT, {}, None),
    (THE_PATIENT, {"method": "UPI", "source": "asha@bank"}, None),
    (THE_PATIENT, in_cash(), "FORBIDDEN"),
    (THE_PATIENT, {"method": "BANK_TRANSFER", "source": None}, "FORBIDDEN"),
    (ANOTHER_PATIENT, {}, "FORBIDDEN"),
    (THE_PATIENT, {"bill_id": OTHER_BILL}, "FORBIDDEN"),
    (a_principal("guardian", patient_id=PATIENT), {}, None),
    (RECEPTIONIST, in_cash(), None),
    (RECEPTIONIST, {"bill_id": OTHER_BILL}, "BILL_NOT_FOUND"),
    (a_principal("administrator"), in_cash(), None),
]


@pytest.mark.parametrize(("who", "changes", "code"), WHO_PAYS)
def test_patients_pay_their_own_bills_by_card_and_upi_and_staff_take_money_in(
    counter: Counter, who: Principal, changes: dict[str, Any], code: str | None
) -> None:
    assert refusal(lambda: counter.pay(who=who, **changes)) == code


def test_a_payment_is_read_in_one_read_by_staff_and_by_its_patient(counter: Counter) -> None:
    paid = counter.pay().state

    assert counter.calls_of(lambda: read(counter, paid.payment_id, AUDITOR)) == ["read"]
    assert read(counter, paid.payment_id, THE_PATIENT) == paid
    with pytest.raises(Forbidden):
        read(counter, paid.payment_id, ANOTHER_PATIENT)
    assert refusal(lambda: read(counter, ids.new(), CLERK)) == "PAYMENT_NOT_FOUND"
    assert refusal(lambda: read(counter, ids.new(), THE_PATIENT)) == "FORBIDDEN"


def read(counter: Counter, payment_id: str, who: Principal) -> PaymentView:
    return service.read(payment_id, counter.call(who), counter.office)


def listed(counter: Counter, who: Principal = CLERK, **asked: Any) -> list[str]:
    page = listing.payments(ListPayments.model_validate(asked), counter.call(who), counter.office)
    return [one.payment_id for one in page.items]


@pytest.fixture
def three(counter: Counter) -> list[str]:
    """Payments of one bill, newest first; the second has failed."""
    made = []
    for source in (TOKEN, DECLINED, TOKEN):
        counter.now += SECOND
        refusal(lambda: counter.pay("100.00", source=source))  # noqa: B023  (it is done at once)
        made.append(max(counter.known(), key=lambda one: one.created_at).transaction_id)
    return made[::-1]


@pytest.mark.parametrize("asked", [{"bill_id": BILL}, {"patient_id": PATIENT}, {"day": "2026-11-23"}, {}])
def test_payments_are_listed_newest_first_of_a_bill_a_patient_and_a_day(
    counter: Counter, three: list[str], asked: dict[str, Any]
) -> None:
    assert listed(counter, **asked) == three
    assert listed(counter, **asked, status="FAILED") == three[1:2]
    assert listed(counter, **asked, status="PENDING") == []


@pytest.mark.parametrize("asked", [{"bill_id": BILL}, {"patient_id": PATIENT}, {"day": "2026-11-23"}])
@pytest.mark.parametrize("status", [None, "COMPLETED"])
def test_a_list_goes_on_where_its_page_ended(
    counter: Counter, three: list[str], asked: dict[str, Any], status: str | None
) -> None:
    found: list[str] = []
    cursor = None
    for _ in range(5):
        params = ListPayments.model_validate(asked | {"limit": 1, "cursor": cursor, "status": status})
        page = listing.payments(params, counter.call(), counter.office)
        found += [one.payment_id for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert found == [one for one in three if status is None or one != three[1]]


def test_an_owners_list_is_two_reads(counter: Counter, three: list[str]) -> None:
    assert counter.calls_of(lambda: listed(counter, bill_id=BILL)) == ["query", "read"]
    assert counter.calls_of(lambda: listed(counter, bill_id=OTHER_BILL)) == ["query"]


def test_a_day_is_the_clinics(counter: Counter) -> None:
    counter.now = counter.now.replace(hour=18, minute=29, second=59)
    before_midnight = counter.paid("1.00")
    counter.now += SECOND
    after_midnight = counter.paid("1.00")

    assert listed(counter, day="2026-11-23") == [before_midnight]
    assert listed(counter, day="2026-11-24") == listed(counter) == [after_midnight]


@pytest.mark.parametrize(
    ("who", "asked", "code"),
    [
        (THE_PATIENT, {}, None),
        (THE_PATIENT, {"patient_id": PATIENT}, None),
        (THE_PATIENT, {"bill_id": BILL}, None),
        (THE_PATIENT, {"patient_id": OTHER_PATIENT}, "FORBIDDEN"),
        (THE_PATIENT, {"day": "2026-11-23"}, "FORBIDDEN"),
        (a_principal("patient"), {}, "FORBIDDEN"),
    ],
)
def test_a_patient_lists_what_is_their_own(
    counter: Counter, three: list[str], who: Principal, asked: dict[str, Any], code: str | None
) -> None:
    assert refusal(lambda: listed(counter, who, **asked)) == code
    if code is None:
        assert listed(counter, who, **asked) == three


def test_of_another_patients_bill_a_patient_sees_nothing(counter: Counter, three: list[str]) -> None:
    assert listed(counter, ANOTHER_PATIENT, bill_id=BILL) == []


def test_one_owner_is_asked_for_at_a_time() -> None:
    with pytest.raises(ValueError, match="one of"):
        ListPayments.model_validate({"bill_id": BILL, "patient_id": PATIENT})
