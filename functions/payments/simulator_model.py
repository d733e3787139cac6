"""The vocabulary of the simulated processor."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from payments.simulator_sources import Behaviour, behaviour_of


class KeyReused(Exception):
    """This key came before with another amount, currency, source or payment."""


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


class Charge(_Asked):
    key: str
    amount: int = Field(gt=0)
    currency: str
    source: str | None
    description: str


class RefundAsked(_Asked):
    key: str
    payment_key: str
    amount: int = Field(gt=0)
    currency: str


class Intent(_Asked):
    """A payment. One that was voided before anybody charged it has neither amount nor source."""

    key: str
    gateway_id: str
    status: Literal["PROCESSING", "CAPTURED", "DECLINED", "VOIDED"]
    amount: int = 0
    currency: str = ""
    source: str | None = None
    description: str = ""
    code: str | None = None
    detail: str | None = None
    due_at: AwareDatetime | None = None
    decided_at: AwareDatetime | None = None
    refunded: int = 0
    version: int = 1

    @property
    def behaviour(self) -> Behaviour:
        return behaviour_of(self.source)


class Refund(_Asked):
    key: str
    payment_key: str
    gateway_id: str
    status: Literal["CAPTURED", "DECLINED"]
    amount: int
    currency: str
    code: str | None = None
    detail: str | None = None
    decided_at: AwareDatetime
