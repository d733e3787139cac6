"""The simulated processor behaves like one: every source, every key once, whatever comes at the same time."""

from __future__ import annotations

import json
import threading
import time as real_time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine

from hms import clock, ids
from payments.gateways import Misused, Order, RefundOrder, Unanswered
from payments.model import Method
from payments.signatures import notice, verify
from payments.simulator_gateway import SimulatorGateway
from tests.support.memory import MemoryTable
from tests.support.processor import SECRET, Listener, Processor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hms.rows import Item, Key
    from payments.gateways import Verdict

NOW = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)
TODAY, ZONE = date(2026, 11, 28), "Asia/Kolkata"
GATEWAY = SimulatorGateway()
PAYMENT = ids.derived("payment", 1)


class SlowTable(MemoryTable):
    """Between reading and writing there is time for others."""

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        found = super().get_many(keys)
        real_time.sleep(0.002)
        return found


@pytest.fixture(autouse=True)
def _no_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBHOOK_URL", raising=False)


@pytest.fixture
def today() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch, today: time_machine.Traveller) -> Processor:
    return Processor(monkeypatch)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    listening = Listener()
    monkeypatch.setenv("WEBHOOK_URL", listening.url)
    yield listening
    listening.close()


def an_order(source: str | None = "tok_ok", key: str = PAYMENT, amount: int = 52500, currency: str = "INR") -> Order:
    method = Method.UPI if "@" in (source or "") else Method.CARD
    return Order(key, amount, currency, method, source, "B4839201735", NOW)


def a_refund(amount: int = 20000, number: int = 1, payment: str = PAYMENT, currency: str = "INR") -> RefundOrder:
    return RefundOrder(ids.derived("refund", number), payment, "sim_pay_1", amount, currency)


def charged(source: str | None) -> Verdict:
    return GATEWAY.charge(an_order(source))


def is_unanswered(work: Callable[[], object]) -> bool:
    try:
        work()
    except Unanswered:
        return True
    return False


@pytest.mark.parametrize(
    "source",
    ["tok_ok", "tok_anything_else", "success@upi", "asha.rao-1@okbank", "9876543210@paytm", "tok_refund_declined"],
)
def test_money_is_taken_from_what_can_be_charged(processor: Processor, source: str) -> None:
    verdict = charged(source)

    assert verdict.status == "CAPTURED"
    assert verdict.gateway_id
    assert verdict.gateway_id.startswith("sim_pay_")
    assert [line.key for line in GATEWAY.statement(TODAY, ZONE)] == [PAYMENT]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("tok_declined", "CARD_DECLINED"),
        ("tok_insufficient_funds", "INSUFFICIENT_FUNDS"),
        ("tok_expired_card", "EXPIRED_CARD"),
        ("failure@upi", "UPI_DECLINED"),
        ("pm_card_visa", "INVALID_SOURCE"),
        ("asha@", "INVALID_SOURCE"),
        ("@upi", "INVALID_SOURCE"),
        ("tok_", "INVALID_SOURCE"),
        ("tok_UPPER", "INVALID_SOURCE"),
        ("", "INVALID_SOURCE"),
        (None, "INVALID_SOURCE"),
    ],
)
def test_a_decline_says_why_and_moves_nothing(processor: Processor, source: str | None, code: str) -> None:
    verdict = charged(source)

    assert (verdict.status, verdict.code) == ("DECLINED", code)
    assert verdict.detail
    assert GATEWAY.look(an_order(source)) == charged(source) == verdict
    assert GATEWAY.statement(TODAY, ZONE) == []


@pytest.mark.parametrize("digits", [13, 16, 19])
@pytest.mark.parametrize("written", ["{}", "tok_{}", "{}@upi", "tok_a{}b"])
def test_a_card_number_is_declined_and_kept_nowhere(processor: Processor, digits: int, written: str) -> None:
    number = "4242424242424242424"[:digits]

    assert charged(written.format(number)).code == "INVALID_SOURCE"
    assert not any(number in str(item) for item in processor.table.items.values())


