"""Reads the files of a framework, alone or in ZIP archives, as text or as rows of a table; writes tables and archives.

A table is read row by row, and never in memory as a whole. The encoding of each file is detected as for lists of
courses (shared/imports/encodings.py). Decompression stops at a limit of bytes; the sizes that an archive declares are
not trusted.
"""

import codecs
import csv
import io
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from services.catalog.frameworks.builder import Builder
from services.catalog.frameworks.texts import clean, escaped
from shared.errors import InvalidInput, Malformed, TooLarge, Unsupported
from shared.imports.archives import OLD_WORKBOOK, UNREADABLE, files_in, why_unreadable
from shared.imports.encodings import Recoder
from shared.imports.tables import guarded, is_empty, unguarded
from shared.texts import folded

UNPACKED_LIMIT = 256 * 1024 * 1024
"""The most bytes that the tables of all archives may have together after decompression. ESCO has 42 MB."""

FILES_LIMIT = 100
_LISTED_LIMIT = 1000
"""The most files of an archive, of any kind; their list is parsed each time that a table is opened."""
_PIECE = 64 * 1024
_LINE_LIMIT = 4_000_000
_CONTENT_TYPES = "[Content_Types].xml"
_ZIP = b"PK\x03\x04"
_SEPARATORS = "\t;,|"
_TEXTS = (".csv", ".tsv", ".txt")
_JSON = (".json", ".jsonld")


