"""What becomes of a dead letter that is sent on its way again, by its kind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tools.replay import rows
from tools.replay.letters import remove
from tools.replay.place import NoOwner
from tools.replay.republish import republish_span
from tools.replay.sending import to_queue, to_topic
from tools.replay.shapes import Pointer, Position, Row

if TYPE_CHECKING:
    from tools.replay.letters import Letter, Queue
    from tools.replay.place import Place

# An event's time is when its command began; the stream saw it a little later.
_MARGIN = timedelta(minutes=15)


def redrive(place: Place, queue: Queue, letter: Letter) -> str:
    """Sends one letter's event again and only then takes the letter away; empty, or why it stays.

    Raises ReplayError where nothing can be sent at present, whatever the letter.
    """
    try:
        problem = _sent_again(place, queue, letter)
    except NoOwner as error:
        return str(error)
    if not problem:
        remove(place, queue, letter)
    return problem


def _sent_again(place: Place, queue: Queue, letter: Letter) -> str:
    match letter.content:
        case Row() as row:
            return _row(place, row)
        case Position() as position:
            return _position(place, position)
        case Pointer() as pointer:
            return _pointer(place, queue, pointer)
        case None:
            return "it names no event that could be found; its owner's table has all there were"
        case _:
            return _sent(place, queue, letter.text)


def _row(place: Place, row: Row) -> str:
    owner = rows.EventRows(place, rows.domain_of(place, row.table))
    body = owner.at(row.pk, row.sk)
    if body is None:
        return "its row is gone"
    return "" if to_topic(place)([body]) else f"it can still not be published ({row.error})"


def _position(place: Place, position: Position) -> str:
    stretch = position.stretch
    domain = rows.domain_of(place, stretch.stream_arn.split("/")[1])
    span = rows.Span(stretch.first - _MARGIN, stretch.last + _MARGIN)
    republish_span(place, domain, rows.Wanted(span), to_topic(place))
    return ""


def _pointer(place: Place, queue: Queue, pointer: Pointer) -> str:
    owner = rows.EventRows(place, pointer.source.rpartition("/")[2])
    body = owner.told(pointer.subject, pointer.version, pointer.id)
    if body is None:
        return "its owner has no such event"
    return _sent(place, queue, body)


def _sent(place: Place, queue: Queue, body: str) -> str:
    if queue.source is None:
        return "" if to_topic(place)([body]) else "it can not be published"
    to_queue(place, queue.source)([body])
    return ""