@pytest.mark.parametrize("written", ["4242 4242 4242 4242", "4242-4242-4242-4242", "tok_4242_4242_4242_4242"])
def test_a_card_number_in_groups_is_one_too(processor: Processor, written: str) -> None:
    assert charged(written).code == "INVALID_SOURCE"
    assert not any("4242" in str(item) for item in processor.table.items.values())


def test_a_phone_number_is_no_card_number(processor: Processor) -> None:
    assert charged("919876543210@upi").status == "CAPTURED"


def test_a_repeated_charge_takes_nothing_more(processor: Processor) -> None:
    verdicts = {charged("tok_ok") for _ in range(3)}

    assert {verdict.status for verdict in verdicts} == {"CAPTURED"}
    assert len(verdicts) == len(GATEWAY.statement(TODAY, ZONE)) == 1


@pytest.mark.parametrize(
    "other", [an_order(amount=52501), an_order(currency="USD"), an_order("tok_other"), an_order("tok_declined")]
)
def test_a_key_is_for_one_charge(processor: Processor, other: Order) -> None:
    GATEWAY.charge(an_order())

    with pytest.raises(Misused, match="KEY_REUSED"):
        GATEWAY.charge(other)
    assert [line.amount for line in GATEWAY.statement(TODAY, ZONE)] == [52500]


@pytest.mark.parametrize("amount", [0, -1])
def test_less_than_a_minor_unit_is_not_taken(processor: Processor, amount: int) -> None:
    assert is_unanswered(lambda: GATEWAY.charge(an_order(amount=amount)))
    assert GATEWAY.look(an_order()).status == "ABSENT"


def test_what_nobody_charged_is_absent(processor: Processor) -> None:
    assert GATEWAY.look(an_order()).status == "ABSENT"
    assert GATEWAY.look_refund(a_refund()).status == "ABSENT"


def test_slow_success_has_captured_when_nobody_listens_any_more(processor: Processor) -> None:
    assert is_unanswered(lambda: charged("tok_slow_success"))

    assert GATEWAY.look(an_order("tok_slow_success")).status == "CAPTURED"
    assert charged("tok_slow_success").status == "CAPTURED"
    assert len(GATEWAY.statement(TODAY, ZONE)) == 1


def test_slow_nothing_has_done_nothing_and_can_be_voided(processor: Processor) -> None:
    for _ in range(2):
        assert is_unanswered(lambda: charged("tok_slow_nothing"))
    assert GATEWAY.look(an_order("tok_slow_nothing")).status == "ABSENT"

    assert GATEWAY.void(an_order("tok_slow_nothing")).status == "VOIDED"
    assert charged("tok_slow_nothing").code == "VOIDED"


def test_async_is_pending_until_its_time_has_come(processor: Processor, today: time_machine.Traveller) -> None:
    assert charged("tok_async").status == "PENDING"
    today.shift(timedelta(seconds=2))
    assert GATEWAY.look(an_order("tok_async")).status == "PENDING"
    assert GATEWAY.statement(TODAY, ZONE) == []

    today.shift(timedelta(seconds=1))
    assert GATEWAY.look(an_order("tok_async")).status == "CAPTURED"
    assert [line.at for line in GATEWAY.statement(TODAY, ZONE)] == [NOW + timedelta(seconds=3)]


def test_async_captures_also_where_nobody_looks_and_nobody_is_told(
    processor: Processor, today: time_machine.Traveller
) -> None:
    charged("tok_async")
    assert [payload["seconds"] for payload in processor.left] == [3]
    today.shift(timedelta(seconds=3))

    assert processor.do_what_is_left() == ["nothing"]
    assert len(GATEWAY.statement(TODAY, ZONE)) == 1


@pytest.mark.parametrize(("seconds", "status"), [(2, "VOIDED"), (3, "CAPTURED")])
def test_async_is_voided_before_its_time_and_not_after(
    processor: Processor, today: time_machine.Traveller, seconds: int, status: str
) -> None:
    charged("tok_async")
    today.shift(timedelta(seconds=seconds))

    assert GATEWAY.void(an_order("tok_async")).status == status
    today.shift(timedelta(hours=1))
    assert GATEWAY.look(an_order("tok_async")).status == status


