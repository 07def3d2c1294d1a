"""Many courses at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import msgspec
from aiohttp import web

from services.catalog.api.courses import store_course
from services.catalog.importers import ndjson
from services.catalog.model import RowProblem, RowResult
from shared.bodies import pieces
from shared.errors import Problem
from shared.preconditions import Preconditions
from shared.routes import open_stream
from shared.skills import Course

_ROWS_AT_ONCE = 32
_UNCONDITIONAL = Preconditions(None, None)


async def import_courses(request: web.Request) -> web.StreamResponse:
    """Add or change many courses: one JSON object a line, any number of lines.

    Each line is answered by one line as soon as it is stored or refused, in order; a bad one never stops the rest.
    Read the answer while sending: a client that does not will be waited for.
    """
    stream = await open_stream(request, "application/x-ndjson")
    async for batch in _batches(ndjson.rows(pieces(request))):
        results = await asyncio.gather(*(_import_row(request, row) for row in batch))
        await stream.write(b"".join(msgspec.json.encode(result) + b"\n" for result in results))
    await stream.write_eof()
    return stream


async def _import_row(request: web.Request, row: ndjson.Row) -> RowResult:
    identifier = None
    try:
        if isinstance(row.course, Problem):
            raise row.course
        identifier = row.course.id
        put, new = await store_course(request, row.course, _UNCONDITIONAL)
    except Problem as problem:
        refused = RowProblem(problem.status, problem.detail, problem.field)
        return RowResult(row.line, "refused", identifier, problem=refused)
    status: Literal["created", "changed", "unchanged"]
    status = "created" if new else "changed" if put.changed else "unchanged"
    return RowResult(row.line, status, put.id, put.revision, put.warnings)


async def _batches(rows: AsyncIterator[ndjson.Row]) -> AsyncIterator[list[ndjson.Row]]:
    """Yield rows to store at the same time; the same course twice is stored one after the other."""
    batch: list[ndjson.Row] = []
    ids: set[str] = set()
    async for row in rows:
        identifier = row.course.id if isinstance(row.course, Course) else ""
        if len(batch) == _ROWS_AT_ONCE or identifier in ids:
            yield batch
            batch, ids = [], set()
        batch.append(row)
        if identifier:
            ids.add(identifier)
    if batch:
        yield batch
