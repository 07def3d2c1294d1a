"""Imports of many courses."""

from aiohttp import web
from msgspec import Struct

from services.catalog.api.entries import STORE
from services.catalog.importers import TYPES, ListReader, Options
from services.catalog.importers.tables import pairs
from services.catalog.imports import CourseImport
from services.catalog.model import CourseImportReport, ImportCourses
from shared.imports.streaming import answer_import, import_request, named_encoding, named_format
from shared.routes import read_query


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
    form = named_format(request, TYPES)
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
        import_request(request, form, dry_run=asked.dry_run),
        full=asked.full,
        withdraw=asked.withdraw,
    )
    return await answer_import(request, reader, taken)
