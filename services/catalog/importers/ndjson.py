"""Courses as NDJSON: one JSON object a line, each read as soon as its line has ended.

A byte order mark before the first line, which some programs write, is left out.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from shared.decoding import decode
from shared.domain import Course
from shared.errors import Problem, TooLarge
from shared.routes import BODY_LIMIT

LINE_LIMIT = BODY_LIMIT
"""How long a line may be, in bytes: as long as the body of a single PUT."""

WITHOUT_COURSE_LIMIT = 100_000
"""How many lines of an import may be empty or refused, before the rest is left unread."""


@dataclass(frozen=True)
class Row:
    """A line, counted from 1, and the course in it or what is wrong with it."""

    line: int
    course: Course | Problem


class Reader:
    """Reads rows out of a body that comes in chunks. `over`: too many lines held no course, and no more is read."""

    def __init__(self) -> None:
        self.over = False
        self._line = 0
        self._without_course = 0
        self._held = bytearray()
        self._skipping = False

    @property
    def line(self) -> int:
        """The number of the line that is being read."""
        return self._line + 1

    def feed(self, chunk: bytes) -> Iterator[Row]:
        """Yield the rows that a chunk completes. A line that is too long is refused at once and skipped to its end."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            yield from self._take(part)
            yield from self._end_line()
            if self.over:
                return
        yield from self._take(rest)

    def end(self) -> Iterator[Row]:
        """Yield the row of a last line without an end."""
        if self._held and not self.over:
            yield from self._end_line()

    def _take(self, part: bytes) -> Iterator[Row]:
        if self._skipping:
            return
        self._held += part
        if len(self._held) > LINE_LIMIT:
            self._skipping = True
            self._held.clear()
            yield from self._counted(Row(self.line, TooLarge(f"a line may hold {LINE_LIMIT} bytes")))

    def _end_line(self) -> Iterator[Row]:
        self._line += 1
        if self._skipping:
            self._skipping = False
            return
        text = bytes(self._held).removeprefix(codecs.BOM_UTF8 if self._line == 1 else b"").strip()
        self._held.clear()
        yield from self._counted(Row(self._line, _course(text)) if text else None)

    def _counted(self, row: Row | None) -> Iterator[Row]:
        if row is not None:
            yield row
        if row is None or isinstance(row.course, Problem):
            self._without_course += 1
        if self._without_course > WITHOUT_COURSE_LIMIT and not self.over:
            self.over = True
            text = f"over {WITHOUT_COURSE_LIMIT} lines are empty or refused; the rest is not read"
            yield Row(self.line, TooLarge(text))


def _course(raw: bytes) -> Course | Problem:
    try:
        return decode(raw, Course)
    except Problem as problem:
        return problem
