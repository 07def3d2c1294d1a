"""Reads courses from one sheet of an Excel workbook, row by row.

This is the sheet that the request names, or else the first one whose columns are those of a list of courses, or else
the first one with rows; `sheets` reads it. A workbook is a ZIP archive with the index at the end, so it is first stored
in a temporary file.
"""

import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

from services.catalog.importers.sheets import WorkbookTable, opened, refuse_old_format
from services.catalog.importers.tables import Options, Table, guessed
from shared.domain import Course
from shared.errors import TooLarge, Warned
from shared.imports.rows import Row

PACKED_LIMIT = 64 * 1024 * 1024


class WorkbookReader:
    """Stores a workbook in a temporary file while it arrives, and reads it at the end."""

    def __init__(self, options: Options) -> None:
        self.table = Table(options)
        self._sheet = options.sheet
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[Row[Course] | None]:
        """Store the next bytes of the workbook; yield no row. Raises TooLarge, Malformed."""
        if not self._size:
            refuse_old_format(piece)
        self._size += len(piece)
        if self._size > PACKED_LIMIT:
            raise TooLarge(f"a workbook may hold {PACKED_LIMIT} bytes; save it as CSV, or divide it")
        self._file.write(piece)
        yield from ()

    def end(self) -> Iterator[Row[Course] | None]:
        """Yield all rows of the workbook, None for a row without a course.

        Raises Malformed, TooLarge; InvalidInput, which names `map` or `sheet`.
        """
        with opened(self._file) as book:
            rows = WorkbookTable(book, self._names_courses, self._sheet)
            last: Row[Course] | None = None
            for number, cells, links in rows:
                self.table.shared_links = rows.shared_links
                if row := self.table.row(number, cells, links, rows.across):
                    yield last
                    last = row
            if last and rows.unread:
                names = ", ".join(repr(name) for name in rows.unread)
                detail = f"the workbook holds more sheets, which are not read: {names[:300]}; `sheet` names one to read"
                last.warnings.append(Warned("", detail))
            yield last

    def close(self) -> None:
        """Delete the temporary file."""
        self._file.close()

    def _names_courses(self, rows: Sequence[Sequence[str]]) -> bool:
        """Return whether one of the first rows of a sheet holds names of columns: usual ones, or those of `map`."""
        for cells in rows:
            facts = guessed([" ".join(cell.split()) for cell in cells])
            if any(fact.startswith("title") for fact in facts) and sum(map(bool, cells)) > 1:
                return True
            if self.table.asks_for(cells):
                return True
        return False
