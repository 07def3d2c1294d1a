"""Reads the rows of a body while earlier rows are stored, and answers each row once its result is known."""

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import Any, Protocol, Self, TypeVar
from uuid import UUID

import msgspec
from aiohttp import web

from shared.bodies import pieces
from shared.errors import InvalidInput, NotFound, Problem, TooLarge, TooSlow, Unsupported
from shared.imports.job import ImportJob, ImportRequest
from shared.imports.reports import ReportStore
from shared.imports.rows import (
    WITHOUT_CONTENT_LIMIT,
    ImportList,
    ImportReport,
    ListImports,
    ListRows,
    Row,
    RowPage,
    RowResult,
)
from shared.routes import Header, json_response, open_stream, principal, read_query, trace_of

T = TypeVar("T")
F = TypeVar("F", bound=str)

_Batch = tuple[list[Row[T]], int]
"""Rows, and how many bytes of the body were read for them."""

REPORTS: web.AppKey[ReportStore[Any]] = web.AppKey("reports", ReportStore)
REPORT_PLACE = Header("Location", "Where the report can be read later; without it after a `dry_run`.")

_READ_AT_ONCE = 16 * 1024
"""Bytes of the body that are read in one turn of the event loop, some ten milliseconds, so that others are answered."""

_BYTES_AT_ONCE = 4 * 1024 * 1024
"""Bytes of the body whose rows are stored together, about; 1,000 rows of the largest size would be 256 MiB."""

_ROWS_AT_ONCE = 100
_BATCHES_AHEAD = 128
_SLICE = 64 * 1024
_PACKED_FROM = 1024 * 1024


class Reader(Protocol[T]):
    """Reads rows from a body that comes in chunks."""

    @property
    def described(self) -> dict[str, Any]:
        """The fields of the report that state how the file is read: `encoding`, `mapping` and `unused_columns`.

        The encoding is None if it is not known, or if the file is no text. The others are empty without a table.
        """

    def feed(self, piece: bytes) -> Iterator[Row[T] | None]:
        """Yield the rows that a chunk completes, None for an empty row. Raises Problem if the file cannot be read."""

    def end(self) -> Iterator[Row[T] | None]:
        """Yield the rows that remain at the end. Raises Problem if the file cannot be read."""

    def close(self) -> None:
        """Release what the reader holds."""


async def answer_import(
    request: web.Request, reader: Reader[T], job: ImportJob[T, Any], report: str = "/v1/imports/{import_id}"
) -> web.StreamResponse:
    """Answer each row of the body with one line, in order, and end with the report.

    `report`: the path at which the report can be read later, for `Location`. Closes the reader. Raises Problem if
    reading the body fails before the first answer; a later failure is stated in the report.
    """
    try:
        return await _answer(request, _answered(request, reader, job), job, report)
    except (ConnectionError, TooSlow, asyncio.CancelledError):
        if job.begun:
            await asyncio.shield(job.stop(TooSlow("the client went away before the end of the file")))
        raise
    finally:
        reader.close()


def named_format(request: web.Request, formats: Mapping[str, F]) -> F:
    """Return the format that the content type names. `formats`: by content type. Raises Unsupported."""
    form = formats.get(request.content_type)
    if form is None:
        raise Unsupported(f"the content type is to be one of: {', '.join(formats)}", "Content-Type")
    return form


def import_request(
    request: web.Request, form: str, import_id: UUID | None, *, dry_run: bool, key: str | None = None
) -> ImportRequest[Any]:
    """Return the options of the import that a request asks for.

    `import_id`: the id that the client has chosen for the report. `key`: the client's own identifier of the import.
    Raises InvalidInput, which names `import_id`, for an id of a dry run.
    """
    if import_id is not None and dry_run:
        raise InvalidInput("a dry run stores no report, so it has no id to choose", "import_id")
    reports, tenant = request.app[REPORTS], principal(request).tenant
    return ImportRequest(
        reports=reports,
        tenant=tenant,
        trace=trace_of(request),
        form=form,
        dry_run=dry_run,
        key=key,
        import_id=None if import_id is None else str(import_id),
    )


def named_encoding(request: web.Request) -> str | None:
    """Return the encoding in the content type; None if there is none, or it is UTF-8 or ASCII."""
    named = (request.charset or "").lower()
    return None if named in ("", "utf-8", "utf8", "us-ascii") else named


