"""What becomes of a dead letter that is sent on its way again, by its kind."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tools.replay import rows
from tools.replay.letters import remove
from tools.replay.republish import republish_span
from tools.replay.sending import to_queue, to_topic

if TYPE_CHECKING:
    from tools.replay.letters import Letter, Queue
    from tools.replay.place import Place

# An event's time is when its command began; the stream saw it a little later.
_MARGIN = timedelta(minutes=15)


def redrive(place: Place, queue: Queue, letter: Letter) -> str:
    """Sends one letter's event again and only then takes the letter away; empty, or why it stays."""
    sender = {"row": _row, "position": _position, "pointer": _pointer, "event": _event}.get(letter.kind)
    if sender is None:
        return "it names no event; its owner's table has all there were"
    if problem := sender(place, queue, letter):
        return problem
    remove(place, queue, letter)
    return ""


def _row(place: Place, _queue: Queue, letter: Letter) -> str:
    content = letter.content
    owner = rows.EventRows(place, rows.domain_of(place, content["table"]))
    body = owner.at(content["pk"], content["sk"])
    if body is None:
        return "its row is gone"
    return "" if to_topic(place)([body]) else f"it can still not be published ({content['error']})"


def _position(place: Place, _queue: Queue, letter: Letter) -> str:
    info = letter.content["DDBStreamBatchInfo"]
    first, last = (datetime.fromisoformat(info[f"approximateArrivalOf{which}Record"]) for which in ("First", "Last"))
    domain = rows.domain_of(place, info["streamArn"].split("/")[1])
    span = rows.Span(first - _MARGIN, last + _MARGIN)
    republish_span(place, domain, rows.Wanted(span), to_topic(place))
    return ""


def _pointer(place: Place, queue: Queue, letter: Letter) -> str:
    content = letter.content
    owner = rows.EventRows(place, content["source"].rpartition("/")[2])
    body = owner.told(content["subject"], content["version"], content["id"])
    if body is None:
        return "its owner has no such event"
    return _sent(place, queue, body)


def _event(place: Place, queue: Queue, letter: Letter) -> str:
    return _sent(place, queue, letter.text)


def _sent(place: Place, queue: Queue, body: str) -> str:
    if queue.source is None:
        return "" if to_topic(place)([body]) else "it can not be published"
    to_queue(place, queue.source)([body])
    return ""