def test_a_void_forbids_every_later_charge_of_its_key(processor: Processor) -> None:
    for _ in range(2):
        assert GATEWAY.void(an_order()).status == "VOIDED"

    assert GATEWAY.charge(an_order())[::2] == ("DECLINED", "VOIDED")
    assert GATEWAY.charge(an_order(amount=1)).code == "VOIDED"
    assert GATEWAY.look(an_order()).status == "VOIDED"
    assert GATEWAY.statement(TODAY, ZONE) == []


def test_what_is_captured_is_not_voided_and_what_is_declined_will_never_be_captured(processor: Processor) -> None:
    GATEWAY.charge(an_order())
    assert GATEWAY.void(an_order()).status == "CAPTURED"
    assert GATEWAY.look(an_order()).status == "CAPTURED"

    other = an_order("tok_declined", key=ids.derived("payment", 2))
    GATEWAY.charge(other)
    assert GATEWAY.void(other).status == "VOIDED"
    assert GATEWAY.look(other)[::2] == ("DECLINED", "CARD_DECLINED")


def test_refunds_are_made_once_each_and_never_exceed_what_was_paid(processor: Processor) -> None:
    GATEWAY.charge(an_order(amount=50000))

    assert [GATEWAY.refund(a_refund(20000, number)).status for number in (1, 1, 2)] == ["CAPTURED"] * 3
    assert GATEWAY.refund(a_refund(10001, 3))[::2] == ("DECLINED", "REFUND_EXCEEDS_PAYMENT")
    assert GATEWAY.refund(a_refund(10000, 4)).status == "CAPTURED"
    assert GATEWAY.look_refund(a_refund(10001, 3)).code == "REFUND_EXCEEDS_PAYMENT"
    assert GATEWAY.look_refund(a_refund(20000, 1)).status == "CAPTURED"
    refunds = [line.amount for line in GATEWAY.statement(TODAY, ZONE) if line.kind == "REFUND"]
    assert sorted(refunds) == [10000, 20000, 20000]


def test_a_refund_of_what_was_never_captured_is_declined(processor: Processor) -> None:
    GATEWAY.charge(an_order("tok_declined"))

    assert GATEWAY.refund(a_refund()).code == "NOT_CAPTURED"
    assert GATEWAY.refund(a_refund(number=2, payment=ids.derived("payment", 9))).code == "NOT_CAPTURED"


def test_a_refund_is_in_the_currency_of_its_payment(processor: Processor) -> None:
    GATEWAY.charge(an_order())

    assert GATEWAY.refund(a_refund(currency="USD")).code == "REFUND_EXCEEDS_PAYMENT"


@pytest.mark.parametrize("other", [a_refund(20001), a_refund(payment=ids.derived("payment", 2)), a_refund(currency="")])
def test_a_key_is_for_one_refund(processor: Processor, other: RefundOrder) -> None:
    GATEWAY.charge(an_order())
    GATEWAY.refund(a_refund())

    with pytest.raises(Misused, match="KEY_REUSED"):
        GATEWAY.refund(other)


def test_some_cards_take_no_refund(processor: Processor) -> None:
    charged("tok_refund_declined")

    assert GATEWAY.refund(a_refund()).code == "REFUND_DECLINED"
    assert GATEWAY.look_refund(a_refund()).code == "REFUND_DECLINED"
    assert {line.kind for line in GATEWAY.statement(TODAY, ZONE)} == {"PAYMENT"}


def test_a_slow_refund_is_made_when_nobody_listens_any_more(processor: Processor) -> None:
    assert charged("tok_refund_slow").status == "CAPTURED"

    assert is_unanswered(lambda: GATEWAY.refund(a_refund()))
    assert GATEWAY.look_refund(a_refund()).status == "CAPTURED"
    assert GATEWAY.refund(a_refund()).status == "CAPTURED"


