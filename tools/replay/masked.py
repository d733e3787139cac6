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
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_FIELD = re.compile(r"[a-z][a-z_]{0,39}")
_ENVELOPE = frozenset(Event.model_fields) - {"data"}
# A longer number may be somebody's: a year of birth, a phone, a place.
_LONGEST_NUMBER = 3
_DEEPEST = 20


def masked_event(event: dict[str, Any]) -> dict[str, Any]:
    """An event's envelope holds no personal data; whatever else there is is masked value by value."""
    return {name: value for name, value in event.items() if name in _ENVELOPE} | masked(
        {name: value for name, value in event.items() if name not in _ENVELOPE}
    )


def masked(content: dict[str, Any]) -> dict[str, Any]:
    """All of it masked, names of fields too where they do not look like one."""
    shown: dict[str, Any] = _masked(content)
    return shown


def _masked(value: Any, field: str = "", depth: int = 0) -> Any:
    if depth > _DEEPEST:
        return "***"
    if isinstance(value, dict):
        return {_name(name): _masked(one, name, depth + 1) for name, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, field, depth + 1) for one in value]
    return _text(value, field) if isinstance(value, str) else _number(value)


def _name(name: str) -> str:
    return name if _FIELD.fullmatch(name) else _text(name, "")


def _number(value: float | None) -> float | str | None:
    kept = value is None or isinstance(value, bool) or len(str(value)) <= _LONGEST_NUMBER
    return value if kept else "***"


def _text(text: str, field: str) -> str:
    if ids.is_id(text) or _is_instant(text) or (field in _STATES and _STATE.fullmatch(text)):
        return text
    if _EMAIL.fullmatch(text):
        return masking.email(text)
    return masking.phone(text) if _PHONE.fullmatch(text) else masking.name(text)


def _is_instant(text: str) -> bool:
    """An instant is no secret; a date may be somebody's birthday."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
