"""Reads the cells of one sheet of an Excel workbook, row by row.

This is the sheet that is asked for, or else the first one that is wanted by its first rows, or else the first one with
rows; visible sheets come before hidden ones. The size of the contents is checked before they are decompressed.
"""

import html
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from openpyxl import load_workbook
from openpyxl.cell.read_only import EMPTY_CELL
from openpyxl.packaging.relationship import get_dependents, get_rels_path
from openpyxl.utils import column_index_from_string

from services.catalog.importers.cells import shown, text_of
from services.catalog.importers.tables import HYPERLINK
from shared.errors import InvalidInput, Malformed, TooLarge
from shared.imports.archives import OLD_WORKBOOK, UNREADABLE, files_in
from shared.texts import folded

UNPACKED_LIMIT = 512 * 1024 * 1024
_STRINGS_LIMIT = 48 * 1024 * 1024
"""The most bytes of the texts that cells share; they are kept in memory."""

_SETTINGS_LIMIT = 8 * 1024 * 1024
"""The most bytes of the styles, the names and the list of sheets together; they are read into memory."""

_PARTS_LIMIT = 10_000
"""The most files in the archive of a workbook; their list is kept in memory."""

_SETTINGS = ("workbook.xml", "workbook.xml.rels", "styles.xml", "[content_types].xml", "core.xml", "custom.xml")
COLUMNS = 500
"""The columns of a sheet that are read, the first ones."""

_LOOKED_AT = 20
"""If a workbook has several sheets, the names of columns are looked for in this many rows of each sheet."""
_PIECE = 1024 * 1024
_MERGED = 10_000
"""The most rows in which merged cells may begin, or formulas have no result; further such cells are read as empty."""

_MERGE = re.compile(rb'<(?:\w{1,10}:)?mergeCell\s+ref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"')
_FORMULA = re.compile(
    rb'<(?:\w{1,10}:)?c\s[^<>]{0,100}?\br="([A-Z]{1,3})(\d{1,7})"[^<>]{0,100}>\s*<(?:\w{1,10}:)?f>([^<]{1,8192})</(?:\w{1,10}:)?f>'
    rb"\s*(?:<(?:\w{1,10}:)?v\s*/>|<(?:\w{1,10}:)?v></(?:\w{1,10}:)?v>)?\s*</(?:\w{1,10}:)?c>"
)
"""A cell with a formula and without its result, as programs write it that do not calculate."""

_LINKED = re.compile(
    rb'<(?:\w{1,10}:)?c\s[^<>]{0,100}?\br="([A-Z]{1,3})(\d{1,7})"[^<>]{0,100}>\s*<(?:\w{1,10}:)?f>\s*(HYPERLINK\([^<]{1,8192})<'
)
"""A cell whose formula links a text to an address."""

_LINKS = 70_000
"""The most rows whose cells link to an address; Excel stores 65,530 links of a sheet."""

_LINK = re.compile(rb"<(?:\w{1,10}:)?hyperlink\s([^<>]{1,8192})>")
_PLACE = re.compile(rb'(?<!\S)ref="([A-Z]{1,3})(\d{1,7})(?::([A-Z]{1,3})(\d{1,7}))?"')
_KEY = re.compile(rb'(?<!\S)\w{1,10}:id="([^"]{1,100})"')

_LONGEST_MARK = 10_000
"""The most bytes of a match of any of these patterns."""


@contextmanager
def opened(file: IO[bytes]) -> Iterator[Any]:
    """Open a workbook. Raises Malformed, also for a workbook in the old format; TooLarge."""
    file.seek(0)
    refuse_old_format(file.read(len(OLD_WORKBOOK)))
    _bound(file)
    file.seek(0)
    try:
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except Exception as error:
        raise _not_read(error) from error
    try:
        yield book
    finally:
        book.close()


def refuse_old_format(beginning: bytes) -> None:
    """Raise Malformed if a file with this beginning is a workbook in the old format, or one with a password."""
    if beginning.startswith(OLD_WORKBOOK):
        raise Malformed("this workbook is in the old format or has a password; save it as .xlsx, without a password")