async def show_import(request: web.Request) -> web.StreamResponse:
    """Return the report of an import: its counts, and the findings about the whole file.

    The report is kept for 90 days. 404 for an import of another tenant.
    """
    return json_response(await _report(request))


async def list_imports(request: web.Request) -> web.StreamResponse:
    """Return the reports of the tenant's latest imports, most recently changed first."""
    wanted = read_query(request, ListImports)
    return json_response(ImportList(await request.app[REPORTS].newest(principal(request).tenant, wanted.limit)))


async def list_import_rows(request: web.Request) -> web.StreamResponse:
    """Return a page of the rows of an import, in order, with the result of each. 404 for another tenant's import."""
    wanted = read_query(request, ListRows)
    report = await _report(request)
    rows, following = await request.app[REPORTS].page(principal(request).tenant, report.import_id, wanted)
    return json_response(RowPage(rows, following))


async def _report(request: web.Request) -> ImportReport:
    report: ImportReport | None = await request.app[REPORTS].find(
        principal(request).tenant, request.match_info["import_id"]
    )
    if report is None:
        raise NotFound("no such import")
    return report


async def _answer(
    request: web.Request, answered: AsyncGenerator[bytes], job: ImportJob[Any, Any], report: str
) -> web.StreamResponse:
    async with aclosing(answered):
        first = await anext(answered, b"")  # a body that cannot be read is refused before an answer begins
        place = {} if job.report.dry_run else {REPORT_PLACE.name: report.format(import_id=job.report.import_id)}
        stream = await open_stream(request, "application/x-ndjson", place)
        async with Answers(stream) as answers:
            await answers.put(first)
            async for more in answered:
                await answers.put(more)
    await stream.write_eof()
    return stream


async def _answered(request: web.Request, reader: Reader[T], job: ImportJob[T, Any]) -> AsyncGenerator[bytes]:
    """Yield the answer to each row when it is ready, and the report at the end.

    If the body breaks off or cannot be read further, the report says so. Raises Problem if that happens before the
    first answer.
    """
    begun = False
    counted = _Counted()

    async def batches() -> AsyncGenerator[list[Row[T]]]:
        nonlocal begun
        async with aclosing(_together(_read(request, reader, counted), job.rows_at_once)) as together:
            async for batch in together:
                if not begun:
                    job.describe(**reader.described)
                    await job.begin()
                    begun = True
                yield batch

    try:
        async with aclosing(_stored(batches(), job)) as stored:
            async for results in stored:
                await job.count(results)
                yield _lines(results)
        if counted.over:
            raise TooLarge(f"over {WITHOUT_CONTENT_LIMIT} rows are empty or refused; the rest is not read")
        job.describe(**reader.described)
        report = await job.finish()
    except Problem as problem:
        if not begun:
            raise
        job.describe(**reader.described)
        report = await job.stop(problem)
    yield _line(report)


async def _read(request: web.Request, reader: Reader[T], counted: "_Counted") -> AsyncIterator[_Batch[T]]:
    """Yield the rows of the body in batches, as it arrives, and an empty batch when all that has arrived is read.

    Raises Problem if the body cannot be read further.
    """
    size = 0
    async for chunk in pieces(request):
        for at in range(0, len(chunk), _READ_AT_ONCE):
            size += len(piece := chunk[at : at + _READ_AT_ONCE])
            for batch in _batches(counted.rows(reader.feed(piece))):
                yield batch, size
                size = 0
            if counted.over:
                return
            await asyncio.sleep(0)
        yield [], 0
    batches = _batches(counted.rows(reader.end()))
    while batch := await asyncio.to_thread(_next, batches):
        yield batch, 0


async def _stored(batches: AsyncGenerator[list[Row[T]]], job: ImportJob[T, Any]) -> AsyncGenerator[list[RowResult]]:
    """Store batches of rows, `job.batches_at_once` at a time; yield their results, in the order of the batches.

    An error of reading is raised after the results of the rows before it; after an error of storing, no further batch
    is begun. Closes `batches`.
    """
    turns = asyncio.Semaphore(job.batches_at_once)
    begun: asyncio.Queue[asyncio.Task[list[RowResult]] | None] = asyncio.Queue()
    running: set[asyncio.Task[list[RowResult]]] = set()

    async def begin() -> None:
        try:
            while await turns.acquire() and (batch := await anext(batches, None)) is not None:
                running.add(task := asyncio.create_task(job.store_rows(batch)))
                begun.put_nowait(task)
        finally:
            begun.put_nowait(None)

    beginning = asyncio.create_task(begin())
    try:
        while (task := await begun.get()) is not None:
            yield await task
            running.discard(task)
            turns.release()
        await beginning
    finally:
        for one in (beginning, *running):
            one.cancel()
        await asyncio.gather(beginning, *running, return_exceptions=True)
        await batches.aclose()


