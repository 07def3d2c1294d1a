"""Rows as CSV, and tables whose columns are the fields of a struct. Pure."""

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import inspect

from shared.errors import InvalidInput, Malformed, TooLarge, Warned
from shared.imports.encodings import eight_bit, has_few_faults
from shared.imports.numerals import THAI_DIGITS
from shared.imports.rows import ROW_LIMIT, Row, refused, row_of

T = TypeVar("T")

_LINES = 1000
_DELIMITERS = ",;\t|"
_BROKEN_LINE = "is not CSV: a line ends inside a value that is not in quotes"
"""What is wrong with a single line that cannot be read: it holds a carriage return."""

_SEVERAL = re.compile(r"[\s,;|]+")
_COMPUTED = re.compile(r"(?P<mark>'*)(?:\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
"""A text that a spreadsheet may take for a formula: also with full-width signs, or after spaces or a line end."""

_CONSTANT = re.compile(r'="([^"]*)"')
_FORMULA = re.compile(r"=\s*(?:[A-Z][A-Z0-9.]*\(.*\)|(?:(?:'[^']+'|\w+)!)?\$?[A-Z]{1,3}\$?\d{1,7}\b.*)", re.DOTALL)
_ERRORS = frozenset(("#n/a", "#ref!", "#value!", "#name?", "#div/0!", "#null!", "#num!", "#error!"))


def guarded(cell: str) -> str:
    """Return the text of a cell, after an apostrophe if a spreadsheet might take the text for a formula."""
    return f"'{cell}" if _COMPUTED.match(cell) else cell


def unguarded(cell: str) -> str:
    """Return the text of a cell without the apostrophe that `guarded` puts before it.

    A formula of a text alone, with which programs keep the zeros of a number (`="00123"`), is that text.
    """
    if constant := _CONSTANT.fullmatch(cell):
        return constant[1]
    found = _COMPUTED.match(cell)
    return cell[1:] if found and found["mark"] else cell


def has_no_result(cell: str) -> bool:
    """Return whether a cell holds a formula or its error in place of a value: `=SUM(A1:A9)`, `#REF!`."""
    return bool(_FORMULA.fullmatch(cell)) or cell.strip().lower() in _ERRORS


def is_empty(cells: Iterable[str]) -> bool:
    """Return whether no cell of a row shows anything."""
    return not any(unguarded(cell).strip() for cell in cells)


class Table(Protocol[T]):
    """Builds rows from cells; a table may read the column names from the first row that has cells."""

    @property
    def width(self) -> int | None:
        """The number of columns, None before the first row."""

    def row(self, number: int, cells: Sequence[str]) -> Row[T] | None:
        """Return a row, None for the header and an empty row. Raises InvalidInput if the table cannot be read."""


class FieldTable(Generic[T]):
    """A table whose column names are fields of a struct, in any order; an empty cell leaves the field out.

    Several values of one field stand in one cell, separated by spaces, commas, semicolons or bars. A field that holds
    objects has no column.
    """

    def __init__(self, shape: type[T]) -> None:
        self._shape = shape
        self._fields = [one for one in msgspec.structs.fields(shape) if not _holds_objects(one.type)]  # type: ignore[arg-type]
        self._lists = {one.encode_name for one in self._fields if "list" in str(one.type)}
        self._numbers = {one.encode_name for one in self._fields if _is_number(one.type)}
        self._header: list[str] | None = None

    @property
    def width(self) -> int | None:
        """The number of columns, None before the first row."""
        return None if self._header is None else len(self._header)

    @property
    def mapping(self) -> dict[str, list[str]]:
        """{field: the name of its column}, empty before the first row."""
        return {name: [name] for name in self._header or [] if name}

    @property
    def unused(self) -> list[str]:
        """The names of the columns that are not read. Always empty: an unknown column is refused."""
        return []

    def row(self, number: int, cells: Sequence[str]) -> Row[T] | None:
        """Return a row; None for the header and for an empty row. Raises InvalidInput for unknown columns."""
        if is_empty(cells):
            return None
        if self._header is None:
            self._header = self._named([unguarded(cell).strip().lower() for cell in cells])
            return None
        if sum(map(len, cells)) > ROW_LIMIT:
            return refused(number, TooLarge(f"a row may hold {ROW_LIMIT} bytes"), cells[0])
        if not is_empty(cells[len(self._header) :]):
            problem = Malformed(f"has {len(cells)} columns; the first row has {len(self._header)}")
            return refused(number, problem, " ".join(cells).strip())
        given: dict[str, Any] = {
            name: _SEVERAL.split(text) if name in self._lists else self._plain(name, text)
            for name, cell in zip(self._header, cells, strict=False)
            if name and (text := unguarded(cell).strip())
        }
        return row_of(number, given, self._shape, begins=given.get("officer"), strict=False)

    def _plain(self, name: str, text: str) -> str:
        """Return the text of a cell; numbers, dates and times with ASCII digits."""
        return text.translate(THAI_DIGITS) if name in self._numbers else text

    def _named(self, header: list[str]) -> list[str]:
        while header and not header[-1]:
            header.pop()
        names = [field.encode_name for field in self._fields]
        for name in header:
            if name not in names:
                raise InvalidInput(f"there is no column {name[:100]!r}; columns are: {', '.join(names)}", "header")
            if header.count(name) > 1:
                raise InvalidInput(f"two columns are called {name!r}", "header")
        missing = [field.encode_name for field in self._fields if field.required and field.encode_name not in header]
        if missing:
            raise InvalidInput(f"the first row names no column {', '.join(missing)}", "header")
        return header


def _is_number(shape: Any) -> bool:
    """Return whether a field contains a number, a date or a time, or nothing."""
    numbers = inspect.IntType, inspect.FloatType, inspect.DateType, inspect.DateTimeType, inspect.NoneType
    return all(isinstance(one, numbers) for one in _kinds(shape))


def _holds_objects(shape: Any) -> bool:
    """Return whether a field contains a list of structs."""
    return any(isinstance(getattr(one, "item_type", None), inspect.StructType) for one in _kinds(shape))


def _kinds(shape: Any) -> list[Any]:
    """Return the types that a field may have, without their annotations."""
    kind = inspect.type_info(shape)
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return [getattr(one, "type", one) for one in kinds]


class _Open(Exception):
    """Raised while a quote is not closed yet."""


class CsvReader(Generic[T]):
    """Reads rows from CSV in UTF-8 that arrives in chunks. Rows are numbered from 1, the header included.

    A line with a quote that is never closed is rejected; the lines after it are read as rows.
    """

    def __init__(self, table: Table[T]) -> None:
        self.table = table
        self._number = 0
        self._rest = b""
        self._cut = False
        """Whether the beginning of a line that is too long is refused, and its rest is left out."""
        self._held: list[bytes] = []
        self._held_size = 0
        self._is_open = False
        """Whether what is held ends within quotes."""
        self._delimiter: str | None = None
        self._newline = b"\n"

    def feed(self, piece: bytes) -> Iterator[Row[T] | None]:
        """Yield the rows that a chunk completes, None for an empty row and the header. Raises what `table` raises."""
        if self._cut:
            _, ends, piece = piece.partition(self._newline)
            self._cut = not ends
        self._rest += piece
        if self._delimiter is None and b"\n" not in self._rest and b"\r" in self._rest[:-1]:
            self._newline = b"\r"
        *lines, self._rest = self._rest.split(self._newline)
        yield from self._read(lines)
        if len(self._rest) > ROW_LIMIT:
            yield from self._read([self._rest[:ROW_LIMIT]])
            self._rest, self._cut = b"", True

    def end(self) -> Iterator[Row[T] | None]:
        """Yield the rows that the end of the file completes."""
        if self._rest:
            yield from self._read([self._rest])
        while self._held:
            lines, self._held = self._held, []
            yield self._never_closed(lines[0])
            yield from self._read(lines[1:])

    def _read(self, lines: Sequence[bytes]) -> Iterator[Row[T] | None]:  # noqa: C901 - one case for each kind of line
        left = deque(lines)
        while left:
            line = left.popleft()
            if self._is_within_quotes(line):
                continue
            try:
                cells, warnings = self._cells(b"\n".join(self._held))
            except _Open:
                self._is_open = True
                if self._too_long():
                    first, *others = self._held
                    self._held = []
                    left.extendleft(reversed(others))
                    yield self._never_closed(first)
                continue
            except csv.Error:
                first, *others = self._held
                self._held = []
                left.extendleft(reversed(others))
                self._number += 1
                text = "a quote is opened here and not closed" if others else _BROKEN_LINE
                yield refused(self._number, Malformed(text), first.decode(errors="replace"))
                continue
            width = self.table.width
            if len(self._held) > 1 and width is not None and len(cells) != width:
                first, *others = self._held
                self._held = []
                left.extendleft(reversed(others))
                yield self._never_closed(first)
                continue
            long, self._held = self._held_size >= ROW_LIMIT, []
            self._number += 1
            if long:
                yield refused(self._number, TooLarge(f"a row may hold {ROW_LIMIT} bytes"), cells[0])
                continue
            if self._number == 1 and [cell.strip() for cell in cells] == ["sep=", ""]:
                yield None
                continue
            if (width := self.table.width) is not None and cells and len(cells) < width and any(cells):
                problem = Malformed(f"has {len(cells)} columns; the first row has {width}")
                yield refused(self._number, problem, " ".join(cells))
                continue
            row = self.table.row(self._number, cells)
            if row is not None:
                row.warnings += warnings
            yield row

    def _is_within_quotes(self, line: bytes) -> bool:
        """Buffer a line; return whether it is inside an open quote that it does not close."""
        before = self._is_open and bool(self._held)
        self._held_size = len(line) + (self._held_size if self._held else 0)
        self._held.append(line)
        self._is_open = before and not self._too_long() and self._stays_open(line)
        return self._is_open

    def _too_long(self) -> bool:
        return len(self._held) > _LINES or self._held_size > ROW_LIMIT

    def _stays_open(self, line: bytes) -> bool:
        """Return whether a line inside a quote does not close it.

        Reads only this line, so that long quotes cost no more.
        """
        if b'"' not in line:
            return True
        text = '"' + line.removesuffix(b"\r").decode(errors="replace") + "\n"
        try:
            next(csv.reader([text], delimiter=self._delimiter or ",", strict=True), [])
        except csv.Error as error:
            return "unexpected end" in str(error)
        return False

    def _never_closed(self, line: bytes) -> Row[T]:
        self._number += 1
        long = TooLarge(f"a row may hold {ROW_LIMIT} bytes") if len(line) >= ROW_LIMIT else None
        problem = long or Malformed("a quote is opened here and not closed")
        return refused(self._number, problem, line.decode(errors="replace").strip())

    def _cells(self, raw: bytes) -> tuple[list[str], list[Warned]]:
        warnings: list[Warned] = []
        raw = raw.removesuffix(b"\r")
        if not self._number:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            if has_few_faults(raw):
                text = raw.decode(errors="replace")
                warnings = [Warned("", "some bytes of the row are no UTF-8; each is read as \ufffd")]
            else:
                encoding = eight_bit(raw)
                text = raw.decode(encoding, errors="replace")
                warnings = [Warned("", f"the row is not UTF-8; it is read as {encoding}")]
        if self._delimiter is None:
            self._delimiter = delimiter_of(text)
        lines = iter(f"{line}\n" for line in text.split("\n"))
        strict = csv.reader(lines, delimiter=self._delimiter, strict=True)
        try:
            cells = next(strict, [])
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise _Open from error
            if "\n" in text:
                raise
            cells = next(csv.reader([text], delimiter=self._delimiter), [])
        return [cell.removesuffix("\r") for cell in cells], warnings


def delimiter_of(line: str) -> str:
    """Return the character that divides the cells of a table, whose first line is given.

    It is the one that a line such as `sep=;` states, or the most frequent one of comma, semicolon, tab and bar.
    """
    if found := re.fullmatch(r'sep=([^"\r\n])\s*', line):
        return found[1]
    bare = re.sub(r'"[^"]*"', "", line)
    return max(_DELIMITERS, key=bare.count)


csv.field_size_limit(4 * ROW_LIMIT)
