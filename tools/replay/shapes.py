"""What a dead letter has to hold so that an event is found by it. Anybody may have written one: each is checked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from hms.events import Event


def _word(text: str) -> str:
    if not text.isprintable() or " " in text:
        message = "a name or an id has no blanks and no controls"
        raise ValueError(message)
    return text


# DynamoDB takes keys of 1,024 bytes, and none that is empty.
_Word = Annotated[str, Field(min_length=1, max_length=250), AfterValidator(_word)]
# Of what a clock may have said: there is room for a margin on either side.
_Instant = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(3000, 1, 1, tzinfo=UTC))]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class Row(_Shape):
    """From the relay: where the event is kept that could not be published."""

    table: _Word
    pk: _Word
    sk: _Word
    event_id: _Word | None = None
    error: _Word | None = None


class Stretch(_Shape):
    """Of a stream, as Lambda names it."""

    stream_arn: _Word = Field(alias="streamArn", pattern="^[^/]+/[^/]+")
    shard_id: _Word | None = Field(None, alias="shardId")
    start: _Word | None = Field(None, alias="startSequenceNumber")
    end: _Word | None = Field(None, alias="endSequenceNumber")
    first: _Instant = Field(alias="approximateArrivalOfFirstRecord")
    last: _Instant = Field(alias="approximateArrivalOfLastRecord")
    size: int | None = Field(None, alias="batchSize")

    @model_validator(mode="after")
    def runs_forward(self) -> Self:
        if self.last < self.first:
            message = "a stretch ends after it begins"
            raise ValueError(message)
        return self


class Position(_Shape):
    """From the platform, for a stretch of a stream."""

    stretch: Stretch = Field(alias="DDBStreamBatchInfo")


class Pointer(_Shape):
    """From a consumer that gave an event up."""

    pointer: Literal["event"]
    id: _Word
    type: _Word
    source: _Word
    subject: _Word
    version: int = Field(ge=1, lt=10**8)
    time: _Instant | None = None
    correlationid: _Word | None = None
    message_id: _Word | None = None
    received: int | None = None


class Whole(Event):
    """An event itself."""

    specversion: Literal["1.0"]
    id: _Word
    type: _Word


type Shape = Row | Position | Pointer | Whole

_SHAPES: dict[str, type[Shape]] = {"position": Position, "pointer": Pointer, "row": Row, "event": Whole}


def read(text: str) -> tuple[str, Shape | None]:
    """The kind of a letter and what it holds; `unreadable` where it holds nothing by which an event is found."""
    for kind, shape in _SHAPES.items():
        try:
            return kind, shape.model_validate_json(text)
        except (ValidationError, UnicodeError):
            continue
    return "unreadable", None