class WorkbookTable:
    """The rows of the sheet of a workbook that is read.

    `is_wanted`: whether the first rows of a sheet are what is looked for; it is not asked if the workbook has one sheet.
    `asked`: the name of the sheet to read. While the rows are read, `title` is the sheet's name, `shared_links` holds
    the addresses to which cells of several rows link, `is_cut` tells whether a row so far has more columns than are
    read, and `across` holds (first column, last column), from 1, of the row's cells that are merged to the right; after
    that, `unread` holds the names of the other sheets with rows.
    """

    def __init__(self, book: Any, is_wanted: Callable[[Sequence[Sequence[str]]], bool], asked: str | None) -> None:
        self._book = book
        self._is_wanted = is_wanted
        self._asked = asked
        self.title = ""
        self.shared_links: set[str] = set()
        self.is_cut = False
        self.across: list[tuple[int, int]] = []
        self.unread: list[str] = []

    def __iter__(self) -> Iterator[tuple[int, list[str], dict[int, str]]]:
        """Yield the number of each row, its cells, and {number of a cell, from 0: the address that it links to}.

        Raises InvalidInput, which names `sheet`; Malformed.
        """
        rows = self._rows()
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except InvalidInput:
                raise
            except Exception as error:
                raise _not_read(error) from error
            yield row

    def _rows(self) -> Iterator[tuple[int, list[str], dict[int, str]]]:
        sheets = sorted(self._book.worksheets, key=lambda sheet: sheet.sheet_state != "visible")
        for sheet in sheets:
            sheet.reset_dimensions()
        asked = self._asked and folded(self._asked)
        if asked and (named := [sheet for sheet in sheets if folded(sheet.title) == asked]):
            chosen = named[0]
        elif asked:
            names = ", ".join(sheet.title for sheet in sheets)
            raise InvalidInput(f"there is no sheet {self._asked!r}; there are: {names[:1000]}", "sheet")
        else:
            wanted = (sheet for sheet in sheets if self._is_wanted(_first_rows(sheet)))
            chosen = next(wanted, None) if len(sheets) > 1 else None
        for sheet in [chosen] if chosen else sheets:
            begun = False
            self.title = sheet.title
            left_out = _LeftOut(self._book, sheet)
            self.shared_links = left_out.shared_links
            for number, row in enumerate(sheet.iter_rows(max_col=COLUMNS + 1), 1):
                *cells, further = _texts(row)
                self.is_cut = self.is_cut or bool(further)
                left_out.fill(number, cells)
                self.across = left_out.across(number)
                begun = begun or any(cells)
                yield number, cells, left_out.links(number)
            if begun:
                self.unread = [one.title for one in sheets if one is not sheet and any(map(any, _first_rows(one)))]
                return


def _first_rows(sheet: Any) -> list[list[str]]:
    rows = sheet.iter_rows(values_only=True, max_row=_LOOKED_AT, max_col=COLUMNS)
    return [[text_of(value) for value in values] for values in rows]


def _texts(row: Sequence[Any]) -> list[str]:
    return ["" if cell is EMPTY_CELL else _text(cell) for cell in row]


def _text(cell: Any) -> str:
    if (value := cell.value) is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool) and cell.has_style:
        return shown(value, cell.number_format)
    return text_of(value)