@dataclass(frozen=True)
class Source:
    """A file: its name in reports, and its bytes or path. With `member`, it is the file of that name in an archive.

    `separator`: that of a table's columns; empty if the table tells.
    """

    name: str
    data: bytes | Path
    member: str = ""
    separator: str = ""

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open the file for reading from its beginning. Raises Malformed for an archive that cannot be read."""
        with io.BytesIO(self.data) if isinstance(self.data, bytes) else self.data.open("rb") as file:
            if not self.member:
                yield file
                return
            with _readable(self.name), zipfile.ZipFile(file) as archive, archive.open(self.member) as inside:
                yield cast("BinaryIO", inside)


@dataclass(frozen=True)
class Row:
    """A row of a table. `cells`: {name of the column: text}, without empty cells. The heading is the row number 1.

    A text is without HTML, and what still looks like HTML in it is escaped: `clean` returns the text itself.
    """

    number: int
    cells: Mapping[str, str]

    def get(self, *names: str) -> str:
        """Return the text of the first of these columns that is not empty in the row; empty if all are."""
        return next((self.cells[name] for name in names if name in self.cells), "")


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise Malformed(f"{name}: the archive cannot be read: {why_unreadable(error)}") from error


def unpacked(sources: Sequence[Source], limit: int = UNPACKED_LIMIT) -> list[Source]:
    """Return the files; a ZIP archive is replaced by the tables in it, or by its JSON files if it holds no table.

    `limit`: the most bytes that the tables of all archives may have together. Raises TooLarge, Malformed, Unsupported,
    InvalidInput.
    """
    found: list[Source] = []
    left = limit
    for source in sources:
        with source.opened() as file:
            if file.read(len(_ZIP)) != _ZIP:
                found.append(source)
                continue
            with _readable(source.name):
                tables = _tables_in(files_in(file, _LISTED_LIMIT))
            with _readable(source.name), zipfile.ZipFile(file) as archive:
                for member in tables:
                    if (left := left - _size(archive, member, left)) < 0:
                        raise TooLarge(f"the archives hold over {limit} bytes")
                    name = f"{source.name}/{member.filename}"
                    found.append(replace(source, name=name, member=member.filename))
    return found


def is_workbook(source: Source) -> bool:
    """Return whether a file is an Excel workbook, also one in the old format. Raises Malformed."""
    with source.opened() as file:
        beginning = file.read(len(_ZIP))
        if beginning != _ZIP:
            return beginning == OLD_WORKBOOK
        with _readable(source.name):
            return any(one.filename == _CONTENT_TYPES for one in files_in(file, _LISTED_LIMIT))


def _tables_in(files: Sequence[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    members = [one for one in files if not one.is_dir() and "__MACOSX/" not in one.filename]
    if any(one.filename == _CONTENT_TYPES for one in members):
        raise Unsupported("an Excel workbook: save its sheet as CSV")
    tables, packages = ([one for one in members if one.filename.lower().endswith(ends)] for ends in (_TEXTS, _JSON))
    tables = tables or packages
    if inner := next((one.filename for one in members if one.filename.lower().endswith(".zip")), None):
        raise InvalidInput(
            f"the archive holds another one, {inner[:100]!r}: unpack the outer one, and send the files in it"
        )
    if len(tables) > FILES_LIMIT:
        raise TooLarge(f"an archive may hold {FILES_LIMIT} tables or JSON files; this one has {len(tables)}")
    if not tables:
        raise InvalidInput(f"the archive holds no table and no JSON: no file ending in {', '.join((*_TEXTS, *_JSON))}")
    return tables


def _size(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> int:
    """Return the decompressed size of a file in an archive, in bytes; above the limit, any number that exceeds it."""
    size = 0
    with archive.open(member) as file:
        while size <= limit and (part := file.read(_PIECE)):
            size += len(part)
    return size


def raw_of(source: Source, builder: Builder, limit: int) -> bytes:
    """Return the contents of a file in UTF-8; another encoding is reported to `builder`.

    Raises Malformed; TooLarge if there are more than `limit` bytes.
    """
    size, pieces = 0, []
    for piece in _recoded(source, builder):
        size += len(piece)
        if size > limit:
            raise TooLarge(f"{source.name} holds over {limit} bytes")
        pieces.append(piece)
    return b"".join(pieces).removeprefix(codecs.BOM_UTF8)


def lines_of(source: Source, builder: Builder | None = None) -> Iterator[str]:
    """Yield the lines of a text file, each with a line feed at the end; another encoding is reported to `builder`.

    Raises Malformed, which names the line, for a line that is not text or is too long.
    """
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")(), translate=True)
    number, open_line = 1, io.StringIO()
    for piece in _recoded(source, builder):
        try:
            text = str(decoder.decode(piece))
        except UnicodeDecodeError as error:
            at = number + piece[: error.start].count(b"\n")
            raise Malformed(f"{source.name}: line {at} is not UTF-8; save the file as UTF-8") from error
        *whole, rest = text.split("\n")
        for line in whole:
            open_line.write(line)
            yield f"{open_line.getvalue()}\n"
            open_line = io.StringIO()
        open_line.write(rest)
        number += len(whole)
        if open_line.tell() > _LINE_LIMIT:
            raise Malformed(f"{source.name}: line {number} has over {_LINE_LIMIT} characters")
    try:
        rest = str(decoder.decode(b"", final=True))
    except UnicodeDecodeError as error:
        raise Malformed(f"{source.name}: the file breaks off in line {number}, within a letter") from error
    if last := open_line.getvalue() + rest:
        yield last


def _recoded(source: Source, builder: Builder | None) -> Iterator[bytes]:
    """Yield a file as UTF-8, and report its other encoding if it has one."""
    recoder = Recoder()
    with source.opened() as file:
        while piece := file.read(_PIECE):
            yield from recoder.feed(piece)
        yield from recoder.end()
    if builder and recoder.found not in (None, "utf-8"):
        builder.assume(f"{source.name} is read as {recoder.found}")


def row_of(source: Source) -> tuple[list[str], str]:
    """Return the cells of a table's first row that is not empty, and the separator of columns. Raises Malformed."""
    rows, separator = first_rows_of(source, 1)
    return (rows or [[]])[0], separator


def first_rows_of(source: Source, most: int) -> tuple[list[list[str]], str]:
    """Return the cells of a table's first rows that are not empty, and the separator of columns. Raises Malformed."""
    lines = list(islice((line for line in lines_of(source) if line.strip(" \t\n")), most))
    try:
        separators = source.separator or _SEPARATORS
        widths = ({one: len(next(csv.reader([line], delimiter=one), [])) for one in separators} for line in lines)
        width = next((found for found in widths if max(found.values()) > 1), dict.fromkeys(separators, 1))
        separator = max(width, key=width.__getitem__)
        rows = csv.reader(lines_of(source), delimiter=separator)
        return list(islice((row for row in rows if not is_empty(row)), most)), separator
    except csv.Error as error:
        raise Malformed(f"{source.name}: a line of its heading ends inside a value that is not in quotes") from error


