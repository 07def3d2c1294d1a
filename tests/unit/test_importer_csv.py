"""Tables in CSV: separators, quotes, widths, headers, bytes that are no text."""

import bz2
import gzip
import tracemalloc
from typing import Any

import pytest

from services.assessment.model import ImportedOfficer
from services.catalog.importers import Format, ListReader, Options
from shared.domain import Course
from shared.errors import InvalidInput, Malformed
from shared.imports.rows import ROW_LIMIT
from shared.imports.tables import CsvReader, FieldTable, delimiter_of
from tests.support.course_lists import GUESS, courses, read, results_of, workbook


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_separator_and_end_of_line_is_read(mark: str, end: str) -> None:
    body = end.join([f"title{mark}code", f'"a{mark} ""b"""{mark}1', f"c{mark}2", ""])
    assert [(one.title.en, one.code) for one in courses("csv", body)] == [(f'a{mark} "b"', "1"), ("c", "2")]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_open_quote_loses_only_its_own_row(size: int) -> None:
    body = 'title,code\nfirst,1\n"never closed,2\nthird,3\n"two\nlines",4\nfifth,"5"\n'
    _, rows = read("csv", body.encode(), size=size)
    text = "a quote is opened here and not closed"
    assert results_of(rows) == [(2, "first"), (3, text), (4, "third"), (5, "two\nlines"), (6, "fifth")]
    assert rows[1].begins == '"never closed,2'


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_first_line_that_names_the_separator_is_no_header(mark: str, end: str) -> None:
    reader = CsvReader(FieldTable(ImportedOfficer))
    lines = (f"sep={mark}", mark.join(("officer", "job_group", "agency")), mark.join(("officer-1", "service", "north")))
    [row] = [row for row in reader.feed(end.join((*lines, "")).encode()) if row]
    assert row.content == ImportedOfficer(officer="officer-1", job_group="service", agency="north")
    assert row.number == 3


def test_a_text_that_a_formula_keeps_is_read_and_a_row_of_empty_ones_is_empty() -> None:
    """Programs write `="00123"` to keep zeros, and `=""` for nothing."""
    reader = CsvReader(FieldTable(ImportedOfficer))
    lines = ('="officer",job_group,agency,=""', '="00123",service,="north",=""', '="",="",=""')
    [officer] = [row for row in (*reader.feed("\n".join((*lines, "")).encode()), *reader.end()) if row]
    assert officer.content == ImportedOfficer(officer="00123", job_group="service", agency="north")
    found = courses("csv", 'title,code\n="first",="001",=""\n="",=""\n')
    assert [(one.title.en, one.code) for one in found] == [("first", "001")]


@pytest.mark.parametrize("line", ['sep="', "sep=\r", "sep=\n", "sep="])
def test_a_quote_or_a_line_end_is_no_separator(line: str) -> None:
    """The `csv` module of Python 3.13 raises ValueError for one."""
    assert delimiter_of(line) in ",;\t|"


def test_an_open_quote_at_the_end_or_before_much_text_loses_only_its_own_row() -> None:
    count = ROW_LIMIT // 200  # more text than one row may hold
    lines = [f"row {n} {'x' * 200},{n}" for n in range(count)]
    _, rows = read("csv", "\n".join(["title,code", '"open,1', *lines, '"open at the end,2']).encode())
    assert [row.number for row in rows if row.content is None] == [2, count + 3]
    assert sum(row.content is not None for row in rows) == count


def test_lines_inside_an_open_quote_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read_sizes: list[int] = []
    cells = CsvReader._cells

    def counted(reader: CsvReader[Course], raw: bytes) -> Any:
        read_sizes.append(len(raw))
        return cells(reader, raw)

    monkeypatch.setattr(CsvReader, "_cells", counted)
    body = b"title,code\n" + b'"open\n' + b'""\n' * 900 + b'",1\nnext,2\n'
    _, rows = read("csv", body)
    assert [(row.number, row.content is None) for row in rows] == [(2, True), (3, False)]
    assert sum(read_sizes) < 2 * len(body)


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_literal_quotes_over_several_lines_are_kept(size: int) -> None:
    body = b'title,code\r\n"a ""b""\r\n""c"" d\r\ne""",1\r\nnext,2\r\n'
    _, rows = read("csv", body, size=size)
    assert results_of(rows) == [(2, 'a "b"\n"c" d\ne"'), (3, "next")]