class _LeftOut:
    """What openpyxl leaves out of the cells of a sheet when it reads row by row.

    The value of cells that are merged downwards is that of the first one. A formula without a result stands for its
    cell. A cell may link to an address. The sheet lists its merged cells and its links after its rows, so it is
    searched before the rows are read.
    """

    def __init__(self, book: Any, sheet: Any) -> None:
        self._starts: dict[int, list[tuple[int, int]]] = {}
        """{first row: [(column, last row)]} of merged cells."""
        self._held: dict[int, tuple[int, str]] = {}
        """{column: (last row, value)} of the cells that are merged at the present row."""
        self._across: dict[int, list[tuple[int, int, int]]] = {}
        """{first row: [(last row, first column, last column)]} of cells that are merged to the right."""
        self._present: list[tuple[int, int, int]] = []
        """Those of them that are at the present row."""
        self._formulas: dict[int, list[tuple[int, str]]] = {}
        """{row: [(column, formula)]} of cells without a result."""
        self._links: dict[int, dict[int, str]] = {}
        """{row: {number of the cell, from 0: key of the address}}."""
        self._linked: dict[int, dict[int, str]] = {}
        """{row: {number of the cell, from 0: address in its formula}}."""
        rest = b""
        with book._archive.open(sheet._worksheet_path) as opened:  # noqa: SLF001 - openpyxl reads no merged cells row by row
            while len(self._starts) < _MERGED and (piece := opened.read(_PIECE)):
                text = rest + piece
                found = max(find(text) for find in (self._find_merged, self._find_formulas, self._find_links))
                rest = text[max(found, len(text) - _LONGEST_MARK) :]
        self._addresses = _addresses(book._archive, sheet._worksheet_path) if self._links else {}  # noqa: SLF001 - as above

    def _find_merged(self, text: bytes) -> int:
        end = 0
        for one in _MERGE.finditer(text):
            end = one.end()
            column, last_column = (column_index_from_string(name.decode()) for name in one.group(1, 3))
            row, last_row = int(one[2]), int(one[4])
            if row != last_row:
                self._starts.setdefault(row, []).append((column, last_row))
            if column != last_column and len(self._across) < _MERGED:
                self._across.setdefault(row, []).append((last_row, column, last_column))
        return end

    def _find_formulas(self, text: bytes) -> int:
        end = 0
        for one in _FORMULA.finditer(text) if b"f>" in text and len(self._formulas) < _MERGED else ():
            end = one.end()
            formula = "=" + html.unescape(one[3].decode(errors="replace"))
            self._formulas.setdefault(int(one[2]), []).append((column_index_from_string(one[1].decode()), formula))
        return end

    def _find_links(self, text: bytes) -> int:
        end = 0
        for one in _LINKED.finditer(text) if b"HYPERLINK(" in text else ():
            end = one.end()
            made = HYPERLINK.fullmatch("=" + html.unescape(one[3].decode(errors="replace")).strip())
            if made and "://" in made["url"] and len(self._linked) < _LINKS:
                row = self._linked.setdefault(int(one[2]), {})
                row[column_index_from_string(one[1].decode()) - 1] = made["url"]
        for one in _LINK.finditer(text) if b"hyperlink" in text else ():
            end = max(end, one.end())
            place, key = _PLACE.search(one[1]), _KEY.search(one[1])
            if not (place and key):
                continue
            first, last = (column_index_from_string((one or place[1]).decode()) for one in place.group(1, 3))
            for number in range(int(place[2]), int(place[4] or place[2]) + 1):
                if len(self._links) >= _LINKS:
                    break
                row = self._links.setdefault(number, {})
                row |= dict.fromkeys(range(first - 1, min(last, COLUMNS)), key[1].decode(errors="replace"))
        return end

    @property
    def shared_links(self) -> set[str]:
        """The addresses to which cells of several rows link."""
        rows = [set(row.values()) for row in self._linked.values()]
        rows += [
            {self._addresses[key] for key in row.values() if key in self._addresses} for row in self._links.values()
        ]
        counts = Counter(address for row in rows for address in row)
        return {address for address, count in counts.items() if count > 1}

    def links(self, number: int) -> dict[int, str]:
        """Return {number of a cell of a row, from 0: the address on the web that it links to}."""
        keys = self._links.pop(number, {})
        of_cells = {column: self._addresses[key] for column, key in keys.items() if key in self._addresses}
        return of_cells | self._linked.pop(number, {})

    def across(self, number: int) -> list[tuple[int, int]]:
        """Return (first column, last column), from 1, of the cells of a row that are merged to the right.

        Rows come in order, from 1.
        """
        self._present = [one for one in self._present if one[0] >= number] + self._across.pop(number, [])
        return [(first, last) for _, first, last in self._present]

    def fill(self, number: int, cells: list[str]) -> None:
        """Write the values of merged cells, and formulas, into a row; rows come in order, from 1."""
        for column, formula in self._formulas.pop(number, ()):
            if column <= len(cells) and not cells[column - 1]:
                cells[column - 1] = formula
        is_filled = any(cells)
        for column, (last, text) in list(self._held.items()):
            if number > last:
                del self._held[column]
            elif is_filled and column <= len(cells) and not cells[column - 1]:
                cells[column - 1] = text
        for column, last in self._starts.pop(number, ()):
            if column <= len(cells):
                self._held[column] = last, cells[column - 1]


def _addresses(archive: zipfile.ZipFile, sheet: str) -> dict[str, str]:
    """Return {key: address on the web} for the links of a sheet; empty if their list is missing or too large."""
    name = get_rels_path(sheet)
    if name not in archive.namelist() or archive.getinfo(name).file_size > _SETTINGS_LIMIT:
        return {}
    found = get_dependents(archive, name)
    return {one.id: one.target for one in found if one.id and one.target.lower().startswith(("http://", "https://"))}


def _bound(file: IO[bytes]) -> None:
    """Raise TooLarge if the file has too many parts or would decompress to too much, Malformed if it is not a workbook."""
    try:
        parts = files_in(file, _PARTS_LIMIT)
    except UNREADABLE as error:
        raise Malformed("this is no Excel workbook (.xlsx)") from error
    if not any(part.filename == "xl/workbook.xml" for part in parts):
        raise Malformed("this is a zip archive, but no Excel workbook (.xlsx)")
    kinds = {part.filename.split("/")[1] for part in parts if part.filename.count("/") > 1}
    if "chartsheets" in kinds and "worksheets" not in kinds:
        raise Malformed("the workbook holds charts only, and no sheet with cells")
    settings = sum(part.file_size for part in parts if Path(part.filename).name.lower() in _SETTINGS)
    if settings > _SETTINGS_LIMIT:
        raise TooLarge(f"the styles and names of the workbook hold more than {_SETTINGS_LIMIT} bytes; save it as CSV")
    strings = sum(part.file_size for part in parts if Path(part.filename).name.lower().startswith("sharedstrings"))
    if sum(part.file_size for part in parts) > UNPACKED_LIMIT or strings > _STRINGS_LIMIT:
        raise TooLarge(
            f"the workbook unpacks to more than {UNPACKED_LIMIT} bytes, or its texts to more than {_STRINGS_LIMIT}; "
            "save it as CSV"
        )


def _not_read(error: Exception) -> Malformed:
    return Malformed(f"the workbook cannot be read ({type(error).__name__}); save it again, or as CSV")
