"""The processor and the sweep break down at every call that they make, while money is on its way."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tools.proofs.consumers import armed
from tools.proofs.deaths import Death, opened, opened_payment
from tools.proofs.machines import machines, traced
from tools.proofs.tills import TOTAL, later, paying, refunding

if TYPE_CHECKING:
    from tools.proofs.machines import Machine
    from tools.proofs.tills import Till

_PROCESSOR = "payments-simulator"
_LATER = timedelta(hours=1)
# A sweep asks an index more than a hundred times, always the same: those points are left out.
_OF_SWEEP = ("dynamodb.[!Q]*", "lambda.*")
_LEFT = {
    "taken": {"Apply": ["die@dynamodb.BatchGetItem#1:before"] * 3},
    "never heard of": {"Charge": ["lose@lambda.Invoke#1:before"]},
}


class Breakdowns:
    """`swept` counts the sweeps that died; who asked meanwhile asks again as those of all other deaths do."""

    def __init__(self, till: Till, *, full: bool) -> None:
        self._till = till
        self._full = full
        self.deaths: list[Death] = []
        self.swept = 0

    def all_happen(self) -> None:
        with machines(self._till.system, "take-payment", "refund-payment") as (taking, giving):
            places = self._of_processor(taking, giving)
            for place in places if self._full else places[-1:]:
                self._processor_dies(place)
            self._till.comes_to_rest()
            places = self._of_sweep(taking)
            for place in places if self._full else places[-1:]:
                self._sweep_dies(taking, place)

    def _of_processor(self, taking: Machine, giving: Machine) -> list[str]:
        """Its points while it is asked for money, and for money back."""
        till, processor = self._till, f"{self._till.system.stack}-{_PROCESSOR}"
        ask, given = opened_payment(till, "processor traced", "tok_ok")
        order = {"key": given["payment_id"], "amount": TOTAL, "currency": "INR", "source": "tok_ok", "description": ""}
        _, charging = traced(till.functions, processor, {"task": "charge", **order, "x-test-fault": "trace@*"})
        taking.runs(given)
        paid = till.persists(ask).body["payment_id"]
        _, given = opened(till, refunding(paid), "refund_id")
        order = {"key": given["refund_id"], "payment_key": paid, "amount": TOTAL, "currency": "INR"}
        _, refunding_ = traced(till.functions, processor, {"task": "refund", **order, "x-test-fault": "trace@*"})
        giving.runs(given)
        return list(dict.fromkeys([*charging, *refunding_]))

    def _processor_dies(self, place: str) -> None:
        """Whatever it is asked: for money, for money back, and by the sweep what became of them."""
        till, what = self._till, f"processor at {place}"
        asks = [refunding(till.paid(till.bill(f"refund, {what}"))), paying(till.bill(f"payment, {what}"))]
        with armed(till.system, [f"{till.system.stack}-{_PROCESSOR}"], f"die@{place}"):
            for ask in asks:
                till.way.send(ask)
            till.sweep(_LATER)
        self.deaths += [Death(what, ask) for ask in asks]

    def _of_sweep(self, taking: Machine) -> list[str]:
        self._left_to_the_sweep(taking, "sweep traced")
        faults = " ".join(f"trace@{place}" for place in _OF_SWEEP)
        asked = {"task": "sweep", "x-test-clock": later(_LATER), "x-test-fault": faults}
        _, places = traced(self._till.functions, f"{self._till.system.stack}-payments-tasks:live", asked)
        return places

    def _sweep_dies(self, taking: Machine, place: str) -> None:
        self._left_to_the_sweep(taking, f"sweep at {place}")
        self.swept += not self._till.sweep(_LATER, f"die@{place}")

    def _left_to_the_sweep(self, taking: Machine, what: str) -> None:
        """A payment that the processor took and nobody recorded, and one that the processor never heard of."""
        for name, faults in _LEFT.items():
            ask, given = opened_payment(self._till, f"{name}, {what}", "tok_ok")
            taking.runs(given, faults)
            self.deaths.append(Death(what, ask))
