"""A patient's statement on paper: whom it is for, every line with the balance after it, and what it comes to."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from billing import wording
from billing.clinic import clinic
from billing.paper import HEIGHT, WIDTH, Paper, Style, height_of
from hms.money import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from billing.owners import Patient
    from billing.statements import Account, Statement

_TITLE = "Statement of account"
_LEFT, _RIGHT, _TOP, _BOTTOM = 15.0, WIDTH - 15, 20.0, HEIGHT - 20
_BODY, _STRONG, _SMALL, _BIG = Style(8.5), Style(8.5, bold=True), Style(8.5, grey=90), Style(12, bold=True)
_PALE = 190
_COLUMN_GAP, _ROW_GAP, _GAP = 2.0, 1.6, 6.0
_NAME_WIDTH, _LABELS = 95.0, 128.0
# Those from the third on hold amounts and end at the right.
_COLUMNS = ("Date", "Bill", "Description", "Charges", "Payments", "Balance")
_WIDTHS = (20.0, 25.0, 54.0, 27.0, 27.0, 27.0)
_DESCRIPTION, _AMOUNTS = 2, 3


class Mark(NamedTuple):
    """A text at a place of a page; it ends there if it is set `back`."""

    x: float
    y: float
    text: str
    style: Style = _BODY
    back: bool = False


class Head(NamedTuple):
    """What stands on top of a page, down to `bottom`."""

    marks: tuple[Mark, ...]
    bottom: float


class Row(NamedTuple):
    """A row of the table of an account, whose title is repeated on every page; each cell has its lines."""

    account: str
    cells: tuple[tuple[str, ...], ...]
    style: Style = _BODY

    @property
    def height(self) -> float:
        return max(len(lines) for lines in self.cells) * height_of(self.style) + _ROW_GAP


_NOTHING = Row("", (("",), ("",), ("Nothing was charged or paid.",), ("",), ("",), ("",)))
_HEADING_HEIGHT = _GAP + 2 * height_of(_STRONG) + _ROW_GAP


def printed(statement: Statement, patient: Patient) -> bytes:
    """A PDF of A4 pages, each of which says how many there are."""
    paper = Paper(_TITLE, statement.as_of)
    first, later = _letter(statement, patient, paper), _running(statement, patient.name, paper)
    rows = [row for account in statement.accounts for row in _rows(account, statement, paper)]
    pages = paged(rows or [_NOTHING], first.bottom, later.bottom)
    for number, page in enumerate(pages, start=1):
        head = first if number == 1 else later
        paper.turn()
        _put(head.marks, paper)
        paper.rule(_LEFT, _RIGHT, head.bottom)
        _put_rows(page, head.bottom, paper)
        _put(_foot(number, len(pages)), paper)
    return paper.bound()


def paged(rows: Iterable[Row], first_top: float, later_top: float) -> list[list[Row]]:
    """The rows of each page. Each account begins with its headings, and so does each page."""
    pages: list[list[Row]] = [[]]
    y = first_top
    for row in rows:
        begins = not pages[-1] or pages[-1][-1].account != row.account
        needed = row.height + (_HEADING_HEIGHT if begins else 0)
        if pages[-1] and y + needed > _BOTTOM:
            pages.append([])
            y, needed = later_top, row.height + _HEADING_HEIGHT
        pages[-1].append(row)
        y += needed
    return pages


@cache
def _letterhead() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(Path(__file__).with_name("letterhead.json").read_text())
    return told


def _letter(statement: Statement, patient: Patient, paper: Paper) -> Head:
    """The head of the first page: the clinic, the patient, the time it is about and what it comes to."""
    y = _TOP
    marks = [Mark(_LEFT, y, _letterhead()["name"], Style(15, bold=True)), Mark(_RIGHT, y, _TITLE, _BIG, back=True)]
    for line in _letterhead()["lines"]:
        y += height_of(_SMALL)
        marks.append(Mark(_LEFT, y, line, _SMALL))
    y += 2 * _GAP
    left = [Mark(_LEFT, y, "Patient", _SMALL), *_lines(paper.wrapped(patient.name, _NAME_WIDTH, _BIG), y, _BIG)]
    left.append(Mark(_LEFT, left[-1].y + height_of(_BODY), f"MRN {patient.mrn}", _SMALL))
    right = list(_told(statement, y))
    return Head((*marks, *left, *right), max(left[-1].y, right[-1].y) + _GAP / 2)


def _told(statement: Statement, y: float) -> Iterator[Mark]:
    printed_on = wording.day(clinic().day(statement.as_of))
    told = [("Period", wording.period(statement), _BODY), ("Printed on", printed_on, _BODY)]
    told += [(*wording.balance(account), _STRONG) for account in statement.accounts if not account.historical]
    for label, value, style in told:
        yield Mark(_LABELS, y, label, _SMALL)
        yield Mark(_RIGHT, y, value, style, back=True)
        y += height_of(_BODY)


def _running(statement: Statement, patient_name: str, paper: Paper) -> Head:
    """The head of the pages after the first."""
    names = _lines(paper.wrapped(patient_name, _NAME_WIDTH, _STRONG), _TOP - height_of(_STRONG), _STRONG)
    about = Mark(_RIGHT, _TOP, f"{_TITLE}, {wording.period(statement)}", _SMALL, back=True)
    return Head((*names, about), names[-1].y + _GAP / 2)


def _lines(lines: Sequence[str], above: float, style: Style) -> list[Mark]:
    return [Mark(_LEFT, above + place * height_of(style), line, style) for place, line in enumerate(lines, start=1)]


def _foot(number: int, pages: int) -> list[Mark]:
    y = _BOTTOM + 2 * _GAP
    page = Mark(_RIGHT, y, f"Page {number} of {pages}", _SMALL, back=True)
    return [Mark(_LEFT, y, _letterhead()["name"], _SMALL), page]


def _rows(account: Account, statement: Statement, paper: Paper) -> Iterator[Row]:
    """From the opening balance to the closing one, and what lies between by kinds."""
    currency, title = account.currency, wording.title(account)

    def row(*cells: str, style: Style = _BODY) -> Row:
        return Row(title, _wrapped(cells, style, paper), style)

    since = wording.day(statement.start) if statement.start else ""
    yield row(since, "", "Opening balance", "", "", readable(account.opening_balance, currency), style=_STRONG)
    for line in account.lines:
        about = wording.day(line.day), line.bill_number, wording.description(line)
        yield row(*about, *wording.amounts(line, currency), readable(line.balance, currency))
    until, closing = wording.day(statement.end), readable(account.closing_balance, currency)
    yield row(until, "", "Closing balance", "", "", closing, style=_STRONG)
    for name, charged, paid in wording.totals(account):
        yield row("", "", name, charged, paid, "", style=_SMALL)


def _wrapped(cells: Sequence[str], style: Style, paper: Paper) -> tuple[tuple[str, ...], ...]:
    """Only descriptions may need more than a line."""
    width = _WIDTHS[_DESCRIPTION] - _COLUMN_GAP
    return tuple(
        tuple(paper.wrapped(cell, width, style)) if column == _DESCRIPTION else (cell,)
        for column, cell in enumerate(cells)
    )


def _put(marks: Iterable[Mark], paper: Paper) -> None:
    for mark in marks:
        put = paper.write_back if mark.back else paper.write
        put(mark.x, mark.y, mark.text, mark.style)


def _put_rows(rows: Iterable[Row], y: float, paper: Paper) -> None:
    account = None
    for row in rows:
        if row.account != account:
            account = row.account
            y = _put_headings(account, y, paper)
        _put_row(row, y, paper)
        y += row.height
        paper.rule(_LEFT, _RIGHT, y, _PALE)


def _put_headings(account: str, y: float, paper: Paper) -> float:
    titles = Row(account, tuple((title,) for title in _COLUMNS), _STRONG)
    paper.write(_LEFT, y + _GAP, account, _SMALL)
    _put_row(titles, y + _HEADING_HEIGHT - titles.height, paper)
    paper.rule(_LEFT, _RIGHT, y + _HEADING_HEIGHT)
    return y + _HEADING_HEIGHT


def _put_row(row: Row, y: float, paper: Paper) -> None:
    x = _LEFT
    for column, (lines, width) in enumerate(zip(row.cells, _WIDTHS, strict=True)):
        for place, line in enumerate(lines, start=1):
            baseline = y + place * height_of(row.style)
            if column < _AMOUNTS:
                paper.write(x, baseline, line, row.style)
            else:
                style = _fitting(line, width - _COLUMN_GAP, row.style, paper)
                paper.write_back(x + width, baseline, line, style)
        x += width


def _fitting(text: str, width: float, style: Style, paper: Paper) -> Style:
    """Smaller where an amount is so large that it would run into the next one."""
    needed = paper.width(text, style)
    return style._replace(size=style.size * width / needed) if needed > width else style
