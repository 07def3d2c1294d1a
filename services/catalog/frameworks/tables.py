"""Read the files of a framework, alone or in archives, as text and as table rows. Each file has its own encoding.

Unpacking stops at a limit of bytes and of files; the sizes that an archive declares are not trusted.
"""

import codecs
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.catalog.frameworks.reading import Builder, clean, escaped
from shared.errors import InvalidInput, Malformed, TooLarge, Unsupported
from shared.texts import folded

UNPACKED_LIMIT = 256 * 1024 * 1024
"""How many bytes the files of an archive may hold together. ESCO has 42 MB."""

FILES_LIMIT = 100
_PIECE = 1024 * 1024
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_SEPARATORS = "\t;,|"
_FORMULA, _GUARDED = re.compile(r"'*[=+\-@]"), re.compile(r"'+[=+\-@]")
_TEXTS = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Source:
    """A file: its name, for the report, and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Row:
    """A row of a table: its number, the heading being row 1, and its non-empty cells by heading in lower case."""

    number: int
    cells: Mapping[str, str]

    def get(self, *names: str) -> str:
        """Return the first of these cells that is not empty."""
        return next((self.cells[name] for name in names if name in self.cells), "")


def unpacked(sources: Sequence[Source], limit: int = UNPACKED_LIMIT) -> list[Source]:
    """Return files with archives replaced by the tables in them. Raises TooLarge, Malformed, Unsupported."""
    found: list[Source] = []
    left = limit
    for source in sources:
        if not source.data.startswith(b"PK\x03\x04"):
            found.append(source)
            continue
        try:
            with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
                for member in _tables_in(archive):
                    data = _read(archive, member, left)
                    if data is None:
                        raise TooLarge(f"the archives hold over {limit} bytes")
                    left -= len(data)
                    found.append(Source(f"{source.name}/{member.filename}", data))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise Malformed(f"{source.name}: the archive cannot be read: {error}") from error
    return found


def _tables_in(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = [one for one in archive.infolist() if not one.is_dir()]
    if any(one.filename == "[Content_Types].xml" for one in members):
        raise Unsupported("an Excel workbook: save its sheet as CSV")
    tables = [one for one in members if one.filename.lower().endswith(_TEXTS) and "__MACOSX/" not in one.filename]
    if len(tables) > FILES_LIMIT:
        raise TooLarge(f"an archive may hold {FILES_LIMIT} tables; this one has {len(tables)}")
    if not tables:
        raise InvalidInput(f"the archive holds no table: no file ending in {', '.join(_TEXTS)}")
    return tables


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> bytes | None:
    """Return the content of a file in an archive, or None if it is larger than the limit."""
    parts: list[bytes] = []
    with archive.open(member) as file:
        while part := file.read(_PIECE):
            parts.append(part)
            limit -= len(part)
            if limit < 0:
                return None
    return b"".join(parts)


def text_of(source: Source) -> str:
    """Return a file as text: UTF-8, or UTF-16 with a mark. Raises Malformed naming the line that is neither."""
    for mark, encoding in _MARKS:
        if source.data.startswith(mark):
            return _decoded(source, source.data[len(mark) :], encoding)
    return _decoded(source, source.data, "utf-8")


def _decoded(source: Source, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, "replace").count("\n") + 1
        raise Malformed(f"{source.name}: line {line} is not {encoding.upper()}; save the file as UTF-8") from error


def row_of(text: str) -> tuple[list[str], str]:
    """Return the cells of a table's first row, and the separator of its columns."""
    first = text.lstrip("\n \t").partition("\n")[0]
    separator = max(_SEPARATORS, key=lambda one: len(next(csv.reader([first], delimiter=one), [])))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    return next((row for row in rows if any(cell.strip() for cell in row)), []), separator


def rows_of(source: Source, text: str, builder: Builder) -> Iterator[Row]:
    """Yield the rows of a table. Rows with more cells than the heading are reported and left out.

    A quote that is never closed is reported with the row where it opens; the rest of the file cannot be read.
    """
    heading, separator = row_of(text)
    names = [folded(name) for name in heading]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        builder.fault(f"two columns are called {name!r}; the last one is read", row=1, verdict="changed")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number, line, headed = 0, 1, False
    try:
        for cells in reader:
            number += 1
            line = reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not headed:
                headed = True
                continue
            builder.rows += 1
            if any(cell.strip() for cell in cells[len(names) :]):
                reason = f"has {len(cells)} cells, and the heading {len(names)}"
                builder.fault(reason, row=number, id=clean(cells[0])[:64], verdict="untrue")
                continue
            read = zip(names, map(_unguarded, cells), strict=False)
            found = {name: words for name, cell in read if name and (words := clean(cell))}
            yield Row(number, found)
    except csv.Error as error:
        closed = "a quote that opens in this row is never closed" if "unexpected end" in str(error) else str(error)
        builder.fault(
            f"{closed} ({source.name}, line {line}); nothing from here on can be read", row=number + 1, verdict="untrue"
        )


def pairs(text: str) -> dict[str, str]:
    """Return `column=heading` items, separated by commas, one with a comma in quotes. Raises InvalidInput."""
    found: dict[str, str] = {}
    try:
        items = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise InvalidInput(f"its items are to be separated by commas: {error}", "map") from error
    for item in items:
        name, mark, value = item.partition("=")
        if not mark or not value.strip():
            raise InvalidInput(f"{item[:100]!r} is not of the form column=heading", "map")
        if name.strip() in found:
            raise InvalidInput(f"{name.strip()[:100]!r} stands twice", "map")
        found[name.strip()] = value.strip()
    return found


def _unguarded(cell: str) -> str:
    """Return a cell without the apostrophe that keeps a spreadsheet from reading it as a formula."""
    return cell[1:] if _GUARDED.match(cell) else cell


def table(
    heading: Sequence[str], rows: Sequence[Sequence[object]], separator: str = ",", *, guarded: bool = False
) -> bytes:
    """Return rows as a table in UTF-8. `guarded`: no cell is a formula to a spreadsheet."""

    def shown(cell: object) -> object:
        if not isinstance(cell, str):
            return "" if cell is None else cell
        return f"'{escaped(cell)}" if guarded and _FORMULA.match(cell) else escaped(cell)

    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerow(heading)
    writer.writerows([shown(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return files as one archive, the same bytes for the same files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()
