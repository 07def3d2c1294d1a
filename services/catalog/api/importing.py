"""Imports of many courses, and their reports."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Self

import msgspec
from aiohttp import web

from services.catalog.api.entries import STORE
from services.catalog.importers import TYPES, ListReader, Options
from services.catalog.importers.rows import WITHOUT_COURSE_LIMIT, Row
from services.catalog.importers.tables import pairs
from services.catalog.imports import CourseImport
from services.catalog.model import ImportCourses, ImportReport, ListRows, RowPage, RowResult
from services.catalog.reports import ReportStore
from shared.bodies import pieces
from shared.errors import NotFound, Problem, TooLarge, TooSlow, Unsupported
from shared.routes import json_response, open_stream, principal, read_query, trace_of

REPORTS: web.AppKey[ReportStore] = web.AppKey("reports", ReportStore)

_ROWS_AT_ONCE = 500
_BATCHES_AHEAD = 8
_SLICE = 64 * 1024


async def import_courses(request: web.Request) -> web.StreamResponse:
    """Add or change many courses: NDJSON, CSV, an Excel workbook or schema.org JSON-LD, as the content type says.

    Each row is answered by one line as soon as it is stored or refused, in order, and a last line is the report of the
    whole, which `GET /v1/imports/{import_id}` returns again. A bad row never stops the rest, until 100,000 rows were
    empty or refused. The first row of a course is taken; a later equal row is unchanged, a different one is
    refused. With `dry_run` nothing is written, and the columns of a table are guessed. If the body breaks off, the
    report says so; stored courses remain, and the file may be sent again. Up to 16 MiB of answers wait for a client
    that sends everything before it reads; more are read only as the answers are taken.
    """
    form = TYPES.get(request.content_type)
    if form is None:
        raise Unsupported(f"the content type is to be one of: {', '.join(TYPES)}", "Content-Type")
    asked = read_query(request, ImportCourses)
    options = Options(
        columns=asked.map,
        defaults=dict(pairs(asked.default or "", "default")),
        header=asked.header,
        encoding=asked.encoding or _named_encoding(request),
        accept_guess=asked.dry_run,
    )
    reader = ListReader(form, options)
    taken = CourseImport(
        request.app[STORE],
        request.app[REPORTS],
        principal(request).tenant,
        trace_of(request),
        form,
        dry_run=asked.dry_run,
    )
    try:
        return await _answer(request, _answered(request, asked, reader, taken), taken)
    except (ConnectionError, TooSlow, asyncio.CancelledError):
        if taken.begun:
            await asyncio.shield(taken.stop(TooSlow("the client went away before the end of the file")))
        raise
    finally:
        reader.close()


def _named_encoding(request: web.Request) -> str | None:
    """Return the encoding in the content type; None if there is none, or it is UTF-8 or ASCII."""
    named = (request.charset or "").lower()
    return None if named in ("", "utf-8", "utf8", "us-ascii") else named


async def _answer(request: web.Request, answered: AsyncIterator[bytes], taken: CourseImport) -> web.StreamResponse:
    first = await anext(answered, b"")  # a body that cannot be read is refused before an answer begins
    place = {} if taken.report.dry_run else {"Location": f"/v1/imports/{taken.report.import_id}"}
    stream = await open_stream(request, "application/x-ndjson", place)
    async with Answers(stream) as answers:
        await answers.put(first)
        async for more in answered:
            await answers.put(more)
    await stream.write_eof()
    return stream


async def _answered(
    request: web.Request, asked: ImportCourses, reader: ListReader, taken: CourseImport
) -> AsyncIterator[bytes]:
    """Yield the answer to each row as it is ready, and the report at the end.

    If the body breaks off or cannot be read further, the report says so. Raises Problem if that happens before the
    first answer.
    """
    begun = False
    counted = _Counted()
    try:
        async for batch in _together(_read(request, reader, counted)):
            if not begun:
                _describe(taken, reader)
                await taken.begin()
                begun = True
            yield _lines(await taken.take(batch))
        if counted.over:
            raise TooLarge(f"over {WITHOUT_COURSE_LIMIT} rows are empty or refused; the rest is not read")
        _describe(taken, reader)
        report = await taken.finish(full=asked.full, withdraw=asked.withdraw)
    except Problem as problem:
        if not begun:
            raise
        _describe(taken, reader)
        report = await taken.stop(problem)
    yield _line(report)


async def _read(request: web.Request, reader: ListReader, counted: "_Counted") -> AsyncIterator[list[Row]]:
    """Yield the rows of the body in batches, as it comes. Raises Problem if it cannot be read further."""
    async for chunk in pieces(request):
        for batch in _batches(counted.rows(reader.feed(chunk))):
            yield batch
        if counted.over:
            return
    batches = _batches(counted.rows(reader.end()))
    while batch := await asyncio.to_thread(_next, batches):
        yield batch


async def _together(batches: AsyncIterator[list[Row]]) -> AsyncIterator[list[Row]]:
    """Yield the rows of batches; those that are read while earlier ones are stored come as one batch.

    Raises what reading raises, after the rows before it.
    """
    ahead: asyncio.Queue[list[Row] | None] = asyncio.Queue(_BATCHES_AHEAD)

    async def read() -> None:
        try:
            async for batch in batches:
                await ahead.put(batch)
        except Exception:
            await ahead.put(None)
            raise
        await ahead.put(None)

    reading = asyncio.create_task(read())
    try:
        rows: list[Row] = []
        while (batch := await ahead.get()) is not None:
            rows += batch
            if len(rows) >= _ROWS_AT_ONCE or ahead.empty():
                yield rows
                rows = []
        if rows:
            yield rows
        await reading
    finally:
        reading.cancel()
        await asyncio.wait({reading})


def _describe(taken: CourseImport, reader: ListReader) -> None:
    table = reader.table
    taken.describe(reader.encoding, table.mapping if table else {}, table.unused if table else [])


class _Counted:
    """Forwards rows until too many of them contain no course."""

    def __init__(self) -> None:
        self.over = False
        self._without = 0

    def rows(self, rows: Iterable[Row | None]) -> Iterator[Row]:
        for row in rows:
            if row is None or row.course is None:
                self._without += 1
            if self._without > WITHOUT_COURSE_LIMIT:
                self.over = True
                return
            if row is not None:
                yield row


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Yield rows in batches. If the rest cannot be read, the rows before it are yielded first. Raises Problem."""
    batch: list[Row] = []
    try:
        for row in rows:
            batch.append(row)
            if len(batch) == _ROWS_AT_ONCE:
                yield batch
                batch = []
    except Problem:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _next(batches: Iterator[list[Row]]) -> list[Row]:
    return next(batches, [])


def _lines(results: Iterable[RowResult]) -> bytes:
    return b"".join(map(_line, results))


def _line(result: RowResult | ImportReport) -> bytes:
    return msgspec.json.encode(result) + b"\n"


async def show_import(request: web.Request) -> web.StreamResponse:
    """Return the report of an import: its counts, and the findings about the whole file.

    It is kept for 90 days.
    """
    return json_response(await _report(request))


async def list_import_rows(request: web.Request) -> web.StreamResponse:
    """Return a page of the rows of an import, in order, with the verdict on each."""
    wanted = read_query(request, ListRows)
    report = await _report(request)
    rows, following = await request.app[REPORTS].page(report.import_id, wanted)
    return json_response(RowPage(rows, following))


async def _report(request: web.Request) -> ImportReport:
    report = await request.app[REPORTS].find(principal(request).tenant, request.match_info["import_id"])
    if report is None:
        raise NotFound("no such import")
    return report


class Answers:
    """Sends answers while more of the request is read: a client may send everything before it reads.

    At most `limit` bytes are buffered. If the buffer is full or the request has ended, a client that reads nothing for
    `patience` seconds ends the import with TooSlow. Stored courses remain.
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
        """Add answers to the buffer. Raises TooSlow, ConnectionError."""
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
