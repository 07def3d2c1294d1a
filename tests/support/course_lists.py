"""Lists of courses in a file format, written and read in tests."""

import io
from collections.abc import Iterable
from typing import Any

import openpyxl

from services.catalog.importers import Format, ListReader, Options
from shared.domain import Course
from shared.imports.rows import Row

THAI = "การเขียนโปรแกรมภาษาไพทอนเบื้องต้น"
GUESS = Options(columns="guess")


def read(
    form: Format, body: bytes, options: Options = GUESS, size: int = 1 << 20
) -> tuple[ListReader, list[Row[Course]]]:
    reader = ListReader(form, options)
    try:
        pieces: Iterable[bytes] = (body[at : at + size] for at in range(0, len(body), size))
        rows = [row for piece in pieces for row in reader.feed(piece)] + list(reader.end())
    finally:
        reader.close()
    return reader, sorted(filter(None, rows), key=lambda row: row.number)  # some wait for the end of the list


def courses(form: Format, body: bytes | str, options: Options = GUESS, size: int = 1 << 20) -> list[Course]:
    _, rows = read(form, body.encode() if isinstance(body, str) else body, options, size)
    return [row.content for row in rows if row.content]


def results_of(rows: list[Row[Course]]) -> list[tuple[int, str]]:
    return [(row.number, (row.content.title.en or "") if row.content else row.problems[0].detail) for row in rows]


def workbook(*rows: Iterable[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()