def test_rows_of_another_width_are_rejected_and_the_rest_is_read() -> None:
    _, rows = read("csv", b"title,code\na,1,more\nb\nc,3,,\nd,4\n\n")
    assert [(row.number, row.content is None) for row in rows] == [(2, True), (3, True), (4, False), (5, False)]
    assert [row.problems[0].detail for row in rows[:2]] == [
        "has 3 columns; the first row has 2",
        "has 1 columns; the first row has 2",
    ]


def test_a_row_without_end_is_rejected_and_never_buffered() -> None:
    reader = ListReader("csv", GUESS)
    found = list(reader.feed(b"title,code\n"))
    for _ in range(20):
        found += reader.feed(b"x" * ROW_LIMIT)
    found += [*reader.feed(b"\nnext,2\n"), *reader.end()]
    assert results_of([row for row in found if row]) == [(2, f"a row may hold {ROW_LIMIT} bytes"), (3, "next")]


@pytest.mark.parametrize("cell", ["x", '"x', '"x"'])
@pytest.mark.parametrize("size", [5000, 1 << 22])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_row_that_is_too_long_is_one_row(cell: str, size: int, end: bytes) -> None:
    long = cell.replace("x", "x" * (3 * ROW_LIMIT)).encode()
    _, rows = read("csv", b"title,code" + end + b"a," + long + end + b"next,2" + end, size=size)
    assert results_of(rows) == [(2, f"a row may hold {ROW_LIMIT} bytes"), (3, "next")]


def test_nul_bytes_and_controls_are_left_out() -> None:
    assert [one.title.en for one in courses("csv", b"title\nab\x00c\x07\n")] == ["abc"]


@pytest.mark.parametrize("form", ["csv", "ndjson", "jsonld"])
@pytest.mark.parametrize("encoding", [None, "tis-620"])
@pytest.mark.parametrize("size", [1, 1000])
def test_a_binary_file_is_refused_by_its_kind(form: Format, encoding: str | None, size: int) -> None:
    kinds = {
        "ZIP, .xlsx": workbook(["title"], ["a"]),
        ".xls": b"\xd0\xcf\x11\xe0" + b"\x00" * 100,
        "gzip": gzip.compress(b"title\na\n"),
        "PDF": b"%PDF-1.7\n",
        "bzip2": bz2.compress(b"title\na\n", 1),
        "Parquet": b"PAR1\x15\x04\x15\x10" + b"\x00" * 100,
        "RAR": b"Rar!\x1a\x07\x01\x00",
    }
    for kind, body in kinds.items():
        with pytest.raises(Malformed) as refused:
            read(form, body, Options(columns="guess", encoding=encoding), size)
        assert f"this is a binary file ({kind})" in refused.value.detail


@pytest.mark.parametrize("name", ["PAR1", "BZh9", "Rar!", "%PDF-", "7z", "PK", "SQLite format 3", "title"])
@pytest.mark.parametrize("size", [1, 1000])
def test_a_text_that_begins_with_the_letters_of_a_binary_format_is_a_text(name: str, size: int) -> None:
    _, [row] = read("csv", f"{name},Course name\nx,Statistics\n".encode(), Options(columns="title=#2"), size)
    assert row.content
    assert row.content.title.en == "Statistics"


def test_rows_over_a_table_may_have_several_cells() -> None:
    above = "Report generated,2025-01-01,\nหน่วยงาน:,สำนักงาน ก.พ.,,หน้า 1\n,,\n"
    body = above + "Course Name,Hours,Provider\nA,3,P\n"
    for options in (GUESS, Options(columns="title=Course Name,hours=Hours,provider=Provider")):
        _, [row] = read("csv", body.encode(), options)
        assert row.content
        assert (row.number, row.content.title.en, row.content.hours) == (5, "A", 3)
    named = "Kurzbezeichnung,Umfang\n" + "Daten,12\n" * 20
    with pytest.raises(InvalidInput) as refused:
        read("csv", named.encode())
    assert refused.value.detail.endswith("There are: Kurzbezeichnung, Umfang")
    with pytest.raises(InvalidInput) as refused:
        read("csv", b"Kurzbezeichnung,Umfang\nCourse,12\n")  # a course that is called so is no header
    assert refused.value.detail.endswith("There are: Kurzbezeichnung, Umfang")


def test_descriptions_of_rows_are_not_kept_in_memory() -> None:
    reader = ListReader("csv", GUESS)
    rows = (f'c{n},Course,"{n} {"in some words " * 300}"\n' for n in range(120))
    list(reader.feed(b"id,title,description\n" + next(rows).encode()))
    tracemalloc.start()
    try:
        for row in rows:
            list(reader.feed(row.encode()))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 400_000  # each row has 4,000 bytes
