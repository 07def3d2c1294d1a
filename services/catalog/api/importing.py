"""The route that imports a file of courses."""

from aiohttp import web
from msgspec import Struct

from services.catalog.api.context import context_of
from services.catalog.importers import TYPES, ListReader, Options
from services.catalog.importers.facts import FACTS
from services.catalog.imports import CourseImport
from services.catalog.model import CourseImportReport, ImportCourses
from shared.imports.columns import pairs
from shared.imports.streaming import answer_import, import_request, named_encoding, named_format
from shared.routes import read_query


class CourseImportList(Struct, frozen=True):
    """The reports of the latest imports of courses."""

    imports: list[CourseImportReport]


async def import_courses(request: web.Request) -> web.StreamResponse:
    """Add or change many courses from NDJSON, CSV, an Excel workbook or schema.org JSON-LD, by the content type.

    Admins and editors may call this. Each row is answered with one line, in order, when it is stored or rejected. The
    last line is the report, which `GET /v1/imports/{import_id}` returns later. A rejected row does not stop the import;
    100,000 empty or rejected rows do.

    The first row of a course counts: a later equal row is unchanged, a different one is rejected. With `dry_run`
    nothing is written, the columns of a table are guessed, and the report holds its first rows (`sample`). With
    `import_id`, a UUID that the client has chosen, the report can be read while the file is sent: it is stored with the
    first rows, and then at most once a second. An id that another import of the tenant has is 409.

    If the body ends early, the report says so; stored courses stay, and the file may be sent again. Up to 16 MiB of
    compressed answers are kept for a client that sends everything before it reads; beyond that, rows are read only as
    fast as the client receives answers.
    """
    form = named_format(request, TYPES)
    query = read_query(request, ImportCourses)
    asked = import_request(request, form, query.import_id, dry_run=query.dry_run)
    options = Options(
        columns=query.map,
        defaults=dict(pairs(query.default or "", "default", FACTS)),
        header=query.header,
        encoding=query.encoding or named_encoding(request),
        sheet=query.sheet,
        accept_guess=query.dry_run,
        sample=query.dry_run,
    )
    reader = ListReader(form, options)
    taken = CourseImport(context_of(request).store, asked, full=query.full, withdraw=query.withdraw)
    return await answer_import(request, reader, taken)
