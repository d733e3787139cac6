"""Instants of older systems: a time without an offset is one of the clinic's zone."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from appointments.clinic import clinic

CLINIC_ZONE = clinic().timezone
_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?")


def instant(text: str) -> str:
    """RFC 3339 with an offset; what is no time stays as it is, for the domain to refuse."""
    if not _WRITTEN.fullmatch(text):
        return text
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (time if time.tzinfo else time.replace(tzinfo=ZoneInfo(CLINIC_ZONE))).isoformat()
