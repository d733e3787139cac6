"""Events put on the topic, up to ten a call, and for each what became of it."""

from __future__ import annotations

import json
from itertools import batched
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST = 10
# Everything else passes: throttling, the network, a key or a policy that somebody is about to mend.
_FOR_GOOD = {"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "BatchRequestTooLong"}


class Unsent(Exception):
    """Not out this time; the next attempt may succeed. The text is the class of the fault."""


class Refused(Exception):
    """Never to be published as it is. The text is the class of the fault."""


type Fate = Unsent | Refused | None


class Topic:
    """One SNS topic, through an SNS client."""

    def __init__(self, sns: Any, arn: str) -> None:
        self._sns = sns
        self._arn = arn

    def publish(self, bodies: Sequence[str | None]) -> list[Fate]:
        """Each event (JSON text) in order; None where it is out, else why it is not."""
        return [fate for some in batched(bodies, _MOST, strict=False) for fate in self._publish(some)]

    def _publish(self, bodies: Sequence[str | None]) -> list[Fate]:
        kinds = [_type_of(body) for body in bodies]
        entries = [
            _entry(number, body, kind)
            for number, (body, kind) in enumerate(zip(bodies, kinds, strict=True))
            if body and isinstance(kind, str)
        ]
        left = dict(self._unpublished(entries)) if entries else {}
        return [kind if isinstance(kind, Refused) else left.get(str(number)) for number, kind in enumerate(kinds)]

    def _unpublished(self, entries: list[dict[str, Any]]) -> Iterator[tuple[str, Fate]]:
        """A call that is refused as a whole is made again for each entry alone."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._sns.publish_batch(TopicArn=self._arn, PublishBatchRequestEntries=entries)
        except (BotoCoreError, ClientError) as error:
            fate = _fate(_code(error))
            if isinstance(fate, Refused) and len(entries) > 1:
                for entry in entries:
                    yield from self._unpublished([entry])
            else:
                yield from ((entry["Id"], fate) for entry in entries)
        else:
            yield from ((failed["Id"], _fate(failed["Code"])) for failed in answer.get("Failed", ()))


def _type_of(body: str | None) -> str | Refused:
    try:
        (body or "").encode()
        kind = json.loads(body or "")["type"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        return Refused(type(error).__name__)
    return kind if isinstance(kind, str) and kind else Refused("NoType")


def _entry(number: int, body: str, kind: str) -> dict[str, Any]:
    attributes = {"type": {"DataType": "String", "StringValue": kind}}
    return {"Id": str(number), "Message": body, "MessageAttributes": attributes}


def _code(error: Exception) -> str:
    # A connection that broke has a response that is None.
    response: dict[str, Any] = getattr(error, "response", None) or {}
    code: str = response.get("Error", {}).get("Code") or type(error).__name__
    return code


def _fate(code: str) -> Fate:
    return Refused(code) if code.removesuffix("Exception") in _FOR_GOOD else Unsent(code)
