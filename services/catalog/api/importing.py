"""Imports of many courses, and their reports."""

from aiohttp import web
from msgspec import Struct

from services.catalog.api.entries import STORE
from services.catalog.importers import TYPES, ListReader, Options
from services.catalog.importers.tables import pairs
from services.catalog.imports import CourseImport
from services.catalog.model import CourseImportReport, ImportCourses
from shared.errors import NotFound, Unsupported
from shared.imports.reports import ReportStore
from shared.imports.rows import ListImports, ListRows, RowPage
from shared.imports.streaming import answer_import, named_encoding
from shared.routes import json_response, principal, read_query, trace_of

REPORTS: web.AppKey[ReportStore[CourseImportReport]] = web.AppKey("reports", ReportStore)


class CourseImportList(Struct, frozen=True):
    """Reports of imports of courses."""

    imports: list[CourseImportReport]


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
        encoding=asked.encoding or named_encoding(request),
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
        full=asked.full,
        withdraw=asked.withdraw,
    )
    return await answer_import(request, reader, taken)


async def show_import(request: web.Request) -> web.StreamResponse:
    """Return the report of an import: its counts, and the findings about the whole file.

    It is kept for 90 days.
    """
    return json_response(await _report(request))


async def list_imports(request: web.Request) -> web.StreamResponse:
    """Return the reports of the tenant's latest imports, that which was changed last first."""
    wanted = read_query(request, ListImports)
    return json_response(CourseImportList(await request.app[REPORTS].newest(principal(request).tenant, wanted.limit)))


async def list_import_rows(request: web.Request) -> web.StreamResponse:
    """Return a page of the rows of an import, in order, with the verdict on each."""
    wanted = read_query(request, ListRows)
    report = await _report(request)
    rows, following = await request.app[REPORTS].page(report.import_id, wanted)
    return json_response(RowPage(rows, following))


async def _report(request: web.Request) -> CourseImportReport:
    report = await request.app[REPORTS].find(principal(request).tenant, request.match_info["import_id"])
    if report is None:
        raise NotFound("no such import")
    return report
