"""The routes that import and export framework files. Files are read in a thread, one at a time."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Annotated, Literal

from aiohttp import web
from msgspec import Meta, Struct

from services.catalog import frameworks
from services.catalog.api.context import context_of
from services.catalog.api.frameworks import store_framework
from services.catalog.entries import framework_in
from services.catalog.framework_reading import read_framework
from services.catalog.frameworks import FORMATS, Fault, NotKept, Options, Reading, Source
from services.catalog.frameworks.tables import pairs
from services.catalog.model import FrameworkPut
from shared.bodies import pieces
from shared.domain import Identifier, Level, LocalizedText, ShortText
from shared.errors import InvalidInput, NotFound, Overloaded, TooLarge, Unsupported, type_of
from shared.openapi import ProblemDetails
from shared.preconditions import Tag
from shared.routes import (
    FILE_NAME,
    REQUEST_ID,
    Header,
    json_response,
    preconditions,
    principal,
    read_query,
    still_there,
)
from shared.texts import shows_something

FILE_LIMIT = 64 * 1024 * 1024
"""The most bytes of a file that a client sends. The file is stored on disk while it arrives, not in memory."""

NOT_HELD = Header("X-Not-Held", "What the format cannot represent, with counts; empty if it represents everything.")

FormatName = Literal["json", "csv", "case-1.0", "case-1.1", "digcomp", "esco", "onet"]
FrameworkFile = Annotated[
    str,
    Meta(
        description="A file in the format. "
        "Its Content-Type: JSON, JSON-LD, CSV, tab-separated values, an Excel workbook or a ZIP archive"
    ),
]


class ImportFramework(Struct, frozen=True, forbid_unknown_fields=True):
    """How a framework file is read: its format, and what the file does not state.

    `map` tells which column of a table holds what: items `column=heading`, separated by commas. With `dry_run`, nothing
    is stored.
    """

    format: Annotated[FormatName, Meta(description="The format of the file.")]
    dry_run: bool = False
    id: Annotated[Identifier | None, Meta(description="The id of the framework, if the file has none.")] = None
    title_th: Annotated[ShortText | None, Meta(description="Its title in Thai.")] = None
    title_en: Annotated[ShortText | None, Meta(description="Its title in English.")] = None
    map: Annotated[str, Meta(max_length=4000)] | None = None
    scale: Annotated[
        Annotated[str, Meta(max_length=2000)] | None,
        Meta(description="The names of the levels from 0 on, with commas between them."),
    ] = None
    mark: Annotated[Level | None, Meta(description="The level that a mark such as x means.")] = None
    sheet: Annotated[ShortText | None, Meta(description="The sheet of a workbook to read, by its name.")] = None
    skip_refused: Annotated[
        bool, Meta(description="Import the valid rows even if the framework is wrong without the refused ones.")
    ] = False


class ExportFramework(Struct, frozen=True, forbid_unknown_fields=True):
    """Selects the format of the exported file."""

    format: Annotated[FormatName, Meta(description="The format of the file.")]


class FrameworkImport(Struct, frozen=True):
    """The result of an import of a framework: what was stored, counts, and the faults of the file.

    For a dry run nothing is stored, `version` is null, and `status` is `checked` or `refused`. `not_kept` lists data of
    the file that a framework cannot hold; `assumed` lists what the file does not state and was assumed.
    """

    status: Literal["created", "changed", "unchanged", "checked", "refused"]
    id: str | None
    version: int | None
    rows: int
    areas: int
    skills: int
    job_groups: int
    requirements: int
    relations: int
    faults: list[Fault]
    further_faults: int
    not_kept: list[NotKept]
    assumed: list[str]
    unmapped_skills: list[str] = []
    unmapped_job_groups: list[str] = []
    scale_changed: LocalizedText | None = None


class RefusedImport(ProblemDetails, frozen=True, omit_defaults=True):
    """The answer if a whole file is rejected: a problem with the report of the import."""

    report: FrameworkImport | None = None


async def import_framework(request: web.Request) -> web.StreamResponse:
    """Add a framework of the caller's tenant from a file, or replace it.

    Only admins may call this. docs/frameworks.md describes the formats and the report. A rejected row is left out. If
    the framework would be wrong without the row, the whole file is rejected with 422 and the report, unless
    `skip_refused` is true. With `dry_run`, the report is answered and nothing is stored. `map` holds items
    `column=heading`, `scale` the names of the levels from 0 on; both are separated by commas. 503 while another file is
    read.
    """
    conditions, wanted = preconditions(request), read_query(request, ImportFramework)
    if request.content_type not in (accepted := FORMATS[wanted.format].accepts):
        raise Unsupported(f"{wanted.format} is read as {' or '.join(accepted)}", "Content-Type")
    options = Options(
        id=wanted.id or "",
        title=_title(wanted),
        columns=pairs(wanted.map) if wanted.map else {},
        scale=tuple(wanted.scale.split(",")) if wanted.scale else (),
        mark=wanted.mark,
        skip_refused=wanted.skip_refused,
        sheet=wanted.sheet,
    )
    files = context_of(request).files
    if files.locked():
        raise Overloaded("another file is being read", retry_after=5)
    async with files:
        with NamedTemporaryFile(prefix="framework-") as file:
            await _receive(request, file)
            source = Source("body", Path(file.name))
            reading = await asyncio.to_thread(read_framework, wanted.format, [source], options)
    if wanted.dry_run:
        return json_response(_report(reading, "checked" if reading.framework else "refused"))
    if reading.framework is None:
        return _refused(request, reading)
    put, new = await store_framework(request, reading.framework, conditions)
    status: Literal["created", "changed", "unchanged"] = "created" if new else "changed" if put.changed else "unchanged"
    return json_response(_report(reading, status, put), 201 if new else 200, tag=Tag(str(put.version)))


async def _receive(request: web.Request, file: IO[bytes]) -> None:
    """Write the body to a file, in a thread. Raises TooLarge, and the errors of reading a body."""
    size = 0
    async for piece in pieces(request, FILE_LIMIT):
        if (size := size + len(piece)) > FILE_LIMIT:
            raise TooLarge(f"the body may hold {FILE_LIMIT} bytes")
        await asyncio.to_thread(file.write, piece)
    await asyncio.to_thread(file.flush)
    still_there(request)


async def export_framework(request: web.Request) -> web.StreamResponse:
    """Return a framework as a file: the tenant's own framework with this id, or else the shared one.

    The header `X-Not-Held` counts the data that the format cannot represent. 404 if neither exists.
    """
    name = request.match_info["framework_id"]
    entry = await context_of(request).store.visible_framework(principal(request).tenant, name)
    if (framework := framework_in(entry)) is None:
        raise NotFound("no such framework")
    wanted = read_query(request, ExportFramework)
    written = await asyncio.to_thread(frameworks.write, wanted.format, framework, datetime.now(UTC))
    form = FORMATS[wanted.format]
    return web.Response(
        body=written.data,
        content_type=form.accepts[0],
        headers={
            FILE_NAME.name: f'attachment; filename="{name}{form.suffix}"',
            NOT_HELD.name: "; ".join(f"{lost.what}: {lost.count}" for lost in written.not_held),
        },
    )


def _title(wanted: ImportFramework) -> LocalizedText | None:
    for name in ("title_th", "title_en"):
        if (words := getattr(wanted, name)) and not shows_something(words):
            raise InvalidInput("shows nothing", name)
    return LocalizedText(th=wanted.title_th, en=wanted.title_en) if wanted.title_th or wanted.title_en else None


def _report(
    reading: Reading,
    status: Literal["created", "changed", "unchanged", "checked", "refused"],
    put: FrameworkPut | None = None,
) -> FrameworkImport:
    found = reading.framework
    return FrameworkImport(
        status=status,
        id=found.id if found else None,
        version=put.version if put else None,
        rows=reading.rows,
        areas=len(found.areas) if found else 0,
        skills=len(found.skills) if found else 0,
        job_groups=len(found.job_groups) if found else 0,
        requirements=len(found.requirements) if found else 0,
        relations=len(found.relations) if found else 0,
        faults=reading.faults,
        further_faults=reading.further_faults,
        not_kept=reading.not_kept,
        assumed=reading.assumed,
        unmapped_skills=put.unmapped_skills if put else [],
        unmapped_job_groups=put.unmapped_job_groups if put else [],
        scale_changed=put.scale_changed if put else None,
    )


def _refused(request: web.Request, reading: Reading) -> web.Response:
    first = next((fault for fault in reading.faults if fault.verdict == "untrue"), None)
    place = ", ".join(str(part) for part in (first.row and f"row {first.row}", first.id) if part) if first else ""
    detail = "the framework would be untrue without what is refused"
    if first:
        detail = f"{detail}; first: {place}: {first.reason}" if place else f"{detail}; first: {first.reason}"
    problem = RefusedImport(
        type_of(InvalidInput.kind),
        InvalidInput.title,
        InvalidInput.status,
        detail,
        request[REQUEST_ID],
        first.field if first else None,
        report=_report(reading, "refused"),
    )
    response = json_response(problem, InvalidInput.status)
    response.content_type = "application/problem+json"
    return response
