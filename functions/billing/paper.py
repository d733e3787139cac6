"""Sheets of A4 that text is put on: in fonts that have ₹ and Devanagari, shaped as its readers know it."""

from __future__ import annotations

import logging
import unicodedata
import warnings
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from fpdf import FPDF
    from fpdf.fonts import TTFFont

WIDTH, HEIGHT = 210.0, 297.0
_FONTS = Path(__file__).with_name("fonts")
# A letter is printed in the first that has it. Shaping takes its time, and the first does without.
_PLAIN, *_SHAPED = _FAMILIES = ("NotoSans", "NotoSansDevanagari")
_UNPRINTABLE = "\ufffd"
# A sign that makes one letter of the one before and the one after: the virama, and what Unicode has to steer it.
_JOINING = "\u094d\u200c\u200d"
_MM_A_POINT = 25.4 / 72
# Where in a cell as high as its letters their baseline is.
_BASELINE = 0.8


class Style(NamedTuple):
    """`size` in points, `grey` from 0 (black) to 255."""

    size: float
    bold: bool = False
    grey: int = 0


class Paper:
    """Places are millimetres from the upper left corner; the `y` of a text is its baseline."""

    def __init__(self, title: str, made: datetime) -> None:
        self._pdf = _blank()
        self._pdf.set_title(title)
        self._pdf.set_lang("en-IN")
        self._pdf.set_creation_date(made)
        self._letters = {family: _fonts_of(self._pdf)[family.lower()].cmap for family in _FAMILIES}
        self._widths: dict[tuple[str, float, bool], float] = {}

    def turn(self) -> None:
        """Goes on on a new page."""
        self._pdf.add_page()

    def write(self, x: float, y: float, text: str, style: Style) -> None:
        for family, run in self._runs(text):
            self._use(family, style)
            self._put(x, y, run, shaped=family in _SHAPED)
            x += self._width_of_run(family, run, style)

    def write_back(self, right: float, y: float, text: str, style: Style) -> None:
        """Ends at `right`."""
        self.write(right - self.width(text, style), y, text, style)

    def rule(self, left: float, right: float, y: float, grey: int = 0) -> None:
        self._pdf.set_draw_color(grey)
        self._pdf.line(left, y, right, y)

    def width(self, text: str, style: Style) -> float:
        return sum(self._width_of_run(family, run, style) for family, run in self._runs(text))

    def wrapped(self, text: str, width: float, style: Style) -> list[str]:
        """The lines of a text, none wider than `width`. A word that is wider by itself is broken between letters."""
        lines, room, space = [""], width, self.width(" ", style)
        for word in text.split():
            needed = self.width(word, style) + (space if lines[-1] else 0)
            if needed <= room:
                lines[-1] += f" {word}" if lines[-1] else word
                room -= needed
                continue
            pieces = self._broken(word, width, style)
            lines = [*lines, *pieces] if lines[-1] else pieces
            room = width - self.width(pieces[-1], style)
        return lines

    def bound(self) -> bytes:
        """The PDF. Nothing can be written after it."""
        pdf = bytes(self._pdf.output())
        self.close()
        return pdf

    def close(self) -> None:
        """Lets go of the files of the fonts."""
        for font in _fonts_of(self._pdf).values():
            font.close()

    def _runs(self, text: str) -> Iterator[tuple[str, str]]:
        """The text in parts that each have one font."""
        for family, letters in groupby(text, key=self._family_of):
            yield family or _PLAIN, "".join(letters) if family else _UNPRINTABLE

    def _family_of(self, letter: str) -> str | None:
        return next((family for family in _FAMILIES if ord(letter) in self._letters[family]), None)

    def _put(self, x: float, y: float, run: str, *, shaped: bool) -> None:
        if not shaped:
            self._pdf.text(x, y, run)
            return
        self._pdf.set_xy(x, y - _BASELINE * self._pdf.font_size)
        self._pdf.cell(0, self._pdf.font_size, run)

    def _broken(self, word: str, width: float, style: Style) -> list[str]:
        pieces = [""]
        for letter in _letters_in(word):
            if pieces[-1] and self.width(pieces[-1] + letter, style) > width:
                pieces.append("")
            pieces[-1] += letter
        return pieces

    def _width_of_run(self, family: str, run: str, style: Style) -> float:
        key = run, style.size, style.bold
        if key not in self._widths:
            self._use(family, style)
            self._widths[key] = self._pdf.get_string_width(run)
        return self._widths[key]

    def _use(self, family: str, style: Style) -> None:
        self._pdf.set_font(family, "B" if style.bold else "", style.size)
        self._pdf.set_text_color(style.grey)
        self._pdf.set_text_shaping(family in _SHAPED)


def height_of(style: Style) -> float:
    """From one line's baseline to the next; signs above and below Devanagari letters need the room."""
    return style.size * _MM_A_POINT * 1.4


def _blank() -> FPDF:
    with warnings.catch_warnings():
        # Pillow is not in Lambda's layer, and it says so: only pictures would need it.
        warnings.simplefilter("ignore")
        from fpdf import FPDF

    # It logs letters that a font lacks, and they are somebody's name.
    logging.getLogger("fpdf").setLevel(logging.CRITICAL)
    pdf = FPDF(unit="mm", format="A4")
    pdf.set_auto_page_break(auto=False)
    pdf.set_line_width(0.2)
    pdf.c_margin = 0
    for family in _FAMILIES:
        pdf.add_font(family, "", _FONTS / f"{family}-Regular.ttf")
        pdf.add_font(family, "B", _FONTS / f"{family}-Bold.ttf")
    return pdf


def _fonts_of(pdf: FPDF) -> dict[str, TTFFont]:
    from fpdf.fonts import TTFFont

    return {name: font for name, font in pdf.fonts.items() if isinstance(font, TTFFont)}


def _letters_in(word: str) -> list[str]:
    """What a word may be broken between: letters with their signs, conjuncts whole."""
    letters: list[str] = []
    for sign in word:
        joined = unicodedata.category(sign).startswith("M") or sign in _JOINING
        if letters and (joined or letters[-1][-1] in _JOINING):
            letters[-1] += sign
        else:
            letters.append(sign)
    return letters
