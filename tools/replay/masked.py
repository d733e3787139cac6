"""An event as an operator may see it: ids, states and instants whole, everything else masked."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from hms import ids, masking
from hms.events import Event

# In capitals alone a name could be a state: the field has to be one of states.
_STATES = {"status", "kind", "channel", "currency", "weekday"}
_STATE = re.compile(r"[A-Z_]{2,}")
_PHONE = re.compile(r"\+?[\d ()]{6,}")
_ENVELOPE = frozenset(Event.model_fields) - {"data"}


def masked(content: dict[str, Any]) -> dict[str, Any]:
    """An event's envelope holds no personal data; whatever else there is is masked value by value."""
    return {name: value if name in _ENVELOPE else _masked(value, name) for name, value in content.items()}


def _masked(value: Any, field: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _masked(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, field) for one in value]
    return _text(value, field) if isinstance(value, str) else value


def _text(text: str, field: str) -> str:
    if ids.is_id(text) or _is_instant(text) or (field in _STATES and _STATE.fullmatch(text)):
        return text
    if "@" in text:
        return masking.email(text)
    return masking.phone(text) if _PHONE.fullmatch(text) else masking.name(text)


def _is_instant(text: str) -> bool:
    """An instant is no secret; a date may be somebody's birthday."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
