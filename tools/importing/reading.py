"""CSV files as older systems leave them. Every record keeps the bytes it was, so that none can be lost."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# The first column of a quarantine file, which is a file of the older system otherwise.
REASONS = "reasons"
_BOM = b"\xef\xbb\xbf"
# A quote that is never closed must not swallow the rest of the file.
_LONGEST_RECORD_LINES = 100


@dataclass(frozen=True, slots=True)
class Row:
    """A record that begins on `line`; `values` are its trimmed cells by column, None where they cannot be told."""

    line: int
    raw: bytes
    values: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """`header` is the header's line as it stands."""

    name: str
    header: bytes
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read(path: Path) -> Sheet:
    """A file of the older system, or a quarantine file, whose column of reasons is taken off; none is an empty one."""
    lines = (path.read_bytes() if path.exists() else b"").removeprefix(_BOM).split(b"\n")
    first = next((at for at, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return Sheet(path.name, b"", (), ())
    header = lines[first].rstrip(b"\r")
    columns = [column.strip() for column in _cells(header.decode(errors="replace")) or []]
    quarantined = columns[:1] == [REASONS]
    rows = tuple(_rows(lines, first + 1, columns))
    if quarantined:
        rows = tuple(Row(row.line, _rest(row.raw), row.values) for row in rows)
        header, columns = _rest(header), columns[1:]
    return Sheet(path.name, header, tuple(columns), rows)


def _rest(raw: bytes) -> bytes:
    return raw.partition(b",")[2] if b"," in raw else raw


def _rows(lines: Sequence[bytes], at: int, columns: Sequence[str]) -> Iterator[Row]:
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        raw, cells, length = _record(lines, at, len(columns))
        yield Row(at + 1, raw, _named(cells, columns))
        at += length


def _named(cells: list[str] | None, columns: Sequence[str]) -> dict[str, str] | None:
    if cells is None or len(cells) != len(columns) or len(set(columns)) != len(columns):
        return None
    return {column: cell.strip() for column, cell in zip(columns, cells, strict=True)}


def _record(lines: Sequence[bytes], at: int, width: int) -> tuple[bytes, list[str] | None, int]:
    """A record, its cells, and over how many lines it goes: more than one only where that makes it whole."""
    alone = lines[at].rstrip(b"\r")
    cells = _decoded(alone)
    if cells is None and b'"' in alone:
        for end in range(at + 2, min(at + _LONGEST_RECORD_LINES, len(lines)) + 1):
            raw = b"\n".join(lines[at:end]).rstrip(b"\r")
            if raw.count(b'"') % 2 == 0 and len(longer := _decoded(raw) or []) == width:
                return raw, longer, end - at
    return alone, cells, 1


def _decoded(raw: bytes) -> list[str] | None:
    try:
        return _cells(raw.decode())
    except UnicodeDecodeError:
        return None


def _cells(text: str) -> list[str] | None:
    """The cells of exactly one record, None for anything else."""
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return None
    return records[0] if len(records) == 1 else None
