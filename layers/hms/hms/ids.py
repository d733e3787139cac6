"""Identifiers: UUIDv7 for what is new, UUIDv8 for what is derived from something else."""

from __future__ import annotations

import hashlib
import os
import re
import time

_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new() -> str:
    """A UUIDv7: sorts by the millisecond it was made in."""
    milliseconds = time.time_ns() // 1_000_000
    number = milliseconds << 80 | int.from_bytes(os.urandom(10))
    return _shaped(number, version=7)


def derived(*parts: str | int) -> str:
    """The UUIDv8 that the same parts always give; parts cannot run into each other."""
    text = "\x1f".join(str(part) for part in parts)
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16])
    return _shaped(number, version=8)


def is_id(text: str) -> bool:
    return _FORM.fullmatch(text) is not None


def _shaped(number: int, version: int) -> str:
    number = number & ~(0xF << 76) | version << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
