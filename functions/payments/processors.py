"""Who is asked to move money by which method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payments.desk import Desk
from payments.model import BY_GATEWAY

if TYPE_CHECKING:
    from payments.gateways import Gateway
    from payments.model import Method


def for_method(method: Method, name: str) -> Gateway:
    """The gateway for payments of a method. `name` is the setting PAYMENT_GATEWAY for a new payment, and what its
    `gateway` says for one that there is: changing the setting does not move payments from one processor to another."""
    if method not in BY_GATEWAY:
        return Desk()
    return by_name(name)


def by_name(name: str) -> Gateway:
    """`simulator`, `stripe` or `desk`."""
    if name == "simulator":
        from payments.simulator_gateway import SimulatorGateway

        return SimulatorGateway()
    if name == "stripe":
        from payments.stripe_gateway import StripeGateway

        return StripeGateway()
    if name == Desk.name:
        return Desk()
    message = f"there is no payment gateway {name}"
    raise RuntimeError(message)
