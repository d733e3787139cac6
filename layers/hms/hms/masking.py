"""Personal data as it may appear where people other than its owner look: docs/rules.md "Masking"."""

from __future__ import annotations

_SHOWN = 2
_LAST = 4


def email(address: str) -> str:
    """`john.doe@example.com` → `jo****@example.com`."""
    local, _, domain = address.partition("@")
    return f"{local[:_SHOWN]}****@{domain}"


def phone(number: str) -> str:
    """`1234567890` → `******7890`."""
    return "*" * max(0, len(number) - _LAST) + number[-_LAST:]


def name(text: str) -> str:
    """`Asha` → `As***`."""
    return f"{text[:_SHOWN]}***"
