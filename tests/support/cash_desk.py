"""Bills and money over HTTP, as a billing clerk sees to them, and what patients are told of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hms import ids
from tests.support.client import agreed, eventually, refused
from tests.support.hospital import instant, slot
from tools import outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Answer, Client
    from tests.support.hospital import Hospital

# On a slow machine a message comes twice, and a payment whose flow had no answer waits for the sweep.
SECONDS = 180
_TRIES_TO_PAY = 3
START, SECOND = instant("10:00"), timedelta(seconds=1)
DRESSING = {"description": "Dressing", "unit_price": "500.00"}
CARD, CASH = {"method": "CARD", "source": "tok_ok"}, {"method": "CASH"}
DECLINED = {"method": "CARD", "source": "tok_declined"}
# How a visit ends: by which commands, what is said, and when, from its start.
_ILL = {"requested_by": "CLINIC", "reason": "The doctor is ill"}
_ENDS: dict[str, tuple[tuple[str, ...], dict[str, str], timedelta]] = {
    "completed": (("check-in", "start", "complete"), {}, timedelta(minutes=10)),
    "early": (("cancel",), {}, -timedelta(hours=2) - SECOND),
    "late": (("cancel",), {}, -timedelta(hours=2)),
    "clinic": (("cancel",), _ILL, -SECOND),
    "missed": (("no-show",), {}, timedelta(minutes=15)),
}


class CashDesk:
    def __init__(self, hospital: Hospital) -> None:
        self.hospital = hospital
        self.clerk = hospital.role("billing_clerk")

    def someone(self, **given: Any) -> dict[str, Any]:
        """A patient who reads English."""
        return self.hospital.patient(**{"preferred_language": "en-IN"} | given)

    def visit(self, patient: dict[str, Any] | None = None, **doctor: Any) -> dict[str, Any]:
        """A visit on Monday at ten that the flow has confirmed, so that its bill is open."""
        booked = self.hospital.book(patient or self.someone(), self.hospital.doctor(**doctor), slot("10:00"))
        return self.hospital.confirmed(agreed(booked, 201))

    def ended(self, visit: dict[str, Any], how: str) -> None:
        commands, body, at = _ENDS[how]
        for command in commands:
            path = f"/v1/appointments/{visit['appointment_id']}/{command}"
            agreed(self.hospital.admin.at(START + at).post(path, body))

    def bill_of(self, visit: dict[str, Any], by: Client | None = None, **wanted: Any) -> dict[str, Any]:
        """The bill of a visit, once it is there and as wanted."""
        query = {"appointment_id": visit["appointment_id"]}

        def found() -> dict[str, Any]:
            items = agreed((by or self.clerk).get("/v1/bills", query=query))["items"]
            return dict(items[0]) if items else {}

        return _once(found, wanted or {"appointment_id": visit["appointment_id"]})

    def bill(self, bill: dict[str, Any], **wanted: Any) -> dict[str, Any]:
        """A bill as it is now, or once it is as wanted."""
        return _once(lambda: dict(agreed(self.clerk.get(f"/v1/bills/{bill['bill_id']}"))), wanted)

    def made(self, patient: dict[str, Any], *items: dict[str, Any], by: Client | None = None, **given: Any) -> Any:
        """A bill by hand, of 525.00 unless `items` say otherwise."""
        body = {"patient_id": patient["patient_id"], "items": list(items) or [DRESSING], **given}
        return agreed((by or self.clerk).post("/v1/bills", body), 201)

    def ledger(self, bill: dict[str, Any], by: Client | None = None) -> list[tuple[str, str]]:
        """Every entry's kind and amount, oldest first."""
        path = f"/v1/bills/{bill['bill_id']}/ledger"
        postings = agreed((by or self.clerk).get(path, query={"limit": 100}))["items"]
        return [(entry["kind"], entry["amount"]) for posting in postings for entry in posting["entries"]]

    def pays(
        self,
        bill: dict[str, Any],
        amount: str = "525.00",
        how: dict[str, str] = CARD,
        *,
        by: Client | None = None,
        key: str | None = None,
    ) -> Answer:
        body = {"bill_id": bill["bill_id"], "amount": amount, **how}
        return (by or self.clerk).post("/v1/payments", body, key=key or ids.new())

    def paid(
        self,
        bill: dict[str, Any],
        amount: str = "525.00",
        how: dict[str, str] = CARD,
        *,
        by: Client | None = None,
    ) -> dict[str, Any]:
        """A payment that is through; on a slow machine another is made where one took too long and was called off."""
        for _ in range(_TRIES_TO_PAY):
            payment = self._decided(self.accepted(self.pays(bill, amount, how, by=by)))
            if (payment["failure"] or {}).get("code") != "EXPIRED":
                break
        assert payment["status"] == "COMPLETED"
        return payment

    def declined(self, bill: dict[str, Any], key: str) -> dict[str, Any]:
        """The answer to a payment that fails; on a slow machine it is asked for again when that is decided."""
        answer = self.pays(bill, how=DECLINED, key=key)
        if answer.status_code == 202:
            self.payment(answer.json(), status="FAILED")
            answer = self.pays(bill, how=DECLINED, key=key)
        problem: dict[str, Any] = refused(answer, 402, "PAYMENT_DECLINED")
        return problem

    def _decided(self, payment: dict[str, Any]) -> dict[str, Any]:
        path = f"/v1/payments/{payment['payment_id']}"
        return eventually(lambda: dict(agreed(self.clerk.get(path))), lambda one: one["status"] != "PENDING", SECONDS)

    def accepted(self, answer: Answer) -> dict[str, Any]:
        """201, or on a slow machine 202."""
        assert answer.status_code in (201, 202), answer.text
        return dict(answer.json())

    def payment(self, payment: dict[str, Any], **wanted: Any) -> dict[str, Any]:
        path = f"/v1/payments/{payment['payment_id']}"
        return _once(lambda: dict(agreed(self.clerk.get(path))), wanted)

    def refunds(self, payment: dict[str, Any]) -> list[dict[str, Any]]:
        query = {"payment_id": payment["payment_id"]}
        return list(agreed(self.clerk.get("/v1/refunds", query=query))["items"])

    def refunded(self, payment: dict[str, Any], amount: str, **given: str) -> dict[str, Any]:
        """A refund by hand that is through."""
        body = {"payment_id": payment["payment_id"], "amount": amount, "reason": "Charged by mistake", **given}
        refund = self.accepted(self.clerk.post("/v1/refunds", body, key=ids.new()))
        path = f"/v1/refunds/{refund['refund_id']}"
        return _once(lambda: dict(agreed(self.clerk.get(path))), {"status": "COMPLETED"})

    def exception(self, bill: dict[str, Any], kind: str) -> dict[str, Any]:
        """The open exception of a bill, once it is on the work list."""

        def found() -> dict[str, Any]:
            listed = everything(self.clerk, "/v1/billing/exceptions")
            return next((one for one in listed if (one["bill_id"], one["kind"]) == (bill["bill_id"], kind)), {})

        return _once(found, {"status": "OPEN"})

    def retried(self, exception: dict[str, Any], key: str) -> dict[str, Any]:
        """What came of an exception that is tried again, once those who have to answer have answered."""
        path = f"/v1/billing/exceptions/{exception['exception_id']}/retry"
        answer = eventually(lambda: self.clerk.post(path, key=key), lambda one: one.status_code != 503, SECONDS)
        return dict(agreed(answer))

    def letter(self, patient: dict[str, Any], subject: str) -> outbox.Letter:
        """What SES was given for a patient under a subject that begins so."""

        def found() -> outbox.Letter | None:
            to_them = (one for one in outbox.letters(self.hospital.system) if one.address == patient["email"])
            return next((one for one in to_them if one.subject.startswith(subject)), None)

        letter = eventually(found, lambda one: one is not None, SECONDS)
        assert letter, subject
        return letter


def everything(who: Client, path: str, **query: Any) -> list[dict[str, Any]]:
    """All pages of a list."""
    found, cursor = [], None
    while True:
        page = agreed(who.get(path, query={"limit": 100, **query, **({"cursor": cursor} if cursor else {})}))
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _once(ask: Callable[[], dict[str, Any]], wanted: dict[str, Any]) -> dict[str, Any]:
    found = eventually(ask, lambda one: wanted.items() <= one.items(), SECONDS)
    assert {name: found.get(name) for name in wanted} == wanted
    return found