class ColumnNames(NamedTuple):
    """The names of the columns of a table. `rows`: the number of non-empty rows to the end of the heading."""

    names: Sequence[str]
    separator: str
    rows: int = 1


def rows_of(
    source: Source, builder: Builder, name_of: Callable[[str], str] = folded, heading: ColumnNames | None = None
) -> Iterator[Row]:
    """Yield the rows of a table under its heading, without empty rows.

    `name_of` returns the name of a column from its heading. `heading`: by default the first row. Faults are reported to
    `builder`: a cell in a column without a name is counted; a row with more cells than the heading is left out; a quote
    that is never closed ends the rows, because the rest cannot be read. Raises Malformed.
    """
    given, separator, above = heading or ColumnNames(*row_of(source))
    names = [name_of(name) for name in given]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        builder.fault(f"two columns are called {name!r}; the last one is read", row=1, verdict="changed")
    lines = lines_of(source, builder)
    if separator != "\t" or _is_quoted(source):
        reader = csv.reader(lines, delimiter=separator, strict=True)
    else:
        reader = csv.reader(lines, delimiter=separator, strict=True, quoting=csv.QUOTE_NONE)
    number, line = 0, 1
    try:
        for cells in reader:
            number += 1
            line = reader.line_num + 1
            if is_empty(cells):
                continue
            if above:
                above -= 1
                continue
            builder.rows += 1
            if not is_empty(cells[len(names) :]):
                reason = f"has {len(cells)} cells, and the heading {len(names)}"
                builder.fault(reason, row=number, id=clean(cells[0])[:64], verdict="untrue")
                continue
            read = zip(names, map(unguarded, cells), strict=False)
            found = {name: escaped(words) for name, cell in read if (words := clean(cell))}
            if unnamed := found.pop("", ""):
                builder.not_kept("a cell in a column without a name", f"row {number}: {unnamed[:100]}")
            yield Row(number, found)
    except csv.Error as error:
        closed = "a quote that opens in this row is never closed" if "unexpected end" in str(error) else str(error)
        builder.fault(
            f"{closed} ({source.name}, line {line}); nothing from here on can be read", row=number + 1, verdict="untrue"
        )


def _is_quoted(source: Source) -> bool:
    """Return whether quotes enclose cells in a table with tabs; in many such tables they are ordinary characters."""
    try:
        deque(csv.reader(lines_of(source), delimiter="\t", strict=True), maxlen=0)
    except csv.Error:
        return False
    return True


def pairs(text: str) -> dict[str, str]:
    """Return {column: heading} from a text of items `column=heading`, separated by commas.

    An item that contains a comma stands in quotes. Raises InvalidInput, which names `map`.
    """
    found: dict[str, str] = {}
    try:
        items = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise InvalidInput(
            "its items are to be separated by commas; quotes hold one with a comma in it", "map"
        ) from error
    for item in items:
        name, mark, value = item.partition("=")
        if not mark or not value.strip():
            raise InvalidInput(f"{item[:100]!r} is not of the form column=heading", "map")
        if name.strip() in found:
            raise InvalidInput(f"{name.strip()[:100]!r} is given twice", "map")
        found[name.strip()] = value.strip()
    return found


def table(
    heading: Sequence[str], rows: Sequence[Sequence[object]], separator: str = ",", *, safe: bool = False
) -> bytes:
    """Return a heading and rows as a table in UTF-8. With `safe`, a spreadsheet reads no cell as a formula."""

    def shown(cell: object) -> object:
        if not isinstance(cell, str):
            return "" if cell is None else cell
        return guarded(escaped(cell)) if safe else escaped(cell)

    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerow(heading)
    writer.writerows([shown(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return files, {name: contents}, as a ZIP archive; equal files always give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()
