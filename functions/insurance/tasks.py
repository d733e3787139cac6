"""What the clock asks of insurance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hms import clock, ids
from hms.auth import Principal
from hms.call import Call
from hms.store import DynamoTable
from hms.tasks import Tasks
from hms.timers import Timers
from insurance import asking
from insurance.owners import TasksOwners
from insurance.service import Office
from insurance.simulator import SimulatedInsurer
from insurance.store import Checks, Claims, Coverages

if TYPE_CHECKING:
    from hms.rows import Item
    from hms.tasks import Payload

# The function may take 60 s: one that has begun ends in time.
_SWEEP_SECONDS = 40
table = DynamoTable()
office = Office(Coverages(table), Checks(table), Claims(table), TasksOwners(), SimulatedInsurer(table))
tasks = Tasks()
handler = tasks.handler


@tasks.task("sweep")
def sweep(payload: Payload) -> Payload:
    """Asks the insurer of every claim that is due what it has decided."""
    call = Call(Principal("insurance-sweep", ("service",)), clock.now(), payload.get("correlation_id") or ids.new())

    def ask(due: Item) -> None:
        asking.ask_again(due.pk.partition("#")[2], replace(call, token=ids.new()), office)

    swept = Timers(office.claims.table).sweep(call.now, ask, _SWEEP_SECONDS)
    return {"outcome": "ok", **swept._asdict()}
