"""Many courses at once."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Literal, Self

import msgspec
from aiohttp import web

from services.catalog.api.courses import store_course
from services.catalog.importers import ndjson
from services.catalog.model import RowProblem, RowResult
from shared.bodies import pieces
from shared.domain import Course
from shared.errors import Problem, TooSlow
from shared.preconditions import Preconditions
from shared.routes import open_stream

_ROWS_AT_ONCE = 32
_UNCONDITIONAL = Preconditions(None, None)
_SLICE = 64 * 1024


async def import_courses(request: web.Request) -> web.StreamResponse:
    """Add or change many courses: one JSON object a line.

    Each line is answered by one line as soon as it is stored or refused, in order; a bad one never stops the rest,
    until 100,000 lines were empty or refused. Where the body breaks off, a last line says so. Up to 16 MiB of answers
    wait for a client that sends everything before it reads, some 100,000 lines; more are read only as the answers are
    taken.
    """
    answered = _answered(request)
    first = await anext(answered, b"")  # a body that cannot be read is refused before an answer begins
    stream = await open_stream(request, "application/x-ndjson")
    async with Answers(stream) as answers:
        await answers.put(first)
        async for more in answered:
            await answers.put(more)
    await stream.write_eof()
    return stream


async def _answered(request: web.Request) -> AsyncIterator[bytes]:
    """Yield the answers to the lines as they come.

    Where the body breaks off or is not packed as it says, the last answer says so. Raises Problem where it was the
    first that was to be answered.
    """
    reader = ndjson.Reader()
    begun = False
    try:
        async for chunk in pieces(request):
            async for results in _import(request, reader.feed(chunk)):
                begun = True
                yield results
            if reader.over:
                break
        async for results in _import(request, reader.end()):
            begun = True
            yield results
    except Problem as problem:
        if not begun:
            raise
        yield _line(RowResult(reader.line, "refused", problem=_refused(problem)))


class Answers:
    """Sends what is put, beside the reading of more: a client may send all before it reads.

    At most `limit` bytes wait. Where they do, or nothing more is to come, a client that takes nothing for `patience`
    seconds ends the import: TooSlow. What was stored by then stays stored.
    """

    def __init__(self, stream: web.StreamResponse, limit: int = 16 * 1024 * 1024, patience: float = 60.0) -> None:
        self._stream = stream
        self._limit = limit
        self._patience = patience
        self._waiting = bytearray()
        self._more, self._moved = asyncio.Event(), asyncio.Event()
        self._sender: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._sender = asyncio.create_task(self._send())
        self._sender.add_done_callback(lambda _: self._moved.set())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while kind is None and self._waiting:
                await self._progress()
        finally:
            self._sender.cancel()
            await asyncio.wait({self._sender})

    async def put(self, answers: bytes) -> None:
        """Send these too. Raises TooSlow, ConnectionError."""
        while len(self._waiting) > self._limit:
            await self._progress()
        self._waiting += answers
        self._more.set()

    async def _progress(self) -> None:
        self._moved.clear()
        if self._sender.done():
            self._sender.result()
        try:
            async with asyncio.timeout(self._patience):
                await self._moved.wait()
        except TimeoutError as error:
            raise TooSlow("the answers are not read") from error

    async def _send(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                part = bytes(self._waiting[:_SLICE])
                await self._stream.write(part)
                del self._waiting[: len(part)]
                self._moved.set()


async def _import(request: web.Request, rows: Iterable[ndjson.Row]) -> AsyncIterator[bytes]:
    for batch in _batches(rows):
        results = await asyncio.gather(*(_import_row(request, row) for row in batch))
        yield b"".join(map(_line, results))


def _line(result: RowResult) -> bytes:
    return msgspec.json.encode(result) + b"\n"


def _refused(problem: Problem) -> RowProblem:
    return RowProblem(problem.status, problem.detail, problem.field)


async def _import_row(request: web.Request, row: ndjson.Row) -> RowResult:
    identifier = None
    try:
        if isinstance(row.course, Problem):
            raise row.course
        identifier = row.course.id
        put, new = await store_course(request, row.course, _UNCONDITIONAL)
    except Problem as problem:
        return RowResult(row.line, "refused", identifier, problem=_refused(problem))
    status: Literal["created", "changed", "unchanged"]
    status = "created" if new else "changed" if put.changed else "unchanged"
    return RowResult(row.line, status, put.id, put.revision, put.warnings)


def _batches(rows: Iterable[ndjson.Row]) -> Iterator[list[ndjson.Row]]:
    """Yield rows to store at the same time; the same course twice is stored one after the other."""
    batch: list[ndjson.Row] = []
    ids: set[str] = set()
    for row in rows:
        identifier = row.course.id if isinstance(row.course, Course) else ""
        if len(batch) == _ROWS_AT_ONCE or identifier in ids:
            yield batch
            batch, ids = [], set()
        batch.append(row)
        if identifier:
            ids.add(identifier)
    if batch:
        yield batch