def test_a_processor_that_is_down_is_unanswered(processor: Processor) -> None:
    processor.down = True

    for work in (GATEWAY.charge, GATEWAY.look, GATEWAY.void):
        assert is_unanswered(lambda work=work: work(an_order()))  # type: ignore[misc]
    assert is_unanswered(lambda: GATEWAY.refund(a_refund()))
    assert is_unanswered(lambda: GATEWAY.statement(TODAY, ZONE))


def test_the_statement_is_of_a_calendar_day_of_its_zone(processor: Processor, today: time_machine.Traveller) -> None:
    midnight = datetime(2026, 11, 27, 18, 30, tzinfo=UTC)
    instants = [midnight + timedelta(seconds=one) for one in (-1, 0, 5 * 3600, 86_399, 86_400)]
    for number, instant in enumerate(instants):
        today.move_to(instant, tick=False)
        GATEWAY.charge(an_order(key=ids.derived("payment", number), amount=100 + number))

    assert [line.amount for line in GATEWAY.statement(TODAY, ZONE)] == [101, 102, 103]
    assert [line.amount for line in GATEWAY.statement(TODAY - timedelta(days=1), ZONE)] == [100]
    assert [line.amount for line in GATEWAY.statement(date(2026, 11, 27), "UTC")] == [100, 101, 102]


def test_a_long_statement_comes_page_by_page(processor: Processor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.simulator._PAGE", 3)
    keys = [ids.derived("payment", number) for number in range(10)]
    for key in keys:
        GATEWAY.charge(an_order(key=key))

    lines = GATEWAY.statement(TODAY, ZONE)

    assert sorted(line.key for line in lines) == sorted(keys)
    assert lines == sorted(lines, key=lambda line: (line.at, line.key))
    assert {(line.at, line.currency, line.kind) for line in lines} == {(NOW, "INR", "PAYMENT")}


def at_once(work: list[Callable[[], object]]) -> list[object]:
    """All of it begins at the same moment."""
    barrier = threading.Barrier(len(work))

    def run(one: Callable[[], object]) -> object:
        barrier.wait()
        return one()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))


@pytest.fixture
def contested(monkeypatch: pytest.MonkeyPatch) -> Processor:
    return Processor(monkeypatch, SlowTable())


def test_one_key_charged_by_many_at_once_is_one_charge(contested: Processor) -> None:
    verdicts = at_once([lambda: GATEWAY.charge(an_order())] * 20)

    assert {verdict.status for verdict in verdicts} == {"CAPTURED"}  # type: ignore[attr-defined]
    assert len(set(verdicts)) == 1
    assert len(GATEWAY.statement(clock.now().date(), "UTC")) == 1


@pytest.mark.parametrize("number", range(5))
def test_charge_and_void_at_once_have_one_winner(contested: Processor, number: int) -> None:
    order = an_order(key=ids.derived("contest", number))

    verdicts = at_once([lambda: GATEWAY.charge(order), lambda: GATEWAY.void(order)] * 5)

    final = GATEWAY.look(order).status
    charges = {verdict.status for verdict in verdicts[::2]}  # type: ignore[attr-defined]
    voids = {verdict.status for verdict in verdicts[1::2]}  # type: ignore[attr-defined]
    assert (charges, voids) == (({"CAPTURED"}, {"CAPTURED"}) if final == "CAPTURED" else ({"DECLINED"}, {"VOIDED"}))
    assert len(GATEWAY.statement(clock.now().date(), "UTC")) == (1 if final == "CAPTURED" else 0)


def test_refunds_at_once_never_exceed_the_payment(contested: Processor) -> None:
    GATEWAY.charge(an_order(amount=100))

    verdicts = at_once([lambda number=number: GATEWAY.refund(a_refund(30, number)) for number in range(8)])  # type: ignore[misc]

    assert sorted(verdict.status for verdict in verdicts) == ["CAPTURED"] * 3 + ["DECLINED"] * 5  # type: ignore[attr-defined]
    moved = GATEWAY.statement(clock.now().date(), "UTC")
    assert sum(line.amount for line in moved if line.kind == "REFUND") == 90


