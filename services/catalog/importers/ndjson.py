"""Courses as NDJSON: one JSON object a line, any number of lines, each read as it arrives."""

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

from shared.decoding import decode
from shared.errors import Problem, TooLarge
from shared.routes import BODY_LIMIT
from shared.skills import Course

LINE_LIMIT = BODY_LIMIT
"""How long a line may be, in bytes: as long as the body of a single PUT."""


@dataclass(frozen=True)
class Row:
    """A line, counted from 1, and the course in it or what is wrong with it."""

    line: int
    course: Course | Problem


async def rows(chunks: AsyncIterable[bytes]) -> AsyncIterator[Row]:
    """Yield the rows of a body that comes in chunks. Empty lines are counted and left out."""
    line = 0
    async for raw in _lines(chunks):
        line += 1
        if raw is None:
            yield Row(line, TooLarge(f"a line may hold {LINE_LIMIT} bytes"))
        elif text := raw.strip():
            yield Row(line, _course(text))


def _course(raw: bytes) -> Course | Problem:
    try:
        return decode(raw, Course)
    except Problem as problem:
        return problem


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes | None]:
    """Yield lines without their ends; None for one that is too long, which is skipped to its end."""
    held = bytearray()
    skipping = False
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            held += part
            yield None if skipping or len(held) > LINE_LIMIT else bytes(held)
            held.clear()
            skipping = False
        held += rest
        if len(held) > LINE_LIMIT:
            skipping = True
            held.clear()
    if held or skipping:
        yield None if skipping else bytes(held)