async def _together(batches: AsyncIterator[_Batch[T]], at_once: int) -> AsyncGenerator[list[Row[T]]]:
    """Yield rows in batches of about `at_once`; of fewer if they are large, or an empty batch says that no more came.

    An error of reading is raised after the rows before it.
    """
    ahead: asyncio.Queue[_Batch[T] | None] = asyncio.Queue(_BATCHES_AHEAD)

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
        rows: list[Row[T]] = []
        size = 0
        while (came := await ahead.get()) is not None:
            batch, more = came
            rows += batch
            size += more
            if len(rows) >= at_once or size >= _BYTES_AT_ONCE or (rows and not batch and ahead.empty()):
                yield rows
                rows, size = [], 0
        if rows:
            yield rows
        await reading
    finally:
        reading.cancel()
        await asyncio.wait({reading})


class _Counted:
    """Forwards rows, and ends once too many of them had no content; then `over` is True."""

    def __init__(self) -> None:
        self.over = False
        self._without = 0

    def rows(self, rows: Iterable[Row[T] | None]) -> Iterator[Row[T]]:
        for row in rows:
            if row is None or row.content is None:
                self._without += 1
            if self._without > WITHOUT_CONTENT_LIMIT:
                self.over = True
                return
            if row is not None:
                yield row


def _batches(rows: Iterator[Row[T]]) -> Iterator[list[Row[T]]]:
    """Yield rows in batches. If the rest cannot be read, the rows before it are yielded first. Raises Problem."""
    batch: list[Row[T]] = []
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


def _next(batches: Iterator[list[Row[T]]]) -> list[Row[T]]:
    return next(batches, [])


def _lines(results: Iterable[RowResult]) -> bytes:
    return b"".join(map(_line, results))


def _line(result: RowResult | ImportReport) -> bytes:
    return msgspec.json.encode(result) + b"\n"


class Answers:
    """Buffers the answers to rows and sends them while the request is still being read.

    Many clients send the whole request before they read anything. The buffer holds about `limit` bytes; answers that
    wait are compressed to about a twelfth, so that those of some million rows fit. The import ends with TooSlow if the
    client reads nothing for `patience` seconds while the buffer is full, or after the request has ended. Rows that were
    stored before remain.
    """

    def __init__(self, stream: web.StreamResponse, limit: int = 16 * 1024 * 1024, patience: float = 60.0) -> None:
        self._stream = stream
        self._limit = limit
        self._patience = patience
        self._packed: deque[bytes] = deque()
        self._packed_bytes = 0
        self._waiting = bytearray()
        self._going = 0
        self._more, self._moved = asyncio.Event(), asyncio.Event()
        self._sender: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._sender = asyncio.create_task(self._send())
        self._sender.add_done_callback(lambda _: self._moved.set())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while kind is None and self._held:
                await self._progress()
        finally:
            self._sender.cancel()
            await asyncio.wait({self._sender})

    async def put(self, answers: bytes) -> None:
        """Add answers to the buffer once it has room. Raises TooSlow, ConnectionError."""
        while self._held > self._limit:
            await self._progress()
        self._waiting += answers
        if len(self._waiting) >= _PACKED_FROM:
            self._packed.append(zlib.compress(self._waiting, 1))
            self._packed_bytes += len(self._packed[-1])
            self._waiting.clear()
        self._more.set()

    @property
    def _held(self) -> int:
        """How many bytes are buffered, including those that are being sent."""
        return self._packed_bytes + len(self._waiting) + self._going

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
            while self._held:
                answers = self._next()
                for at in range(0, len(answers), _SLICE):
                    self._going = len(answers) - at
                    await self._stream.write(answers[at : at + _SLICE])
                    self._moved.set()
                self._going = 0

    def _next(self) -> bytes:
        """Return the oldest buffered answers and remove them from the buffer."""
        if self._packed:
            packed = self._packed.popleft()
            self._packed_bytes -= len(packed)
            return zlib.decompress(packed)
        answers = bytes(self._waiting)
        self._waiting.clear()
        return answers
