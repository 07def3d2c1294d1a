"""Rows as NDJSON: one JSON object per line, parsed when its line is complete. Pure.

A byte order mark before the first line is skipped.
"""

import codecs
import re
from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

from shared.decoding import decode
from shared.errors import Malformed, Problem, TooLarge
from shared.imports.rows import ROW_LIMIT, Row, refused, row_of

T = TypeVar("T")

_ID = re.compile(rb'"(?:id|officer)"\s*:\s*"([^"\\]{1,64})"')


class NdjsonReader(Generic[T]):
    """Reads rows of a struct type from a body that arrives in chunks. The number of a row is its line."""

    def __init__(self, shape: type[T]) -> None:
        self._shape = shape
        self._line = 0
        self._held = bytearray()
        self._skipping = False

    def feed(self, chunk: bytes) -> Iterator[Row[T] | None]:
        """Yield the rows that a chunk completes, None for an empty line.

        A line over the limit is reported at once and skipped to its end.
        """
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            if self._held or self._skipping or len(part) > ROW_LIMIT:
                yield from self._take(part)
                yield from self._end_line()
            else:  # as nearly every line comes
                yield self._row(part)
        yield from self._take(rest)

    def end(self) -> Iterator[Row[T] | None]:
        """Yield the row of the last line if it has no line end."""
        if self._held:
            yield from self._end_line()

    def _take(self, part: bytes) -> Iterator[Row[T]]:
        if self._skipping:
            return
        self._held += part
        if len(self._held) > ROW_LIMIT:
            self._skipping = True
            begins = _begins(bytes(self._held[:2000]))
            self._held.clear()
            yield refused(self._line + 1, TooLarge(f"a line may hold {ROW_LIMIT} bytes"), begins)

    def _end_line(self) -> Iterator[Row[T] | None]:
        if self._skipping:
            self._line += 1
            self._skipping = False
            return
        text = bytes(self._held)
        self._held.clear()
        yield self._row(text)

    def _row(self, text: bytes) -> Row[T] | None:
        self._line += 1
        text = (text.removeprefix(codecs.BOM_UTF8) if self._line == 1 else text).strip()
        return _row(self._line, text, self._shape) if text else None


def _row(number: int, raw: bytes, shape: type[T]) -> Row[T]:
    try:
        return Row(number, decode(raw, shape))
    except Problem as problem:
        first = refused(number, problem, _begins(raw))
        if isinstance(problem, Malformed):
            return first
    try:
        given = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):  # a number with too many digits, for one
        return first
    found = row_of(number, given, shape, begins=_begins(raw)) if isinstance(given, dict) else first
    return found if found.problems else first  # a field that is given twice shows in the text alone


def _begins(raw: bytes) -> str:
    """Return the id or the officer in a line, or its first characters."""
    found = _ID.search(raw)
    return (found[1] if found else raw[:2000]).decode(errors="replace")
