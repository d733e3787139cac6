"""What the HTTP operations of billing share: the one table of this process, and whom to ask for what it lacks."""

from __future__ import annotations

from billing.charge_store import ChargeItems
from billing.owners import TasksOwners
from billing.store import Bills
from hms.store import DynamoTable

table = DynamoTable()
bills = Bills(table)
charge_items = ChargeItems(table)
owners = TasksOwners()