def test_one_refund_asked_for_by_many_at_once_is_one(contested: Processor) -> None:
    GATEWAY.charge(an_order(amount=100))

    verdicts = at_once([lambda: GATEWAY.refund(a_refund(30))] * 10)

    assert {verdict.status for verdict in verdicts} == {"CAPTURED"}  # type: ignore[attr-defined]
    assert len(GATEWAY.statement(clock.now().date(), "UTC")) == 2


def told(listener: Listener) -> list[dict[str, object]]:
    """What was posted, each verified as whoever gets it verifies it."""
    for headers, body in listener.posts:
        verify(headers["Simulator-Signature"], body, SECRET, clock.wall())
    return [json.loads(body) for _, body in listener.posts]


@pytest.mark.parametrize(("source", "told_as"), [("tok_ok", "payment.captured"), ("tok_declined", "payment.declined")])
def test_what_became_of_a_payment_is_told_signed(
    processor: Processor, listener: Listener, source: str, told_as: str
) -> None:
    charged(source)
    charged(source)

    assert processor.do_what_is_left() == ["delivered"]
    events = told(listener)
    assert [event["type"] for event in events] == [told_as]
    assert notice("simulator", listener.posts[0][1]) == (events[0]["id"], "PAYMENT", PAYMENT)


def test_refunds_are_told_too(processor: Processor, listener: Listener) -> None:
    charged("tok_ok")
    GATEWAY.refund(a_refund(20000))
    GATEWAY.refund(a_refund(60000, number=2))

    processor.do_what_is_left()

    assert [event["type"] for event in told(listener)] == ["payment.captured", "refund.captured", "refund.declined"]
    assert notice("simulator", listener.posts[1][1])[1:] == ("REFUND", ids.derived("refund", 1))


def test_a_notice_may_come_several_times_with_one_id(processor: Processor, listener: Listener) -> None:
    charged("tok_duplicate_webhooks")

    processor.do_what_is_left()

    assert len(told(listener)) == 3
    assert len({event["id"] for event in told(listener)}) == 1


def test_async_is_told_when_it_is_captured(
    processor: Processor, listener: Listener, today: time_machine.Traveller
) -> None:
    charged("tok_async")
    today.shift(timedelta(seconds=3))

    assert processor.do_what_is_left() == ["delivered"]
    assert [event["type"] for event in told(listener)] == ["payment.captured"]


def test_what_is_voided_is_not_told(processor: Processor, listener: Listener, today: time_machine.Traveller) -> None:
    charged("tok_async")
    GATEWAY.void(an_order("tok_async"))
    today.shift(timedelta(seconds=3))

    assert processor.do_what_is_left() == ["nothing"]
    assert listener.posts == []


def test_without_an_address_nothing_is_told(processor: Processor) -> None:
    charged("tok_ok")
    GATEWAY.refund(a_refund())

    assert processor.left == []


@pytest.mark.parametrize(
    ("answers", "outcome", "posts"), [((500, 302), "delivered", 3), ((500, 503, 404), "failed", 3)]
)
def test_a_notice_is_tried_three_times(
    processor: Processor, monkeypatch: pytest.MonkeyPatch, answers: tuple[int, ...], outcome: str, posts: int
) -> None:
    listener = Listener(*answers)
    monkeypatch.setenv("WEBHOOK_URL", listener.url)
    charged("tok_ok")

    try:
        assert processor.do_what_is_left() == [outcome]
        assert len(listener.posts) == posts
    finally:
        listener.close()


def test_nobody_at_the_address_is_a_failure_too(processor: Processor, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = Listener()
    listener.close()
    monkeypatch.setenv("WEBHOOK_URL", listener.url)
    charged("tok_ok")

    assert processor.do_what_is_left() == ["failed"]


def test_a_notice_that_cannot_be_left_for_later_undoes_no_charge(
    processor: Processor, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_asked: object, **_payload: object) -> None:
        raise Unanswered("AccessDenied")

    monkeypatch.setattr("payments.simulator_calls.leave", refuse)

    assert charged("tok_ok").status == "CAPTURED"
