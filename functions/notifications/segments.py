"""How an SMS is cut: GSM 03.38 letters where they suffice, else UCS-2; each segment is paid for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Sequence

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€")
_BASIC_PLANE = 0xFFFF
_RUPEES = re.compile(r"₹(?=\d)")
_GSM_ONE, _GSM_PART = 160, 153
_UCS_ONE, _UCS_PART = 70, 67


class Segments(BaseModel):
    """`characters` as the network counts them: an extended letter is two."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    encoding: Literal["GSM-7", "UCS-2"]
    characters: int
    segments: int


def segmented(text: str) -> Segments:
    if set(text) <= _BASIC | _EXTENDED:
        widths = [2 if letter in _EXTENDED else 1 for letter in text]
        return Segments(encoding="GSM-7", characters=sum(widths), segments=_count(widths, _GSM_ONE, _GSM_PART))
    widths = [2 if ord(letter) > _BASIC_PLANE else 1 for letter in text]
    return Segments(encoding="UCS-2", characters=sum(widths), segments=_count(widths, _UCS_ONE, _UCS_PART))


def thrifty(text: str) -> str:
    """`Rs 500.00` for `₹500.00` where the sign is all that keeps a text out of GSM-7, of 160 letters, not 70."""
    spelt = _RUPEES.sub("Rs ", text)
    return spelt if segmented(spelt).encoding == "GSM-7" else text


def _count(widths: Sequence[int], one: int, part: int) -> int:
    """A letter of two is never cut in half."""
    if sum(widths) <= one:
        return 1
    count, room = 1, part
    for width in widths:
        if width > room:
            count, room = count + 1, part
        room -= width
    return count
