"""Reads a framework from files. A matrix in an Excel workbook is converted to CSV first."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, islice

import msgspec

from services.catalog import frameworks
from services.catalog.frameworks import Options, Reading, Source, is_workbook
from services.catalog.frameworks.level_words import is_level
from services.catalog.frameworks.matrix_heading import HEADING_ROWS, names_columns
from services.catalog.importers.sheets import COLUMNS, WorkbookTable, opened
from shared.errors import TooLarge
from shared.imports.rows import WITHOUT_CONTENT_LIMIT

_MATRIX_LIMIT = 64 * 1024 * 1024
"""The most bytes of a matrix as CSV; it is kept in memory."""


def read_framework(name: str, sources: Sequence[Source], options: Options) -> Reading:
    """Return the framework that files in the format `name` hold, with a report.

    Raises InvalidInput, Malformed, TooLarge, Unsupported.
    """
    assumed: list[str] = []
    if name == "csv":
        sources = [_as_csv(source, options, assumed) if is_workbook(source) else source for source in sources]
    reading = frameworks.read(name, list(sources), options)
    return msgspec.structs.replace(reading, assumed=[*assumed, *reading.assumed])


def _as_csv(source: Source, options: Options, assumed: list[str]) -> Source:
    """Return as CSV the sheet of a workbook that the options name, or else the one that holds a matrix, or the first.

    Other sheets are named in `assumed`. Raises InvalidInput, which names `sheet`; Malformed, TooLarge.
    """
    raw = io.BytesIO()
    writer = csv.writer(io.TextIOWrapper(raw, "utf-8", newline="", write_through=True), quoting=csv.QUOTE_ALL)
    with source.opened() as file, opened(file) as book:
        sheet = WorkbookTable(book, lambda first: any(names_columns(row, options) for row in first), options.sheet)
        rows = (_spread(cells, sheet.across, options) for _, cells, _ in sheet)
        first = list(islice(rows, HEADING_ROWS))
        width, empty = max(map(_width, first), default=0), 0
        for cells in chain(first, rows):
            empty += not any(cells)
            if empty > WITHOUT_CONTENT_LIMIT:
                assumed.append(
                    f"over {WITHOUT_CONTENT_LIMIT} rows of sheet {sheet.title!r} are empty; the rest is not read"
                )
                break
            writer.writerow(cells[: max(width, _width(cells))] if any(cells) else [])
            if sheet.is_cut:
                raise TooLarge(f"a matrix in a workbook may have {COLUMNS} columns; save it as CSV")
            if raw.tell() > _MATRIX_LIMIT:
                raise TooLarge(f"a matrix in a workbook may hold {_MATRIX_LIMIT} bytes as CSV")
        if sheet.unread:
            names = ", ".join(map(repr, sheet.unread))
            assumed.append(f"sheet {sheet.title!r} is read, and not: {names}; `sheet` names one to read")
    return replace(source, data=raw.getvalue(), member="", separator=",")


def _spread(cells: list[str], across: Sequence[tuple[int, int]], options: Options) -> list[str]:
    """Return the cells of a row, in which a level that is merged to the right holds for each of its columns."""
    for first, last in across:
        if first <= len(cells) and cells[first - 1] and is_level(cells[first - 1], options.scale):
            cells[first - 1 : last] = [cells[first - 1]] * len(cells[first - 1 : last])
    return cells


def _width(cells: Sequence[str]) -> int:
    return max((number for number, cell in enumerate(cells, 1) if cell), default=0)
