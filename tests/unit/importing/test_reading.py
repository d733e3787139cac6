from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.importing.reading import read

if TYPE_CHECKING:
    from pathlib import Path

    from tools.importing.reading import Sheet


def _read(folder: Path, content: bytes) -> Sheet:
    path = folder / "file.csv"
    path.write_bytes(content)
    return read(path)


def test_cells_are_named_by_the_header_and_trimmed(tmp_path: Path) -> None:
    sheet = _read(tmp_path, b"id,name\n1, Asha \n")
    assert [row.values for row in sheet.rows] == [{"id": "1", "name": "Asha"}]


def test_a_byte_order_mark_and_carriage_returns_are_no_part_of_a_cell(tmp_path: Path) -> None:
    sheet = _read(tmp_path, b"\xef\xbb\xbfid,name\r\n1,Asha\r\n")
    assert sheet.columns == ("id", "name")
    assert sheet.rows[0].values == {"id": "1", "name": "Asha"}


@pytest.mark.parametrize("content", [b"", b"\n\n", b"id,name\n", b"id,name\n\n  \n"])
def test_a_file_without_records_has_no_rows(tmp_path: Path, content: bytes) -> None:
    assert _read(tmp_path, content).rows == ()


def test_a_file_that_is_not_there_is_an_empty_one(tmp_path: Path) -> None:
    assert read(tmp_path / "absent.csv").rows == ()


@pytest.mark.parametrize("line", [b"1", b"1,Asha,more", b"1,\xff\xfe", b'1,"Asha', b'1,"Asha"x', b'"1,Asha'])
def test_a_line_that_is_no_record_of_the_file_is_kept_as_it_is(tmp_path: Path, line: bytes) -> None:
    sheet = _read(tmp_path, b"id,name\n" + line + b"\n2,Ravi\n")
    assert [(row.line, row.raw, row.values) for row in sheet.rows] == [
        (2, line, None),
        (3, b"2,Ravi", {"id": "2", "name": "Ravi"}),
    ]


def test_a_cell_may_go_over_lines(tmp_path: Path) -> None:
    sheet = _read(tmp_path, b'id,name\n1,"Asha\nVerma"\n2,Ravi\n')
    assert [row.values for row in sheet.rows] == [{"id": "1", "name": "Asha\nVerma"}, {"id": "2", "name": "Ravi"}]
    assert [row.line for row in sheet.rows] == [2, 4]


def test_a_quote_that_is_never_closed_swallows_no_other_row(tmp_path: Path) -> None:
    others = b"".join(b"%d,Ravi\n" % number for number in range(2, 300))
    sheet = _read(tmp_path, b'id,name\n1,"Asha\n' + others)
    assert [row.values is None for row in sheet.rows] == [True] + [False] * 298


def test_two_columns_of_one_name_make_every_row_unreadable(tmp_path: Path) -> None:
    assert [row.values for row in _read(tmp_path, b"id,id\n1,2\n").rows] == [None]


def test_the_column_of_reasons_of_a_quarantine_file_is_taken_off(tmp_path: Path) -> None:
    sheet = _read(tmp_path, b'reasons,id,name\nBAD_DATE;TOO_LONG,1,Asha\nMALFORMED_ROW,2,"Ravi\n')
    assert (sheet.header, sheet.columns) == (b"id,name", ("id", "name"))
    assert [row.raw for row in sheet.rows] == [b"1,Asha", b'2,"Ravi']
    assert sheet.rows[0].values == {"reasons": "BAD_DATE;TOO_LONG", "id": "1", "name": "Asha"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=30), st.text('1,"\r a', max_size=12).map(str.encode)), max_size=25))
def test_no_byte_of_any_file_is_lost(tmp_path: Path, lines: list[bytes]) -> None:
    content = b"id,name\n" + b"\n".join(lines)
    rows = _read(tmp_path, content).rows
    kept = [line.rstrip(b"\r") for row in rows for line in row.raw.split(b"\n")]
    assert [line for line in kept if line.strip()] == [
        line.rstrip(b"\r") for line in content.split(b"\n")[1:] if line.strip()
    ]
