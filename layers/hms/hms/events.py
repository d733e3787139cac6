"""The envelope in which a change is told: CloudEvents 1.0, with ids that republishing repeats."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

from hms import ids

if TYPE_CHECKING:
    from hms.call import Call


class Fact(BaseModel):
    """What an event says. A subclass per event type; fields are ids and what readers need, never clinical text."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    type: ClassVar[str]


class Event(BaseModel):
    """One CloudEvent. `subject` is the aggregate's id, `version` the state version that the change made."""

    model_config = ConfigDict(frozen=True)

    specversion: str = "1.0"
    id: str
    type: str
    source: str
    subject: str
    time: AwareDatetime
    correlationid: str
    actor: str
    version: int
    datacontenttype: str = "application/json"
    data: dict[str, Any]

    @property
    def at(self) -> datetime:
        return self.time.astimezone(UTC)


def told(fact: Fact, subject: str, version: int, call: Call) -> Event:
    domain = fact.type.partition(".")[0]
    return Event(
        id=ids.derived(subject, version, fact.type),
        type=fact.type,
        source=f"/hms/{domain}",
        subject=subject,
        time=call.now,
        correlationid=call.correlation_id,
        actor=call.who.user_id,
        version=version,
        data=fact.model_dump(mode="json"),
    )
